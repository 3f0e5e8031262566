"""What the log says of orders, held against what the exchange did with them. Pure.

The other checks ask whether both ledgers agree once nothing moves; a lie that has passed by then
leaves no trace in them. An order that was called refused, unsent or absent and filled all the same
is found, adopted and closed in the end, and meanwhile the next entry may have gone out beside it.
So here every such word is held against the journal for good:

    denied      known   what the log says never was is not at the exchange
    unproven    known   an order is called absent only when it can no longer arrive, and by the
                        exchange's own clock
    premature   known   a recovery is reported only once the account was read, the position covered
                        and every order that it found unproven proven, all at one time
    misread     known   a position is corrected only to a size that it had since the read began
    beside      gated   no entry is taken while a position of ours is open
"""

from collections.abc import Iterator
from decimal import Decimal

from chaos.world.books import Books
from chaos.world.oracle import Violation
from chaos.world.story import Story

ZERO = Decimal(0)
QUEUE_BOUND_MS = 5_000
"""For so long, in its own time, the exchange may hold an order back that came in time."""


def truthful(books: Books, story: Story, now_ms: int) -> list[Violation]:
    """Words of the log that the exchange's journal contradicts; ``now_ms`` is the exchange's."""
    return [
        *_denied(books, story),
        *_unproven(story, now_ms),
        *_misread(books, story),
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


def _unproven(story: Story, now_ms: int) -> Iterator[Violation]:
    for label, (seq, evidence) in story.absences.items():
        intent = story.intents.get(label)
        late_ms = (intent.valid_until_ms if intent is not None else 0) + QUEUE_BOUND_MS
        why = ""
        if evidence.read_ms <= late_ms:
            why = f"by reads at {evidence.read_ms}, though it might arrive until {late_ms}"
        elif evidence.read_ms > now_ms:
            why = f"by reads at {evidence.read_ms}, though the exchange's clock says {now_ms}"
        if why:
            text = f"{label} was called absent {why}"
            yield Violation("known", f"unproven {label}", text, (f"event {seq}",))


def _misread(books: Books, story: Story) -> Iterator[Violation]:
    for seq, event in story.corrections:
        size = ZERO if event.position is None else event.position.size
        if size not in books.held_since(event.instrument, event.at_ms):
            text = f"the position was corrected to {size} {event.instrument}, which it was not"
            yield Violation("known", f"misread {seq}", text, (f"event {seq}: {event.reason}",))
