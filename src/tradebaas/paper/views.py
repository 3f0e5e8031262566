"""The market as Deribit shows it: ticker, order book, index (protocol section 7.2)."""

from decimal import Decimal, localcontext

from tradebaas.paper.instruments import CONTEXT, Instrument, Wire
from tradebaas.paper.market import on_tick
from tradebaas.paper.tape import Tape

BAND = Decimal("0.015")
"""Limit prices further than this beyond the index are refused."""
UNLIMITED_SHOWN = {"BTC-PERPETUAL": Decimal(100_000_000), "BTC_USDC-PERPETUAL": Decimal(1_000)}
"""What the top of the book shows while depth is without limit."""


def price_band(tape: Tape) -> tuple[Decimal, Decimal]:
    """Return the lowest sell and the highest buy limit that are accepted."""
    with localcontext(CONTEXT):
        return on_tick(tape.price * (1 - BAND)), on_tick(tape.price * (1 + BAND))


def ticker_wire(
    item: Instrument, tape: Tape, depth: Decimal | None, now_ms: int, state: str
) -> Wire:
    """Return ``public/ticker``."""
    shown = depth if depth is not None else UNLIMITED_SHOWN[item.name]
    low, high = price_band(tape)
    running = tape.running()
    return {
        "instrument_name": item.name,
        "timestamp": now_ms,
        "state": state,
        "stats": {
            "high": running.high,
            "low": running.low,
            "price_change": None,
            "volume": Decimal(0),
            "volume_usd": running.cost,
            "volume_notional": running.cost,
        },
        "open_interest": Decimal(0),
        "best_bid_price": tape.bid,
        "best_bid_amount": shown,
        "best_ask_price": tape.ask,
        "best_ask_amount": shown,
        "last_price": tape.price,
        "mark_price": tape.price,
        "index_price": tape.price,
        "min_price": low,
        "max_price": high,
        "settlement_price": tape.price,
        "estimated_delivery_price": tape.price,
        "current_funding": Decimal(0),
        "funding_8h": Decimal(0),
        "interest_value": Decimal(0),
    }


def book_wire(item: Instrument, tape: Tape, ticker: Wire, levels: int) -> Wire:
    """Return ``public/get_order_book``: the ticker plus that many equal levels a side."""
    wire = dict(ticker)
    shown, count = wire["best_bid_amount"], min(levels, 10)
    wire["bids"] = [[tape.bid - item.tick_size * n, shown] for n in range(count)]
    wire["asks"] = [[tape.ask + item.tick_size * n, shown] for n in range(count)]
    wire["change_id"] = wire["timestamp"]
    return wire


def index_wire(item: Instrument, tape: Tape, now_ms: int) -> Wire:
    """Return a frame of ``deribit_price_index``."""
    return {"timestamp": now_ms, "index_name": item.price_index, "price": tape.price}
