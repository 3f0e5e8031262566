"""The market: seeded, resumable, lively; its clock; paced and in lockstep."""

from decimal import Decimal
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import pytest
from paper_kit import BTC, FLAT, T0, Lab, replay

from tradebaas.errors import ConfigError
from tradebaas.paper.charts import Chart
from tradebaas.paper.config import ExchangeConfig, check
from tradebaas.paper.instruments import BTC_PERPETUAL
from tradebaas.paper.market import GeneratedMarket
from tradebaas.paper.pace import Pace
from tradebaas.paper.tape import Tape

D = Decimal


def test_the_generated_market_is_a_function_of_seed_and_bar() -> None:
    one, again, other = (GeneratedMarket(seed, T0 + 12_345) for seed in (7, 7, 8))
    assert one.start_ms == T0
    wanted = [3, 100_000, -1000, 4]
    bars = {number: one.bar(number) for number in wanted}
    assert {number: again.bar(number) for number in reversed(wanted)} == bars
    assert other.bar(3) != bars[3]
    assert one.bar(-1000) is not None


def test_generated_bars_are_sound_and_gaps_are_few() -> None:
    market = GeneratedMarket(1, T0)
    bars = [market.bar(number) for number in range(500)]
    gaps = 0
    for before, bar in pairwise(bars):
        assert before is not None
        assert bar is not None
        assert bar.low <= min(bar.open, bar.close)
        assert bar.high >= max(bar.open, bar.close)
        assert all(price % D("0.5") == 0 for price in (bar.open, bar.high, bar.low, bar.close))
        gaps += bar.open != before.close
    assert 10 < gaps < 60


def test_generated_market_makes_a_fast_average_cross_often() -> None:
    market = GeneratedMarket(1, T0)
    bars = [market.bar(number) for number in range(-1000, 0)]
    closes = [bar.close for bar in bars if bar is not None]
    above = [sum(closes[n - 3 : n]) / 3 > sum(closes[n - 8 : n]) / 8 for n in range(8, len(closes))]
    crosses = sum(a != b for a, b in pairwise(above))
    assert 120 < crosses < 300


def test_paced_and_lockstep_trade_alike() -> None:
    bars = [("80000", "80500", "79500", "80400"), ("80300", "80600", "79000", "79100"), FLAT]
    fills = []
    for cuts in (0, 7_000, 1_300):
        lab = Lab(replay(*bars), lockstep=not cuts)
        lab.bracket(1000, take=80550, stop=79600, price=80000.5)
        lab.sell(200, price=80250)
        if cuts:
            for at in range(T0, T0 + 200_000, cuts):
                lab.exchange.advance(at)
            lab.drain()
        else:
            lab.play(3)
        fills.append([(t["price"], t["amount"], t["timestamp"]) for t in lab.trades()])
    assert len(fills[0]) >= 3
    assert fills[0] == fills[1] == fills[2]


def test_a_paced_market_that_slept_catches_up_bar_by_bar() -> None:
    lab = Lab(replay(*[FLAT] * 5), lockstep=False)
    lab.call("public/subscribe", channels=[f"chart.trades.{BTC}.1"])
    lab.notes.clear()
    lab.exchange.advance(T0 + 600_000)
    ticks = [frame["params"]["data"]["tick"] for frame in lab.drain()]
    assert sorted(set(ticks)) == [T0 + n * 60_000 for n in range(6)]
    assert lab.exchange.tape.ended
    assert lab.exchange.now_ms == T0 + 600_000


def test_lockstep_plays_one_bar_for_each_answer_and_then_stands_still() -> None:
    lab = Lab(replay(FLAT, FLAT))

    def done(tick: int) -> Any:
        return lab.call("public/candle_done", instrument_name=BTC, tick=tick)

    assert done(T0 - 120_000) == {"end": False}
    assert lab.exchange.now_ms == T0
    assert done(T0 - 60_000) == {"end": False}
    assert lab.exchange.now_ms == T0 + 60_000
    assert done(T0 - 60_000) == {"end": False}
    assert lab.exchange.now_ms == T0 + 60_000
    with pytest.raises(Exception, match="Invalid params"):
        done(T0 + 60_000)
    assert done(T0) == {"end": False}
    assert done(T0 + 60_000) == {"end": True}
    assert done(T0 + 60_000) == {"end": True}
    assert lab.exchange.now_ms == T0 + 120_000
    assert lab.buy(10)["order"]["order_state"] == "filled"


