"""Reads of orders and trades, with Deribit's two stores (protocol section 10).

The recent store holds live orders, orders that ended within 30 minutes and trades of 24 hours of
exchange time; ``historical`` asks the archive, which holds only what is older. A client must ask
both. Either may lag behind (``config.Windows``); live orders, and one order by its id, never do.
Answers are capped by ``count``; the rest is reached by ``continuation`` or by time.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from operator import attrgetter

from tradebaas.paper import params
from tradebaas.paper.calls import Call
from tradebaas.paper.desk import Desk, Trade
from tradebaas.paper.instruments import Wire
from tradebaas.paper.orders import Order, order_wire, trigger_history_wire
from tradebaas.paper.params import Refused, invalid

OLD_ORDERS_MS = 2 * 24 * 3_600_000

Filter = Callable[[Order], bool]

TYPES: dict[str, Filter] = {
    "all": lambda _: True,
    "limit": lambda order: order.order_type == "limit",
    "trigger_all": lambda order: order.is_trigger,
    "stop": lambda order: order.order_type.startswith("stop_"),
    "stop_all": lambda order: order.order_type.startswith("stop_"),
    "stop_limit": lambda order: order.order_type == "stop_limit",
    "stop_market": lambda order: order.order_type == "stop_market",
    "take": lambda order: order.order_type.startswith("take_"),
    "take_all": lambda order: order.order_type.startswith("take_"),
    "take_limit": lambda order: order.order_type == "take_limit",
    "take_market": lambda order: order.order_type == "take_market",
    "trailing_all": lambda order: order.order_type == "trailing_stop",
    "trailing_stop": lambda order: order.order_type == "trailing_stop",
}


def of_type(name: str) -> Filter:
    """Return the filter for an open-order ``type``.

    Raises:
        Refused: -32602 for an unknown one.
    """
    if name not in TYPES:
        raise invalid("type", "invalid value")
    return TYPES[name]


def live_orders(desk: Desk, names: Iterable[str], type_name: str) -> list[Order]:
    """Return the live orders of some instruments and a type."""
    wanted, matches = set(names), of_type(type_name)
    live = desk.live.values()
    return [order for order in live if order.instrument_name in wanted and matches(order)]


def is_recent(call: Call, order: Order) -> bool:
    """Return whether an order is in the recent store."""
    return (
        order.is_live
        or order.update_ms > call.exchange.now_ms - call.exchange.terms.windows.orders_ms
    )


def order_state(call: Call, order: Order) -> Wire:
    """Return ``private/get_order_state``.

    Raises:
        Refused: 10004 for an order that has aged out of the recent store.
    """
    if not is_recent(call, order):
        raise Refused(10004, "order_not_found")
    return order_wire(order)


def states_by_label(call: Call, asked: params.ByLabel) -> list[Wire]:
    """Return the recent orders that bear a label."""
    names = params.in_currency(asked.currency)
    lives = call.exchange.terms.readings.labels == "live"
    return [
        order_wire(order)
        for order in _recent(call)
        if (order.is_live or not lives)
        and order.label == asked.label
        and order.instrument_name in names
    ]


def _recent(call: Call) -> list[Order]:
    """Return the orders of the recent store, live ones included, by creation."""
    desk, windows = call.desk, call.exchange.terms.windows
    ended = desk.ended_since(call.exchange.now_ms - windows.orders_ms)
    known_ms = call.exchange.now_ms - windows.recent_lag_ms
    live = [order for order in desk.live.values() if order.creation_ms <= known_ms]
    both = [*live, *(order for order in ended if order.update_ms <= known_ms)]
    return sorted(both, key=attrgetter("number"))


def _is_archived(call: Call, order: Order) -> bool:
    windows = call.exchange.terms.windows
    last_ms = call.exchange.now_ms - windows.orders_ms - windows.archive_lag_ms
    return not order.is_live and order.update_ms <= last_ms


def history(call: Call, asked: params.History, names: set[str]) -> object:
    """Return ended orders, newest first."""
    old_ms = -1 if asked.include_old else call.exchange.now_ms - OLD_ORDERS_MS
    store = call.desk.orders.values() if asked.historical else _recent(call)
    found = (
        order
        for order in reversed(store)
        if order.instrument_name in names
        and not order.is_live
        and (order.filled or asked.include_unfilled)
        and (not asked.historical or _is_archived(call, order))
        and order.update_ms > old_ms
    )
    start = asked.offset + params.offset_of(asked.continuation)
    page, more = _page(found, start, asked.count)
    wires = [order_wire(order) for order in page]
    if not asked.with_continuation:
        return wires
    return {"orders": wires, "continuation": more}


def _page(found: Iterable[Order], start: int, count: int) -> tuple[list[Order], str | None]:
    """Return a page of orders, and how to ask for the next one; None after the last."""
    page = list(islice(found, start, start + count + 1))
    return page[:count], str(start + count) if len(page) > count else None


def trigger_history(call: Call, asked: params.TriggerHistory) -> Wire:
    """Return ended trigger orders, newest first: what each fired as, or why it did not."""
    names = params.in_currency(asked.currency)
    if asked.instrument_name is not None:
        names &= {params.instrument(asked.instrument_name).name}
    known_ms = call.exchange.now_ms - call.exchange.terms.windows.recent_lag_ms
    found = (
        order
        for order in reversed(call.desk.orders.values())
        if order.instrument_name in names
        and (order.is_trigger or order.is_secondary)
        and not order.is_live
        and order.update_ms <= known_ms
    )
    page, more = _page(found, params.offset_of(asked.continuation), asked.count)
    entries = [trigger_history_wire(order, _child(call, order)) for order in page]
    return {"entries": entries, "continuation": more}


def _child(call: Call, order: Order) -> Order | None:
    """Return what a trigger order fired as, if that is remembered."""
    return None if order.child_id is None else call.desk.orders.get(order.child_id)


def trades_by_order(call: Call, asked: params.ByOrder) -> list[Trade] | Wire:
    """Return the trades of one order, as a list or as a page."""
    order = call.desk.orders.get(asked.order_id)
    low, high = _trade_store(call, asked.historical)
    if order is not None:
        low, high = max(low, order.creation_ms), min(high, order.update_ms)
    store = call.desk.trades_between(low, high)
    found = [trade for trade in store if trade.order_id == asked.order_id]
    trades = found[::-1] if asked.sorting == "desc" else found
    if call.exchange.terms.readings.trades_by_order == "page":
        return {"trades": trades, "has_more": False}
    return trades


def trades(call: Call, asked: params.Trades, names: set[str]) -> Wire:
    """Return a page of trades: newest first unless ``sorting`` is asc."""
    low, high = _trade_store(call, asked.historical)
    if asked.start_timestamp is not None:
        low = max(low, asked.start_timestamp)
    if asked.end_timestamp is not None:
        high = min(high, asked.end_timestamp)
    firsts = [asked.start_seq, _seq_of(call, asked, "start_id")]
    lasts = [asked.end_seq, _seq_of(call, asked, "end_id")]
    store = call.desk.trades_between(low, high)
    found = (
        trade
        for trade in (store if asked.sorting == "asc" else reversed(store))
        if trade.instrument_name in names
        and all(first is None or trade.trade_seq >= first for first in firsts)
        and all(last is None or trade.trade_seq <= last for last in lasts)
    )
    page = list(islice(found, asked.count + 1))
    return {"trades": page[: asked.count], "has_more": len(page) > asked.count}


def _seq_of(call: Call, asked: params.Trades, name: str) -> int | None:
    """Return the sequence number of the own trade that ``start_id`` or ``end_id`` names."""
    trade_id: str | None = getattr(asked, name)
    found = (trade.trade_seq for trade in call.desk.trades if trade.trade_id == trade_id)
    seq = next(found, None)
    if seq is None and trade_id is not None:
        raise invalid(name, "trade not found")
    return seq


def _trade_store(call: Call, historical: bool) -> tuple[int, int]:
    """Return the oldest and the newest time that a store of trades holds."""
    windows, now_ms = call.exchange.terms.windows, call.exchange.now_ms
    edge_ms = now_ms - windows.trades_ms
    if historical:
        return 0, edge_ms - windows.archive_lag_ms
    return edge_ms + 1, now_ms - windows.recent_lag_ms
