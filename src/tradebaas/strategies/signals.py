"""From a strategy's proposal to a signal: prices on the tick, and an identity.

The identity is a hash of everything that defines the signal, so the same closed candle after a
restart is the same signal and is admitted once. A proposal whose prices make no sense after
rounding is a ``BadProposal``: a strategy from outside may be wrong, and a refusal must not end the
life of the crew. Nothing here may decide about size or risk (see ``core.risk``).
"""

import json
from decimal import Decimal
from hashlib import blake2b

from msgspec import Struct

from tradebaas.core.model import Assignment, Candle, Direction, Instrument, Signal
from tradebaas.core.risk import Rounding, round_price, round_stop, round_take
from tradebaas.strategies.protocol import TIMEFRAMES, Proposal


class BadProposal(Struct, frozen=True):
    """The proposal is no signal; ``reason`` gives its numbers, for a person."""

    reason: str


def to_signal(
    assignment: Assignment, candle: Candle, instrument: Instrument, proposal: Proposal
) -> Signal | BadProposal:
    """The signal of ``proposal`` on the closed ``candle``.

    ``assignment`` is that of ``bind``, with every parameter spelled out. The entry goes to the
    nearest tick, stop and take profit away from it.

    Raises:
        KeyError: for a timeframe that ``bind`` would have refused.
    """
    timeframe = TIMEFRAMES[assignment.timeframe]
    direction, tick = proposal.direction, instrument.tick_size
    entry = round_price(proposal.entry, tick, Rounding.NEAREST)
    stop = round_stop(direction, proposal.stop, tick)
    take = round_take(direction, proposal.take, tick)
    problem = _problem(direction, stop, entry, take)
    if problem:
        return BadProposal(f"{assignment.strategy} on {instrument.name}: {problem}")
    return Signal(
        signal_id=_digest(assignment, candle.open_ms, str(direction)),
        stream=_digest(assignment),
        instrument=instrument.name,
        direction=direction,
        candle_ms=candle.open_ms,
        timeframe_ms=timeframe.ms,
        entry=entry,
        stop=stop,
        take=take,
        reasons=proposal.reasons,
    )


def _problem(direction: Direction, stop: Decimal, entry: Decimal, take: Decimal) -> str:
    """Why these prices, on ticks, are no bracket; "" when they are one."""
    for name, price in (("entry", entry), ("stop", stop), ("take profit", take)):
        if not (price.is_finite() and price > 0):
            return f"the {name} is {price}; it must be a price above 0"
    low, high = (stop, take) if direction is Direction.BUY else (take, stop)
    if not low < entry < high:
        return (
            f"a {direction} at {entry} with stop {stop} and take profit {take}: "
            "the entry must lie between them, at least a tick from each"
        )
    return ""


def _digest(assignment: Assignment, *candle: int | str) -> str:
    """Hex blake2b-16 of what defines a stream of signals, or with ``candle`` one signal of it."""
    defining = [
        assignment.strategy,
        sorted(assignment.parameters.items()),
        assignment.instrument,
        assignment.timeframe,
        *candle,
    ]
    canonical = json.dumps(defining, separators=(",", ":"), ensure_ascii=True)
    return blake2b(canonical.encode(), digest_size=16).hexdigest()
