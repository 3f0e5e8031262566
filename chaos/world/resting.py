"""Part of invariant 5, bounded: an entry does not rest in the book for longer than it may.

An entry is for the moment. Where the exchange lets it rest, the daemon takes away what is left of
it when its validity is over, counted from when the exchange took it. The time counts in which a
daemon was there that had read the account, since nobody else can cancel; and news of the order,
and the cancel, may take as long as news does in that world. Pure.
"""

from collections.abc import Sequence

from chaos.world.books import Books
from chaos.world.bounded import Bounds
from chaos.world.mark import START, Mark
from chaos.world.oracle import Violation
from chaos.world.skew import Leap
from chaos.world.story import Story
from chaos.world.windows import Windows


def resting(
    books: Books, story: Story, bounds: Bounds, now_ms: int, grace_ms: int, since: Mark = START,
    leaps: Sequence[Leap] = (),
) -> list[Violation]:  # fmt: skip
    """Entries that rested beyond their validity and what news may take (``grace_ms``)."""
    rests, limit_ms = books.rests.after(since.rests), bounds.patience_ms + grace_ms
    if not rests:
        return []
    windows, found = Windows(books, story, now_ms), []
    for rest in rests:
        end_ms = now_ms if rest.end_ms is None else rest.end_ms
        spent_ms = windows.shared(rest.start_ms, end_ms)
        spent_ms -= sum(leap.within(rest.start_ms, end_ms) for leap in leaps)
        if spent_ms > limit_ms:
            text = f"entry {rest.label} rested for {spent_ms} ms of exchange time with a daemon"
            line = f"journal line {rest.n}: from {rest.start_ms} to {rest.end_ms}"
            text += f" there, the limit is {limit_ms}"
            found.append(Violation("bounded", f"rest {rest.label}", text, (line,)))
    return found
