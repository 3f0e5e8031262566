"""Ended orders: the recent store, the archive, and what became of trigger orders.

Both lists come newest first, in pages, and are read back to a moment; more pages than ``MAX_PAGES``
is no answer, since an order could be on the next one (protocol dossier sections 9 and 10).
"""

from msgspec import Raw

from tradebaas.core.model import Instrument, Order
from tradebaas.deribit import convert, wire
from tradebaas.deribit.calls import Caller, ask
from tradebaas.deribit.errors import Unanswered
from tradebaas.deribit.rpc import Params

MAX_ROWS = 1000
MAX_PAGES = 50


def read_orders(raw: Raw) -> tuple[Order, ...]:
    """A list of orders; one that makes no sense spoils the list."""
    return tuple(convert.order(item) for item in wire.parse(raw, list[wire.Order]))


async def order_history(
    link: Caller, instrument: Instrument, since_ms: int, historical: bool
) -> tuple[Order, ...]:
    """Ended orders of one store, newest first, back to ``since_ms``; unfilled ones included."""
    found: dict[str, Order] = {}
    for page_number in range(MAX_PAGES):
        params: Params = {
            "instrument_name": instrument.name,
            "count": MAX_ROWS,
            "offset": page_number * MAX_ROWS,
            "include_old": True,
            "include_unfilled": True,
            "historical": historical,
        }
        page = await ask(link, "private/get_order_history_by_instrument", params, read_orders)
        found |= {order.order_id: order for order in page}
        if len(page) < MAX_ROWS or max(order.updated_ms for order in page) < since_ms:
            return tuple(found.values())
    raise Unanswered(f"more than {MAX_PAGES * MAX_ROWS} ended orders since {since_ms} ms")


async def trigger_history(link: Caller, instrument: Instrument, since_ms: int) -> tuple[Order, ...]:
    """Ended trigger orders, newest first, back to ``since_ms``."""

    def read(raw: Raw) -> tuple[tuple[Order, ...], str | None]:
        page = wire.parse(raw, wire.TriggerHistory)
        return tuple(convert.trigger_entry(e) for e in page.entries), page.continuation

    found: dict[str, Order] = {}
    continuation: str | None = None
    for _ in range(MAX_PAGES):
        params: Params = {
            "currency": instrument.currency,
            "instrument_name": instrument.name,
            "count": MAX_ROWS,
        }
        if continuation:
            params["continuation"] = continuation
        page, continuation = await ask(link, "private/get_trigger_order_history", params, read)
        found |= {order.order_id: order for order in page}
        ended = not continuation or len(page) < MAX_ROWS
        if ended or max(order.updated_ms for order in page) < since_ms:
            return tuple(found.values())
    raise Unanswered(f"more than {MAX_PAGES * MAX_ROWS} trigger orders since {since_ms} ms")
