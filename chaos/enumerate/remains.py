"""What a death leaves behind: two that leave the same behind are the same death. And so with cuts.

What is left of a process is what it has written to the disk, what it has sent, and what the
exchange and the operator know by then. When nothing of that has changed since an earlier point, a
death here differs from the one there in the instant at which it comes, and in nothing else: the
process has merely read, or thought. Such points are many: a ticker and a candle come in one after
the other, an answer is read that is kept nowhere, a sync is over and so is its commit.

All of it is told by counters that only grow, so nothing needs to be compared. In doubt they count:
bytes that were written over with the same ones, a call that changes nothing. Calls that merely ask
count only while they are on their way. For a power cut a sync counts as well, since it decides what
is kept. As time itself changes things, at the exchange above all, the two may lie no more than
``CLOSE_S`` apart.

After a cut of the connection the process lives on, with all that it knows and is about to do. So of
cuts much less is the same: one inside a frame that is read, or before it, is the one after the
point before, if that was a frame as well and if between the two nothing was written, told or done.
Nobody was handed anything in between, the same frames have got through in both directions, and none
of what follows will. What differs is the instant. (A frame that is sent has no such double: the
process has decided to send it, and must not forget that.)
"""

from collections.abc import Hashable
from typing import NamedTuple, final

import trio

from chaos.enumerate.outcomes import Doom, Outcome
from chaos.enumerate.stage import Stage
from chaos.sim.reaper import Deed

CLOSE_S = 0.01
"""Of the daemon's time; much less than an order is valid or a recovery takes."""


class Known(NamedTuple):
    """What disk, exchange and operator know."""

    written: int
    synced: int
    ledger: int
    inflicted: int
    promised: tuple[int, int]
    candle_ms: int


class Remains(NamedTuple):
    """What is left after a death; the fields are as above."""

    doom: Doom
    known: Known
    sent: int
    under_way: tuple[bytes, ...]
    connections: int


class Standing(NamedTuple):
    """What there is when everything up to the point, and nothing after it, has got through."""

    point: int
    known: Known


def standing(stage: Stage, point: int) -> Standing:
    """What there is now, with ``point`` as the last one that counts."""
    return Standing(point, _known(stage, power=True))


def _known(stage: Stage, *, power: bool) -> Known:
    surveyor, witness, server = stage.surveyor, stage.judge.witness, stage.exchange.server
    assert server is not None
    return Known(
        written=surveyor.written,
        synced=surveyor.synced if power else 0,
        ledger=len(stage.exchange.journal.lines),
        inflicted=stage.inflicted,
        promised=(len(witness.promises), len(witness.halts)),
        candle_ms=server.exchange.tape.open_ms,
    )


def remains(stage: Stage, doom: Doom) -> Remains:
    """What the living process would leave behind if it died now."""
    process = stage.machine.process
    assert process is not None
    open_ends = [end for end in process.host.ends if not end.connection.up.broken]
    under_way = tuple(chunk for end in open_ends for chunk in end.connection.up.under_way)
    return Remains(
        doom=doom,
        known=_known(stage, power=doom.deed is Deed.POWER),
        sent=stage.surveyor.sent,
        under_way=() if doom.outcome is Outcome.LOST else under_way,
        connections=len(open_ends),
    )


@final
class Met:
    """The deaths, or the cuts, that were met in one run, by what they leave behind."""

    def __init__(self) -> None:
        self._last: dict[Hashable, tuple[int, float]] = {}

    def before(self, left: Hashable) -> int:
        """The point at which one left the same, just before now; 0 if none did."""
        point, at = self._last.get(left, (0, 0.0))
        return point if trio.current_time() - at <= CLOSE_S else 0

    def add(self, left: Hashable, point: int) -> None:
        """One at a point, now, that is none of those before."""
        self._last[left] = (point, trio.current_time())
