"""The market as Deribit shows it: ticker, order book, index (protocol section 7.2)."""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import NamedTuple

from tradebaas.paper.books import Book, Side, listed
from tradebaas.paper.day import Day
from tradebaas.paper.desk import Desk
from tradebaas.paper.instruments import CONTEXT, Instrument, Wire
from tradebaas.paper.market import on_tick
from tradebaas.paper.tape import Tape
from tradebaas.paper.terms import Terms

BAND = Decimal("0.015")
"""Limit prices further than this beyond the mark, the smoothed price, are refused."""
NOTHING = (None, Decimal(0))
"""Best price and amount of an empty side."""


def price_band(tape: Tape) -> tuple[Decimal, Decimal]:
    """Return the lowest sell and the highest buy limit that are accepted."""
    with localcontext(CONTEXT):
        return on_tick(tape.mark * (1 - BAND)), on_tick(tape.mark * (1 + BAND))


class Trading(NamedTuple):
    """What was traded in an instrument, and is held."""

    day: Day
    open_interest: Decimal
    last: Decimal


def ticker_wire(
    item: Instrument, tape: Tape, sides: tuple[Side, Side], terms: Terms, trading: Trading
) -> Wire:
    """Return ``public/ticker``."""
    now_ms, funding = tape.state.now_ms, terms.funding
    low, high = price_band(tape)
    return {
        "instrument_name": item.name,
        "timestamp": now_ms,
        "state": terms.state(now_ms),
        "stats": trading.day.wire(),
        "open_interest": trading.open_interest,
        **_best(*sides),
        "last_price": trading.last,
        "mark_price": tape.mark,
        "index_price": tape.price,
        "min_price": low,
        "max_price": high,
        "settlement_price": settlement_price(tape, terms),
        "estimated_delivery_price": tape.price,
        "current_funding": funding.rate(now_ms),
        "funding_8h": funding.eight_hours(now_ms),
        "interest_value": interest(tape, terms),
    }


def interest(tape: Tape, terms: Terms) -> Decimal:
    """Return what this session has taken so far for holding a position, as a share of it."""
    now_ms = tape.state.now_ms
    return terms.funding.between(terms.last_settlement(now_ms), now_ms)


def settlement_price(tape: Tape, terms: Terms) -> Decimal:
    """Return the price of the last settlement; where there was none yet, where the market stood at
    its time, or began."""
    if tape.state.settlement_price is not None:
        return tape.state.settlement_price
    settled_ms = terms.last_settlement(tape.state.now_ms)
    return tape.mark_of(tape.price_before(settled_ms), settled_ms)


def open_interest(desks: Iterable[Desk], name: str) -> Decimal:
    """Return how much of an instrument is held: what one side holds, the other owes.

    Whom the accounts traded with outside holds what they are short of among themselves.
    """
    sizes = [desk.account.positions[name].size for desk in desks]
    longs = sum((size for size in sizes if size > 0), Decimal(0))
    return max(longs, longs - sum(sizes, Decimal(0)))


def book_wire(book: Book, ticker: Wire, depth: int) -> Wire:
    """Return ``public/get_order_book``: the ticker and that many levels a side."""
    levels: Wire = {"bids": listed(book.bids, depth), "asks": listed(book.asks, depth)}
    return ticker | levels | {"change_id": book.change_id}


def quote_wire(book: Book) -> Wire:
    """Return what ``quote`` shows of a book."""
    return _best(book.bids, book.asks)


def _best(bids: Side, asks: Side) -> Wire:
    bid, ask = next(iter(bids.items()), NOTHING), next(iter(asks.items()), NOTHING)
    return {
        "best_bid_price": bid[0],
        "best_bid_amount": bid[1],
        "best_ask_price": ask[0],
        "best_ask_amount": ask[1],
    }


def index_wire(index: str, tape: Tape, now_ms: int) -> Wire:
    """Return a frame of ``deribit_price_index``."""
    return {"timestamp": now_ms, "index_name": index, "price": tape.price}


def summary_wire(item: Instrument, ticker: Wire) -> Wire:
    """Return an entry of ``public/get_book_summary_by_currency``, from the ticker."""
    stats = ticker["stats"]
    assert isinstance(stats, dict)
    bid, ask = ticker["best_bid_price"], ticker["best_ask_price"]
    middle = (bid + ask) / 2 if isinstance(bid, Decimal) and isinstance(ask, Decimal) else None
    shared = ("instrument_name", "open_interest", "mark_price", "estimated_delivery_price")
    return {name: ticker[name] for name in (*shared, "current_funding", "funding_8h")} | {
        "base_currency": item.base_currency,
        "quote_currency": item.quote_currency,
        "creation_timestamp": ticker["timestamp"],
        "bid_price": bid,
        "ask_price": ask,
        "mid_price": middle,
        "last": ticker["last_price"],
        **{name: stats[name] for name in ("high", "low", "price_change", "volume")},
        **{name: stats[name] for name in ("volume_usd", "volume_notional")},
    }
