"""The part of the fold that concerns orders, fills and positions; see ``apply``.

One function per kind of event. The naked clock runs here, on the exchange's own timestamps: it
starts when a position is first seen to be larger than the stops that cover it and ends when the
cover is complete or the position is gone.
"""

from msgspec.structs import replace

from tradebaas.core.events import (
    Filled,
    Finding,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    PositionCorrected,
    TradeClosed,
)
from tradebaas.core.maps import capped, drop, put
from tradebaas.core.model import ZERO, Intent, Order, Position, Role, role_of
from tradebaas.core.position import fold_fill
from tradebaas.core.state import Bracket, Counters, Day, Pending, State, naked_amount

DAY_MS = 86_400_000
_REMEMBERED_IDS = 256
_OWN_LABELS = 3
"""An entry, its stop and its take profit: a bracket never forgets these."""
_RETRIED_LABELS = 61
"""Of later stops and closes for the same position, so many labels are remembered."""


def count(state: State, **increments: int) -> Counters:
    """The counters of ``state``, each named one raised by its increment."""
    raised = {name: getattr(state.counters, name) + by for name, by in increments.items()}
    return replace(state.counters, **raised)


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
    state = replace(state, tried=put(state.tried, intent.role.value, intent.intended_ms))
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


def day_of(day: Day, at_ms: int) -> Day:
    """``day`` if ``at_ms`` falls into it or before it, else the fresh day of ``at_ms``."""
    index = at_ms // DAY_MS
    return day if index <= day.index else Day(index=index)


def order_not_sent(state: State, event: OrderNotSent) -> State:
    return _resolved(state, event.label, "not sent", event.reason)


def order_unknown(state: State, event: OrderUnknown) -> State:
    old = state.pending[event.label]
    pending = put(state.pending, event.label, replace(old, unknown=event.reason))
    return replace(state, pending=pending, counters=count(state, orders_unknown=1))


def order_rejected(state: State, event: OrderRejected) -> State:
    failed = int(role_of(event.label) is Role.STOP)
    state = replace(
        state,
        stop_failures=state.stop_failures + failed,
        counters=count(state, orders_rejected=1),
    )
    return _resolved(state, event.label, "rejected", f"{event.code} {event.message}")


def order_abandoned(state: State, event: OrderAbandoned) -> State:
    evidence = event.evidence
    read = f"absent at {evidence.read_ms} from {', '.join(evidence.sources)}"
    failed = int(role_of(event.label) is Role.STOP)
    state = replace(
        state,
        stop_failures=state.stop_failures + failed,
        abandoned=capped(state.abandoned, event.label, evidence.read_ms, _REMEMBERED_IDS),
        counters=count(state, orders_abandoned=1),
    )
    return _resolved(state, event.label, "abandoned", read)


def order_adopted(state: State, event: OrderAdopted) -> State:
    state = replace(state, counters=count(state, orders_adopted=1))
    return _found(state, event.label, "adopted", f"order {event.order_id}: {event.how}")


def _resolved(state: State, label: str, outcome: str, evidence: str) -> State:
    state = replace(state, pending=drop(state.pending, label))
    return _found(state, label, outcome, evidence)


def _found(state: State, label: str, outcome: str, evidence: str) -> State:
    """Note the outcome for the recovery report, if this life's recovery is still under way."""
    recovering = state.recovering
    if not recovering.cause:
        return state
    finding = Finding(label=label, outcome=outcome, evidence=evidence)
    findings = (*recovering.findings, finding)[-_REMEMBERED_IDS:]
    return replace(state, recovering=replace(recovering, findings=findings))


def order_updated(state: State, event: OrderUpdated) -> State:
    order = event.order
    is_new = order.live and order.order_id not in state.orders
    if order.state == "cancelled" and order.order_id in state.orders:
        state = _found(state, order.label, "cancelled", order.cancel_reason or "no reason given")
    failed = order.label in state.pending and _is_failed_stop(order)
    state = replace(
        state,
        pending=drop(state.pending, order.label),
        bracket=_expect(state, order),
        stop_failures=state.stop_failures + int(failed),
    )
    if order.live:
        state = replace(state, orders=put(state.orders, order.order_id, order))
    else:
        state = replace(
            state,
            orders=drop(state.orders, order.order_id),
            ended=capped(state.ended, order.order_id, order.updated_ms, _REMEMBERED_IDS),
        )
    return _watch_naked(state, order.created_ms if is_new else order.updated_ms)


