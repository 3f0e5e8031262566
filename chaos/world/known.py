"""Invariant 3, known: what the exchange has of ours is what the state has, in every particular.

Both ledgers must have been read while nothing moved. Orders are compared by what they would do
(side, amount, price, trigger, whether they only reduce), the position by its size and its average
price, what is not ours by its being there; no intent may still be unproven; and every fill of ours
must be in the log exactly once. Pure.
"""

from collections.abc import Iterator
from decimal import Decimal

from chaos.world.books import Books
from chaos.world.ledger import OrderRow
from chaos.world.mark import START, Mark
from chaos.world.oracle import Violation
from chaos.world.story import Story
from tradebaas.core.model import ContractKind, Order, Position
from tradebaas.core.state import State

ZERO = Decimal(0)
PRICE_STEP = Decimal("0.01")
"""How far two average prices may be apart: each value of a fill is rounded to 12 decimals."""
MORE_FOREIGN = "order *"
"""The state's entry for all orders of the owner's that its list has no room for."""


def known(books: Books, story: Story, since: Mark = START) -> list[Violation]:
    """Where the state and the exchange differ; fills are compared since the mark."""
    state = story.state
    differences = [
        *(f"intent {label} is not proven" for label in state.pending),
        *_orders(books, state),
        *_foreign(books, state),
        *_positions(books, state),
    ]
    found = [Violation("known", text, text) for text in differences]
    return found + fills(books, story, since)


def _orders(books: Books, state: State) -> Iterator[str]:
    theirs = books.foreign_live()  # of which some may be adopted
    live = books.ours_live() | {i: o for i, o in theirs.items() if i in state.orders}
    for order_id, order in live.items():
        held = state.orders.get(order_id)
        if held is None:
            yield f"order {order_id} {order.label} is live at the exchange only"
            continue
        differing = ", ".join(
            f"{what} {ours} in the state, {theirs} at the exchange"
            for what, ours, theirs in _order_pairs(held, order)
            if ours != theirs
        )
        if differing:
            yield f"order {order_id}: {differing}"
    for order_id, held in state.orders.items():
        if order_id not in live:
            yield f"order {order_id} {held.label} is live in the state only"


def _order_pairs(held: Order, order: OrderRow) -> tuple[tuple[str, object, object], ...]:
    return (
        ("label", held.label, order.label),
        ("instrument", held.instrument, order.instrument_name),
        ("side", str(held.direction), order.direction),
        ("type", held.order_type, order.order_type),
        ("state", held.state, order.order_state),
        ("amount", held.amount, order.amount),
        ("filled", held.filled, order.filled_amount),
        ("price", held.price, order.limit),
        ("trigger price", held.trigger_price, order.trigger_price),
        ("reduce-only", held.reduce_only, order.reduce_only),
        ("waiting", held.waiting, order.is_secondary_oto and order.order_state == "untriggered"),
    )


def _foreign(books: Books, state: State) -> Iterator[str]:
    live = books.foreign_live()
    if MORE_FOREIGN not in state.foreign:
        for order_id in live:
            if f"order {order_id}" not in state.foreign and order_id not in state.orders:
                yield f"foreign order {order_id} is live and not in the state"
    for key in state.foreign:
        what, _, name = key.partition(" ")
        if what == "order" and key != MORE_FOREIGN and name not in live:
            yield f"foreign order {name} is in the state and not live"
        if what == "position" and not books.size(name):
            yield f"foreign position in {name} is in the state and not at the exchange"


def _positions(books: Books, state: State) -> Iterator[str]:
    position = state.position
    for name in sorted({*books.sizes, *([position.instrument] if position else [])}):
        held = position if position is not None and position.instrument == name else None
        size = held.size if held is not None else ZERO
        if size != books.size(name):
            if f"position {name}" not in state.foreign:
                theirs = books.size(name)
                yield f"position in {name}: {size} in the state, {theirs} at the exchange"
        elif held is not None:
            yield from _average_differs(books, held)


def _average_differs(books: Books, position: Position) -> Iterator[str]:
    """The two averages mean the same as long as nothing was added after something was taken."""
    span = books.open_spans.get(position.instrument)
    if span is None or span.mixed or not position.ours or position.corrected:
        return
    amount, value = position.entry_amount, position.entry_value
    theirs = books.averages[span.instrument]
    if not amount or not value:
        yield f"the position in {span.instrument} has no entry in the state"
        return
    mine = amount / value if position.contract is ContractKind.INVERSE else value / amount
    if abs(mine - theirs) > PRICE_STEP:
        shown = mine.quantize(PRICE_STEP)
        yield f"average price in {span.instrument}: {shown} in the state, {theirs} at the exchange"


# ------------------------------------------------------------------------------------------- fills


def fills(books: Books, story: Story, since: Mark = START) -> list[Violation]:
    """Every fill of ours at the exchange since the mark is in the log once, and no other is."""
    found = []
    for key, (n, trade) in reversed(books.trades.items()):
        if n <= since.n:
            break
        logged = story.fills.get(key, ZERO)
        if logged == trade.amount if trade.is_ours else logged <= trade.amount:
            continue
        text = f"fill {key} of {trade.label or 'the owner'}: {logged} of {trade.amount} in the log"
        found.append(Violation("known", f"fill {key}", text, (f"journal line {n}",)))
    found += [
        Violation("known", f"fill {key}", f"fill {key} is in the log, and the exchange has none")
        for key in story.fills
        if key not in books.trades
    ]
    return found
