"""Cancelling many orders at once: each way to say which ones (protocol section 8.2).

The answer is how many there were, or with ``detailed`` a report for each book and kind of order.
"""

from collections.abc import Iterable
from typing import Any

from tradebaas.paper import params, queries
from tradebaas.paper.calls import Call, Method
from tradebaas.paper.instruments import INSTRUMENTS, Wire
from tradebaas.paper.order_params import (
    CancelAll,
    CancelByCurrency,
    CancelByInstrument,
    CancelByKind,
    CancelByLabel,
    CancelByPair,
)
from tradebaas.paper.orders import Order, order_wire


def _cancel_many(call: Call, chosen: list[Order]) -> int:
    """Cancel orders and return how many; one that ends through another's end is counted too."""
    for order in chosen:
        if order.is_live:
            call.desk.end(order, "cancelled", "user_request")
    call.exchange.settle()
    return len(chosen)


def _cancel(call: Call, asked: CancelAll, names: Iterable[str]) -> int | list[Wire]:
    chosen = queries.live_orders(call.desk, params.of_kind({*names}, asked.kind), asked.type)
    reports: dict[tuple[str, str], list[Order]] = {}
    for order in chosen:
        kind = "trigger" if order.is_trigger else "limit"
        reports.setdefault((order.instrument_name, kind), []).append(order)
    count = _cancel_many(call, chosen)
    if not asked.detailed:
        return count
    if call.exchange.terms.readings.detailed == "orders":
        return [order_wire(order) for order in chosen]
    return [
        {
            "currency": INSTRUMENTS[name].settlement_currency,
            "type": kind,
            "instrument_name": name,
            "result": [order_wire(order) for order in orders],
        }
        for (name, kind), orders in reports.items()
    ]


def cancel_all(call: Call, asked: CancelAll) -> int | list[Wire]:
    """Cancel every live order."""
    return _cancel(call, asked, INSTRUMENTS)


def _by_currency(call: Call, asked: CancelByCurrency) -> int | list[Wire]:
    return _cancel(call, asked, params.in_currency(asked.currency))


def _by_pair(call: Call, asked: CancelByPair) -> int | list[Wire]:
    pair = asked.currency_pair.lower()
    names = [item.name for item in INSTRUMENTS.values() if item.price_index == pair]
    if not names:
        raise params.invalid("currency_pair", "invalid value")
    return _cancel(call, asked, names)


def _by_instrument(call: Call, asked: CancelByInstrument) -> int | list[Wire]:
    return _cancel(call, asked, [params.instrument(asked.instrument_name).name])


def _by_kind(call: Call, asked: CancelByKind) -> int | list[Wire]:
    given = [asked.currency] if isinstance(asked.currency, str) else asked.currency
    return _cancel(call, asked, set().union(*(params.in_currency(name) for name in given)))


def _by_label(call: Call, asked: CancelByLabel) -> int:
    live = queries.live_orders(call.desk, params.in_currency(asked.currency), "all")
    return _cancel_many(call, [order for order in live if order.label == asked.label])


CANCEL_METHODS: dict[str, Method[Any]] = {
    "private/cancel_all": Method(CancelAll, cancel_all),
    "private/cancel_all_by_currency": Method(CancelByCurrency, _by_currency),
    "private/cancel_all_by_currency_pair": Method(CancelByPair, _by_pair),
    "private/cancel_all_by_instrument": Method(CancelByInstrument, _by_instrument),
    "private/cancel_all_by_kind_or_type": Method(CancelByKind, _by_kind),
    "private/cancel_by_label": Method(CancelByLabel, _by_label),
}
