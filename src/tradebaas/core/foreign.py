"""What at the account is not ours: orders and positions of its owner.

They are left alone; that one exists keeps us from adding risk (see ``state.barrier``). The list is
bounded, and says so when it is full.
"""

from tradebaas.core.draft import Draft
from tradebaas.core.events import ForeignFound, ForeignGone
from tradebaas.core.model import Order

MAX_FOREIGN = 128
_MORE = "order *"


def position_key(instrument: str) -> str:
    """The name of a foreign position in ``State.foreign``."""
    return f"position {instrument}"


def position_gone(draft: Draft) -> bool:
    """Whether what is being decided ends the quarantine of a position."""
    gone = (event.key for event in draft.events if isinstance(event, ForeignGone))
    return any(key.startswith(position_key("")) for key in gone)


def note_order(draft: Draft, order: Order) -> None:
    """The owner has, or had, this order."""
    detail = (
        f"foreign order {order.order_id}: {order.direction} {order.amount} {order.instrument} "
        f"({order.order_type}, {order.state})"
    )
    note(draft, _order_key(order.order_id), detail if order.live else "")


def forget_orders(draft: Draft, listed: set[str]) -> None:
    """Foreign orders that are not among all ``listed`` ones are gone."""
    known = {key for key in draft.state.foreign if key.startswith("order ") and key != _MORE}
    open_keys = {_order_key(order_id) for order_id in listed}
    for key in sorted(known - open_keys):
        note(draft, key, "")
    ours = {_order_key(order_id) for order_id in draft.state.orders}
    if open_keys <= known | ours:
        note(draft, _MORE, "")


def _order_key(order_id: str) -> str:
    return f"order {order_id}"


def note(draft: Draft, key: str, detail: str) -> None:
    """Put ``key`` on the list, or off it when ``detail`` is ""; most often it is known already.

    A full list ends with one entry for all that it has no room for.
    """
    foreign = draft.state.foreign
    if not detail:
        if key in foreign:
            draft.emit(ForeignGone(key=key))
    elif key not in foreign and len(foreign) < MAX_FOREIGN - 1:
        draft.emit(ForeignFound(key=key, detail=detail))
    elif key not in foreign and _MORE not in foreign:
        draft.emit(ForeignFound(key=_MORE, detail="more of the owner's than are listed"))
