"""An exchange that was down: at real speed it is where the wall clock is when it starts again."""

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import BTC, T0, Lab

from tradebaas.paper.candles import MINUTE_MS
from tradebaas.paper.exchange import MAX_ABSENCE_MS
from tradebaas.paper.market import GeneratedMarket
from tradebaas.paper.tape import Tape

D = Decimal
HOUR_MS = 60 * MINUTE_MS


def stopped_out(absence_ms: int) -> tuple[dict[str, Any], Decimal]:
    """How a stop filled that was met in an absence, and its trigger price."""
    lab = Lab(GeneratedMarket(4, T0), lockstep=False, rate_limits=False)
    lab.buy(1_000)
    low = min(lab.exchange.tape.market.bar(number).low for number in range(60))  # type: ignore[union-attr]
    level = low + 1
    lab.sell(
        1_000, type="stop_market", trigger="mark_price", trigger_price=float(level),
        reduce_only=True,
    )  # fmt: skip
    lab.exchange.catch_up(T0 + absence_ms)
    lab.drain()
    assert lab.exchange.now_ms == T0 + absence_ms
    assert not lab.size()
    return lab.trades()[-1], level


def test_a_stop_is_met_in_an_absence_as_if_there_had_been_none() -> None:
    fill, level = stopped_out(2 * HOUR_MS + 17_000)
    assert level - D("0.5") <= D(fill["price"]) <= level
    assert T0 < fill["timestamp"] < T0 + HOUR_MS


def test_the_market_is_the_same_whether_anybody_was_there() -> None:
    absent, present = (Lab(GeneratedMarket(4, T0), lockstep=False) for _ in range(2))
    absent.exchange.catch_up(T0 + 3 * HOUR_MS + 12_345)
    for second in range(1, 3 * 3600, 7):
        present.exchange.advance(T0 + second * 1000)
    present.exchange.advance(T0 + 3 * HOUR_MS + 12_345)
    span = {"start_timestamp": T0, "end_timestamp": T0 + 4 * HOUR_MS, "resolution": "1"}
    charts = [
        lab.call("public/get_tradingview_chart_data", instrument_name=BTC, **span)
        for lab in (absent, present)
    ]
    assert charts[0] == charts[1]
    assert len(charts[0]["ticks"]) == 181


def test_a_day_that_ended_in_an_absence_was_settled_at_its_end() -> None:
    lab = Lab(GeneratedMarket(4, T0), lockstep=False)  # T0 is a midnight
    lab.exchange.advance(T0 + 30_000)
    lab.buy(1_000)
    lab.exchange.catch_up(T0 + 30 * HOUR_MS)
    lab.drain()
    (line,) = lab.journal("settlement")
    assert 0 <= line["at_ms"] - (T0 + 8 * HOUR_MS) <= MINUTE_MS


def test_after_a_long_absence_the_market_opens_with_a_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tradebaas.paper.exchange.MAX_ABSENCE_MS", 0)
    absence_ms = 3 * 24 * HOUR_MS + 17_000
    lab = Lab(GeneratedMarket(4, T0), lockstep=False)
    lab.exchange.advance(T0 + MINUTE_MS)
    lab.buy(1_000)
    lab.exchange.catch_up(T0 + absence_ms)
    lab.drain()
    tape = Tape(GeneratedMarket(4, T0))
    for minute in range(1, absence_ms // MINUTE_MS + 1):
        tape.skip(T0 + minute * MINUTE_MS)
    tape.skip(T0 + absence_ms)
    assert lab.exchange.tape.state.price == tape.state.price
    assert (lab.exchange.tape.state.bar, lab.exchange.tape.state.leg) == (3 * 1440, 0)
    assert len(lab.journal("settlement")) == 1
    assert MAX_ABSENCE_MS == 7 * 24 * HOUR_MS


def test_a_clock_that_was_set_back_changes_nothing() -> None:
    lab = Lab(GeneratedMarket(4, T0), lockstep=False)
    lab.exchange.advance(T0 + HOUR_MS)
    price = lab.exchange.tape.price
    lab.exchange.catch_up(T0)
    assert (lab.exchange.now_ms, lab.exchange.tape.price) == (T0 + HOUR_MS, price)
