"""Entries that the exchange refuses one after another: something is wrong that no try mends.

Money, a permission, a limit of the account, or terms that we read wrongly: each further try costs
rate credit and shows nothing new. After a few in a row nothing is opened for a while (exchange
time). Then one entry may try: if that is refused too, the next pause begins with it, and only one
that is taken ends the row. Not durable: it belongs to the process, and a new one may try again.
Pure.
"""

from typing import final

IN_A_ROW = 3
PAUSE_MS = 300_000


@final
class Refusals:
    """Counts refused entries since the last one that was taken."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._last = ""
        self._until_ms = 0

    def accepted(self) -> None:
        """An entry was taken."""
        self._in_a_row = 0

    def refused(self, reason: str, at_ms: int) -> None:
        """One was refused, at this exchange time."""
        self._in_a_row += 1
        self._last = reason
        self._until_ms = at_ms + PAUSE_MS

    def problem(self, now_ms: int) -> str:
        """Why nothing should be opened now; "" when an entry may be tried (again)."""
        if self._in_a_row < IN_A_ROW or now_ms >= self._until_ms:
            return ""
        return f"{self._in_a_row} in a row, the last with {self._last}"
