"""Time in the simulated world: one virtual clock, seen by each process in its own way.

Monotonic clocks of daemons run evenly and begin anywhere, since each boot of a machine begins its
own; the wall clock of their machine can be stepped, forward and back. The exchange has one clock
for everything, which may drift and be set.
"""

from dataclasses import dataclass
from typing import final

import trio

from chaos.world.skew import Skew

EPOCH_MS = 1_790_000_000_000
"""Wall time, in ms since the Unix epoch, at which every world begins."""


@final
@dataclass(slots=True)
class WallClock:
    """The wall clock of one machine; ``offset_ms`` is how far it is from the true time."""

    offset_ms: int = 0

    def now_ms(self) -> int:
        return EPOCH_MS + int(trio.current_time() * 1000) + self.offset_ms

    def step(self, by_ms: int) -> None:
        """Set the clock forward, or back."""
        self.offset_ms += by_ms


@final
@dataclass(frozen=True, slots=True)
class SimClock:
    """A process's ``ports.Clock``. ``start`` is what its monotonic clock says at time zero."""

    wall: WallClock
    start: float = 0.0

    def monotonic(self) -> float:
        return self.start + trio.current_time()

    def wall_ms(self) -> int:
        return self.wall.now_ms()


@final
@dataclass(frozen=True, slots=True)
class SkewedClock:
    """The exchange's ``ports.Clock``: as wrong as ``skew`` says."""

    skew: Skew

    def monotonic(self) -> float:
        return self.skew.now_s()

    def wall_ms(self) -> int:
        return EPOCH_MS + int(self.skew.now_s() * 1000)
