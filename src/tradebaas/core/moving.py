"""Moving a stop: in place, only closer to the market, and one edit at a time.

A strategy that trails, or an operator, asks for a price (``move``); that price is then what every
stop of the position has to have, those that are made anew as well. Live ones are edited until they
have it (``plan``). An edit without an answer is read back by whoever sent it, and made again if its
order still has the old price: a stop is never cancelled to be placed elsewhere, so there is no
moment without one. Protection does not wait for an edit. Pure.
"""

from decimal import Decimal

from msgspec.structs import replace

from tradebaas.core.admission import MIN_VALIDITY_REAL_MS, validity_ms
from tradebaas.core.draft import Draft
from tradebaas.core.events import CloseRequested, Event
from tradebaas.core.facts import EditFact
from tradebaas.core.messages import MoveStop, Refused
from tradebaas.core.model import Edit, Market, Moved, Order, Position, Role, is_ours
from tradebaas.core.position import average, passed
from tradebaas.core.risk import Limits, round_stop
from tradebaas.core.state import Bracket, State, holds, live_orders
from tradebaas.core.stop_events import EDIT, EditEnded, EditIntended, StopMoved

AGAIN_REAL_MS = 1_000
"""Between two edits, in real time: one that is refused may be refused again."""


def move(draft: Draft, request: MoveStop, limits: Limits) -> Refused | None:
    """Take a new price for the stop of the open position, if it is closer than the present one."""
    state, stop = draft.state, request.stop
    position = state.position
    if position is None or not holds(state):
        return Refused(reason="no position of ours is open")
    if state.closing:
        return Refused(reason=f"the position is being closed: {state.closing}")
    if not stop.is_finite() or stop <= 0:
        return Refused(reason=f"{stop} is no price")
    if request.tick is not None:
        stop = round_stop(position.direction, stop, request.tick)
    if request.mark is not None and passed(position, stop, request.mark):
        return Refused(reason=f"the market is at {request.mark}, past that stop; close instead")
    before = present(state, position, limits)
    if not _tighter(position, stop, before):
        return Refused(reason=f"a stop is only moved closer to the market; it is at {before}")
    moved = Moved(instrument=position.instrument, direction=position.direction, stop=stop)
    draft.emit(StopMoved(moved=moved, before=before, by=request.by))
    return None


def wanted(state: State, position: Position) -> Decimal | None:
    """Where the stop of this position was moved to; None if it never was."""
    moved = state.moved
    same = (position.instrument, position.direction)
    if moved is None or (moved.instrument, moved.direction) != same:
        return None
    return moved.stop


def present(state: State, position: Position, limits: Limits) -> Decimal:
    """Where the stop has to be now: where it was moved to, the plan's, or at the usual distance."""
    moved, bracket = wanted(state, position), state.bracket
    if moved is not None:
        return moved
    if bracket is not None and _is_plan_of(bracket, position):
        return bracket.stop
    entry = average(position.contract, position.entry_amount, position.entry_value)
    return entry - position.direction.sign * entry * limits.adopted_stop_percent / 100


def _is_plan_of(bracket: Bracket, position: Position) -> bool:
    same = (position.instrument, position.direction)
    return (bracket.instrument, bracket.direction) == same


def bracket_now(state: State) -> Bracket | None:
    """The bracket with its stop where that was moved to."""
    bracket, position = state.bracket, state.position
    if bracket is None or position is None or not _is_plan_of(bracket, position):
        return bracket
    moved = wanted(state, position)
    return bracket if moved is None else replace(bracket, stop=moved)


def tightens(state: State, stop: Decimal, tick: Decimal, limits: Limits) -> bool:
    """Whether a stop at that price would be closer than the one that there has to be now."""
    position = state.position
    if position is None or not holds(state) or state.closing:
        return False
    stop = round_stop(position.direction, stop, tick)
    return _tighter(position, stop, present(state, position, limits))


def _tighter(position: Position, stop: Decimal, than: Decimal) -> bool:
    return (stop - than) * position.direction.sign > 0


def plan(
    state: State, position: Position, at_ms: int, market: Market, limits: Limits
) -> Event | None:
    """The next edit that a moved stop needs, or None."""
    stop = wanted(state, position)
    if stop is None or state.editing is not None:
        return None
    target = round_stop(position.direction, stop, market.instrument.tick_size)
    loose = [order for order in _stops(state, position) if _is_loose(position, order, target)]
    last_ms = state.tried.get(EDIT)
    paced = last_ms is not None and at_ms <= last_ms + int(AGAIN_REAL_MS * market.rate)
    if not loose:
        return None
    if passed(position, target, market.ticker.mark):
        return CloseRequested(reason=f"the market is past the stop that was moved to {target}")
    if paced:
        return None
    return EditIntended(edit=_edit(state, loose[0], target, at_ms, market, limits))


def _stops(state: State, position: Position) -> list[Order]:
    """Live stops of ours that can still be moved: they have not fired."""
    stops = live_orders(state, Role.STOP)
    return [
        order
        for order in stops
        if is_ours(order.label)
        and order.instrument == position.instrument
        and order.state == "untriggered"
        and not order.waiting
    ]


def _is_loose(position: Position, order: Order, target: Decimal) -> bool:
    trigger = order.trigger_price
    return trigger is not None and _tighter(position, target, trigger)


def _edit(
    state: State, order: Order, target: Decimal, at_ms: int, market: Market, limits: Limits
) -> Edit:
    return Edit(
        order_id=order.order_id,
        amount=order.amount,
        trigger_price=target,
        life=state.life,
        connection=state.connection,
        intended_ms=at_ms,
        valid_until_ms=at_ms + max(validity_ms(limits, market.rate), MIN_VALIDITY_REAL_MS),
    )


def settle(draft: Draft, fact: EditFact) -> None:
    """The edit under way is over: what it led to is told by its order."""
    editing = draft.state.editing
    if editing is not None and editing.order_id == fact.order_id:
        draft.emit(EditEnded(order_id=fact.order_id, reason=fact.reason))
