"""What the configuration lets the daemon do about what is the owner's (ADR 0010), and no more.

By default nothing. With ``adopt`` it may take over a position, and orders that reduce ours; with
``close`` it may also end a position that it has taken over, and cancel an order. What it acts on
has stood for a while. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chaos.world.books import Books
from chaos.world.oracle import Violation
from chaos.world.story import Story

QUARANTINE, ADOPT, CLOSE = "quarantine", "adopt", "close"
STANDS_MS = 7_500
"""Half of the fifteen seconds that are promised: the daemon's idea of the time may be off."""


@dataclass(frozen=True, slots=True)
class Permits:
    """The section ``[foreign]`` of the configuration."""

    orders: str = QUARANTINE
    positions: str = QUARANTINE


QUARANTINED = Permits()


def forbidden(books: Books, story: Story, permits: Permits, order_id: str, at_ms: int) -> str:
    """Why the daemon may not touch an order of the owner's; "" when it may."""
    if permits.orders == ADOPT and order_id in story.duties:
        return ""
    if permits.orders != CLOSE:
        return f"orders are in {permits.orders}"
    if order_id not in story.cancels:
        return "no event says that it was meant to be cancelled"
    since_ms = books.since_ms.get(order_id)
    if since_ms is None:  # over as soon as it was made; told in unknown words, it looks alive
        return ""
    stood_ms = at_ms - since_ms
    return "" if stood_ms >= STANDS_MS else f"it has stood for {stood_ms} ms only"


def adoptions(books: Books, story: Story, permits: Permits) -> Iterator[Violation]:
    """Positions that were taken over without leave, too early, or that nobody held."""
    for seq, event in story.adoptions:
        name, at_ms = event.position.instrument, event.at_ms
        spans = [*books.spans, *books.open_spans.values()]
        held = any(
            span.instrument == name
            and span.opened_ms <= at_ms - STANDS_MS
            and (not span.closed_ms or span.closed_ms >= at_ms)
            for span in spans
        )
        why = "" if held else f"nobody has held one in {name} for {STANDS_MS} ms"
        if permits.positions == QUARANTINE:
            why = "positions are in quarantine"
        if why:
            text = f"a position was adopted though {why}"
            yield Violation("known", f"adopted {seq}", text, (f"event {seq}",))
