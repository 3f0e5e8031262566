"""Positions of ours on other instruments than the managed one.

There should be none: they come of a lost store, or of an entry that was told too late. The managed
position goes first, but none of ours stays naked. One that is found gets a stop at the distance for
positions without a plan; if none is there in time, or after a halt, it is closed. When the managed
position is gone, the next full read takes one of them over (see ``correct``). Pure.
"""

from decimal import Decimal

from tradebaas.core import duties
from tradebaas.core.correct import knows_newer, looks_ours, told
from tradebaas.core.draft import Draft
from tradebaas.core.events import Event, OrderIntended, PositionElsewhere
from tradebaas.core.facts import PositionFact
from tradebaas.core.foreign import forget, position_key
from tradebaas.core.invariants import MAX_PENDING
from tradebaas.core.model import ZERO, Direction, Market, Position, Role
from tradebaas.core.position import passed
from tradebaas.core.risk import Limits
from tradebaas.core.state import State, cover_of, live_orders, naked_amount, pending_with, ready

AGAIN_MS = 60_000
"""A stop that went again so long after it was made is made anew; sooner, the position is closed."""


def compare(draft: Draft, fact: PositionFact) -> bool:
    """Whether ``fact`` is of a position of ours beside the managed one, which is noted then."""
    state = draft.state
    known, main = state.elsewhere.get(fact.instrument), state.position
    if knows_newer(state, fact):
        return known is not None
    beside = main is not None and main.instrument != fact.instrument and fact.size != 0
    ours = known is not None or looks_ours(state, fact) or fact.instrument in draft.entered
    if beside and ours:
        forget(draft, position_key(fact.instrument))
        if known is None or known.size != fact.size:
            _note(draft, fact, told(fact, Direction.BUY if fact.size > 0 else Direction.SELL, True))
        return True
    if known is not None:
        _note(draft, fact, None)
        draft.entered.add(fact.instrument)  # if it is still open, it is the managed one now
    return False


def _note(draft: Draft, fact: PositionFact, position: Position | None) -> None:
    name = fact.instrument
    draft.emit(PositionElsewhere(instrument=name, position=position, at_ms=fact.at_ms))


def naked(state: State) -> dict[str, Decimal]:
    """By instrument, how much of such positions no live stop covers, or is to be closed."""
    bare = {
        name: position.open_amount
        if state.halted is not None
        else max(position.open_amount - cover_of(state, position), ZERO)
        for name, position in state.elsewhere.items()
    }
    return {name: amount for name, amount in bare.items() if amount > 0}


def all_naked(state: State) -> dict[str, Decimal]:
    """The same of every position of ours, the managed one included."""
    bare, amount = naked(state), naked_amount(state)
    if state.position is not None and amount:
        bare[state.position.instrument] = amount
    return bare


def plan(draft: Draft, at_ms: int, markets: tuple[Market, ...], limits: Limits) -> Event | None:
    """The next order that such a position needs, or None; ``markets`` are of their instruments."""
    state = draft.state
    if not ready(state) or len(state.pending) >= MAX_PENDING:
        return None
    for market in markets:
        position = state.elsewhere.get(market.instrument.name)
        amount = naked(state).get(market.instrument.name)
        if position is None or amount is None or market.connection != state.connection:
            continue
        event = _order(draft, position, amount, at_ms, market, limits)
        if event is not None:
            return event
    return None


def _order(
    draft: Draft, position: Position, amount: Decimal, at_ms: int, market: Market, limits: Limits
) -> Event | None:
    state, name = draft.state, position.instrument
    sent = [p.intent for p in pending_with(state, Role.STOP, Role.CLOSE)]
    closing = any(order.instrument == name for order in live_orders(state, Role.CLOSE))
    if closing or any(i.instrument == name and at_ms <= i.valid_until_ms for i in sent):
        return None
    role, stop = Role.STOP, duties.stop_price(state, position, market, limits)
    tried_ms = state.tried.get(f"{name} {Role.STOP}")
    lately = tried_ms is not None and at_ms - tried_ms <= AGAIN_MS
    if state.halted is not None or lately or passed(position, stop, market.ticker.mark):
        role, amount = Role.CLOSE, position.open_amount
    last_ms = max(tried_ms or 0, state.tried.get(f"{name} {Role.CLOSE}", 0))
    if at_ms - last_ms <= duties.naked_limit_ms(market, limits) and state.halted is None:
        return None
    trigger = stop if role is Role.STOP else None
    intent = duties.reduce(draft, position, role, amount, at_ms, market, limits, trigger)
    return OrderIntended(intent=intent)
