"""When a reconciled daemon was there: from a full read of the account until its connection ended.

The exchange sees a connection end long after a machine without power has gone; a later login shows
it sooner, since one daemon has one login at a time. Both ends are exchange time. What happens to a
position while nobody is there is nobody's fault but the harness's own. Pure.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from chaos.world.books import Books
from chaos.world.story import Reconcile, Story


class Windows:
    """All windows of a story; one that still goes on ends at ``now_ms``."""

    def __init__(self, books: Books, story: Story, now_ms: int) -> None:
        found = (_window(books, reconcile, now_ms) for reconcile in story.reconciles)
        self._spans = sorted(window for window in found if window is not None)
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


def _window(books: Books, reconcile: Reconcile, now_ms: int) -> tuple[int, int] | None:
    """From the read until the exchange's session ended through which it was made: the one that had
    logged in last before."""
    later = bisect_right(books.logins, reconcile.read_ms, key=lambda session: session.login_ms)
    if not later:
        return None
    session, after = books.logins[later - 1], books.logins[later : later + 1]
    ends = [now_ms if session.end_ms is None else session.end_ms]
    return reconcile.read_ms, min(ends + [session.login_ms for session in after])
