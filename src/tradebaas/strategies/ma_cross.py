"""Moving-average cross: buy when the fast average crosses above the slow one, sell below it.

The stop lies a multiple of the average true range (ATR) from the close, the take profit a multiple
of that distance on the other side. It looks at the last closed candle only, and proposes nothing
while a position is open or when the market stands still (ATR of zero).

Everything is computed on a window of exactly ``warm_up`` candles, so that the numbers do not
depend on how much history happened to be loaded. Numpy and TA-Lib are imported at the first
evaluation, not with this module.
"""

import math
from decimal import Decimal

from msgspec import Struct

from tradebaas.core.model import Candle, Direction, Position
from tradebaas.strategies.protocol import Analysis, Parameter, Proposal, Values

_NOISE = 1e-9
"""Averages closer than this part of their value are equal: float rounding takes no side."""


class _Reading(Struct, frozen=True, kw_only=True):
    """The averages of the last two candles and the ATR, as floats; NaN is possible in any."""

    fast_before: float
    slow_before: float
    fast: float
    slow: float
    atr: float


class MovingAverageCross(Struct, frozen=True):
    """The built-in strategy; see the module's text for its rules."""

    name: str = "ma_cross"
    summary: str = "Moving-average cross with an ATR stop and a take profit at a multiple of it"
    parameters: tuple[Parameter, ...] = (
        Parameter("fast", int, 9, 2, 200, "length of the fast average, candles"),
        Parameter("slow", int, 21, 3, 400, "length of the slow average, candles"),
        Parameter("exponential", int, 1, 0, 1, "1 for exponential averages, 0 for simple ones"),
        Parameter("atr_length", int, 14, 2, 200, "length of the average true range, candles"),
        Parameter(
            "stop_atr",
            Decimal,
            Decimal("1.5"),
            Decimal("0.1"),
            Decimal(20),
            "distance of the stop, in average true ranges",
        ),
        Parameter(
            "reward",
            Decimal,
            Decimal("2.0"),
            Decimal("0.1"),
            Decimal(20),
            "distance of the take profit, in stop distances",
        ),
        Parameter("allow_short", int, 1, 0, 1, "1 to sell on a cross down, 0 to buy only"),
    )

    def check(self, values: Values) -> str:
        """The fast average must be the shorter one."""
        fast, slow = values["fast"], values["slow"]
        return "" if fast < slow else f"fast ({fast}) must be below slow ({slow})"

    def warm_up(self, values: Values) -> int:
        """Four lengths: the seed of an average then weighs under 1 in 300, of the ATR 1 in 20."""
        return 4 * int(max(values["slow"], values["atr_length"])) + 1

    def evaluate(
        self, candles: tuple[Candle, ...], position: Position | None, values: Values
    ) -> Analysis:
        """Judge the last closed candle."""
        needed = self.warm_up(values)
        if len(candles) < needed:
            return _nothing({}, f"warming up: {len(candles)} of {needed} candles")
        reading = _read(candles[-needed:], values)
        shown = _indicators(reading)
        direction = _cross(reading)
        if not 0 < reading.atr < math.inf:
            return _nothing(shown, f"no stop distance: the average true range is {reading.atr:.8g}")
        if direction is None:
            return _nothing(shown, f"no cross: {_relation(reading, values)}")
        cross = f"cross {'up' if direction is Direction.BUY else 'down'}: "
        cross += _relation(reading, values)
        if position is not None:
            return _nothing(shown, cross, f"no entry: {position.instrument} is open")
        if direction is Direction.SELL and not values["allow_short"]:
            return _nothing(shown, cross, "no entry: allow_short is 0")
        proposal = _propose(direction, candles[-1].close, reading.atr, cross, values)
        return Analysis(proposal=proposal, indicators=shown, reasons=proposal.reasons)


def _read(window: tuple[Candle, ...], values: Values) -> _Reading:
    from tradebaas.strategies import indicators

    data = indicators.series(window)
    average = indicators.ema if values["exponential"] else indicators.sma
    fast = average(data.closes, int(values["fast"]))
    slow = average(data.closes, int(values["slow"]))
    return _Reading(
        fast_before=float(fast[-2]),
        slow_before=float(slow[-2]),
        fast=float(fast[-1]),
        slow=float(slow[-1]),
        atr=float(indicators.atr(data, int(values["atr_length"]))[-1]),
    )


def _cross(reading: _Reading) -> Direction | None:
    before = _side(reading.fast_before, reading.slow_before)
    now = _side(reading.fast, reading.slow)
    if now > 0 >= before:
        return Direction.BUY
    if now < 0 <= before:
        return Direction.SELL
    return None


def _side(fast: float, slow: float) -> int:
    """1 when the fast average is above the slow one, -1 below, 0 equal."""
    margin = _NOISE * abs(slow)
    return int(fast - slow > margin) - int(slow - fast > margin)


def _propose(
    direction: Direction, close: Decimal, atr: float, cross: str, values: Values
) -> Proposal:
    from tradebaas.strategies import indicators

    distance = values["stop_atr"] * indicators.to_decimal(atr)
    stop = close - direction.sign * distance
    take = close + direction.sign * distance * values["reward"]
    return Proposal(
        direction=direction,
        entry=close,
        stop=stop,
        take=take,
        reasons=(
            cross,
            f"stop {values['stop_atr']} x ATR({values['atr_length']}) of {atr:.8g} "
            f"= {distance:.8g} from the close {close}",
            f"take profit {values['reward']} x that distance on the other side",
        ),
    )


def _relation(reading: _Reading, values: Values) -> str:
    """The two averages in words, now and one candle before."""
    kind = "EMA" if values["exponential"] else "SMA"
    return (
        f"{kind}({values['fast']}) {reading.fast:.8g} {_word(reading.fast, reading.slow)} "
        f"{kind}({values['slow']}) {reading.slow:.8g}, before "
        f"{reading.fast_before:.8g} {_word(reading.fast_before, reading.slow_before)} "
        f"{reading.slow_before:.8g}"
    )


def _word(fast: float, slow: float) -> str:
    return {1: "above", 0: "equals", -1: "below"}[_side(fast, slow)]


def _indicators(reading: _Reading) -> dict[str, str]:
    named = (("fast", reading.fast), ("slow", reading.slow), ("atr", reading.atr))
    return {name: f"{value:.8g}" for name, value in named}


def _nothing(shown: dict[str, str], *reasons: str) -> Analysis:
    return Analysis(proposal=None, indicators=shown, reasons=reasons)
