"""The last 24 hours as a ticker tells them, and what is held on the exchange."""

import random
from decimal import Decimal
from typing import Any

import pytest
from paper_kit import ALICE, BTC, FLAT, LINEAR, T0, Guest, Lab, replay

from tradebaas.paper.candles import MINUTE_MS, Candle
from tradebaas.paper.day import DAY_BARS, LastDay
from tradebaas.paper.market import GeneratedMarket, ReplayMarket
from tradebaas.paper.tape import Tape

D = Decimal
UP = ("80000", "80500", "79500", "80400")
DOWN = ("80300", "80600", "79000", "79100")


def of_chart(tape: Tape) -> dict[str, Any]:
    """What the one-minute candles of the day say, added up anew."""
    chart: Any = tape.chart(1, tape.open_ms - (DAY_BARS - 1) * MINUTE_MS, tape.open_ms)
    assert len(chart["ticks"]) == DAY_BARS
    opened = chart["open"][0]
    return {
        "high": max(chart["high"]),
        "low": min(chart["low"]),
        "price_change": (100 * (tape.price - opened) / opened).quantize(D("0.0001")),
        "volume": sum(chart["volume"]),
        "volume_usd": sum(chart["cost"]),
        "volume_notional": sum(chart["cost"]),
    }


def test_the_day_is_what_its_candles_are_however_the_market_moves() -> None:
    rng = random.Random(5)
    tape = Tape(GeneratedMarket(5, T0))
    day = LastDay(tape)
    now_ms = T0
    for _ in range(120):
        now_ms += rng.choice([7_000, 25_000, 60_000, 3_600_000])
        tape.skip(now_ms)
        if rng.random() < 0.2:
            tape.shock(tape.price + rng.randint(-400, 400))
        assert day.now().wire() == of_chart(tape)
    tape.skip(now_ms + 3 * DAY_BARS * MINUTE_MS)
    assert day.now().wire() == of_chart(tape)
    # Who starts again on the same tape sees the same day.
    assert LastDay(Tape(tape.market, tape.state)).now() == day.now()


def test_a_closed_bar_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape(GeneratedMarket(5, T0))
    day = LastDay(tape)
    day.now()
    read: list[int] = []
    candle = tape.candle

    def counting(number: int) -> Candle | None:
        read.append(number)
        return candle(number)

    monkeypatch.setattr(tape, "candle", counting)
    for _ in range(5):
        day.now()
    assert not read
    tape.skip(T0 + 2 * MINUTE_MS)
    read.clear()
    day.now()
    assert read == [0, 1]


def test_every_view_of_a_market_tells_the_day() -> None:
    lab = Lab(replay(UP, DOWN, FLAT), lockstep=False, rate_limits=False)
    lab.exchange.advance(T0 + 120_000)
    lab.drain()
    wanted = {
        "high": D(80_600), "low": D(79_000), "price_change": 0,
        "volume": D("0.07462687") + D("0.07585335"),
        "volume_usd": 12_000, "volume_notional": 12_000,
    }  # fmt: skip
    for name in (BTC, LINEAR):
        ticker = lab.call("public/ticker", instrument_name=name)
        assert ticker["stats"] == wanted
        book = lab.call("public/get_order_book", instrument_name=name)
        assert book["stats"] == wanted
    for row in lab.call("public/get_book_summary_by_currency", currency="any"):
        assert {key: row[key] for key in wanted} == wanted
    lab.call("public/subscribe", channels=[f"ticker.{BTC}.100ms"])
    lab.exchange.shock(D(81_000))
    (frame,) = [note["params"] for note in lab.drain()]
    assert frame["data"]["stats"]["high"] == 81_000
    assert frame["data"]["stats"]["price_change"] == D("1.25")


def test_a_market_without_trades_has_no_prices_of_the_day() -> None:
    still = Candle(D(80_000), D(80_000), D(80_000), D(80_000), D(0))
    lab = Lab(ReplayMarket(T0, (still, still), 0))
    stats = lab.call("public/ticker", instrument_name=BTC)["stats"]
    assert stats == {
        "high": None, "low": None, "price_change": None,
        "volume": 0, "volume_usd": 0, "volume_notional": 0,
    }  # fmt: skip


def test_open_interest_is_what_one_side_holds() -> None:
    lab = Lab(replay(FLAT, FLAT), **ALICE)
    alice = Guest(lab, "alice")

    def held(name: str = BTC) -> Any:
        interest = lab.call("public/ticker", instrument_name=name)["open_interest"]
        (row,) = lab.call("public/get_book_summary_by_instrument", instrument_name=name)
        assert row["open_interest"] == interest
        return interest

    assert (held(), held(LINEAR)) == (0, 0)
    lab.buy(1_000)
    lab.buy("0.01", instrument_name=LINEAR)
    assert (held(), held(LINEAR)) == (1_000, D("0.01"))
    alice.sell(400)  # to whom the first account bought from, or its like
    assert held() == 1_000
    alice.sell(1_000)
    assert held() == 1_400
    lab.sell(1_000)
    assert held() == 1_400
    alice.buy(1_400)
    assert held() == 0
