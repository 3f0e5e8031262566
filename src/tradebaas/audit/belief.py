"""What the daemon believes the account holds, in its own words: those of its API, or of its store.

Both come as JSON. Nothing of the daemon's code reads them.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec
from msgspec import Struct

from tradebaas.audit.account import CouldNotLook


class Order(Struct, frozen=True, kw_only=True):
    """An order that the daemon holds for live."""

    order_id: str
    label: str
    instrument: str
    direction: str
    amount: Decimal
    filled: Decimal = Decimal(0)
    trigger_price: Decimal | None = None
    reduce_only: bool = False


class Belief(Struct, frozen=True, kw_only=True):
    """``unproven`` are labels of orders whose outcome the daemon does not know yet; ``foreign`` are
    names of what it knows to be the owner's ("order ID", "position INSTRUMENT")."""

    account: str
    seq: int
    positions: dict[str, Decimal]
    orders: dict[str, Order]
    unproven: frozenset[str]
    foreign: frozenset[str]


class _Position(Struct, frozen=True):
    instrument: str
    size: Decimal


class _Intent(Struct, frozen=True):
    label: str


class _Pending(Struct, frozen=True):
    intent: _Intent


class _Told(Struct, frozen=True, kw_only=True):
    """What API and store have in common."""

    account: str
    seq: int
    position: _Position | None = None
    elsewhere: dict[str, _Position] = {}
    foreign: dict[str, str] = {}


class _Listed(_Told, frozen=True, kw_only=True):
    orders: list[Order]
    pending: list[_Pending]


class _Stored(_Told, frozen=True, kw_only=True):
    orders: dict[str, Order]
    pending: dict[str, _Pending]


def of_api(position: object, orders: object) -> Belief:
    """From the bodies of ``/api/position`` and ``/api/orders``.

    Raises:
        CouldNotLook: they lack something.
    """
    try:
        held = msgspec.convert(position, _Told, strict=False)
        told = msgspec.convert(orders, _Listed, strict=False)
    except msgspec.ValidationError as error:
        raise CouldNotLook(f"the daemon's API says something unknown: {error}") from error
    beside = held.elsewhere.values()
    return _belief(told, (held.position, *beside), told.orders, told.pending)


def of_store(state: bytes) -> Belief:
    """From what ``tradebaas state --json`` prints."""
    told = msgspec.json.decode(state, type=_Stored, strict=False)
    positions = (told.position, *told.elsewhere.values())
    return _belief(told, positions, told.orders.values(), told.pending.values())


def _belief(
    told: _Told,
    positions: Iterable[_Position | None],
    orders: Iterable[Order],
    pending: Iterable[_Pending],
) -> Belief:
    held = {p.instrument: p.size for p in positions if p is not None and p.size}
    return Belief(
        account=told.account,
        seq=told.seq,
        positions=held,
        orders={order.order_id: order for order in orders},
        unproven=frozenset(one.intent.label for one in pending),
        foreign=frozenset(told.foreign),
    )
