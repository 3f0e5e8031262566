"""Which orders a move of the market sets off, and where on its way.

Between two moments everything moves in a straight line of time: the index, at which the book
stands, and the mark. A resting order waits for the book, a trigger order for the price that its
``trigger`` names. The last trade's price knows no way, it is there when a trade is; so it sets
nothing off here (``Matching.due_by_last``).
"""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import NamedTuple

from tradebaas.paper.basis import MARK_STEP
from tradebaas.paper.instruments import CONTEXT
from tradebaas.paper.orders import Order
from tradebaas.paper.tape import Stand


class Hit(NamedTuple):
    """An order that a move sets off when the index is at ``at``.

    ``way`` is the share of the move that is done then. ``exact`` says that the index itself was
    waited for, so that ``at`` is the level of the order, unless the move begins beyond it.
    """

    order: Order
    at: Decimal
    way: Decimal
    exact: bool


def hits(orders: Iterator[Order], here: Stand, there: Stand) -> Iterator[Hit]:
    """Return which of the orders a move sets off, in no order."""
    for order in orders:
        level = order.level
        if level is None or waits_for_last(order):
            continue
        by_mark = order.state == "untriggered" and order.trigger == "mark_price"
        start, end = (here.mark, there.mark) if by_mark else (here.price, there.price)
        if order.is_reached(level, start, end):
            way = _way(start, end, level)
            if (start, end) == (here.price, there.price):
                at = min(max(level, min(start, end)), max(start, end))
                yield Hit(order, at, way, True)
            else:
                at = here.price + (there.price - here.price) * way
                yield Hit(order, at.quantize(MARK_STEP), way, False)


def turn(hit: Hit) -> tuple[Decimal, int]:
    """Return the place of an order among those that one move sets off."""
    return hit.way, hit.order.queue


def waits_for_last(order: Order) -> bool:
    """Return whether it is the last trade's price that fires an order."""
    fires = order.state == "untriggered" and not order.is_secondary
    return fires and order.trigger == "last_price"


def passed(order: Order, price: Decimal) -> bool:
    """Return whether a price is at an order's trigger price, or beyond."""
    level = order.trigger_price
    if level is None:
        return False
    return price >= level if order.waits_for_rise else price <= level


def _way(start: Decimal, end: Decimal, level: Decimal) -> Decimal:
    if start == end:
        return Decimal(0)
    with localcontext(CONTEXT):
        return min(max((level - start) / (end - start), Decimal(0)), Decimal(1))
