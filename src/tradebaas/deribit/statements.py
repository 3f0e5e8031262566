"""The account's transaction log, read for what holding a position has cost.

The log comes newest first, in pages, and may be asked for about once a second: fewer calls than
anything else. So a read is of a stretch of time and of so many pages at most; one that is too full
is asked for in halves.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import final

from msgspec import Raw, Struct

from tradebaas.core.funding_events import FundingRow
from tradebaas.deribit import wire
from tradebaas.deribit.calls import Caller, ask
from tradebaas.deribit.convert import Unusable
from tradebaas.deribit.rpc import Params

Pause = Callable[[], Awaitable[None]]
MAX_ROWS = 250
MAX_PAGES = 20
MOST = Decimal("1e15")
LEAST = -30
"""A sum of money has no more digits than this; anything else is a mistake."""


@final
class Statement(Struct, frozen=True, kw_only=True):
    """The rows with funding of all that the log has of before ``through_ms``."""

    rows: tuple[FundingRow, ...]
    through_ms: int


async def statement(
    link: Caller, currencies: tuple[str, ...], start_ms: int, end_ms: int, pause: Pause
) -> Statement:
    """What the log has of start..end, or of the earlier part of it if that is too much.

    ``pause`` is made between two pages.

    Raises:
        LinkLost, Unanswered, CallFailed: it could not be read.
    """
    while True:
        found: list[FundingRow] = []
        for currency in currencies:
            rows = await _rows(link, currency, start_ms, end_ms, pause)
            if rows is None:
                break
            found += rows
        else:
            return Statement(rows=tuple(found), through_ms=end_ms)
        if end_ms <= start_ms + 1:
            return Statement(rows=(), through_ms=start_ms)
        end_ms = (start_ms + end_ms) // 2


async def _rows(
    link: Caller, currency: str, start_ms: int, end_ms: int, pause: Pause
) -> list[FundingRow] | None:
    """All rows with funding of a stretch; None when there are more pages than are read."""
    found: list[FundingRow] = []
    continuation: int | None = None
    for _ in range(MAX_PAGES):
        params: Params = {
            "currency": currency,
            "start_timestamp": start_ms,
            "end_timestamp": end_ms,
            "count": MAX_ROWS,
        }
        if continuation is not None:
            params["continuation"] = continuation
        page, continuation = await ask(link, "private/get_transaction_log", params, _read)
        found += page
        if continuation is None:
            return found
        await pause()
    return None


def _read(raw: Raw) -> tuple[list[FundingRow], int | None]:
    page = wire.parse(raw, wire.TransactionLog)
    return [_row(item) for item in page.logs if item.interest_pl], page.continuation


def _row(item: wire.Transaction) -> FundingRow:
    paid = -(item.interest_pl or Decimal(0))
    exponent = paid.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < LEAST or abs(paid) > MOST:
        raise Unusable(f"row {item.id} of the transaction log has the funding {paid}")
    return FundingRow(
        row_id=str(item.id),
        instrument=item.instrument_name or "",
        currency=item.currency,
        paid=paid,
        at_ms=item.timestamp,
    )
