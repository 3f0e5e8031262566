"""The exchange's own account of funding, beside its journal: the rows of its transaction log.

A row belongs to the position that it names by its fill, a settlement's to the one that was open
then. What the rows of a position say is what the daemon's trade has to say, and their sum is what
the settlements have moved. Reads the rows as they lie there; nothing of the daemon's is asked.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from chaos.world.books import Books, Span

ZERO = Decimal(0)
RECENT = 64
"""Positions that a row may be of: it is read soon after it was written."""


class Statement(Struct, frozen=True):
    """A row of the log: ``interest_pl`` is the funding since the row before it of its position."""

    id: int
    user_id: int
    timestamp: int
    currency: str
    equity: Decimal = ZERO
    position: Decimal | None = None
    instrument_name: str | None = None
    trade_id: str | None = None
    interest_pl: Decimal = ZERO


def charge(books: "Books", rows: Iterable[Statement]) -> None:
    """Add the funding of ``rows`` to the positions of ``books``."""
    for row in rows:
        if row.position == ZERO:  # equity is cash then, with the funding that is not moved yet
            books.cash.setdefault(row.currency, []).append((row.timestamp, row.equity))
        span = _span(books, row) if row.interest_pl else None
        if span is not None:
            span.funding -= row.interest_pl


def _span(books: "Books", row: Statement) -> "Span | None":
    """A fill that crosses zero is of two positions: its funding is of the first."""
    spans = [s for s in books.spans[-RECENT:] if s.instrument == row.instrument_name]
    now = books.open_spans.get(row.instrument_name or "")
    spans += [now] if now is not None else []
    if row.trade_id is not None:
        return next((span for span in spans if row.trade_id in span.trade_ids), None)
    return next((span for span in reversed(spans) if span.opened_ms < row.timestamp), None)
