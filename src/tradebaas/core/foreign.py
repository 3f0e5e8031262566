"""What at the account is not ours: orders and positions of its owner.

That one exists keeps us from adding risk (see ``state.barrier``); what is done about it, if
anything, is in ``owners``. The list is bounded, and says so when it is full.
"""

from tradebaas.core.draft import Draft
from tradebaas.core.events import ForeignFound, ForeignGone
from tradebaas.core.facts import PositionFact
from tradebaas.core.model import Order
from tradebaas.core.state import State, managed_instrument

MAX_FOREIGN = 128
ORDERS = "order "
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
    at_ms = _acted_on_since(draft.state, order.instrument, order.updated_ms)
    note(draft, order_key(order.order_id), detail if order.live else "", at_ms)


def forget_orders(draft: Draft, listed: set[str]) -> None:
    """Foreign orders that are not among all ``listed`` ones are gone."""
    known = {key for key in draft.state.foreign if key.startswith(ORDERS) and key != _MORE}
    open_keys = {order_key(order_id) for order_id in listed}
    for key in sorted(known - open_keys):
        note(draft, key, "")
    ours = {order_key(order_id) for order_id in draft.state.orders}
    if open_keys <= known | ours:
        note(draft, _MORE, "")


def order_key(order_id: str) -> str:
    """The name of a foreign order in ``State.foreign``."""
    return f"{ORDERS}{order_id}"


def note_position(draft: Draft, fact: PositionFact) -> None:
    """The owner has this position; a change of it is told as well."""
    key, state = position_key(fact.instrument), draft.state
    detail = f"foreign position: {fact.size} {fact.instrument}"
    at_ms = _acted_on_since(state, fact.instrument, fact.at_ms)
    if key not in state.foreign:
        note(draft, key, detail, at_ms)
    elif state.foreign[key] != detail:
        since_ms = at_ms if key in state.noted_ms else 0
        draft.emit(ForeignFound(key=key, detail=detail, at_ms=since_ms))


def _acted_on_since(state: State, instrument: str, at_ms: int) -> int:
    """``at_ms``, or 0 for what stays quarantined whatever the configuration says."""
    first_read, managed = state.read_through_ms == 0, managed_instrument(state)
    return 0 if first_read or instrument != managed else at_ms


def forget(draft: Draft, key: str) -> None:
    """``key`` is no longer on the list."""
    note(draft, key, "")


def note(draft: Draft, key: str, detail: str, at_ms: int = 0) -> None:
    """Put ``key`` on the list, or off it when ``detail`` is ""; most often it is known already.

    A full list ends with one entry for all that it has no room for.
    """
    foreign = draft.state.foreign
    if not detail:
        if key in foreign:
            draft.emit(ForeignGone(key=key))
    elif key not in foreign and len(foreign) < MAX_FOREIGN - 1:
        draft.emit(ForeignFound(key=key, detail=detail, at_ms=at_ms))
    elif key not in foreign and _MORE not in foreign:
        draft.emit(ForeignFound(key=_MORE, detail="more of the owner's than are listed"))
