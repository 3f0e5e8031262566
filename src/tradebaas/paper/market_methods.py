"""The methods that tell about the market and need no login (protocol section 7).

What the embedded exchange has not got is answered as such: there are no options, no spot and
nothing to withdraw.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import Any

from tradebaas.paper import params
from tradebaas.paper.calls import Call, Method
from tradebaas.paper.candles import MINUTE_MS
from tradebaas.paper.charts import RESOLUTIONS
from tradebaas.paper.desk import SEQ_PER_MS
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.funding import HOUR_MS
from tradebaas.paper.instruments import CURRENCIES, INSTRUMENTS, Wire, instrument_wire
from tradebaas.paper.params import Params, invalid
from tradebaas.paper.past_methods import check_index, price_at
from tradebaas.paper.prints import PublicTrade, public_trades
from tradebaas.paper.views import book_wire, summary_wire

MARKET_ID = r"([A-Z]+-)?[0-9]{16}"
"""The id of a trade of the market's own, which is its sequence number."""
MAX_FUNDING_ROWS = 744
"""Hours of a month of 31 days: what Deribit gives at once."""
FUNDING_STEPS = {"8h": (96, 5), "24h": (96, 15), "1m": (90, 480)}
"""Points of a funding chart, and the minutes between two."""
LONG_NAMES = {"BTC": "Bitcoin", "USDC": "USD Coin"}


def _currencies(_: Call, __: Params) -> list[Wire]:
    return [
        {
            "currency": name,
            "currency_long": LONG_NAMES[name],
            "coin_type": name,
            "decimals": 8 if name == "BTC" else 6,
            "fee_precision": 4,
            "min_confirmations": 1,
            "min_withdrawal_fee": 0,
            "withdrawal_fee": 0,
            "withdrawal_priorities": [],
            "network_currency": name,
            "network_fee": 0,
            "apr": 0,
            "in_cross_collateral_pool": False,
        }
        for name in CURRENCIES
    ]


def _instrument(call: Call, name: str) -> Wire:
    config = call.exchange.config
    item = params.instrument(name)
    wire = instrument_wire(item, config.maker_fee, config.taker_fee, config.max_leverage)
    wire["state"] = call.exchange.terms.state(call.exchange.now_ms)
    return wire


def _instruments(call: Call, asked: params.Instruments) -> list[Wire]:
    names = params.of_kind(params.in_currency(asked.currency), asked.kind)
    if asked.expired:
        return []
    return [_instrument(call, name) for name in INSTRUMENTS if name in names]


def _ticker(call: Call, asked: params.ByInstrument) -> Wire:
    ticker = call.exchange.display.feeds.ticker(params.instrument(asked.instrument_name).name)
    call.session.note_told(ticker)
    return ticker


def _order_book(call: Call, asked: params.Book) -> Wire:
    feeds, name = call.exchange.display.feeds, params.instrument(asked.instrument_name).name
    return book_wire(feeds.book(name), feeds.ticker(name), asked.depth)


def _order_book_by_id(call: Call, asked: params.BookById) -> Wire:
    for item in INSTRUMENTS.values():
        if item.instrument_id == asked.instrument_id:
            return _order_book(call, params.Book(instrument_name=item.name, depth=asked.depth))
    raise invalid("instrument_id", "instrument not found")


def _book_summaries(call: Call, names: set[str]) -> list[Wire]:
    feeds = call.exchange.display.feeds
    items = [item for item in INSTRUMENTS.values() if item.name in names]
    return [summary_wire(item, feeds.ticker(item.name)) for item in items]


def _summary_by_instrument(call: Call, asked: params.ByInstrument) -> list[Wire]:
    return _book_summaries(call, {params.instrument(asked.instrument_name).name})


def _summary_by_currency(call: Call, asked: params.ByCurrency) -> list[Wire]:
    names = params.of_kind(params.in_currency(asked.currency), asked.kind)
    return _book_summaries(call, names)


def _contract_size(_: Call, asked: params.ByInstrument) -> Wire:
    return {"contract_size": params.instrument(asked.instrument_name).contract_size}


