"""The moving-average cross: when it proposes, with which prices, and that nothing else matters."""

import math
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from tradebaas.core.model import Assignment, Candle, ContractKind, Direction, Position
from tradebaas.strategies import indicators
from tradebaas.strategies.ma_cross import MovingAverageCross
from tradebaas.strategies.protocol import Analysis, BadParameter, Bound, bind

D = Decimal
MINUTE = 60_000


def bound(**parameters: str) -> Bound:
    made = bind(
        MovingAverageCross(),
        Assignment(
            strategy="ma_cross", parameters=parameters, instrument="BTC-PERPETUAL", timeframe="1m"
        ),
    )
    assert isinstance(made, Bound)
    return made


def candles(closes: list[Decimal], reach: str = "5") -> tuple[Candle, ...]:
    return tuple(
        Candle(index * MINUTE, close, close + D(reach), close - D(reach), close, D(1))
        for index, close in enumerate(closes)
    )


def falling_then(*last: str) -> tuple[Candle, ...]:
    return candles([D(1000 - index) for index in range(120)] + [D(price) for price in last])


def rising_then(*last: str) -> tuple[Candle, ...]:
    return candles([D(1000 + index) for index in range(120)] + [D(price) for price in last])


def wave(length: int) -> tuple[Candle, ...]:
    """A market that swings, so that averages cross many times."""
    return candles(
        [
            D(repr(round(20_000 + 300 * math.sin(i / 17) + 90 * math.sin(i / 3.7), 1)))
            for i in range(length)
        ]
    )


POSITION = Position(
    instrument="BTC-PERPETUAL",
    contract=ContractKind.INVERSE,
    currency="BTC",
    size=D(10),
    direction=Direction.BUY,
    ours=True,
    signal_id="s",
    opened_ms=0,
    changed_ms=0,
)


def words(analysis: Analysis) -> str:
    return " | ".join(analysis.reasons)


def test_a_cross_up_buys_with_the_stop_below() -> None:
    analysis = bound().evaluate(falling_then("1000"), None)
    proposal = analysis.proposal
    assert proposal is not None
    assert proposal.direction is Direction.BUY
    assert proposal.entry == D(1000)
    atr = D(analysis.indicators["atr"])
    assert proposal.entry - proposal.stop == pytest.approx(atr * D("1.5"), rel=D("1e-7"))
    assert proposal.take - proposal.entry == (proposal.entry - proposal.stop) * 2
    assert "cross up: EMA(9)" in words(analysis)
    assert "stop 1.5 x ATR(14)" in words(analysis)
    assert "take profit 2.0 x" in words(analysis)


def test_a_cross_down_sells_with_the_stop_above() -> None:
    analysis = bound(reward="3").evaluate(rising_then("1000"), None)
    proposal = analysis.proposal
    assert proposal is not None
    assert proposal.direction is Direction.SELL
    assert proposal.stop > proposal.entry == D(1000)
    assert proposal.entry - proposal.take == (proposal.stop - proposal.entry) * 3
    assert "cross down: EMA(9)" in words(analysis)


def test_the_candle_after_a_cross_proposes_nothing() -> None:
    analysis = bound().evaluate(falling_then("1000", "1001"), None)
    assert analysis.proposal is None
    assert words(analysis).startswith("no cross: EMA(9)")
    assert set(analysis.indicators) == {"fast", "slow", "atr"}


def test_a_touch_without_crossing_proposes_nothing_until_it_leaves_on_the_other_side() -> None:
    settings = bound(fast="2", slow="3", atr_length="2", exponential="0")
    touching = candles([D(10)] * 10 + [D(9), D(10), D(11), D(9)])  # SMA(2) = SMA(3) = 10 at the end
    assert settings.evaluate(touching, None).proposal is None
    up = candles([*(candle.close for candle in touching), D(14)])
    proposal = settings.evaluate(up, None).proposal
    assert proposal is not None
    assert proposal.direction is Direction.BUY


def test_simple_averages_are_used_when_asked_for() -> None:
    settings = bound(fast="2", slow="3", atr_length="2", exponential="0")
    analysis = settings.evaluate(candles([D(10)] * 12 + [D(8), D(14)]), None)
    assert analysis.indicators["fast"] == "11"
    assert analysis.indicators["slow"] == f"{32 / 3:.8g}"
    assert "SMA(2) 11 above SMA(3) 10.666667" in words(analysis)


