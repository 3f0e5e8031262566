"""The exchange's own clock: it runs a little fast or slow, and is set forward and back at times.

The exchange knows no other clock, so its books never see that it is wrong; whoever has estimated
its time does. Set back, it stands until it is reached again, as a clock must whose stamps are in
order. Pure: true time is handed in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Leap:
    """Exchange time, in ms since the epoch, that was leapt over: nobody could do anything in it."""

    from_ms: int
    to_ms: int

    def within(self, start_ms: int, end_ms: int) -> int:
        """How much of it lies in a stretch of exchange time."""
        return max(0, min(end_ms, self.to_ms) - max(start_ms, self.from_ms))


@final
@dataclass(slots=True)
class Skew:
    """A clock of seconds that begins with true time. ``true_s`` tells that, and never goes back.

    ``leaps`` is for judges: what was leapt over, as far as whoever set the clock could tell.
    """

    true_s: Callable[[], float]
    leaps: list[Leap] = field(default_factory=list)
    _pace: float = 1.0
    _from_s: float = 0.0
    _shows_s: float = 0.0
    _least_s: float = 0.0

    def now_s(self) -> float:
        """What the clock shows; never goes back."""
        return max(self._least_s, self._shown())

    def drift(self, ppm: float) -> None:
        """From here on it runs so many millionths faster than true time; below 0: slower."""
        self._move(0.0)
        self._pace = 1 + ppm / MILLION

    def step(self, by_s: float) -> None:
        """Set it forward, or back."""
        self._move(by_s)

    def _move(self, by_s: float) -> None:
        self._least_s = self.now_s()
        self._shows_s = self._shown() + by_s
        self._from_s = self.true_s()

    def _shown(self) -> float:
        return self._shows_s + (self.true_s() - self._from_s) * self._pace
