"""What time it is at the exchange, estimated from when its answers say they were handled.

An answer bounds the exchange's time at the moment it arrived: no earlier than ``usOut``, no later
than ``usIn`` plus the whole round trip. The midpoint of the tightest bound so far is kept, loosened
as it ages, since two clocks drift apart. When the estimate falls outside a new bound, the
exchange's clock has stepped or stood still (lockstep, a pause), and the new bound replaces it.
Never read the local wall clock for market rules; this is the only source of exchange time.
"""

from decimal import Decimal
from typing import final

DRIFT = 200e-6
"""Seconds that two clocks may drift apart in one second, generously."""
SLACK_MS = 1.0


SET_IT = "let NTP set it (`timedatectl set-ntp true`)"


def skew_text(skew_ms: int) -> str:
    """A difference of clocks in words."""
    side = "behind" if skew_ms < 0 else "ahead of"
    return f"this machine's clock is {abs(skew_ms) / 1000:.3f} s {side} the exchange's"


@final
class ExchangeClock:
    """One connection's idea of exchange time. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self.rate = Decimal(1)
        self.lockstep = False
        self._rate = 1.0
        self._at = 0.0
        self._ms = 0.0
        self._error_ms = float("inf")
        self._heard_at = 0.0
        self._wall: tuple[float, int] | None = None

    def configure(self, rate: Decimal | None, lockstep: bool, wall_ms: int | None) -> None:
        """Take over what the embedded exchange says about its clock; a pause counts as rate 1.

        The rate of a paused market is 0, which says nothing about the time after the pause.
        ``wall_ms`` is the exchange's wall time as of the last answer.
        """
        self._wall = None if wall_ms is None else (self._heard_at, wall_ms)
        self.lockstep = lockstep
        self.rate = rate if rate is not None and rate > 0 else Decimal(1)
        self._rate = float(self.rate)

    def learn(self, sent: float, received: float, us_in: int, us_out: int) -> None:
        """Take in an answer: its way out and in, and the stamps of the exchange."""
        self._heard_at = received
        if not us_in or us_out < us_in:
            return
        trip_ms = (received - sent) * 1000 * self._rate
        spread_ms = max(0.0, trip_ms - (us_out - us_in) / 1000)
        low = us_out / 1000
        estimate = self._estimate(received)
        outside = not low - SLACK_MS <= estimate <= low + spread_ms + SLACK_MS
        if outside or spread_ms / 2 <= self.error_ms(received):
            self._at, self._ms, self._error_ms = received, low + spread_ms / 2, spread_ms / 2

    def learn_at_least(self, received: float, ms: int) -> None:
        """Take in the stamp of a notification: the exchange is there, or further."""
        if self._estimate(received) < ms:
            self._at, self._ms = received, float(ms)

    def now_ms(self, monotonic: float) -> int:
        """Exchange time in ms since the epoch; 0 before the first answer."""
        return int(self._estimate(monotonic)) if self._ms else 0

    def wall_ms(self, monotonic: float) -> int:
        """The exchange's wall clock, in ms since the epoch; 0 before the first answer.

        It is exchange time itself, except at an embedded exchange whose market runs at another
        pace. Signatures are stamped with it: this machine's own clock may be wrong.
        """
        if self._wall is None:
            return self.now_ms(monotonic)
        at, wall_ms = self._wall
        return wall_ms + int((monotonic - at) * 1000)

    def skew_ms(self, wall_ms: int, monotonic: float) -> int:
        """How far a clock that shows ``wall_ms`` is ahead of the exchange's; negative: behind it.

        An embedded exchange at another pace is asked for its wall clock: its market's is no
        measure of anybody's.
        """
        return wall_ms - self.wall_ms(monotonic)

    def _estimate(self, monotonic: float) -> float:
        return self._ms + (monotonic - self._at) * 1000 * self._rate

    def error_ms(self, monotonic: float) -> float:
        """How far from the truth ``now_ms`` may be; infinite before the first answer."""
        return self._error_ms + (monotonic - self._at) * 1000 * self._rate * DRIFT
