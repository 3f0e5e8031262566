"""Reads of orders and trades, with Deribit's two stores (protocol section 10).

The recent store holds live orders, orders that ended within 30 minutes and trades of 24 hours of
exchange time; ``historical`` asks the archive, which holds only what is older. A client must ask
both. Answers are capped by ``count``; the rest is reached by ``continuation`` or by time.
"""

import re
from collections.abc import Callable, Iterable

from tradebaas.paper import params
from tradebaas.paper.desk import Trade
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.instruments import Wire
from tradebaas.paper.orders import Order, order_wire, trigger_history_wire
from tradebaas.paper.params import Refused, invalid

RECENT_ORDERS_MS = 30 * 60_000
RECENT_TRADES_MS = 24 * 3_600_000
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
    "trailing_all": lambda _: False,
    "trailing_stop": lambda _: False,
}


def of_type(name: str) -> Filter:
    """Return the filter for an open-order ``type``.

    Raises:
        Refused: -32602 for an unknown one.
    """
    if name not in TYPES:
        raise invalid("type", "invalid value")
    return TYPES[name]


def live_orders(exchange: Exchange, names: Iterable[str], type_name: str) -> list[Order]:
    """Return the live orders of some instruments and a type."""
    wanted, matches = set(names), of_type(type_name)
    live = exchange.desk.live.values()
    return [order for order in live if order.instrument_name in wanted and matches(order)]


def is_recent(exchange: Exchange, order: Order) -> bool:
    """Return whether an order is in the recent store."""
    return order.is_live or order.update_ms > exchange.now_ms - RECENT_ORDERS_MS


def order_state(exchange: Exchange, order: Order) -> Wire:
    """Return ``private/get_order_state``.

    Raises:
        Refused: 10004 for an order that has aged out of the recent store.
    """
    if not is_recent(exchange, order):
        raise Refused(10004, "order_not_found")
    return order_wire(order)


def states_by_label(exchange: Exchange, asked: params.ByLabel) -> list[Wire]:
    """Return the recent orders that bear a label."""
    names = params.in_currency(asked.currency)
    return [
        order_wire(order)
        for order in exchange.desk.orders.values()
        if order.label == asked.label
        and order.instrument_name in names
        and is_recent(exchange, order)
    ]


def _offset(continuation: str) -> int:
    if not continuation:
        return 0
    if not re.fullmatch("[0-9]{1,9}", continuation):
        raise invalid("continuation", "invalid value")
    return int(continuation)


def history(exchange: Exchange, asked: params.History, names: set[str]) -> object:
    """Return ended orders, newest first."""
    now = exchange.now_ms
    found = [
        order
        for order in exchange.desk.orders.values()
        if order.instrument_name in names
        and not order.is_live
        and (order.filled or asked.include_unfilled)
        and is_recent(exchange, order) != asked.historical
        and (asked.include_old or order.update_ms > now - OLD_ORDERS_MS)
    ]
    found.reverse()
    start = asked.offset + _offset(asked.continuation)
    page = [order_wire(order) for order in found[start : start + asked.count]]
    if not asked.with_continuation:
        return page
    more = start + asked.count < len(found)
    return {"orders": page, "continuation": str(start + asked.count) if more else None}


def trigger_history(exchange: Exchange, asked: params.TriggerHistory) -> Wire:
    """Return ended trigger orders, newest first: what each fired as, or why it did not."""
    names = params.in_currency(asked.currency)
    if asked.instrument_name is not None:
        names &= {params.instrument(asked.instrument_name).name}
    found = [
        order
        for order in exchange.desk.orders.values()
        if order.instrument_name in names
        and (order.is_trigger or order.is_secondary)
        and not order.is_live
    ]
    found.reverse()
    start = _offset(asked.continuation)
    page = found[start : start + asked.count]
    more = start + asked.count < len(found)
    return {
        "entries": [trigger_history_wire(order) for order in page],
        "continuation": str(start + asked.count) if more else None,
    }


def trades_by_order(exchange: Exchange, asked: params.ByOrder) -> list[Trade]:
    """Return the trades of one order."""
    found = [
        trade
        for trade in exchange.desk.trades.values()
        if trade.order_id == asked.order_id and _in_store(exchange, trade, asked.historical)
    ]
    return found[::-1] if asked.sorting == "desc" else found


def trades(exchange: Exchange, asked: params.Trades, names: set[str]) -> Wire:
    """Return a page of trades: newest first unless ``sorting`` is asc."""
    low, high = asked.start_timestamp, asked.end_timestamp
    first, last = asked.start_seq, asked.end_seq
    found = [
        trade
        for trade in exchange.desk.trades.values()
        if trade.instrument_name in names
        and (low is None or trade.timestamp >= low)
        and (high is None or trade.timestamp <= high)
        and (first is None or trade.trade_seq >= first)
        and (last is None or trade.trade_seq <= last)
        and _in_store(exchange, trade, asked.historical)
    ]
    if asked.sorting != "asc":
        found.reverse()
    return {"trades": found[: asked.count], "has_more": len(found) > asked.count}


def _in_store(exchange: Exchange, trade: Trade, historical: bool) -> bool:
    recent = trade.timestamp > exchange.now_ms - RECENT_TRADES_MS
    return recent != historical
