"""Invariant 2, once: at most one entry order per signal ever reaches the exchange.

The order requests in the exchange's journal are held against the log. A label is used once, be it
an order's own or that of a leg; each has a committed intent; entries are grouped by signal as the
judge itself groups them (``signals``). And the daemon asks for nothing that it could not find
again: no order without a label of ours, nothing for many orders at once, nothing on an order of
the owner's that the configuration does not allow. The owner acts through rows of the driver's, so
every request here is the daemon's. Pure.
"""

from collections.abc import Iterator

from chaos.world.books import Books, Request
from chaos.world.mark import START, Mark
from chaos.world.oracle import Violation, request_line
from chaos.world.permits import QUARANTINED, Permits, forbidden
from chaos.world.story import Story
from tradebaas.core.model import LABEL_PREFIX

ORDERS = frozenset({"private/buy", "private/sell"})
ON_ONE_ORDER = frozenset({"private/edit", "private/cancel"})
"""All that the daemon may ask for; every other call that changes orders changes many, or unnamed
ones (``cancel_all`` takes the owner's, ``close_position`` bears no label)."""


def once(
    books: Books, story: Story, since: Mark = START, permits: Permits = QUARANTINED
) -> list[Violation]:
    """At most one entry per signal and per label; nothing without a committed intent."""
    found: dict[str, Violation] = {}
    for request in books.requests_after(since.n):
        found |= {v.key: v for v in _broken(books, story, request, permits)}
    return [*found.values(), *_unintended(books, story, since)]


def _broken(books: Books, story: Story, request: Request, permits: Permits) -> Iterator[Violation]:
    """What is wrong with one request."""
    for name, requests in _groups(books, story, request):
        if len(requests) > 1:
            text = f"{len(requests)} order requests reached the exchange for {name}"
            yield Violation("once", name, text, tuple(map(request_line, requests)))
    label, line = request.row.label, (request_line(request),)
    improper = _improper(books, story, request, permits)
    if improper:
        yield Violation("once", f"improper {request.n}", improper, line)
    stray = story.signals.strays.get(label, "")
    if stray:
        text = f"entry {label} reached the exchange, but {stray}"
        yield Violation("once", f"stray {label}", text, line)


def _groups(books: Books, story: Story, request: Request) -> Iterator[tuple[str, list[Request]]]:
    """What a request must be alone with: each of its labels, and its signal if it is an entry."""
    for label in request.row.labels:
        if label.startswith(LABEL_PREFIX):
            yield f"label {label}", books.by_label[label]
    signal = story.signals.of.get(request.row.label)
    if request.is_entry and signal is not None:
        labels = story.signals.labels[signal]
        entries = [r for label in labels for r in books.by_label.get(label, ()) if r.is_entry]
        yield f"signal {signal}", entries


def _improper(books: Books, story: Story, request: Request, permits: Permits) -> str:
    """What is wrong with a request by itself; "" when nothing is."""
    row = request.row
    if row.method in ORDERS:
        bare = next((label for label in (row.label, *row.leg_labels) if not _is_ours(label)), None)
        return "" if bare is None else f"an order was asked for under the label {bare!r}, not ours"
    if row.method not in ON_ONE_ORDER:
        return f"{row.method} was called, which the daemon may never do"
    order_id = str(row.params.get("order_id"))
    label = books.labels_by_id.get(order_id)
    if label is None or _is_ours(label):
        return ""
    why = forbidden(books, story, permits, order_id, request.at_ms)
    return (
        f"{row.method} was called on order {order_id}, which is the owner's: {why}" if why else ""
    )


def _is_ours(label: str) -> bool:
    return label.startswith(LABEL_PREFIX)


def _unintended(books: Books, story: Story, since: Mark) -> Iterator[Violation]:
    """Labels of ours in the exchange's journal without a committed intent."""
    for label, n in reversed(books.labels.items()):
        if n <= since.n:
            return
        if story.intent_of(label) is None:
            text = f"label {label} is in the exchange's journal and no intent of it is committed"
            yield Violation("once", f"unintended {label}", text, (f"journal line {n}",))
