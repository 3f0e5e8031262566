"""The methods that tell an account's owner about it, besides orders and trades."""

from bisect import bisect_left, bisect_right
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

from tradebaas.paper import checks, params, queries
from tradebaas.paper import report_params as report
from tradebaas.paper.accounts import ZERO
from tradebaas.paper.calls import Call, Method
from tradebaas.paper.instruments import CURRENCIES, Wire
from tradebaas.paper.orders import Order, order_wire
from tradebaas.paper.scopes import granted, worded
from tradebaas.paper.transactions import Transaction, matches
from tradebaas.paper.views import price_band

_AT_MS = attrgetter("timestamp")


def username(call: Call) -> str:
    """Return what the account is called; the main one by the key that it was given first."""
    return call.desk.name or call.exchange.config.client_id


def _transaction_log(call: Call, asked: report.TransactionLog) -> Wire:
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


# -- settlements ----------------------------------------------------------------------------------


def _settled_by_currency(call: Call, asked: report.Settlements) -> Wire:
    return _settled(call, asked, params.in_currency(asked.currency))


def _settled_by_instrument(call: Call, asked: report.Settlements) -> Wire:
    return _settled(call, asked, {params.instrument(asked.instrument_name).name})


def _settled(call: Call, asked: report.Settlements, names: set[str]) -> Wire:
    """Return a page of what the account's positions were settled, the newest first."""
    before_ms = asked.search_start_timestamp
    rows = [
        _settlement_wire(row)
        for row in reversed(call.desk.transactions)
        if row.type == "settlement"
        and row.instrument_name in names
        and asked.type in {None, "settlement"}
        and (before_ms is None or row.timestamp <= before_ms)
    ]
    return report.page_of("settlements", rows, asked)


def _settlement_wire(row: Transaction) -> Wire:
    names = ("type", "timestamp", "instrument_name", "position", "mark_price", "index_price")
    assert isinstance(row.session_rpl, Decimal)
    assert isinstance(row.session_upl, Decimal)
    profit = row.session_rpl + row.session_upl
    return {name: getattr(row, name) for name in names} | {
        "session_profit_loss": profit,
        "profit_loss": profit,
        "funding": row.total_interest_pl,
    }


# -- margin ---------------------------------------------------------------------------------------


def _margins(call: Call, asked: report.MarginsOf) -> Wire:
    """Return what an order would reserve that nothing else stands beside."""
    item = params.instrument(asked.instrument_name)
    amount = checks.amount_of(item, asked.amount, None, None)
    price = checks.price_of(item, "price", asked.price)
    needed, _ = call.exchange.terms.margin.of(item, amount, price)
    low, high = price_band(call.exchange.tape)
    return {"buy": needed, "sell": needed, "min_price": low, "max_price": high}


def _order_margins(call: Call, asked: report.ListedOrders) -> list[Wire]:
    """Return what each of some live orders would reserve alone."""
    orders = [checks.find_live(call, order_id) for order_id in asked.ids]
    return [
        {
            "order_id": order.order_id,
            "initial_margin": _order_margin(call, order),
            "initial_margin_currency": order.instrument.settlement_currency,
        }
        for order in orders
    ]


def _order_margin(call: Call, order: Order) -> Decimal:
    if order.reduce_only or order.is_secondary:
        return ZERO
    price = order.price or call.exchange.tape.mark
    return call.exchange.terms.margin.of(order.instrument, order.remaining, price)[0]


# -- who the account is ---------------------------------------------------------------------------


PORTFOLIO = (
    *("currency", "balance", "equity", "margin_balance", "available_funds"),
    *("available_withdrawal_funds", "initial_margin", "maintenance_margin"),
    *("spot_reserve", "additional_reserve"),
)


def _subaccounts(call: Call, asked: report.Subaccounts) -> list[Wire]:
    """Return the account itself: it has none below it."""
    own: Wire = {
        "id": call.desk.saved.account_id,
        "username": username(call),
        "system_name": username(call),
        "type": "main",
        "margin_model": "segregated_sm",
        "login_enabled": True,
        "is_password": True,
        "receive_notifications": False,
        "security_keys_enabled": False,
        "security_keys_assignments": [],
    }
    if asked.with_portfolio:
        own["portfolio"] = {
            currency.lower(): {name: summary[name] for name in PORTFOLIO}
            for currency in CURRENCIES
            for summary in [call.exchange.display.summary(call.desk, currency)]
        }
    return [own]


def _subaccount_details(call: Call, asked: report.SubaccountDetails) -> list[Wire]:
    names = params.in_currency(asked.currency)
    held = call.desk.account.positions
    own: Wire = {
        "uid": call.desk.saved.account_id,
        "positions": [
            call.exchange.display.position(call.desk, name)
            for name, item in held.items()
            if name in names and item.traded
        ],
    }
    if asked.with_open_orders:
        live = queries.live_orders(call.desk, names, "all")
        own["open_orders"] = [order_wire(order) for order in live]
    return [own]


def _access_log(call: Call, asked: report.AccessLog) -> Wire:
    """Return the logins, the newest first."""
    logins = call.desk.saved.logins[::-1]
    page = logins[asked.offset : asked.offset + asked.count]
    return {"records_total": len(logins), "data": page}


def _keys(call: Call, _: params.Params) -> list[Wire]:
    """Return the account's keys, without their secrets."""
    keys = call.exchange.gate.keys_of(call.desk.name)
    return [
        {
            "id": number,
            "client_id": key.client_id,
            "name": key.client_id,
            "enabled": True,
            "default": number == 1,
            "max_scope": worded(granted(key.scope), ()),
            "enabled_features": [],
            "ip_whitelist": [],
        }
        for number, key in enumerate(keys, start=1)
    ]


def _locks(_: Call, __: params.Params) -> list[Wire]:
    """Nobody locks an account."""
    return [{"currency": currency, "locked": False} for currency in CURRENCIES]


ACCOUNT_METHODS: dict[str, Method[Any]] = {
    "private/get_transaction_log": Method(report.TransactionLog, _transaction_log),
    "private/get_settlement_history_by_currency": Method(report.Settlements, _settled_by_currency),
    "private/get_settlement_history_by_instrument": Method(
        report.Settlements, _settled_by_instrument
    ),
    "private/get_margins": Method(report.MarginsOf, _margins),
    "private/get_order_margin_by_ids": Method(report.ListedOrders, _order_margins),
    "private/get_subaccounts": Method(report.Subaccounts, _subaccounts),
    "private/get_subaccounts_details": Method(report.SubaccountDetails, _subaccount_details),
    "private/get_access_log": Method(report.AccessLog, _access_log),
    "private/list_api_keys": Method(params.Params, _keys),
    "private/get_user_locks": Method(params.Params, _locks),
}
