"""What a state needs done at the exchange now: protect what is open, close what is to be closed.

Pure plans. ``plan`` gives the next event (at most one at a time: a close request or a reduce-only
intent), ``unwanted`` the orders to cancel. The reconciler asks both after every change and every
tick; the persister makes the same plan again on the newest state, so a stale view harms nothing.

Reduce-only orders are attempted again under a new label when an earlier attempt stays unanswered
past its validity: risk is added at most once, but reduced at least once. An attempt that ended
badly is repeated at a pace, so that an exchange which refuses everything is not flooded. Entries
are never planned here.

A naked position gets a stop, and what no stop protects in time is closed (ADR 0009). A quarter of
``Limits.naked_ms`` is for the stops of a fresh fill to be reported, unless a full read shows none.
Then a stop is sent, and again as long as none is there; three quarters later comes the close. That
time runs from the first stop through the present connection, not from the fill: nobody could have
done anything before.
"""

from decimal import Decimal

from tradebaas.core import moving
from tradebaas.core.admission import MIN_VALIDITY_REAL_MS, validity_ms
from tradebaas.core.draft import Draft
from tradebaas.core.events import CloseRequested, Event, OrderIntended, StopStalled
from tradebaas.core.invariants import MAX_PENDING
from tradebaas.core.model import Intent, Market, Order, Position, Role
from tradebaas.core.position import passed
from tradebaas.core.risk import Limits, round_stop
from tradebaas.core.state import (
    State,
    fired,
    flat,
    holds,
    live_orders,
    naked_amount,
    pending_with,
    ready,
)

MAX_UNANSWERED = MAX_PENDING - 4
"""With so many orders without an answer a naked position is closed; the other places are for that,
whatever became of the stops of one connection after the other."""
MIN_NAKED_REAL_MS = 400
"""The limit of naked time in real time, however fast the exchange's clock runs."""
STALLED_MS = 2_000
"""A stop that has fired covers for so long after its last fill: then nobody trades with it."""


def plan(draft: Draft, at_ms: int, market: Market | None, limits: Limits) -> Event | None:
    """The next thing that the draft's state needs, or None."""
    state = draft.state
    position = state.position
    if position is None or not holds(state):
        return None
    if not ready(state) or len(state.pending) >= MAX_PENDING:
        return None
    if market is None or market.connection != state.connection:
        return None
    if state.closing:
        return _close(draft, position, at_ms, market, limits)
    if market.instrument.name != position.instrument:
        return None  # until the market of this instrument is watched
    return _protect(draft, position, at_ms, market, limits)


def unwanted(state: State, at_ms: int, limits: Limits, rate: Decimal) -> tuple[str, ...]:
    """Ids of live orders that must go.

    A resting entry is unwanted once its validity has passed or a close was asked for; everything
    else of ours once a full read shows that the position is gone and no entry can make a new one.
    """
    entries = live_orders(state, Role.ENTRY)
    patience = validity_ms(limits, rate)
    late = [o.order_id for o in entries if state.closing or at_ms > o.created_ms + patience]
    if not ready(state) or not flat(state) or entries or pending_with(state, Role.ENTRY):
        return tuple(late)
    return tuple(i for i, order in state.orders.items() if order.instrument not in state.elsewhere)


def _close(
    draft: Draft, position: Position, at_ms: int, market: Market, limits: Limits
) -> Event | None:
    state = draft.state
    pace = validity_ms(limits, market.rate)
    if _live(state, position, Role.CLOSE) or _just_tried(state, Role.CLOSE, at_ms, pace):
        return None
    intent = reduce(draft, position, Role.CLOSE, position.open_amount, at_ms, market, limits)
    return OrderIntended(intent=intent)