def _is_failed_stop(order: Order) -> bool:
    """A stop that was accepted only to end without having fired."""
    return order.role is Role.STOP and order.state in ("cancelled", "rejected")


def _expect(state: State, order: Order) -> Bracket | None:
    """The bracket, with what ``order`` says about how far its entry has filled."""
    bracket = state.bracket
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


# ------------------------------------------------------------------------ fills and positions


def filled(state: State, event: Filled) -> State:
    fill, bracket = event.fill, state.bracket
    mine = role_of(fill.label) is Role.ENTRY
    position = fold_fill(
        state.position, fill, ours=mine, signal_id=bracket.signal_id if bracket and mine else ""
    )
    if bracket is not None and mine and fill.label in bracket.labels:
        bracket = replace(bracket, filled=bracket.filled + fill.amount)
    state = replace(
        state,
        bracket=bracket,
        position=_unless_foreign_and_flat(position),
        recent_fills=put(state.recent_fills, fill.key, fill.at_ms),
    )
    return _watch_naked(state, fill.at_ms)


def _unless_foreign_and_flat(position: Position) -> Position | None:
    return position if position.ours or position.size != 0 else None


def trade_closed(state: State, event: TradeClosed) -> State:
    trade = event.trade
    how = f"{trade.exit_reason or 'unknown'}, net {trade.net} {trade.currency}"
    state = _found(state, f"trade {trade.number}", "closed", how)
    counters = count(
        state,
        trades=1,
        trades_success=int(trade.net > 0),
        trades_failed=int(trade.net <= 0),
    )
    currency = trade.currency
    counters = replace(
        counters,
        net=put(counters.net, currency, counters.net.get(currency, ZERO) + trade.net),
        fees=put(counters.fees, currency, counters.fees.get(currency, ZERO) + trade.fees),
    )
    today = day_of(state.day, trade.closed_ms)
    net_today = put(today.net, currency, today.net.get(currency, ZERO) + trade.net)
    return replace(
        state,
        position=None,
        last_trade=trade,
        counters=counters,
        day=replace(today, net=net_today),
    )


def position_corrected(state: State, event: PositionCorrected) -> State:
    """No fill of the entry is awaited any more: what it did is in what the exchange says."""
    bracket = state.bracket
    if bracket is not None:
        bracket = replace(bracket, filled=max(bracket.filled, bracket.expected))
    state = replace(
        state,
        position=event.position,
        bracket=bracket,
        fills_from_ms=max(state.fills_from_ms, event.at_ms),
    )
    return _watch_naked(state, event.at_ms)


def _came_and_went(state: State) -> bool:
    """A position that opened and closed before this life looked: its stops were never to be seen.

    Whether it was naked nobody here can tell, so nothing is counted.
    """
    gone = state.position is None or state.position.size == 0
    return gone and bool(state.recovering.cause) and not state.naked_confirmed


def _watch_naked(state: State, at_ms: int) -> State:
    """Start or stop the naked clock by the exchange's own timestamps."""
    since = state.naked_since_ms
    if naked_amount(state) > 0:
        if since is not None:
            return state
        return replace(state, naked_since_ms=at_ms, naked_confirmed=False)
    if since is None:
        return state
    naked = 0 if _came_and_went(state) else max(at_ms - since, 0)
    counters = replace(
        state.counters,
        naked_ms_total=state.counters.naked_ms_total + naked,
        naked_ms_max=max(state.counters.naked_ms_max, naked),
    )
    recovering = replace(state.recovering, naked_ms=state.recovering.naked_ms + naked)
    return replace(
        state,
        naked_since_ms=None,
        naked_confirmed=False,
        stop_failures=0,
        counters=counters,
        recovering=recovering,
    )
