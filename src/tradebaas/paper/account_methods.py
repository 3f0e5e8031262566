"""The methods that tell an account's owner about it, besides orders and trades."""

from bisect import bisect_left, bisect_right
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

from tradebaas.paper import params
from tradebaas.paper.calls import Call, Method
from tradebaas.paper.instruments import CURRENCIES, Wire
from tradebaas.paper.transactions import Transaction, matches

_AT_MS = attrgetter("timestamp")


def username(call: Call) -> str:
    """Return what the account is called; the main one by the key that it was given first."""
    return call.desk.name or call.exchange.config.client_id


def _transaction_log(call: Call, asked: params.TransactionLog) -> Wire:
    """Return a page of rows, newest first; ``continuation`` is the last one's id."""
    params.in_currency(asked.currency)
    params.check_span(asked.start_timestamp, asked.end_timestamp)
    rows = call.desk.transactions
    first = bisect_left(rows, asked.start_timestamp, key=_AT_MS)
    last = bisect_right(rows, asked.end_timestamp, key=_AT_MS)
    wanted = set(CURRENCIES) if asked.currency.lower() == "any" else {asked.currency.upper()}
    found = (
        row
        for row in reversed(rows[first:last])
        if row.currency in wanted
        and (asked.continuation is None or row.id < asked.continuation)
        and matches(row, asked.query)
    )
    page = list(islice(found, asked.count + 1))
    shown = page[: asked.count]
    more = shown[-1].id if len(page) > asked.count else None
    return {"logs": [_wire(row, username(call)) for row in shown], "continuation": more}


def _wire(row: Transaction, name: str) -> Wire:
    wire: Wire = msgspec.to_builtins(row, builtin_types=(Decimal,))
    return wire | {"username": name}


ACCOUNT_METHODS: dict[str, Method[Any]] = {
    "private/get_transaction_log": Method(params.TransactionLog, _transaction_log),
}
