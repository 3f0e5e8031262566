"""How a trailing stop follows the market (protocol section 9)."""

from decimal import Decimal

from tradebaas.paper.market import on_tick
from tradebaas.paper.orders import Order


def follow(order: Order, price: Decimal) -> bool:
    """Put a stop's trigger price at its offset from the best price; return whether it moved."""
    offset = order.trigger_offset
    assert offset is not None
    best = price if order.trigger_reference is None else order.trigger_reference
    reference = min(best, price) if order.is_buy else max(best, price)
    # Rounded away from the market, so that it never comes closer than the offset.
    level = -on_tick(-reference - offset) if order.is_buy else on_tick(reference - offset)
    moved = level != order.trigger_price
    order.trigger_reference, order.trigger_price = reference, level
    return moved
