"""Where the account and the daemon's belief differ. Pure.

Two looks are never of one instant, and a fill that is under way is no fault: only what two looks,
some seconds apart, both show is a difference (``lasting``).
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from msgspec import Struct

from tradebaas.audit.account import Holdings, Order
from tradebaas.audit.belief import Belief

OURS = "tb1-"
"""What the labels of all orders of this program begin with (DESIGN section 5)."""
NOTHING = "nothing"
PROTECTED = "a stop for every position, in full"


class Difference(Struct, frozen=True, kw_only=True):
    """``what`` names it; then what each side says."""

    what: str
    exchange: str
    daemon: str


def differences(account: Holdings, belief: Belief) -> tuple[Difference, ...]:
    """All differences of one look."""
    return tuple(found for check in _CHECKS for found in check(account, belief))


def lasting(before: tuple[Difference, ...], now: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Those of ``now`` that were there before, in whatever words."""
    named = {difference.what for difference in before}
    return tuple(difference for difference in now if difference.what in named)


def _sizes(account: Holdings, belief: Belief) -> Iterator[Difference]:
    """Positions. One that the daemon knows to be the owner's is no news."""
    for name in sorted({*account.positions, *belief.positions}):
        there, here = account.positions.get(name), belief.positions.get(name)
        known = here is None and f"position {name}" in belief.foreign
        if there != here and not known:
            yield Difference(what=f"position {name}", exchange=_size(there), daemon=_size(here))


def _stops(account: Holdings, belief: Belief) -> Iterator[Difference]:
    """Positions that no stop at the exchange closes in full, whatever anybody believes."""
    for name, size in sorted(account.positions.items()):
        if name not in belief.positions and f"position {name}" in belief.foreign:
            continue
        side = "sell" if size > 0 else "buy"
        stops = [
            order for order in account.orders.values()
            if (order.instrument_name, order.direction) == (name, side) and order.protects
        ]  # fmt: skip
        covered = sum((order.remaining for order in stops), Decimal(0))
        if covered < abs(size):
            text = f"{_size(size)}, and stops for {covered}"
            yield Difference(what=f"protection {name}", exchange=text, daemon=PROTECTED)


def _orders(account: Holdings, belief: Belief) -> Iterator[Difference]:
    """Live orders, by id, and the terms of those that both know."""
    for order_id in sorted({*account.orders, *belief.orders}):
        there, here = account.orders.get(order_id), belief.orders.get(order_id)
        if there is None and here is not None:
            words = f"{here.label}: {here.direction} {here.amount} {here.instrument}"
            yield Difference(what=f"order {order_id}", exchange=NOTHING, daemon=words)
        elif there is not None and here is None:
            if f"order {order_id}" not in belief.foreign:
                daemon = "unproven" if there.label in belief.unproven else NOTHING
                yield Difference(what=f"order {order_id}", exchange=_order(there), daemon=daemon)
        elif there is not None and here is not None:
            for term, shown, believed in (
                ("direction", there.direction, here.direction),
                ("amount", there.amount, here.amount),
                ("filled", there.filled_amount, here.filled),
                ("trigger price", there.trigger_price, here.trigger_price),
                ("reduce only", there.reduce_only, here.reduce_only),
            ):
                if shown != believed:
                    what = f"{term} of order {order_id}"
                    yield Difference(what=what, exchange=str(shown), daemon=str(believed))


def _order(order: Order) -> str:
    whose = order.label if order.label.startswith(OURS) else "not ours"
    return f"{whose}: {order.direction} {order.amount} {order.instrument_name} ({order.order_type})"


def _size(size: Decimal | None) -> str:
    return NOTHING if size is None else f"{size:+}"


_CHECKS: tuple[Callable[[Holdings, Belief], Iterator[Difference]], ...] = (_sizes, _stops, _orders)
