"""The order book that clients see, which is what ``levels`` has for their orders."""

from tradebaas.paper.books import Side
from tradebaas.paper.instruments import Instrument
from tradebaas.paper.matching import Matching
from tradebaas.paper.orders import Direction


def sides(item: Instrument, matching: Matching) -> tuple[Side, Side]:
    """Return the bids and the asks as they are now."""
    return _side(item, matching, "sell"), _side(item, matching, "buy")


def _side(item: Instrument, matching: Matching, takers: Direction) -> Side:
    """Return what orders of a direction find; of an iceberg, its tip."""
    return {
        level.price: sum(
            (min(order.visible, matching.wanted(order)) for order in level.makers), level.held
        )
        for level in matching.levels.offers(item, takers)
    }
