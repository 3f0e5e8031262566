"""What holding a perpetual costs or earns (protocol section 13).

The rate is for eight hours and holds for an hour. It is made as Deribit's is, from the premium at
which the perpetual trades: none up to the damper, then what is beyond it, within a cap. Here it
trades at the index, so the premium is drawn instead: a function of seed and hour, which needs no
memory. Who is long pays when the rate is positive, who is short when it is negative, for every
millisecond.
"""

from decimal import Decimal, localcontext
from hashlib import blake2b
from typing import final

from tradebaas.paper.instruments import CONTEXT, plain

HOUR_MS = 3_600_000
EIGHT_HOURS = 8
DAMPER = Decimal("0.00025")
CAP = Decimal("0.005")
RATE_STEP = Decimal("1E-8")
SHARE_STEP = Decimal("1E-18")
PERIOD = 8
"""Hours in which the premium goes in a straight line."""
NONE = Decimal(0)


@final
class Funding:
    """The rates of both perpetuals; ``premium`` is the largest there can be, 0 for no funding."""

    def __init__(self, premium: Decimal, seed: int) -> None:
        self.pays = bool(premium)
        self._premium = premium
        self._seed = seed
        self._rates: dict[int, Decimal] = {}

    def rate(self, at_ms: int) -> Decimal:
        """Return the rate for eight hours that holds at a time."""
        if not self.pays:
            return NONE
        hour = at_ms // HOUR_MS
        if hour not in self._rates:
            self._rates[hour] = self._draw(hour)
        return self._rates[hour]

    def eight_hours(self, end_ms: int) -> Decimal:
        """Return what the eight hours before a time cost."""
        return self.between(end_ms - EIGHT_HOURS * HOUR_MS, end_ms)

    def between(self, start_ms: int, end_ms: int) -> Decimal:
        """Return what a stretch of time costs, as a share of what is held."""
        if not self.pays:
            return NONE
        total = NONE
        with localcontext(CONTEXT):
            while start_ms < end_ms:
                stop_ms = min(end_ms, (start_ms // HOUR_MS + 1) * HOUR_MS)
                total += self.rate(start_ms) * (stop_ms - start_ms)
                start_ms = stop_ms
            return plain((total / (EIGHT_HOURS * HOUR_MS)).quantize(SHARE_STEP))

    def _draw(self, hour: int) -> Decimal:
        cell, inside = divmod(hour, PERIOD)
        with localcontext(CONTEXT):
            left, right = self._unit(cell), self._unit(cell + 1)
            premium = self._premium * (left + (right - left) * inside / PERIOD)
            rate = max(DAMPER, premium) + min(-DAMPER, premium)
            return min(CAP, max(-CAP, rate)).quantize(RATE_STEP)

    def _unit(self, cell: int) -> Decimal:
        """Return a value in -1..1 drawn by hash."""
        digest = blake2b(f"{self._seed}:funding:{cell}".encode(), digest_size=4).digest()
        return Decimal(int.from_bytes(digest)) / 2**31 - 1