def test_no_entry_while_a_position_is_open() -> None:
    analysis = bound().evaluate(falling_then("1000"), POSITION)
    assert analysis.proposal is None
    assert "cross up" in words(analysis)
    assert "no entry: BTC-PERPETUAL is open" in words(analysis)


def test_no_short_when_shorts_are_not_allowed() -> None:
    settings = bound(allow_short="0")
    analysis = settings.evaluate(rising_then("1000"), None)
    assert analysis.proposal is None
    assert "no entry: allow_short is 0" in words(analysis)
    assert settings.evaluate(falling_then("1000"), None).proposal is not None


def test_too_few_candles_propose_nothing() -> None:
    settings = bound()
    assert settings.warm_up == 85
    analysis = settings.evaluate(falling_then("1000")[-84:], None)
    assert analysis.proposal is None
    assert analysis.reasons == ("warming up: 84 of 85 candles",)
    assert settings.evaluate(falling_then("1000")[-85:], None).proposal is not None


def test_a_flat_market_has_no_stop_distance() -> None:
    analysis = bound().evaluate(candles([D(1000)] * 120, reach="0"), None)
    assert analysis.proposal is None
    assert words(analysis) == "no stop distance: the average true range is 0"


@pytest.mark.parametrize("bad", ["NaN", "Infinity"])
def test_candles_without_a_number_propose_nothing(bad: str) -> None:
    history = list(falling_then("1000"))
    history[-20] = msgspec.structs.replace(history[-20], high=D(bad))
    assert bound().evaluate(tuple(history), None).proposal is None


@pytest.mark.parametrize("last, side", [("50100", Direction.BUY), ("49900", Direction.SELL)])
def test_float_rounding_hides_no_cross(last: str, side: Direction) -> None:
    """Closes that repeat every two candles have equal averages of 2 and 4, but not in floats."""
    settings = bound(fast="2", slow="4", atr_length="2", exponential="0")
    noisy = 0
    for tenths in range(100):
        pair = [D("50000.1") + D(tenths) / 10, D("50003.7")]
        window = candles([*pair * 8, D(last)])
        closes = indicators.series(window).closes
        noisy += int(indicators.sma(closes, 2)[-2] != indicators.sma(closes, 4)[-2])
        proposal = settings.evaluate(window, None).proposal
        assert proposal is not None
        assert proposal.direction is side
    assert noisy > 0


def test_the_signal_is_the_same_whatever_history_was_loaded() -> None:
    """A restart loads another length of history; averages are seeded at its first candle."""
    settings = bound()
    market = wave(600)
    proposals = 0
    for end in range(200, 600):
        short = settings.evaluate(market[end - settings.warm_up : end], None)
        assert settings.evaluate(market[:end], None) == short
        assert settings.evaluate(market[end - 150 : end], None) == short
        proposals += short.proposal is not None
    assert proposals >= 10


def test_proposals_alternate_and_stops_lie_on_the_losing_side() -> None:
    settings = bound()
    market = wave(1500)
    sides = []
    for end in range(settings.warm_up, 1500):
        proposal = settings.evaluate(market[:end], None).proposal
        if proposal is not None:
            sign = proposal.direction.sign
            assert (proposal.entry - proposal.stop) * sign > 0
            assert (proposal.take - proposal.entry) * sign > 0
            sides.append(proposal.direction)
    assert len(sides) > 20
    assert all(first is not second for first, second in pairwise(sides))


def test_the_fast_average_must_be_the_shorter_one() -> None:
    bad = bind(
        MovingAverageCross(),
        Assignment(strategy="ma_cross", parameters={"fast": "21"}, instrument="X", timeframe="1m"),
    )
    assert isinstance(bad, BadParameter)
    assert "fast (21) must be below slow (21)" in bad.reason


def test_the_warm_up_covers_every_setting() -> None:
    assert bound(slow="10", atr_length="200").warm_up == 801
    for settings in (bound(fast="2", slow="3", atr_length="200"), bound(slow="400")):
        history = wave(settings.warm_up)
        shown = settings.evaluate(history, None).indicators
        assert all(D(value).is_finite() for value in shown.values())
