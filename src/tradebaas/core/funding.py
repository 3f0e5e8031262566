"""Which trade a row of funding belongs to, and which rows are known. Pure, and bounded.

Rows and fills are told in any order: a trade may be over before its rows are read, and a row may be
read before its trade is told. So rows without a trade are held until one comes that they belong to,
and trades are remembered until no row of theirs can come any more.
"""

from decimal import Decimal
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from tradebaas.core.funding_events import FundingRow
from tradebaas.core.maps import put
from tradebaas.core.model import ZERO, Trade

LATE_MS = 60_000
"""How far before the last read the log is read again: the exchange may show a row late."""
MOST_HELD = 256
MOST_CLOSED = 256


class Closed(Struct, frozen=True, kw_only=True):
    """A trade whose rows may still come. ``net`` is what it has brought by now."""

    number: int
    instrument: str
    opened_ms: int
    closed_ms: int
    net: Decimal


class Funding(Struct, frozen=True, kw_only=True):
    """``through_ms``: up to when the log was read. ``known`` has the rows of what is read again."""

    through_ms: int = 0
    known: dict[str, int] = {}
    held: tuple[FundingRow, ...] = ()
    closed: tuple[Closed, ...] = ()

    @property
    def horizon_ms(self) -> int:
        """No row of before this is news."""
        return self.through_ms - LATE_MS


class Span(Protocol):
    """A position from flat to flat."""

    @property
    def instrument(self) -> str: ...
    @property
    def opened_ms(self) -> int: ...
    @property
    def closed_ms(self) -> int: ...


def is_known(funding: Funding, row: FundingRow) -> bool:
    """Whether a row is no news."""
    return row.row_id in funding.known or row.at_ms < funding.horizon_ms


def trade_of(funding: Funding, row: FundingRow) -> int:
    """The number of the closed trade that a row belongs to; 0 when none is known."""
    return next((trade.number for trade in funding.closed if _is_in(row, trade)), 0)


def of_trade(funding: Funding, trade: Trade) -> Decimal:
    """What the held rows of a trade come to."""
    return sum((row.paid for row in funding.held if _is_in(row, trade)), ZERO)


def _is_in(row: FundingRow, span: Span) -> bool:
    """The first fill's own row has what was before it, the last one's what this one cost."""
    return row.instrument == span.instrument and span.opened_ms < row.at_ms <= span.closed_ms


# ---------------------------------------------------------------------------------- the next value


def held(funding: Funding, row: FundingRow) -> Funding:
    """One more row, of a position that is open or whose end is not told."""
    rows = (*funding.held, row)
    if len(rows) > MOST_HELD:
        rows = _merged(rows)
    return replace(funding, held=rows, known=put(funding.known, row.row_id, row.at_ms))


def _merged(rows: tuple[FundingRow, ...]) -> tuple[FundingRow, ...]:
    """The oldest two of one instrument as one: a position of a year has more than one a day."""
    first = rows[0]
    second = next((row for row in rows[1:] if row.instrument == first.instrument), None)
    if second is None:
        return rows[1:]
    both = replace(second, paid=first.paid + second.paid)
    return tuple(both if row is second else row for row in rows[1:])


def charged(funding: Funding, row: FundingRow, number: int) -> Funding:
    """One more row of a trade that is over."""
    closed = tuple(
        replace(trade, net=trade.net - row.paid) if trade.number == number else trade
        for trade in funding.closed
    )
    return replace(funding, closed=closed, known=put(funding.known, row.row_id, row.at_ms))


def ended(funding: Funding, trade: Trade) -> Funding:
    """A trade is over, and has the rows that were held for it."""
    over = Closed(
        number=trade.number,
        instrument=trade.instrument,
        opened_ms=trade.opened_ms,
        closed_ms=trade.closed_ms,
        net=trade.net,
    )
    return replace(
        funding,
        held=tuple(row for row in funding.held if not _is_in(row, trade)),
        closed=(*funding.closed, over)[-MOST_CLOSED:],
    )


def read(funding: Funding, through_ms: int, instrument: str, opened_ms: int) -> Funding:
    """The log was read: what no later news can concern is forgotten.

    Kept are rows of the trade that is under way: on ``instrument``, from after ``opened_ms``. What
    none has claimed in time is not ours.
    """
    funding = replace(funding, through_ms=max(funding.through_ms, through_ms))
    horizon_ms = funding.horizon_ms
    return replace(
        funding,
        known={row_id: at_ms for row_id, at_ms in funding.known.items() if at_ms >= horizon_ms},
        closed=tuple(trade for trade in funding.closed if trade.closed_ms >= horizon_ms),
        held=tuple(
            row
            for row in funding.held
            if row.at_ms >= horizon_ms or (row.instrument == instrument and row.at_ms > opened_ms)
        ),
    )
