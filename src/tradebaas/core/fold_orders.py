"""The part of the fold that concerns intents, orders and the bracket; see ``apply``."""

from msgspec.structs import replace

from tradebaas.core.events import (
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    StopStalled,
)
from tradebaas.core.families import joined
from tradebaas.core.fold_tallies import count, day_of, found, watch_naked
from tradebaas.core.maps import capped, drop, put
from tradebaas.core.model import GONE, Intent, Order, Role, role_of
from tradebaas.core.state import Bracket, Day, Pending, State, managed_instrument
from tradebaas.core.stop_events import EDIT, EditEnded, EditIntended, StopMoved

PRICE_REFUSED = frozenset({10034, 10035, 11036})
"""The exchange does not take this trigger price: the market is on the wrong side of it."""
_REMEMBERED_IDS = 256
_OWN_LABELS = 3
"""An entry, its stop and its take profit: a bracket never forgets these."""
_RETRIED_LABELS = 61
"""Of later stops and closes for the same position, so many labels are remembered."""


def order_intended(state: State, event: OrderIntended) -> State:
    intent = event.intent
    labels = (intent.label, *(leg.label for leg in intent.legs))
    state = replace(
        state,
        pending=put(state.pending, intent.label, Pending(intent=intent)),
        counters=count(
            state,
            orders_intended=1,
            stops_replaced=int(intent.role is Role.STOP),
        ),
    )
    if intent.role is Role.ENTRY:
        return replace(
            state, signal=None, bracket=_bracket(intent, labels), day=_day_with_entry(state, intent)
        )
    if intent.instrument != managed_instrument(state):
        beside = f"{intent.instrument} {intent.role}"
        return replace(state, tried=put(state.tried, beside, intent.intended_ms))
    state = replace(state, tried=put(state.tried, intent.role.value, intent.intended_ms))
    if intent.role is Role.STOP and state.stop_sent_ms is None:
        state = replace(state, stop_sent_ms=intent.intended_ms)
    bracket = state.bracket
    if bracket is None:
        return state
    own, retried = bracket.labels[:_OWN_LABELS], bracket.labels[_OWN_LABELS:]
    labels = (*own, *(*retried, intent.label)[-_RETRIED_LABELS:])
    return replace(state, bracket=replace(bracket, labels=labels))


def _bracket(intent: Intent, labels: tuple[str, ...]) -> Bracket:
    prices = {role_of(leg.label): leg.trigger_price or leg.price for leg in intent.legs}
    stop, take = prices.get(Role.STOP), prices.get(Role.TAKE)
    if stop is None or take is None:
        raise ValueError(f"entry {intent.label} has no stop or no take profit")
    return Bracket(
        signal_id=intent.signal_id,
        instrument=intent.instrument,
        direction=intent.direction,
        amount=intent.amount,
        stop=stop,
        take=take,
        labels=labels,
    )


def _day_with_entry(state: State, intent: Intent) -> Day:
    today = day_of(state.day, intent.intended_ms)
    return replace(today, entries=today.entries + 1)


def order_not_sent(state: State, event: OrderNotSent) -> State:
    return _resolved(state, event.label, "not sent", event.reason)


def order_unknown(state: State, event: OrderUnknown) -> State:
    old = state.pending[event.label]
    pending = put(state.pending, event.label, replace(old, unknown=event.reason))
    return replace(state, pending=pending, counters=count(state, orders_unknown=1))


def order_rejected(state: State, event: OrderRejected) -> State:
    reason = f"{event.code} {event.message}"
    state = replace(state, counters=count(state, orders_rejected=1))
    refused = state.pending[event.label].intent.instrument == managed_instrument(state)
    naked = refused and state.naked_since_ms is not None
    if naked and role_of(event.label) is Role.STOP and event.code in PRICE_REFUSED:
        state = replace(state, stop_refused=reason)
    return _resolved(state, event.label, "rejected", reason)


def order_abandoned(state: State, event: OrderAbandoned) -> State:
    evidence = event.evidence
    read = f"absent at {evidence.read_ms} from {', '.join(evidence.sources)}"
    state = replace(
        state,
        abandoned=capped(state.abandoned, event.label, evidence.read_ms, _REMEMBERED_IDS),
        counters=count(state, orders_abandoned=1),
    )
    return _resolved(state, event.label, "abandoned", read)


def order_adopted(state: State, event: OrderAdopted) -> State:
    state = replace(state, counters=count(state, orders_adopted=1))
    return found(state, event.label, "adopted", f"order {event.order_id}: {event.how}")


def _resolved(state: State, label: str, outcome: str, evidence: str) -> State:
    state = replace(state, pending=drop(state.pending, label))
    return found(state, label, outcome, evidence)


def order_updated(state: State, event: OrderUpdated) -> State:
    order = event.order
    is_new = order.live and order.order_id not in state.orders
    if order.state in ("cancelled", GONE) and order.order_id in state.orders:
        state = found(state, order.label, order.state, order.cancel_reason or "no reason given")
    state = replace(state, pending=drop(state.pending, order.label), bracket=_expect(state, order))
    if order.live:
        state = replace(state, orders=put(state.orders, order.order_id, order))
    else:
        state = replace(
            state,
            orders=drop(state.orders, order.order_id),
            stalled=tuple(i for i in state.stalled if i != order.order_id),
            ended=capped(state.ended, order.order_id, order.updated_ms, _REMEMBERED_IDS),
        )
    return watch_naked(state, order.created_ms if is_new else order.updated_ms)


def stop_stalled(state: State, event: StopStalled) -> State:
    state = replace(state, stalled=(*state.stalled, event.order_id))
    return replace(watch_naked(state, event.at_ms), naked_confirmed=True)


def stop_moved(state: State, event: StopMoved) -> State:
    return replace(state, moved=event.moved)


def edit_intended(state: State, event: EditIntended) -> State:
    tried = put(state.tried, EDIT, event.edit.intended_ms)
    return replace(state, editing=event.edit, tried=tried)


def edit_ended(state: State, event: EditEnded) -> State:
    return replace(state, editing=None)


def _expect(state: State, order: Order) -> Bracket | None:
    """The bracket, with what ``order`` says about how far its entry has filled."""
    bracket = None if state.bracket is None else joined(state.bracket, order)
    if bracket is None or order.role is not Role.ENTRY or order.label not in bracket.labels:
        return bracket
    if order.filled <= bracket.expected:
        return bracket
    told = order.updated_ms < state.fills_from_ms  # those fills are in a corrected position
    return replace(
        bracket,
        expected=order.filled,
        expected_ms=order.updated_ms,
        filled=max(bracket.filled, order.filled) if told else bracket.filled,
    )
