"""Candles and the day are what the public trades add up to, on the tick, in whole contracts."""

from collections import defaultdict
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_kit import ALICE, BTC, LINEAR, T0, Guest, Lab, RpcError, replay

from tradebaas.paper.candles import MINUTE_MS
from tradebaas.paper.desk import SEQ_PER_MS
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.keys import AccountConfig
from tradebaas.paper.market import TICK, GeneratedMarket
from tradebaas.paper.rpc import Front
from tradebaas.paper.saved import SavedState

D = Decimal
RICH = ALICE | {
    "accounts": (AccountConfig(name="alice", balance_btc=D(2), balance_usdc=D(100_000)),)
}
SMALLEST = {BTC: D(10), LINEAR: D("0.0001")}
COLUMNS = ("open", "high", "low", "close", "volume", "cost")
DEEDS = st.one_of(
    st.tuples(st.just("advance"), st.sampled_from([1, 700, 4_000, 20_000, 59_999, 60_000, 95_000])),
    st.tuples(st.just("trade"), st.integers(-30, 30).filter(bool)),
    st.tuples(st.just("rest"), st.integers(-30, 30).filter(bool)),
    st.tuples(st.just("alice"), st.integers(-30, 30).filter(bool)),
    st.tuples(st.just("price"), st.decimals(-900, 900, places=2)),
    st.tuples(st.just("depth"), st.sampled_from([0, 10, 5_000])),
    st.tuples(st.just("restart"), st.just(0)),
)


class World:
    """A paced exchange of two accounts, whose public trades are noted as they are told, too."""

    def __init__(self, seed: int) -> None:
        self.lab = Lab(GeneratedMarket(seed, T0), lockstep=False, rate_limits=False, **RICH)
        self.alice = Guest(self.lab, "alice")
        self.frames: dict[tuple[str, int], dict[str, Any]] = {}
        self._listen()

    def _listen(self) -> None:
        channels = [f"chart.trades.{name}.1" for name in (BTC, LINEAR)]
        self.lab.call("public/subscribe", channels=channels)

    def do(self, what: str, value: Any) -> None:
        """Do one thing in both markets."""
        exchange = self.lab.exchange
        if what == "advance":
            exchange.advance(exchange.now_ms + value)
            self._note()
        elif what == "price":
            self.lab.call("admin/price", price=max(D(1_000), exchange.tape.price + value))
        elif what == "depth":
            self.lab.call("admin/depth", amount=value)
        elif what == "restart":
            self._restart()
        else:
            for name in (BTC, LINEAR):
                self._order(what, name, value)

    def _order(self, what: str, name: str, value: int) -> None:
        who = self.alice if what == "alice" else self.lab
        more: dict[str, Any] = {"instrument_name": name}
        if what == "rest":
            more["price"] = self.lab.exchange.tape.bid + (5 if value < 0 else -5)
        place = who.buy if value > 0 else who.sell
        with suppress(RpcError):  # a self-trade, or a price beyond the band: nothing is traded
            place(str(abs(value) * SMALLEST[name]), **more)

    def _note(self) -> None:
        for note in [*self.lab.notes, *self.lab.drain()]:
            params = note.get("params", note)
            if params["channel"].startswith("chart."):
                self.frames[params["channel"].split(".")[2], params["data"]["tick"]] = params[
                    "data"
                ]
        self.lab.notes.clear()

    def _restart(self) -> None:
        lab, old = self.lab, self.lab.exchange
        lab.drain()
        saved = msgspec.json.decode(msgspec.json.encode(old.saved), type=SavedState)
        lab.exchange = Exchange(old.config, old.tape.market, saved, lab._token)
        for name, desk in lab.exchange.desks.items():
            left = old.desks[name]
            desk.restore(left.orders.values(), left.trades, left.transactions)
        lab.exchange.part_from_all()
        lab.front = Front(lab.exchange)
        lab.session = lab.exchange.connect().number
        lab.guests.clear()
        lab.notes.clear()
        lab.login("paper", "paper-secret")
        self.alice = Guest(lab, "alice")
        self._listen()

    def trades(self, name: str) -> list[dict[str, Any]]:
        """All public trades since the first bar, page by page."""
        found: list[dict[str, Any]] = []
        start = T0 * SEQ_PER_MS
        more = True
        while more:
            page = self.lab.call(
                "public/get_last_trades_by_instrument_and_time",
                instrument_name=name, start_seq=start, count=1000, sorting="asc",
            )  # fmt: skip
            found, more = found + page["trades"], page["has_more"]
            start = found[-1]["trade_seq"] + 1
        return found


