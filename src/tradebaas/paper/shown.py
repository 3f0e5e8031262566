"""The order book that clients see: equal imaginary levels, and the accounts' orders among them.

What is matched is decided by ``matching`` alone; this is only what is seen of it.
"""

from collections.abc import Iterator
from decimal import Decimal

from tradebaas.paper.books import Side
from tradebaas.paper.instruments import Instrument
from tradebaas.paper.matching import THIN_LEVELS, Matching
from tradebaas.paper.orders import Order

SHOWN_LEVELS = 20
UNLIMITED_SHOWN = {"BTC-PERPETUAL": Decimal(100_000_000), "BTC_USDC-PERPETUAL": Decimal(1_000)}
"""What the levels of the book show while depth is without limit."""


def sides(item: Instrument, matching: Matching, levels: int = SHOWN_LEVELS) -> tuple[Side, Side]:
    """Return the bids and the asks as they are now, with that many imaginary levels a side."""
    tape, step = matching.tape, item.tick_size
    if matching.thin != "no":
        levels = min(levels, THIN_LEVELS)
    amount = matching.depth.get(item.name, UNLIMITED_SHOWN[item.name])
    bids = {tape.bid - step * n: amount for n in range(levels) if tape.bid > step * n}
    asks = {tape.ask + step * n: amount for n in range(levels)}
    for order in _resting(item, matching):
        assert order.price is not None
        if order.is_buy and order.price <= tape.bid:
            bids[order.price] = bids.get(order.price, Decimal(0)) + order.visible
        elif not order.is_buy and order.price >= tape.ask:
            asks[order.price] = asks.get(order.price, Decimal(0)) + order.visible
    return dict(sorted(bids.items(), reverse=True)), dict(sorted(asks.items()))


def _resting(item: Instrument, matching: Matching) -> Iterator[Order]:
    return (
        order for order in matching.live() if order.instrument_name == item.name and order.rests
    )