def test_a_paused_lockstep_market_plays_when_it_is_resumed() -> None:
    lab = Lab(replay(FLAT, FLAT))
    lab.call("admin/pause")
    lab.call("public/candle_done", instrument_name=BTC, tick=T0 - 60_000)
    assert lab.exchange.now_ms == T0
    lab.call("admin/resume")
    assert lab.exchange.now_ms == T0 + 60_000


def test_two_lockstep_runs_are_equal() -> None:
    runs = []
    for _ in range(2):
        lab = Lab(GeneratedMarket(3, T0))
        lab.call("private/subscribe", channels=["user.changes.any.any.raw", f"ticker.{BTC}.raw"])
        for number in range(200):
            price = float(lab.exchange.tape.ask)
            if not lab.size() and number % 5 == 0:
                lab.bracket(1000, take=price + 120, stop=price - 90, price=price)
            lab.play()
        runs.append((lab.trades(), lab.notes))
    assert runs[0] == runs[1]
    assert len(runs[0][0]) > 10


def test_the_clock_is_paced_paused_and_held_before_the_close() -> None:
    pace = Pace(60.0, False, T0, 100.0, 5)
    assert pace.now_us(101.5) == (T0 + 90_000) * 1000
    assert pace.wire() == {"epoch": T0, "rate": 60.0, "lockstep": False, "wall": 5}
    pace.follow(T0 + 90_000, None, True, 101.5, 6)
    assert pace.now_us(200.0) == (T0 + 90_000) * 1000
    pace.follow(T0 + 90_000, None, False, 200.0, 7)
    assert pace.now_us(201.0) == (T0 + 150_000) * 1000

    pace = Pace(60.0, True, T0, 100.0, 5)
    pace.follow(T0, T0 + 60_000, False, 100.0, 5)
    assert pace.now_us(101.0) == (T0 + 1000) * 1000
    assert pace.now_us(1000.0) == (T0 + 59_999) * 1000
    pace.follow(T0 + 60_000, T0 + 120_000, False, 101.0, 6)
    assert pace.now_us(101.0) == (T0 + 60_000) * 1000


def test_the_pause_follows_the_speed_unless_it_is_given() -> None:
    def pause_s(**settings: Any) -> float:
        return ExchangeConfig(directory=Path("/nowhere"), **settings).market_pause_s

    assert (pause_s(), pause_s(speed=300), pause_s(speed=300, pause_s=7.0)) == (0.1, 0.05, 7.0)
    pace = Pace(60.0, False, T0, 100.0, 5)
    assert pace.seconds_until(T0 + 90_000, 101.0) == 0.5
    assert pace.seconds_until(T0, 101.0) == 0
    pace.follow(T0 + 60_000, None, True, 101.0, 6)
    assert pace.seconds_until(T0 + 90_000, 101.0) == inf


def test_charts_forget_how_old_shocks_moved_them_but_not_where_the_market_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tradebaas.paper.tape.SHOCK_BARS", 50)
    tape = Tape(GeneratedMarket(1, T0))

    def jump(to_bar: int) -> None:
        while tape.state.bar < to_bar:
            tape.state.leg = 3
            tape.state.price = tape.next_open()
            tape.open_next()
        tape.shock(tape.price + 100)

    for bar in (1, 2, 3, 52, 53):
        jump(bar)
    assert len(tape.state.shocks) == 3
    assert tape.state.shocks[-1][1] == 500
    # Bars as old as the forgotten shocks are shown moved by as much as what came after them.
    opened = Chart(tape, {}, BTC_PERPETUAL).columns(1, T0, T0)["open"]
    source = tape.market.bar(0)
    assert source is not None
    assert opened == [source.open + 300]
    assert min(tape.state.jumps) > 3


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"speed": 301}, "lockstep"),
        ({"speed": 0}, "speed 0"),
        ({"history": 5}, "candles"),
        ({"balance_btc": D(-1)}, "balance"),
        ({"client_secret": ""}, "client_secret"),
        ({"max_leverage": 51}, "max_leverage"),
        ({"pause_s": 0.0}, "pause_s"),
        ({"remembered": 0}, "remembered"),
        ({"settlement_ms": 3_600_001}, "settlement_ms"),
    ],
)
def test_impossible_settings_are_refused(settings: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        check(ExchangeConfig(directory=Path("/nowhere"), **settings))


@pytest.mark.parametrize("name", ["balance_btc", "balance_usdc", "maker_fee", "taker_fee"])
@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e400"])
def test_money_that_is_no_number_is_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    whole = msgspec.structs.replace(ExchangeConfig(directory=tmp_path), **{name: Decimal(text)})
    with pytest.raises(ConfigError, match=name):
        check(whole)
