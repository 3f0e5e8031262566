"""Sending and cancelling: outcomes are values, because each of them is ordinary.

An order has been accepted, is proven never to have existed, was never written, or is lost: then
only ``reads.probe`` can tell. Nothing is ever sent twice from here.
"""

from collections.abc import Callable
from typing import final

from msgspec import Raw, Struct

from tradebaas.core.model import Edit, Fill, Intent, Order
from tradebaas.deribit import convert, errors, orders, wire
from tradebaas.deribit.calls import Caller, understand
from tradebaas.deribit.convert import Contracts
from tradebaas.deribit.errors import (
    CANCEL_READ_BACK,
    CallFailed,
    Garbled,
    Kind,
    LinkLost,
    Unanswered,
    kind_of,
)
from tradebaas.deribit.rpc import Priority


@final
class Accepted(Struct, frozen=True, kw_only=True):
    """The exchange took the order; with what was filled at once."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]


@final
class Rejected(Struct, frozen=True, kw_only=True):
    """An explicit refusal that proves that there is no order."""

    code: int
    message: str


@final
class Lost(Struct, frozen=True, kw_only=True):
    """The order may or may not exist. ``raw`` is an answer that could not be understood."""

    reason: str
    raw: str = ""


@final
class NotSent(Struct, frozen=True, kw_only=True):
    """The order was never written."""

    reason: str


@final
class Gone(Struct, frozen=True, kw_only=True):
    """The answer does not show what was asked for: read the order back.

    ``over``: it says that there is no such live order (any more).
    """

    reason: str
    over: bool = False


Outcome = Accepted | Rejected | Lost | NotSent


async def place(
    link: Caller, intent: Intent, guard: Callable[[], bool], *, resting: bool = False
) -> Outcome:
    """Send an intent once; ``guard`` is asked synchronously just before it is written.

    ``resting``: what an entry does not fill at once waits in the book, until it is cancelled.
    """
    method, params = orders.request(intent, resting=resting)
    priority = Priority.PROTECT if intent.reduce_only else Priority.NORMAL
    try:
        answer = await link.call(method, params, guard=guard, priority=priority)
        return understand(method, answer, lambda raw: _accepted(raw, link.contracts))
    except CallFailed as error:
        return _refusal(error)
    except Garbled as error:
        return Lost(reason=f"the answer to {intent.label} is unreadable", raw=error.raw)
    except errors.NotSent as error:
        return NotSent(reason=str(error))
    except (Unanswered, LinkLost) as error:
        return Lost(reason=str(error))


def _accepted(raw: Raw, contracts: Contracts) -> Accepted:
    placed = wire.parse(raw, wire.Placed)
    orders_, fills = convert.bundle([placed.order], placed.trades or (), contracts)
    return Accepted(orders=orders_, fills=fills)


def _refusal(error: CallFailed) -> Rejected | Lost:
    if errors.proves_no_order(error.code):
        return Rejected(code=error.code, message=f"{error.message} {error.data}".strip())
    return Lost(reason=f"{error}: {errors.doubt(error.code)}")


async def edit(link: Caller, wanted: Edit, guard: Callable[[], bool]) -> Accepted | NotSent | Gone:
    """Change a live stop; ``guard`` as in ``place``. Repeating it is harmless.

    Raises:
        LinkLost: the connection is gone after the write; the next session reads the order.
    """
    method, params = "private/edit", orders.edit_request(wanted)
    try:
        answer = await link.call(method, params, guard=guard, priority=Priority.PROTECT)
        return understand(method, answer, lambda raw: _accepted(raw, link.contracts))
    except errors.NotSent as error:
        return NotSent(reason=str(error))
    except (CallFailed, Unanswered) as error:
        return Gone(reason=str(error))


async def cancel(link: Caller, order_id: str) -> Order | Gone:
    """Cancel by id.

    Raises:
        CallFailed: refused for a reason that is neither the order's state nor the moment.
        Unanswered, LinkLost: as ``Link.call``; cancelling again is harmless.
    """
    method = "private/cancel"
    try:
        answer = await link.call(method, {"order_id": order_id}, priority=Priority.PROTECT)
    except CallFailed as error:
        if kind_of(error.code) in CANCEL_READ_BACK or "order_id" in error.data:
            return Gone(reason=str(error), over=kind_of(error.code) is Kind.RECONCILE)
        raise
    order = understand(method, answer, lambda raw: convert.order(wire.parse(raw, wire.Order)))
    # A cancelled trigger order may still be described as untriggered (dossier section 8.2).
    return Gone(reason=f"{order_id} is answered as {order.state}") if order.live else order
