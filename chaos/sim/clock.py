"""Time in the simulated world: one virtual clock, seen by each process in its own way.

Monotonic clocks run evenly and begin anywhere, since each boot of a machine begins its own; the
wall clock of the daemon's machine can be stepped, forward and back, while the exchange's is right.
"""

from dataclasses import dataclass
from typing import final

import trio

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
