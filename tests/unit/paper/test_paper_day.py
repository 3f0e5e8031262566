"""The last 24 hours as a ticker tells them, and what is held on the exchange."""

import random
from decimal import Decimal
from typing import Any

import pytest
from paper_kit import ALICE, BTC, FLAT, LINEAR, T0, Guest, Lab, replay

from tradebaas.paper.candles import MINUTE_MS, Candle
from tradebaas.paper.charts import Bar, Chart
from tradebaas.paper.day import DAY_BARS, LastDay
from tradebaas.paper.instruments import BTC_PERPETUAL
from tradebaas.paper.market import GeneratedMarket, ReplayMarket
from tradebaas.paper.tape import Tape

D = Decimal
UP = ("80000", "80500", "79500", "80400")
DOWN = ("80300", "80600", "79000", "79100")


def chart_of(tape: Tape) -> Chart:
    return Chart(tape, {}, BTC_PERPETUAL)


def of_chart(tape: Tape) -> dict[str, Any]:
    """What the one-minute candles of the day say, added up anew."""
    oldest_ms = tape.open_ms - (DAY_BARS - 1) * MINUTE_MS
    chart: Any = chart_of(tape).columns(1, oldest_ms, tape.open_ms)
    assert len(chart["ticks"]) == DAY_BARS
    opened = chart["open"][0]
    return {
        "high": max(chart["high"]),
        "low": min(chart["low"]),
        "price_change": (100 * (chart["close"][-1] - opened) / opened).quantize(D("0.0001")),
        "volume": sum(chart["volume"]),
        "volume_usd": sum(chart["cost"]),
        "volume_notional": sum(chart["cost"]),
    }


def test_the_day_is_what_its_candles_are_however_the_market_moves() -> None:
    rng = random.Random(5)
    tape = Tape(GeneratedMarket(5, T0))
    day = LastDay(chart_of(tape))
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
    assert LastDay(chart_of(Tape(tape.market, tape.state))).now() == day.now()


def test_a_closed_bar_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape(GeneratedMarket(5, T0))
    chart = chart_of(tape)
    day = LastDay(chart)
    day.now()
    read: list[int] = []
    bar = chart.bar

    def counting(number: int) -> Bar:
        if number < tape.state.bar:
            read.append(number)
        return bar(number)

    monkeypatch.setattr(chart, "bar", counting)
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
    coins = D("0.07462687") + D("0.07585335")
    # The two bars as they are in the file, and the first trade of the running one.
    for name, coins_more, cost in ((BTC, D("0.00575"), 12_460), (LINEAR, D("0.0057"), 12_456)):
        wanted = {
            "high": D(80_600), "low": D(79_000), "price_change": 0,
            "volume": coins + coins_more, "volume_usd": cost, "volume_notional": cost,
        }  # fmt: skip
        assert lab.call("public/ticker", instrument_name=name)["stats"] == wanted
        assert lab.call("public/get_order_book", instrument_name=name)["stats"] == wanted
        (row,) = lab.call("public/get_book_summary_by_instrument", instrument_name=name)
        assert {key: row[key] for key in wanted} == wanted
    lab.call("public/subscribe", channels=[f"ticker.{BTC}.100ms"])
    lab.exchange.shock(D(81_000))
    lab.exchange.advance(T0 + 125_000)
    shocked, traded = [note["params"]["data"]["stats"] for note in lab.drain()]
    assert (shocked["high"], shocked["price_change"]) == (80_600, 0)  # nobody has traded there
    assert (traded["high"], traded["price_change"]) == (81_000, D("1.25"))


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
