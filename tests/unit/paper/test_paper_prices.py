"""Index, mark and last price: how far apart they are, and what each of them is for."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from paper_kit import BTC, FLAT, LINEAR, T0, Lab, replay

from tradebaas.paper.basis import MARK_STEP, PERIOD_MS, Basis
from tradebaas.paper.candles import MINUTE_MS
from tradebaas.paper.market import GeneratedMarket
from tradebaas.paper.orders import Trigger

D = Decimal
SHARE = D("0.001")
MOST = 80 * D(1)
"""Dollars, of a market that begins at 80 000."""
HOUR_MS = 60 * MINUTE_MS


def still(**settings: Any) -> Lab:
    """An exchange whose index stands still for an hour, and whose mark does not."""
    settings = {"basis": SHARE, "rate_limits": False, **settings}
    return Lab(replay(*[FLAT] * 60), lockstep=False, **settings)


def marks(lab: Lab, step_ms: int = 1_000) -> list[Decimal]:
    """Where the mark will be for the rest of the hour while the index stands."""
    tape = lab.exchange.tape
    return [tape.mark_of(tape.price, T0 + ms) for ms in range(0, HOUR_MS, step_ms)]


def ticker(lab: Lab, name: str = BTC) -> dict[str, Any]:
    found: dict[str, Any] = lab.call("public/ticker", instrument_name=name)
    return found


def test_the_basis_is_bounded_smooth_and_drawn_from_the_seed() -> None:
    index = D(80_000)
    basis, again, other = Basis(MOST, 1), Basis(MOST, 1), Basis(MOST, 2)
    times = range(-50 * PERIOD_MS, 50 * PERIOD_MS, 7_919)
    way = [basis.mark(index, at_ms) - index for at_ms in times]
    assert max(map(abs, way)) <= MOST
    assert min(way) < -MOST / 2
    assert max(way) > MOST / 2
    slope = 2 * MOST / PERIOD_MS
    assert all(abs(b - a) <= slope * 7_919 + MARK_STEP for a, b in pairwise(way))
    assert way[::-1] == [again.mark(index, at_ms) - index for at_ms in reversed(times)]
    assert way != [other.mark(index, at_ms) - index for at_ms in times]
    assert Basis(D(0), 1).mark(D("80000.123"), 5) == D("80000.123")


def test_every_view_tells_the_three_prices() -> None:
    lab = still()
    lab.call("public/subscribe", channels=[f"ticker.{LINEAR}.raw", "deribit_price_index.btc_usd"])
    lab.exchange.advance(T0 + 7 * MINUTE_MS + 3_000)
    told = {n["params"]["channel"]: n["params"]["data"] for n in lab.drain() if "params" in n}
    mark = lab.exchange.tape.mark
    assert 0 < abs(mark - 80_000) <= MOST
    for wire in (ticker(lab), ticker(lab, LINEAR), told[f"ticker.{LINEAR}.raw"]):
        assert (wire["index_price"], D(wire["mark_price"]), wire["last_price"]) == (
            80_000, mark, 80_000,
        )  # fmt: skip
        assert wire["estimated_delivery_price"] == 80_000
        assert D(wire["min_price"]) == (mark * D("0.985")) // D("0.5") * D("0.5")
        assert D(wire["max_price"]) == (mark * D("1.015")) // D("0.5") * D("0.5")
    assert told["deribit_price_index.btc_usd"]["price"] == 80_000
    asked = {"instrument_name": BTC, "count": 1}
    (trade,) = lab.call("public/get_last_trades_by_instrument", **asked)["trades"]
    assert trade["index_price"] == 80_000
    assert 0 < abs(D(trade["mark_price"]) - mark) < 1  # it was three seconds ago
    lab.buy(1_000)
    (fill,) = lab.trades()
    assert (D(fill["index_price"]), D(fill["mark_price"])) == (D(80_000), mark)


def test_profit_margin_and_settlement_go_by_the_mark() -> None:
    lab = still()
    lab.buy(1_000_000)
    lab.exchange.advance(T0 + 8 * MINUTE_MS)
    lab.drain()
    mark = lab.exchange.tape.mark
    held = lab.call("private/get_position", instrument_name=BTC)
    step = D("1E-12")
    floating = D(1_000_000) / D("80000.5") - D(1_000_000) / mark
    assert abs(D(held["total_profit_loss"]) - floating) <= step
    assert (D(held["mark_price"]), held["index_price"]) == (mark, 80_000)
    value = D(1_000_000) / mark
    assert abs(D(held["initial_margin"]) - (value / 50 + value * value * D("0.00005"))) <= 2 * step
    summary = lab.call("private/get_account_summary", currency="BTC")
    fee = D(1_000_000) / D("80000.5") * D("0.00035")
    assert abs(D(summary["equity"]) - (1 - fee + floating)) <= 2 * step
    lab.exchange.terms.settlement_at_ms = 9 * MINUTE_MS
    lab.exchange.advance(T0 + 20 * MINUTE_MS)
    settled = lab.exchange.tape.mark_of(D(80_000), T0 + 9 * MINUTE_MS - 1)
    assert settled != lab.exchange.tape.mark
    assert D(ticker(lab)["settlement_price"]) == settled


@pytest.mark.parametrize("side, sign", [("buy", 1), ("sell", -1)])
def test_a_stop_fires_by_the_price_that_it_names(side: str, sign: int) -> None:
    lab = still()
    path = marks(lab)
    extreme = max(path, key=lambda mark: sign * mark)
    level = (path[0] + extreme) / 2 // D("0.5") * D("0.5")
    assert sign * (level - path[0]) > 5
    assert sign * (level - 80_000) > 0, "the index must not be beyond it"
    when = next(n for n, mark in enumerate(path) if sign * (mark - level) >= 0)
    triggers: tuple[Trigger, ...] = ("mark_price", "index_price", "last_price")
    for trigger in triggers:
        order = {"type": "stop_market", "trigger": trigger, "trigger_price": float(level)}
        lab.enter(f"private/{side}", 10, order | {"label": trigger})
    lab.exchange.advance(T0 + (when - 1) * 1_000)
    assert not lab.trades()
    lab.exchange.advance(T0 + HOUR_MS - 1)
    lab.drain()
    (fill,) = lab.trades()
    assert fill["label"] == "mark_price"
    assert abs(D(fill["mark_price"]) - level) <= MARK_STEP
    assert abs(fill["timestamp"] - (T0 + when * 1_000)) <= 1_000
    assert D(fill["price"]) in {D(80_000), D("80000.5")}, "it trades where the market is"


def test_the_same_stop_fires_at_the_same_time_in_any_pace() -> None:
    fills = []
    for step_ms in (700, 20_000, HOUR_MS):
        lab = Lab(GeneratedMarket(6, T0), lockstep=False, rate_limits=False, basis=SHARE)
        price = lab.exchange.tape.mark // 1
        for offset in (-60, -20, 20, 60):
            side = "sell" if offset < 0 else "buy"
            stop = {"type": "stop_market", "trigger": "mark_price"}
            lab.enter(f"private/{side}", 10, stop | {"trigger_price": float(price + offset)})
        for at_ms in range(0, HOUR_MS, step_ms):
            lab.exchange.advance(T0 + at_ms)
        lab.exchange.advance(T0 + HOUR_MS)
        lab.drain()
        fills.append([(t["timestamp"], D(t["price"]), t["direction"]) for t in lab.trades()])
    assert len(fills[0]) >= 3
    for other in fills[1:]:
        for (at_ms, price, side), (also_ms, too, same) in zip(fills[0], other, strict=True):
            assert side == same
            assert abs(at_ms - also_ms) <= 5
            assert abs(price - too) <= D("0.5")


def test_a_trade_of_an_account_is_the_last_one_until_the_market_trades() -> None:
    lab = still()
    lab.exchange.matching.levels.depth[BTC] = D(10)
    lab.exchange.advance(T0 + 61_000)
    stop = {"type": "stop_market", "trigger_price": 80_003}
    for trigger in ("index_price", "last_price"):
        lab.buy(10, label=trigger, trigger=trigger, **stop)
    lab.buy(50)  # five levels: 80 000.5 to 80 002.5
    assert ticker(lab)["last_price"] == D("80002.5")
    assert ticker(lab, LINEAR)["last_price"] == 80_000
    assert lab.states("last_price") == [("stop_market", "untriggered")]
    lab.buy(10)
    # The stop that it fired takes the level after it.
    assert lab.states("last_price") == [("stop_market", "triggered"), ("market", "filled")]
    assert lab.states("index_price") == [("stop_market", "untriggered")]
    assert ticker(lab)["last_price"] == D("80003.5")
    lab.exchange.advance(T0 + 65_000)
    assert ticker(lab)["last_price"] == 80_000
    assert ticker(lab)["index_price"] == 80_000


def test_the_mark_goes_on_after_a_restart_where_it_was() -> None:
    lab = still()
    lab.exchange.advance(T0 + 7 * MINUTE_MS + 13_456)
    state = lab.exchange.tape.state
    again = Lab(replay(*[FLAT] * 60), lockstep=False, basis=SHARE)
    again.exchange.tape.state.bar, again.exchange.tape.state.leg = state.bar, state.leg
    again.exchange.tape.state.moved_ms = state.moved_ms
    assert again.exchange.tape.mark == lab.exchange.tape.mark


def test_the_account_is_told_what_it_is_worth_as_the_market_moves() -> None:
    lab = Lab(GeneratedMarket(6, T0), lockstep=False, rate_limits=False)
    lab.call("private/subscribe", channels=["user.portfolio.any"])
    lab.exchange.advance(T0 + 5_000)
    assert lab.drain() == [], "nothing is held, and nothing has changed"
    lab.buy(100_000)
    assert lab.notes, "what an event has done is told at once"
    told: list[tuple[int, Decimal]] = []
    for at_ms in range(5_100, 25_100, 100):
        lab.exchange.advance(T0 + at_ms)
        for frame in lab.drain():
            data = frame["params"]["data"]
            assert data["currency"] == "BTC"
            assert data == lab.call("private/get_account_summary", currency="BTC")
            told.append((at_ms, D(data["equity"])))
    assert len(told) == 20
    assert all(later - at_ms >= 1_000 for (at_ms, _), (later, _) in pairwise(told))
    assert len({equity for _, equity in told}) == 20


def test_at_a_faster_pace_the_account_is_told_as_often_in_real_time() -> None:
    lab = Lab(GeneratedMarket(6, T0), lockstep=False, rate_limits=False, speed=60.0)
    lab.call("private/subscribe", channels=["user.portfolio.btc"])
    lab.buy(100_000)
    count = 0
    for at_ms in range(0, 10 * MINUTE_MS, 3_000):
        lab.exchange.advance(T0 + at_ms)
        count += len(lab.drain())
    assert count == 9