def _index_price(call: Call, asked: params.Index) -> Wire:
    check_index(asked.index_name)
    price = call.exchange.tape.price
    return {"index_price": price, "estimated_delivery_price": price}


def _chart(call: Call, asked: params.Chart) -> Wire:
    item = params.instrument(asked.instrument_name)
    if asked.resolution not in RESOLUTIONS:
        raise invalid("resolution", "invalid value")
    params.check_span(asked.start_timestamp, asked.end_timestamp)
    chart, minutes = call.exchange.display.feeds.charts[item.name], RESOLUTIONS[asked.resolution]
    return chart.columns(minutes, asked.start_timestamp, asked.end_timestamp)


# -- trades ---------------------------------------------------------------------------------------


def _trades_by_instrument(call: Call, asked: params.MarketTrades) -> Wire:
    return _trades(call.exchange, asked, {params.instrument(asked.instrument_name).name})


def _trades_by_currency(call: Call, asked: params.MarketTrades) -> Wire:
    names = params.of_kind(params.in_currency(asked.currency), asked.kind)
    return _trades(call.exchange, asked, names)


def _trades(exchange: Exchange, asked: params.MarketTrades, names: set[str]) -> Wire:
    """Return a page of trades: newest first unless ``sorting`` is asc."""
    span, newest_first = _span(exchange, asked), asked.sorting != "asc"
    tape, desks = exchange.tape, exchange.desks.values()

    def seq(trade: PublicTrade) -> int:
        return trade.trade_seq

    each: list[Iterator[PublicTrade]] = [
        public_trades(tape, desks, item, span, newest_first=newest_first)
        for item in INSTRUMENTS.values()
        if item.name in names
    ]
    page = list(islice(merge(*each, key=seq, reverse=newest_first), asked.count + 1))
    return {"trades": page[: asked.count], "has_more": len(page) > asked.count}


def _span(exchange: Exchange, asked: params.MarketTrades) -> range:
    """Return the sequence numbers that are asked for."""
    market = exchange.tape.market
    first = (market.start_ms + market.first * MINUTE_MS) * SEQ_PER_MS
    last = (exchange.now_ms + 1) * SEQ_PER_MS
    first_id, last_id = (_seq_of(exchange, asked, name) for name in ("start_id", "end_id"))
    for start in (_seq(asked.start_timestamp), asked.start_seq, first_id):
        first = first if start is None else max(first, start)
    for end in (_seq(asked.end_timestamp, SEQ_PER_MS - 1), asked.end_seq, last_id):
        last = last if end is None else min(last, end)
    return range(first, max(first, last + 1))


def _seq_of(exchange: Exchange, asked: params.MarketTrades, name: str) -> int | None:
    """Return the sequence number of the trade that ``start_id`` or ``end_id`` names."""
    trade_id: str | None = getattr(asked, name)
    if trade_id is None:
        return None
    ours = (trade for desk in exchange.desks.values() for trade in desk.trades)
    seq = next((trade.trade_seq for trade in ours if trade.trade_id == trade_id), None)
    if seq is None and re.fullmatch(MARKET_ID, trade_id):
        seq = int(trade_id.rpartition("-")[2])
    if seq is None:
        raise invalid(name, "trade not found")
    return seq


def _seq(at_ms: int | None, within: int = 0) -> int | None:
    return None if at_ms is None else at_ms * SEQ_PER_MS + within


def _trade_volumes(call: Call, asked: params.Volumes) -> list[Wire]:
    """Return the volumes of 24 hours, in coins."""
    if asked.extended:
        raise invalid("extended", "the volumes of 7 and 30 days are not counted")
    days = call.exchange.display.feeds.days
    none: Wire = {"calls_volume": 0, "puts_volume": 0, "spot_volume": 0}
    return [
        {"currency": item.settlement_currency, "futures_volume": days[item.name].now().coins} | none
        for item in INSTRUMENTS.values()
    ]