def added(name: str, trades: list[dict[str, Any]]) -> dict[str, Decimal]:
    prices, amounts = [D(t["price"]) for t in trades], [D(t["amount"]) for t in trades]
    assert all(price % TICK == 0 for price in prices)
    assert all(amount % SMALLEST[name] == 0 for amount in amounts)
    pairs = list(zip(prices, amounts, strict=True))
    if name == BTC:
        cost, coins = sum(amounts), sum(amount / price for price, amount in pairs)
    else:
        cost, coins = sum(price * amount for price, amount in pairs), sum(amounts)
    values = prices[0], max(prices), min(prices), prices[-1], D(coins), D(cost)
    return dict(zip(COLUMNS, values, strict=True))


def check(world: World, name: str) -> None:
    lab = world.lab
    now_ms = lab.exchange.now_ms
    bars: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for trade in world.trades(name):
        bars[trade["timestamp"] // MINUTE_MS * MINUTE_MS].append(trade)
    chart = lab.call(
        "public/get_tradingview_chart_data", instrument_name=name, resolution="1",
        start_timestamp=T0, end_timestamp=now_ms,
    )  # fmt: skip
    assert sorted(bars) == chart["ticks"]
    for n, tick in enumerate(chart["ticks"]):
        wanted = added(name, bars[tick])
        shown = {column: D(chart[column][n]) for column in COLUMNS}
        assert abs(shown.pop("volume") - wanted.pop("volume")) <= D("1E-8")
        assert shown == wanted
        if tick < lab.exchange.tape.open_ms and (frame := world.frames.get((name, tick))):
            assert {column: D(frame[column]) for column in wanted} == wanted
    stats = lab.call("public/ticker", instrument_name=name)["stats"]
    oldest_ms = lab.exchange.tape.open_ms - 1439 * MINUTE_MS
    day = lab.call(
        "public/get_tradingview_chart_data", instrument_name=name, resolution="1",
        start_timestamp=oldest_ms, end_timestamp=now_ms,
    )  # fmt: skip
    assert (stats["high"], stats["low"]) == (max(day["high"]), min(day["low"]))
    assert (stats["volume_usd"], stats["volume"]) == (sum(day["cost"]), sum(day["volume"]))


@settings(max_examples=15)
@given(seed=st.integers(1, 50), deeds=st.lists(DEEDS, min_size=4, max_size=25))
def test_candles_and_the_day_are_what_the_public_trades_add_up_to(
    seed: int, deeds: list[tuple[str, Any]]
) -> None:
    world = World(seed)
    for deed in deeds:
        world.do(*deed)
    for name in (BTC, LINEAR):
        check(world, name)


@pytest.mark.parametrize("name", [BTC, LINEAR])
def test_fills_a_shock_and_a_restart_stay_in_the_sum(name: str) -> None:
    world = World(7)
    steps = [
        ("advance", 12_000), ("trade", 7), ("rest", -3), ("advance", 43_000),
        ("price", D("-333.3")),
        ("alice", 9), ("advance", 30_000), ("restart", 0), ("depth", 10), ("trade", -9),
        ("advance", 95_000),
    ]  # fmt: skip
    told: list[dict[str, Any]] = []
    for what, value in steps:
        world.do(what, value)
        check(world, name)
        trades = world.trades(name)
        assert trades[: len(told)] == told  # what was traded is never told anew
        told = trades


def test_a_shock_leaves_the_candles_of_a_file_on_the_tick() -> None:
    lab = Lab(replay(*[("80000", "80500", "79500", "80400")] * 3), lockstep=False)
    lab.exchange.advance(T0 + 31_234)
    lab.call("admin/price", price="80111.3")
    lab.exchange.advance(T0 + 120_000)
    chart = lab.call(
        "public/get_tradingview_chart_data", instrument_name=BTC, resolution="1",
        start_timestamp=T0, end_timestamp=T0 + 60_000,
    )  # fmt: skip
    assert all(D(price) % TICK == 0 for column in COLUMNS[:4] for price in chart[column])
    assert chart["cost"] == [6_000, 6_000]
