"""What the configuration wants done about what is not ours (ADR 0010).

By default nothing: it is quarantined (see ``foreign``). Where the owner wants more, three limits
hold: only on the managed instrument, never what the account had before this store first read it,
and, where something is closed or cancelled, only what has stood unchanged for a while. A position
that is adopted is ours from then on, and one that is to be closed is adopted first: so the close
has a label, is only ever reduce-only, and is repeated until it has worked.
"""

from msgspec.structs import replace

from tradebaas.core.correct import knows_newer, told
from tradebaas.core.draft import Draft
from tradebaas.core.events import CancelIntended, CloseRequested, PositionAdopted
from tradebaas.core.facts import PositionFact
from tradebaas.core.foreign import ORDERS, forget, order_key, position_key
from tradebaas.core.model import Direction, Order, Position, Role
from tradebaas.core.moving import present
from tradebaas.core.risk import Limits, Policy
from tradebaas.core.state import State, holds, managed_instrument, ready

STANDS_MS = 15_000
"""What is closed or cancelled has stood unchanged for so long, by the exchange's clock."""
_STOPS = frozenset({"stop_market", "trailing_stop"})
"""What closes when it fires; a stop with a limit may then rest, and leave the position bare."""


def take_position(draft: Draft, fact: PositionFact, limits: Limits) -> None:
    """Adopt or close a position of the owner's, if that is wanted and it is old enough."""
    state, policy = draft.state, limits.foreign_positions
    if policy is Policy.QUARANTINE or fact.size == 0 or knows_newer(state, fact):
        return
    if state.pending or state.orders or not _stands(state, fact):
        return
    side = Direction.BUY if fact.size > 0 else Direction.SELL
    forget(draft, position_key(fact.instrument))
    how = f"[foreign] positions = {policy}"
    draft.emit(PositionAdopted(position=told(fact, side, True), at_ms=fact.at_ms, how=how))
    if policy is Policy.CLOSE:
        draft.emit(CloseRequested(reason=f"a position of the owner's: {how}"))


def _stands(state: State, fact: PositionFact) -> bool:
    """Whether it is the owner's, on the managed instrument, and unchanged for long enough."""
    if fact.instrument != managed_instrument(state) or state.discrepancy is not None:
        return False
    held = state.position
    if held is None:
        since_ms = state.noted_ms.get(position_key(fact.instrument))
        return since_ms is not None and fact.at_ms - since_ms >= STANDS_MS
    same = not held.ours and held.size == fact.size
    return same and fact.at_ms - held.changed_ms >= STANDS_MS


def take_order(draft: Draft, order: Order, limits: Limits) -> Order | None:
    """``order`` of the owner's with its duty, if it is adopted; None if it is left alone.

    Only one that reduces our position: to take over one that adds risk would be to add it.
    """
    state = draft.state
    held, key = state.orders.get(order.order_id), order_key(order.order_id)
    if held is not None and held.duty is not None:
        return replace(order, duty=_duty(state, order, limits))
    if limits.foreign_orders is not Policy.ADOPT or not order.live or not order.reduce_only:
        return None
    before = state.read_through_ms == 0 or (key in state.foreign and key not in state.noted_ms)
    position = state.position
    if before or position is None or not holds(state) or not _reduces(position, order):
        return None
    forget(draft, key)
    return replace(order, duty=_duty(state, order, limits))


def _reduces(position: Position, order: Order) -> bool:
    side = (order.instrument, order.direction)
    return side == (position.instrument, position.direction.opposite)


def _duty(state: State, order: Order, limits: Limits) -> Role:
    """A stop covers only if it loses no more than the plan allows; all else takes a profit."""
    position, trigger = state.position, order.trigger_price
    if position is None or trigger is None or order.order_type not in _STOPS:
        return Role.TAKE
    widest = present(state, position, limits)
    return Role.STOP if (trigger - widest) * position.direction.sign >= 0 else Role.TAKE


def plan(state: State, at_ms: int, limits: Limits) -> CancelIntended | None:
    """The next order of the owner's that is to be cancelled, if that is not in the log yet."""
    if limits.foreign_orders is not Policy.CLOSE or not ready(state):
        return None
    for key, since_ms in state.noted_ms.items():
        due = at_ms - since_ms >= STANDS_MS and key not in state.cancelling
        if due and key.startswith(ORDERS):
            why = f"[foreign] orders = {limits.foreign_orders}"
            return CancelIntended(key=key, why=why)
    return None


def to_cancel(state: State, limits: Limits) -> tuple[str, ...]:
    """Ids of the owner's orders that are to be cancelled now: what is meant is in the log."""
    if limits.foreign_orders is not Policy.CLOSE or not ready(state):
        return ()
    return tuple(key.removeprefix(ORDERS) for key in state.cancelling)
