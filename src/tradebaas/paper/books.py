"""States of an order book, what leads from one to the next, and how Deribit writes both.

A book has a ``change_id`` of its own for each state it was in, so that a client can tell whether
it has missed a change (protocol section 12).
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import NamedTuple

from tradebaas.paper.instruments import CONTEXT, Wire

GROUPS = ("none", "1", "2", "5", "10", "25", "100", "250")
DEPTHS = ("1", "10", "20")

Side = dict[Decimal, Decimal]
"""Amounts by price, the best first."""


class Book(NamedTuple):
    """One state of a book."""

    change_id: int
    bids: Side
    asks: Side


def listed(side: Side, depth: int) -> list[list[Decimal]]:
    """Return the best levels of a side as [price, amount]."""
    return [[price, amount] for price, amount in list(side.items())[:depth]]


def snapshot(book: Book) -> Wire:
    """Return the sides as the first frame of a book channel has them."""
    bids, asks = ([["new", *level] for level in listed(side, len(side))] for side in book[1:])
    return {"type": "snapshot", "change_id": book.change_id, "bids": bids, "asks": asks}


def changes(before: Book, after: Book) -> Wire:
    """Return what leads from one state to another."""
    return {
        "type": "change",
        "change_id": after.change_id,
        "prev_change_id": before.change_id,
        "bids": _side_changes(before.bids, after.bids),
        "asks": _side_changes(before.asks, after.asks),
    }


def _side_changes(before: Side, after: Side) -> list[list[object]]:
    gone: list[list[object]] = [["delete", price, Decimal(0)] for price in before.keys() - after]
    moved: list[list[object]] = [
        ["change" if price in before else "new", price, amount]
        for price, amount in after.items()
        if before.get(price) != amount
    ]
    return sorted(gone, key=str) + moved


def grouped(book: Book, group: str, depth: int) -> Wire:
    """Return the sides with prices rounded away from the middle to multiples of ``group``."""
    step = None if group == "none" else Decimal(group)
    return {
        "change_id": book.change_id,
        "bids": listed(_rounded(book.bids, step, ROUND_FLOOR), depth),
        "asks": listed(_rounded(book.asks, step, ROUND_CEILING), depth),
    }


def _rounded(side: Side, step: Decimal | None, rounding: str) -> Side:
    if step is None:
        return side
    groups: Side = {}
    with localcontext(CONTEXT):
        for price, amount in side.items():
            edge = (price / step).to_integral_value(rounding) * step
            groups[edge] = groups.get(edge, Decimal(0)) + amount
    return groups
