"""Turns real time into exchange time.

Paced: exchange time runs ``rate`` times as fast as real time from an anchor. Lockstep: it runs at
real speed while the market stands still, and stops short of the running bar's close. Paused: it
stands. Pure: real time (monotonic seconds, wall ms) is handed in.
"""

from math import inf

from tradebaas.paper.instruments import Wire


class Pace:
    """The clock of one exchange process."""

    def __init__(self, rate: float, lockstep: bool, epoch_ms: int, monotonic: float, wall_ms: int):
        self._rate = 1.0 if lockstep else rate
        self._lockstep = lockstep
        self._epoch_us = epoch_ms * 1000
        self._anchor = monotonic
        self._wall_ms = wall_ms
        self._limit_us: int | None = None
        self._paused = False

    def now_us(self, monotonic: float) -> int:
        """Return the exchange time in microseconds."""
        if self._paused:
            return self._epoch_us
        now = self._epoch_us + int((monotonic - self._anchor) * 1_000_000 * self._rate)
        return now if self._limit_us is None else min(now, self._limit_us)

    def seconds_until(self, exchange_ms: int, monotonic: float) -> float:
        """Return how much real time passes until an exchange time; infinite while it stands."""
        if self._paused:
            return inf
        return max(0.0, (exchange_ms * 1000 - self.now_us(monotonic)) / (1_000_000 * self._rate))

    def follow(
        self, now_ms: int, close_ms: int | None, paused: bool, monotonic: float, wall_ms: int
    ) -> None:
        """Take over what the exchange did: time it skipped, the bar it stands in, a pause.

        ``close_ms`` is the running bar's close in lockstep, None when nothing limits the clock.
        """
        limit = None if close_ms is None else close_ms * 1000 - 1000
        if limit is not None:
            limit = max(limit, now_ms * 1000)
        now = self.now_us(monotonic)
        if now_ms * 1000 > now or paused != self._paused:
            self._epoch_us = max(now, now_ms * 1000)
            self._anchor, self._wall_ms = monotonic, wall_ms
            self._paused = paused
        self._limit_us = limit

    def wire(self) -> Wire:
        """Return how to read the clock: exchange ms = epoch + (wall now - wall) * rate."""
        return {
            "epoch": self._epoch_us // 1000,
            "rate": 0 if self._paused else self._rate,
            "lockstep": self._lockstep,
            "wall": self._wall_ms,
        }
