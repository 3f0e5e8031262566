"""How far the mark price is from the index (protocol section 13).

Deribit's mark follows the index at the smoothed and bounded distance at which the perpetual trades.
Here it trades at the index, so the distance is drawn: a function of seed and time that needs no
memory and goes in straight lines, whose ends fall on turning points of the tape. So between two of
those the mark goes in a straight line as well.
"""

from decimal import Decimal, localcontext
from hashlib import blake2b
from typing import final

from tradebaas.paper.candles import MINUTE_MS
from tradebaas.paper.instruments import CONTEXT

PERIOD_MS = 5 * MINUTE_MS
"""In which the basis goes in a straight line: a whole number of bars."""
MARK_STEP = Decimal("0.01")


@final
class Basis:
    """The basis in the quote currency, never larger than ``most``; times are since the market's
    first bar. With 0 mark and index are one price."""

    def __init__(self, most: Decimal, seed: int) -> None:
        self._most = most
        self._seed = seed
        self._ends: dict[int, Decimal] = {}

    def mark(self, index: Decimal, at_ms: int) -> Decimal:
        """Return the mark price while the index is at ``index``."""
        if not self._most:
            return index
        period, inside_ms = divmod(at_ms, PERIOD_MS)
        with localcontext(CONTEXT):
            left, right = self._end(period), self._end(period + 1)
            basis = left + (right - left) * inside_ms / PERIOD_MS
            return (index + basis).quantize(MARK_STEP)

    def _end(self, period: int) -> Decimal:
        if period not in self._ends:
            self._ends = {n: end for n, end in self._ends.items() if abs(n - period) <= 1}
            digest = blake2b(f"{self._seed}:basis:{period}".encode(), digest_size=4).digest()
            self._ends[period] = self._most * (Decimal(int.from_bytes(digest)) / 2**31 - 1)
        return self._ends[period]
