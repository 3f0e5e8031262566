"""What the log says of orders, held against what the exchange did with them. Pure.

The other checks ask whether both ledgers agree once nothing moves; a lie that has passed by then
leaves no trace in them. An order that was called refused, unsent or absent and filled all the same
is found, adopted and closed in the end, and meanwhile the next entry may have gone out beside it.
So here every such word is held against the journal for good:

    denied      known   what the log says never was is not at the exchange
    premature   known   a recovery is reported only once everything that it found is settled
    beside      gated   no entry is taken while a position of ours is open
"""

from collections.abc import Iterator

from chaos.world.books import Books
from chaos.world.oracle import Violation
from chaos.world.story import Story


def truthful(books: Books, story: Story) -> list[Violation]:
    """Words of the log that the exchange's journal contradicts."""
    return [
        *_denied(books, story),
        *(
            Violation("known", f"premature {seq}", text, (f"event {seq}",))
            for seq, text in story.premature
        ),
        *(
            Violation("gated", f"beside {label}", f"entry {label} was taken while {what}",
                      (f"journal line {n}",))
            for n, label, what in books.beside
        ),
    ]  # fmt: skip


def _denied(books: Books, story: Story) -> Iterator[Violation]:
    for label, (seq, how) in story.denied.items():
        n = books.ordered.get(label)
        if n is not None:
            text = f"the log says of {label} that it was {how}, and the exchange took it"
            yield Violation("known", f"denied {label}", text, (f"event {seq}", f"journal line {n}"))
