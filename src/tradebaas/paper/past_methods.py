"""The public methods that tell what the market was: its settlements, its index, how it moved."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from math import log, sqrt
from typing import Any

from tradebaas.paper import params
from tradebaas.paper import report_params as report
from tradebaas.paper.calls import Call, Method
from tradebaas.paper.candles import MINUTE_MS
from tradebaas.paper.channels import INDICES
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.funding import HOUR_MS
from tradebaas.paper.instruments import INSTRUMENTS, Wire
from tradebaas.paper.params import invalid
from tradebaas.paper.saved import Settlement

DAY_MINUTES = 24 * 60
RANGES = {
    "1h": (60, 1),
    "1d": (DAY_MINUTES, 10),
    "2d": (2 * DAY_MINUTES, 20),
    "1m": (30 * DAY_MINUTES, 6 * 60),
    "1y": (365 * DAY_MINUTES, DAY_MINUTES),
    "all": (10 * 365 * DAY_MINUTES, DAY_MINUTES),
}
"""How many minutes each range of an index chart is long, and how many lie between two points."""
VOLATILITY_HOURS = 15 * 24
"""How many hours a value of the historical volatility is made of, and how many values there are."""
YEARLY = 365 * 24 / VOLATILITY_HOURS


def price_at(exchange: Exchange, at_ms: int) -> Decimal:
    """Return where the bar opened that a time lies in; where the market stands after the last."""
    turns = exchange.tape.turns(exchange.tape.number(at_ms))
    return exchange.tape.price if turns is None else turns.price(0)


def check_index(name: str) -> None:
    """Check the name of an index.

    Raises:
        Refused: -32602 when there is none of that name.
    """
    if name not in INDICES:
        raise invalid("index_name", "invalid value")


def _index_chart(call: Call, asked: report.IndexChart) -> list[tuple[int, Decimal]]:
    check_index(asked.index_name)
    tape, (minutes, step) = call.exchange.tape, RANGES[asked.range]
    oldest_ms = max(tape.tick(tape.market.first), tape.open_ms - minutes * MINUTE_MS)
    step_ms = step * MINUTE_MS
    times = range(-(-oldest_ms // step_ms) * step_ms, tape.open_ms + 1, step_ms)
    return [(at_ms, price_at(call.exchange, at_ms)) for at_ms in times]


def _volatility(call: Call, asked: report.OneCurrency) -> list[tuple[int, float]]:
    """Return percent a year for each of the last hours, made of the 15 days before it.

    An hour whose 15 days the market does not have has no value.
    """
    params.in_currency(asked.currency)
    tape = call.exchange.tape
    last = tape.open_ms // HOUR_MS
    oldest = -(-tape.tick(tape.market.first) // HOUR_MS)
    first = max(oldest, last - 2 * VOLATILITY_HOURS)
    hours = range(first, last + 1)
    if asked.currency.upper() != "BTC" or len(hours) <= VOLATILITY_HOURS:
        return []
    prices = [float(price_at(call.exchange, hour * HOUR_MS)) for hour in hours]
    squares = [log(later / earlier) ** 2 for earlier, later in pairwise(prices)]
    return [
        (hour * HOUR_MS, 100 * sqrt(sum(squares[end - VOLATILITY_HOURS : end]) * YEARLY))
        for end, hour in enumerate(hours)
        if end >= VOLATILITY_HOURS
    ]


def _supported_names(call: Call, asked: report.SupportedIndices) -> list[object]:
    return [] if asked.type == "spot" else _index_names(call, asked)


def _index_names(_: Call, asked: params.IndexNames) -> list[object]:
    if not asked.extended:
        return [*sorted(INDICES)]
    combos = {"future_combo_creation_enabled": False, "option_combo_creation_enabled": False}
    return [{"name": name} | combos for name in sorted(INDICES)]


def _expirations(_: Call, asked: report.Expirations) -> Wire:
    """Return what ends when, which perpetuals never do."""
    kinds = ("future", "option") if asked.kind == "any" else (asked.kind,)
    grouped = asked.currency.lower() == "grouped"
    names = params.in_currency("any" if grouped else asked.currency)

    def of(settled_in: str | None) -> Wire:
        has = any(
            name in names and settled_in in {None, item.settlement_currency}
            for name, item in INSTRUMENTS.items()
        )
        return {kind: ["PERPETUAL"] if has and kind == "future" else [] for kind in kinds}

    if not grouped:
        return of(None)
    currencies = {item.settlement_currency for item in INSTRUMENTS.values()}
    return {currency.lower(): of(currency) for currency in sorted(currencies)}


# -- settlements ----------------------------------------------------------------------------------


def _delivery_prices(call: Call, asked: report.DeliveryPrices) -> Wire:
    """Return what each day was settled at, the newest first."""
    check_index(asked.index_name)
    days = [
        {"date": _date(row.at_ms), "delivery_price": row.index}
        for row in reversed(call.exchange.saved.settlements)
        if INSTRUMENTS[row.instrument_name].price_index == asked.index_name
    ]
    page = days[asked.offset : asked.offset + asked.count]
    return {"data": page, "records_total": len(days)}


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def _settlements_by_currency(call: Call, asked: report.Settlements) -> Wire:
    return _settlements(call, asked, params.in_currency(asked.currency))


def _settlements_by_instrument(call: Call, asked: report.Settlements) -> Wire:
    return _settlements(call, asked, {params.instrument(asked.instrument_name).name})


def _settlements(call: Call, asked: report.Settlements, names: set[str]) -> Wire:
    """Return a page of settlements, the newest first: what all accounts together were settled."""
    before_ms = asked.search_start_timestamp
    rows = [
        _settlement_wire(row)
        for row in reversed(call.exchange.saved.settlements)
        if row.instrument_name in names
        and asked.type in {None, "settlement"}
        and (before_ms is None or row.at_ms <= before_ms)
    ]
    return report.page_of("settlements", rows, asked)


def _settlement_wire(row: Settlement) -> Wire:
    return {
        "type": "settlement",
        "timestamp": row.at_ms,
        "instrument_name": row.instrument_name,
        "mark_price": row.mark,
        "index_price": row.index,
        "position": row.position,
        "session_profit_loss": row.profit,
        "profit_loss": row.profit,
        "funding": row.funding,
    }


PAST_METHODS: dict[str, Method[Any]] = {
    "public/get_delivery_prices": Method(report.DeliveryPrices, _delivery_prices),
    "public/get_expirations": Method(report.Expirations, _expirations),
    "public/get_historical_volatility": Method(report.OneCurrency, _volatility),
    "public/get_index_chart_data": Method(report.IndexChart, _index_chart),
    "public/get_index_price_names": Method(params.IndexNames, _index_names),
    "public/get_last_settlements_by_currency": Method(report.Settlements, _settlements_by_currency),
    "public/get_last_settlements_by_instrument": Method(
        report.Settlements, _settlements_by_instrument
    ),
    "public/get_supported_index_names": Method(report.SupportedIndices, _supported_names),
}
