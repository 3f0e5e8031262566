"""Whatever is traded: money is neither made nor lost, and reduce-only orders only reduce."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tradebaas.paper.accounts import Position
from tradebaas.paper.candles import Candle
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.desk import Desk
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.instruments import INSTRUMENTS
from tradebaas.paper.keys import AccountConfig
from tradebaas.paper.market import ReplayMarket
from tradebaas.paper.rpc import Front
from tradebaas.paper.saved import MAIN

D = Decimal
OTHER = "other"
BARS = 12
names = st.sampled_from(sorted(INSTRUMENTS))
sides = st.sampled_from(["buy", "sell"])
ticks = st.integers(60_000, 200_000).map(lambda n: D(n) / 2)
fills = st.lists(st.tuples(sides, st.integers(1, 500), ticks), min_size=1, max_size=30)


@given(names, fills)
def test_flat_to_flat_profit_is_the_signed_sum_of_the_values(name: str, moves: Any) -> None:
    position = Position(instrument_name=name)
    item = position.instrument
    profit = cash = D(0)

    def fill(side: str, amount: D, price: D) -> None:
        nonlocal profit, cash
        profit += position.fill(side, amount, price)
        value = item.value(amount, price)
        cash += value if (side == "buy") == item.inverse else -value

    for side, contracts, price in moves:
        fill(side, contracts * item.contract_size, price)
        assert position.cost >= 0
        assert (position.size == 0) == (position.cost == 0)
    if position.size:
        fill("sell" if position.size > 0 else "buy", abs(position.size), D(43210))
    assert (position.size, position.cost) == (D(0), D(0))
    assert profit == cash == position.realized


class Client:
    """The clients of an exchange in lockstep, one for each of its two accounts.

    ``trades`` has those of each account, as the journal tells them.
    """

    def __init__(self, closes: list[int]) -> None:
        candles, opened = [], D(40_000)
        for number, close in enumerate(closes):
            low, high = min(opened, D(close)) - 40 - number, max(opened, D(close)) + 60
            candles.append(Candle(opened, high, low, D(close), D(1000)))
            opened = D(close) + number % 3 * 25
        other = AccountConfig(name=OTHER, balance_btc=D(1))
        config = ExchangeConfig(
            directory=Path("/nowhere"), lockstep=True, admin=True, accounts=(other,)
        )
        market = ReplayMarket(1_640_995_200_000, tuple(candles), 0)
        self.exchange = Exchange(config, market, None, lambda: "token")
        self.front = Front(self.exchange)
        self.sessions = {account: self.exchange.connect() for account in (MAIN, OTHER)}
        for account, session in self.sessions.items():
            session.logged_in, session.account = True, account
        self.trades: dict[str, list[dict[str, Any]]] = {MAIN: [], OTHER: []}

    def call(self, method: str, params: dict[str, Any], account: str = MAIN) -> None:
        text = msgspec.json.encode({"id": 1, "method": method, "params": params}).decode()
        now_us = self.exchange.now_ms * 1000
        self.front.receive(self.sessions[account].number, text, now_us, 0, {})
        self.finish()

    def rest(self, method: str, params: dict[str, Any], account: str) -> None:
        """Place an order at the best price of its own side, where others find it."""
        tape = self.exchange.tape
        price = tape.bid if method == "private/buy" else tape.ask
        self.call(method, params | {"type": "limit", "price": float(price)}, account)

    def finish(self) -> None:
        """End a step: every reduce-only fill in it must have made a position smaller."""
        records = self.exchange.take_step().records
        for record in records:
            if record.kind == "trade":
                trade = msgspec.json.decode(record.body, type=dict[str, Any])
                self.trades[trade.get("account", MAIN)].append(trade)


leg = st.fixed_dictionaries(
    {"direction": sides, "amount": st.integers(1, 30).map(lambda n: n * 10)},
    optional={"reduce_only": st.booleans(), "label": st.just("leg")},
)
order_types = st.sampled_from(
    ["limit", "market", "stop_market", "take_market", "stop_limit", "trailing_stop", "market_limit"]
)
conditions = st.sampled_from(["first_hit", "complete_fill", "incremental"])


@st.composite
def orders(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    def shape(params: dict[str, Any]) -> dict[str, Any]:
        params["type"] = draw(order_types)
        params["price"] = draw(st.integers(39_500, 40_500))
        if params["type"] not in ("limit", "market", "market_limit"):
            params["trigger"] = "mark_price"
            params["trigger_price"] = draw(st.integers(39_500, 40_500))
            params["trigger_offset"] = draw(st.integers(1, 300))
        return params

    params = shape({"instrument_name": "BTC-PERPETUAL", "amount": draw(st.integers(1, 30)) * 10})
    params["reduce_only"] = draw(st.booleans())
    if params["type"] == "limit" and draw(st.booleans()):
        params["time_in_force"] = "immediate_or_cancel"
    if draw(st.booleans()):
        params["linked_order_type"] = "one_triggers_one_cancels_other"
        params["trigger_fill_condition"] = draw(conditions)
        params["otoco_config"] = [shape(dict(draw(leg))) for _ in range(2)]
    return f"private/{draw(sides)}", params


accounts = st.sampled_from([MAIN, MAIN, OTHER])
amounts = st.integers(1, 30).map(
    lambda n: {"instrument_name": "BTC-PERPETUAL", "amount": n * 10, "type": "market"}
)
actions = st.one_of(
    orders(),
    st.just(("play", {})),
    st.tuples(st.sampled_from(["rest private/buy", "rest private/sell"]), amounts),
    st.tuples(st.sampled_from(["private/buy", "private/sell"]), amounts),
    st.tuples(st.just("admin/depth"), st.sampled_from([{"amount": 30}, {"amount": 100}])),
)


@settings(max_examples=150)
@given(
    st.lists(st.integers(39_600, 40_400), min_size=BARS, max_size=BARS),
    st.lists(st.tuples(accounts, actions), max_size=25),
)
def test_any_orders_keep_the_books(closes: list[int], chosen: Any) -> None:
    client = Client(closes)
    exchange = client.exchange
    for account, (method, params) in chosen:
        if method == "play":
            exchange.play_bar()
            client.finish()
        elif method.startswith("rest "):
            client.rest(method.removeprefix("rest "), params, account)
        else:
            client.call(method, params, account)
    exchange.shock(D(41_000))
    client.finish()
    for account in (MAIN, OTHER):
        keeps_its_books(exchange.desks[account], client.trades[account])
    sides_agree(client.trades)


def keeps_its_books(desk: Desk, trades: list[dict[str, Any]]) -> None:
    size = cash = D(0)
    for trade in trades:
        signed = D(trade["amount"]) if trade["direction"] == "buy" else -D(trade["amount"])
        if trade["reduce_only"]:
            assert abs(size + signed) < abs(size), "a reduce-only fill made the position bigger"
            assert (size + signed) * size >= 0, "a reduce-only fill turned the position round"
        size += signed
        cash += D(str(trade["profit_loss"])) - D(str(trade["fee"]))
    assert desk.account.positions["BTC-PERPETUAL"].size == size
    assert desk.account.balances["BTC"] == 1 + cash
    changes = [row.change for row in desk.transactions if row.currency == "BTC"]
    assert sum(changes) == desk.account.cash("BTC"), "a row of the transaction log is wrong"
    for order in desk.orders.values():
        assert 0 <= order.filled <= order.amount
        assert (order.order_id in desk.live) == order.is_live
    groups: dict[str, list[str]] = {}
    for order in desk.live.values():
        if order.oco_ref is not None and not order.is_secondary:
            groups.setdefault(order.oco_ref, []).append(order.order_id)
    assert all(len(group) == 2 for group in groups.values()), "a leg outlived its other leg"


def sides_agree(trades: dict[str, list[dict[str, Any]]]) -> None:
    """Nobody trades with himself, and who trades with another gives what that one takes."""
    mine, hers = ({trade["trade_seq"]: trade for trade in trades[name]} for name in (MAIN, OTHER))
    assert [len(mine), len(hers)] == [len(trades[MAIN]), len(trades[OTHER])]
    for number in mine.keys() & hers.keys():
        one, other = mine[number], hers[number]
        assert {one["direction"], other["direction"]} == {"buy", "sell"}
        assert {one["liquidity"], other["liquidity"]} == {"M", "T"}
        same = ("trade_id", "amount", "price", "timestamp")
        assert [one[name] for name in same] == [other[name] for name in same]