def _protect(
    draft: Draft, position: Position, at_ms: int, market: Market, limits: Limits
) -> Event | None:
    state = draft.state
    stalled = _stalled(state, position, at_ms, market)
    if stalled:
        return StopStalled(order_id=stalled, at_ms=at_ms)
    shortfall = naked_amount(state)
    if shortfall == 0:
        return moving.plan(state, position, at_ms, market, limits)
    hopeless = _hopeless(state, at_ms, market, limits)
    if hopeless:
        return CloseRequested(reason=f"naked: {hopeless}")
    if _awaiting(state, position, at_ms) or not _grace_over(state, at_ms, market, limits):
        return None
    if _just_tried(state, Role.STOP, at_ms, _real_ms(MIN_VALIDITY_REAL_MS, market)):
        return None
    stop = stop_price(state, position, market, limits)
    if passed(position, stop, market.ticker.mark):
        return CloseRequested(reason=f"naked: the market is past the stop at {stop}")
    intent = reduce(draft, position, Role.STOP, shortfall, at_ms, market, limits, stop)
    return OrderIntended(intent=intent)


def _stalled(state: State, position: Position, at_ms: int, market: Market) -> str:
    """Id of a stop that fired and closes nothing, and that is not known for it yet."""
    patience = max(STALLED_MS, _real_ms(MIN_VALIDITY_REAL_MS, market))
    stops = _live(state, position, Role.STOP)
    late = (o for o in stops if fired(o) and at_ms > o.updated_ms + patience)
    return next((o.order_id for o in late if o.order_id not in state.stalled), "")


def _hopeless(state: State, at_ms: int, market: Market, limits: Limits) -> str:
    """Why no further stop is tried; "" while one may help."""
    if state.stalled:
        return "a stop has fired and nobody trades with it"
    if state.stop_refused:
        return f"the exchange refuses the stop's price: {state.stop_refused}"
    if len(state.pending) >= MAX_UNANSWERED:
        return f"{len(state.pending)} orders have no answer"
    limit = naked_limit_ms(market, limits)
    if state.stop_sent_ms is not None and at_ms - state.stop_sent_ms > limit - limit // 4:
        return f"no stop is there within {limit} ms"
    return ""


def _live(state: State, position: Position, role: Role) -> list[Order]:
    orders = live_orders(state, role)
    return [order for order in orders if order.instrument == position.instrument]


def _awaiting(state: State, position: Position, at_ms: int) -> bool:
    """A stop is under way through this connection and may still arrive; then another is allowed."""
    here = (state.life, state.connection, position.instrument)
    sent = [p.intent for p in pending_with(state, Role.STOP)]
    mine = [i for i in sent if (i.life, i.connection, i.instrument) == here]
    return any(at_ms <= i.valid_until_ms for i in mine)


def naked_limit_ms(market: Market, limits: Limits) -> int:
    return max(limits.naked_ms, _real_ms(MIN_NAKED_REAL_MS, market))


def _just_tried(state: State, role: Role, at_ms: int, pace_ms: int) -> bool:
    last = state.tried.get(role.value)
    return last is not None and at_ms <= last + pace_ms


def _grace_over(state: State, at_ms: int, market: Market, limits: Limits) -> bool:
    """The stops of a fresh fill need a moment to be reported, unless a full read shows none."""
    since = state.naked_since_ms
    if since is None or state.naked_confirmed:
        return True
    return at_ms - since > naked_limit_ms(market, limits) // 4


def _real_ms(real_ms: int, market: Market) -> int:
    """``real_ms`` in the exchange's time."""
    return int(real_ms * market.rate)


def stop_price(state: State, position: Position, market: Market, limits: Limits) -> Decimal:
    """Where the stop was moved to, else that of the plan; without one at the usual distance."""
    stop = moving.present(state, position, limits)
    return round_stop(position.direction, stop, market.instrument.tick_size)


def reduce(
    draft: Draft,
    position: Position,
    role: Role,
    amount: Decimal,
    at_ms: int,
    market: Market,
    limits: Limits,
    trigger: Decimal | None = None,
) -> Intent:
    return Intent(
        label=draft.label(role),
        role=role,
        instrument=position.instrument,
        direction=position.direction.opposite,
        amount=amount,
        order_type="market" if trigger is None else "stop_market",
        trigger_price=trigger,
        reduce_only=True,
        life=draft.state.life,
        connection=draft.state.connection,
        intended_ms=at_ms,
        valid_until_ms=at_ms + validity_ms(limits, market.rate),
        signal_id=position.signal_id,
    )
