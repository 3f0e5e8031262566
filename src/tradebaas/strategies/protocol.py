"""What a strategy is: parameters declared with bounds, a warm-up length, and one pure function.

A strategy looks at closed candles and the open position and proposes an entry with its stop and
take profit, or nothing, always with its reasons. It holds no state and reads no clock, so the same
candles after a restart give the same proposal. ``bind`` checks what an operator asked for against
what the strategy declares, before anything is armed; what does not fit is a ``BadParameter``.

This module must import no numpy and no TA-Lib: it is loaded at every start of the daemon.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Protocol

from msgspec import Struct

from tradebaas.core.model import Assignment, Candle, Direction, Position

Value = int | Decimal
Values = Mapping[str, Value]


class Timeframe(Struct, frozen=True):
    """Length of a candle, and what Deribit calls it (``resolution`` of chart data, in minutes)."""

    ms: int
    resolution: str


TIMEFRAMES: dict[str, Timeframe] = {
    "1m": Timeframe(60_000, "1"),
    "3m": Timeframe(180_000, "3"),
    "5m": Timeframe(300_000, "5"),
    "15m": Timeframe(900_000, "15"),
    "1h": Timeframe(3_600_000, "60"),
}


class Parameter(Struct, frozen=True):
    """One declared setting; ``low`` and ``high`` are allowed themselves. A switch is an int 0..1.

    Decimal values have at most 12 decimals.
    """

    name: str
    kind: type[int] | type[Decimal]
    default: Value
    low: Value
    high: Value
    help: str


class Proposal(Struct, frozen=True, kw_only=True):
    """An entry a strategy wants, in prices that need not be on a tick yet."""

    direction: Direction
    entry: Decimal
    stop: Decimal
    take: Decimal
    reasons: tuple[str, ...]


class Analysis(Struct, frozen=True, kw_only=True):
    """What a strategy saw in the last closed candle; ``indicators`` are for people to read.

    ``stop``: where the stop of the open position should be by now. It is moved closer to the market
    only, so what is farther away is not asked for.
    """

    proposal: Proposal | None
    indicators: dict[str, str]
    reasons: tuple[str, ...]
    stop: Decimal | None = None


class Strategy(Protocol):
    """The members a strategy must have; an instance is made without arguments."""

    @property
    def name(self) -> str:
        """Its name in the registry."""

    @property
    def summary(self) -> str:
        """One sentence for a list."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All settings; there are no others."""

    def check(self, values: Values) -> str:
        """Why these values do not go together, or "" when they do."""

    def warm_up(self, values: Values) -> int:
        """How many closed candles ``evaluate`` needs; it must use exactly the last that many."""

    def evaluate(
        self, candles: tuple[Candle, ...], position: Position | None, values: Values
    ) -> Analysis:
        """Judge the last of ``candles`` (closed, oldest first, any number of them)."""


class BadParameter(Struct, frozen=True):
    """The assignment does not fit the strategy; ``reason`` says where and what would."""

    name: str
    reason: str


class Bound(Struct, frozen=True, kw_only=True):
    """A strategy with checked values.

    ``assignment`` spells out every parameter in one canonical way, so that equal settings give
    equal signal identities however they were written.
    """

    strategy: Strategy
    assignment: Assignment
    values: dict[str, Value]
    warm_up: int

    def evaluate(self, candles: tuple[Candle, ...], position: Position | None) -> Analysis:
        """Judge the last of ``candles`` with these values."""
        return self.strategy.evaluate(candles, position, self.values)


def bind(strategy: Strategy, assignment: Assignment) -> Bound | BadParameter:
    """Parse the assignment's strings by declared type and bounds; absent ones take the default."""
    unknown = _unknown(strategy, assignment)
    if unknown is not None:
        return unknown
    values: dict[str, Value] = {}
    for parameter in strategy.parameters:
        text = assignment.parameters.get(parameter.name, str(parameter.default))
        value = _parse(parameter, text)
        if value is None:
            return BadParameter(parameter.name, _expected(strategy.name, parameter, text))
        values[parameter.name] = value
    problem = strategy.check(values)
    if problem:
        return BadParameter("parameters", f"{strategy.name}: {problem}")
    canonical = Assignment(
        strategy=assignment.strategy,
        parameters={name: _text(value) for name, value in values.items()},
        instrument=assignment.instrument,
        timeframe=assignment.timeframe,
    )
    return Bound(
        strategy=strategy,
        assignment=canonical,
        values=values,
        warm_up=strategy.warm_up(values),
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like ``name``, or "" when none comes close."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1)), "")


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known name, and all of them."""
    names = sorted(known)
    close = nearest(name, names)
    hint = f"did you mean {close!r}? " if close else ""
    return f"{hint}known: {', '.join(names) or 'none'}"


def _unknown(strategy: Strategy, assignment: Assignment) -> BadParameter | None:
    if assignment.timeframe not in TIMEFRAMES:
        known = suggest(assignment.timeframe, TIMEFRAMES)
        return BadParameter("timeframe", f"unknown timeframe {assignment.timeframe!r}; {known}")
    declared = [parameter.name for parameter in strategy.parameters]
    for name in assignment.parameters:
        if name not in declared:
            known = suggest(name, declared)
            return BadParameter(name, f"{strategy.name} has no parameter {name!r}; {known}")
    return None


def _parse(parameter: Parameter, text: str) -> Value | None:
    """The value of ``text``, or None when it is of the wrong type or out of bounds."""
    try:
        value = parameter.kind(text)
        usable = parameter.low <= value <= parameter.high and round(value, 12) == value
    except (ValueError, InvalidOperation):  # InvalidOperation: no number, or NaN compared
        return None
    return value if usable else None


def _expected(strategy: str, parameter: Parameter, text: str) -> str:
    kind = "a whole number" if parameter.kind is int else "a number (at most 12 decimals)"
    return (
        f"{strategy}: parameter {parameter.name!r} is {text!r}; it must be {kind} "
        f"from {parameter.low} to {parameter.high} ({parameter.help})"
    )


def _text(value: Value) -> str:
    return str(value) if isinstance(value, int) else format(value.normalize(), "f")
