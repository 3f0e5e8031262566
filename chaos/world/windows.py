"""When a reconciled daemon was there: from a full read of the account until its connection ended.

Both ends are exchange time. What happens to a position while nobody is there is nobody's fault but
the harness's own. Pure.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from chaos.world.books import Books, Session
from chaos.world.story import Reconcile, Story


class Windows:
    """All windows of a story; one that still goes on ends at ``now_ms``."""

    def __init__(self, books: Books, story: Story, now_ms: int) -> None:
        self._spans = sorted(
            (reconcile.read_ms, now_ms if session.end_ms is None else session.end_ms)
            for reconcile in story.reconciles
            if (session := session_of(books, reconcile)) is not None
        )
        self._starts = [start for start, _ in self._spans]
        self._ended_by = list(accumulate((end for _, end in self._spans), max))

    def shared(self, start_ms: int, end_ms: int) -> int:
        """How much of a stretch of time lies in windows, in ms; what lies in two counts once."""
        parts = ((max(a, start_ms), min(b, end_ms)) for a, b in self._meeting(start_ms, end_ms))
        total, reached = 0, start_ms
        for a, b in sorted(parts):
            total += max(b - max(a, reached), 0)
            reached = max(reached, b)
        return total

    def _meeting(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
        """The windows that have something in common with a stretch of time."""
        for at in range(bisect_right(self._starts, end_ms) - 1, -1, -1):
            if self._ended_by[at] < start_ms:
                return
            yield self._spans[at]


def session_of(books: Books, reconcile: Reconcile) -> Session | None:
    """The exchange's session through which the account was read: the last one logged in before."""
    at = bisect_right(books.logins, reconcile.read_ms, key=lambda session: session.login_ms)
    return books.logins[at - 1] if at else None