# -- funding --------------------------------------------------------------------------------------


def _funding_value(call: Call, asked: params.FundingSpan) -> Decimal:
    params.instrument(asked.instrument_name)
    params.check_span(asked.start_timestamp, asked.end_timestamp)
    tape = call.exchange.tape
    start_ms = max(asked.start_timestamp, tape.tick(tape.market.first))
    end_ms = min(asked.end_timestamp, tape.state.now_ms)
    return call.exchange.terms.funding.between(start_ms, end_ms)


def _funding_history(call: Call, asked: params.FundingSpan) -> list[Wire]:
    """Return a row for each whole hour of the span, the newest if there are too many."""
    params.instrument(asked.instrument_name)
    params.check_span(asked.start_timestamp, asked.end_timestamp)
    tape, funding = call.exchange.tape, call.exchange.terms.funding
    oldest_ms = tape.tick(tape.market.first) + HOUR_MS
    first = -(-max(asked.start_timestamp, oldest_ms) // HOUR_MS)
    last = min(asked.end_timestamp, tape.reached_ms) // HOUR_MS
    hours = range(first, last + 1)[-MAX_FUNDING_ROWS:]
    return [
        {
            "timestamp": hour * HOUR_MS,
            "index_price": price_at(call.exchange, hour * HOUR_MS),
            "prev_index_price": price_at(call.exchange, (hour - 1) * HOUR_MS),
            "interest_1h": funding.between((hour - 1) * HOUR_MS, hour * HOUR_MS),
            "interest_8h": funding.eight_hours(hour * HOUR_MS),
        }
        for hour in hours
    ]


def _funding_chart(call: Call, asked: params.FundingChart) -> Wire:
    params.instrument(asked.instrument_name)
    tape, funding = call.exchange.tape, call.exchange.terms.funding
    points, minutes = FUNDING_STEPS[asked.length]
    oldest_ms = tape.tick(tape.market.first)
    times = [tape.open_ms - n * minutes * MINUTE_MS for n in reversed(range(points))]
    return {
        "current_interest": funding.rate(tape.state.now_ms),
        "interest_8h": funding.eight_hours(tape.state.now_ms),
        "data": [
            {
                "timestamp": at_ms,
                "index_price": price_at(call.exchange, at_ms),
                "interest_8h": funding.eight_hours(at_ms),
            }
            for at_ms in times
            if at_ms >= oldest_ms
        ],
    }


MARKET_METHODS: dict[str, Method[Any]] = {
    "public/get_book_summary_by_currency": Method(params.ByCurrency, _summary_by_currency),
    "public/get_book_summary_by_instrument": Method(params.ByInstrument, _summary_by_instrument),
    "public/get_contract_size": Method(params.ByInstrument, _contract_size),
    "public/get_currencies": Method(Params, _currencies),
    "public/get_funding_chart_data": Method(params.FundingChart, _funding_chart),
    "public/get_funding_rate_history": Method(params.FundingSpan, _funding_history),
    "public/get_funding_rate_value": Method(params.FundingSpan, _funding_value),
    "public/get_index_price": Method(params.Index, _index_price),
    "public/get_instrument": Method(
        params.ByInstrument, lambda call, asked: _instrument(call, asked.instrument_name)
    ),
    "public/get_instruments": Method(params.Instruments, _instruments),
    "public/get_order_book": Method(params.Book, _order_book),
    "public/get_order_book_by_instrument_id": Method(params.BookById, _order_book_by_id),
    "public/get_trade_volumes": Method(params.Volumes, _trade_volumes),
    "public/get_tradingview_chart_data": Method(params.Chart, _chart),
    "public/ticker": Method(params.ByInstrument, _ticker),
}
for _suffix in ("", "_and_time"):
    MARKET_METHODS |= {
        f"public/get_last_trades_by_instrument{_suffix}": Method(
            params.MarketTrades, _trades_by_instrument
        ),
        f"public/get_last_trades_by_currency{_suffix}": Method(
            params.MarketTrades, _trades_by_currency
        ),
    }
