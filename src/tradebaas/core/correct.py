"""The exchange's position against the fold of all known fills.

They agree unless fills are missing: told late, or lost. The exchange is right about its own books,
and protection must not wait, so the position is corrected at once. What the known fills amount to
is kept beside it as accounts, and late fills go on into those: when they explain the position, it
is told to the last digit again. Until then, and while a position is open whose fills were given up,
the daemon is in protect-only.
"""

from decimal import Decimal

from msgspec.structs import replace

from tradebaas.core.accounts import remaining
from tradebaas.core.draft import Draft
from tradebaas.core.events import (
    DiscrepancyGivenUp,
    DiscrepancyResolved,
    PositionCorrected,
    ProtectOnlyEntered,
    ProtectOnlyLeft,
)
from tradebaas.core.facts import PositionFact
from tradebaas.core.foreign import forget, note_position, position_key
from tradebaas.core.model import ZERO, Direction, Fill, Position, Role, fill_value
from tradebaas.core.state import (
    OVERLAP_MS,
    State,
    expecting,
    explained,
    live_orders,
    moved_since_corrected,
    pending_with,
    signal_of,
)

CORRECTED = "position corrected"


def compare(draft: Draft, fact: PositionFact) -> None:
    """Compare with the exchange's position, unless the state is ahead of that reading."""
    if knows_newer(draft.state, fact):
        return
    discrepancy = draft.state.discrepancy
    if discrepancy is not None and discrepancy.instrument == fact.instrument:
        _resolve_if_explained(draft, fact)
    state, known = draft.state, draft.state.position
    if known is not None and known.instrument == fact.instrument:
        moved = moved_since_corrected(state)
        if known.size != fact.size or known.open_amount < 0 or moved or _overdue(state, fact):
            _correct(draft, fact, known.ours)
    elif known is None and (_overdue(state, fact) or _is_ours(draft, fact)):
        _correct(draft, fact, True)
    elif fact.size != 0:
        note_position(draft, fact)
        return
    forget(draft, position_key(fact.instrument))


def _is_ours(draft: Draft, fact: PositionFact) -> bool:
    entered = fact.size != 0 and fact.instrument in draft.entered
    return entered or looks_ours(draft.state, fact)


def _resolve_if_explained(draft: Draft, fact: PositionFact) -> None:
    if explained(draft.state, fact.size):
        draft.emit(
            DiscrepancyResolved(instrument=fact.instrument, size=fact.size, at_ms=fact.at_ms)
        )


def knows_newer(state: State, fact: PositionFact) -> bool:
    """Whether the state is ahead of this reading: by a later read, or by a fill since."""
    if fact.at_ms < state.read_through_ms:
        return True
    mine = f"{fact.instrument}/"
    fills = state.recent_fills.items()
    return any(at_ms >= fact.at_ms and key.startswith(mine) for key, at_ms in fills)


def _overdue(state: State, fact: PositionFact) -> bool:
    """Fills of our entry should be known by now: the trades read with this fact lack them."""
    bracket = state.bracket
    if bracket is None or bracket.instrument != fact.instrument:
        return False
    return expecting(state) and bracket.expected_ms < fact.at_ms


def looks_ours(state: State, fact: PositionFact) -> bool:
    """A position that no fill explains, but with an entry or an exit of ours beside it."""
    if fact.size == 0:
        return False
    side = Direction.BUY if fact.size > 0 else Direction.SELL
    live = [order for order in state.orders.values() if not order.waiting]
    orders = [(o.role, o.instrument, o.direction) for o in live]
    intents = [p.intent for p in state.pending.values()]
    beside = [*orders, *((i.role, i.instrument, i.direction) for i in intents)]
    return any(
        instrument == fact.instrument and (direction is side) == (role is Role.ENTRY)
        for role, instrument, direction in beside
    )


def _correct(draft: Draft, fact: PositionFact, ours: bool) -> None:
    state = draft.state
    why = f"fills add up to {_folded(state)} {fact.instrument}, the exchange says {fact.size}"
    known = state.position
    concerned = ours or state.discrepancy is not None or _entering(state)
    awaits = concerned and state.read_through_ms > 0 and not _turned(known, fact)
    draft.emit(
        PositionCorrected(
            instrument=fact.instrument,
            position=_over(state, fact) if fact.size == 0 and awaits else _said(state, fact, ours),
            reason=why,
            at_ms=fact.at_ms,
            awaits=awaits,
        )
    )
    if ours and CORRECTED not in draft.state.protect:
        draft.emit(ProtectOnlyEntered(cause=CORRECTED, detail=why))


def _folded(state: State) -> Decimal:
    """What the known fills add up to."""
    position = state.position
    if state.discrepancy is not None:
        position = remaining(state.accounts, signal_of(state))
    return ZERO if position is None else position.size


def _entering(state: State) -> bool:
    """Whether an entry of ours may have met the position of the owner's."""
    under_way = pending_with(state, Role.ENTRY) or live_orders(state, Role.ENTRY)
    return bool(under_way) or expecting(state)


def _turned(known: Position | None, fact: PositionFact) -> bool:
    """No fill is missing: more was closed than was open."""
    return known is not None and known.size == fact.size and known.open_amount < 0


def _over(state: State, fact: PositionFact) -> Position:
    """A position that is gone; it is kept at size zero until its fills are told or given up."""
    known, bracket = state.position, state.bracket
    if known is not None:
        return replace(known, size=ZERO, corrected=True)
    direction = Direction.BUY if bracket is None else bracket.direction
    return told(fact, direction, True)


def _said(state: State, fact: PositionFact, ours: bool) -> Position | None:
    """The position that the exchange has, with as much of its history as still holds."""
    known = state.position
    if known is not None and known.size == fact.size and known.open_amount >= 0:
        return replace(known, corrected=True)
    if fact.size == 0:
        return None
    said = told(fact, Direction.BUY if fact.size > 0 else Direction.SELL, ours)
    if known is None:
        return said
    if known.open_amount > 0 and known.direction is not said.direction:
        return replace(said, ours=False)  # our exits only reduce: what is beyond zero is not ours
    return replace(said, signal_id=known.signal_id, opened_ms=known.opened_ms, fees=known.fees)


def told(fact: PositionFact, direction: Direction, ours: bool) -> Position:
    """The position as if it had been entered at once, at the exchange's average price."""
    amount, price = abs(fact.size), fact.average_price
    return Position(
        instrument=fact.instrument,
        contract=fact.contract,
        currency=fact.currency,
        size=fact.size,
        direction=direction,
        ours=ours,
        signal_id="",
        opened_ms=fact.at_ms,
        changed_ms=fact.at_ms,
        entry_amount=amount,
        entry_value=fill_value(fact.contract, amount, price) if price > 0 else ZERO,
        corrected=True,
    )


# ------------------------------------------------------------------------------------ late fills


def is_late(state: State, fill: Fill) -> bool:
    """Whether the corrected position has ``fill`` in it already.

    If the position is gone, what could have closed it did: a fill that was made while the account
    was read is younger than the read, and an exit of ours can open nothing.
    """
    discrepancy, position = state.discrepancy, state.position
    if discrepancy is None or discrepancy.instrument != fill.instrument:
        return False
    gone = position is None or position.size == 0
    closed = gone and (fill.reduces or _reduces(remaining(state.accounts, signal_of(state)), fill))
    return closed or fill.at_ms < discrepancy.read_ms


def _reduces(told: Position | None, fill: Fill) -> bool:
    if told is None or fill.direction is told.direction:
        return False
    return fill.amount <= told.open_amount


def give_up_when_late(draft: Draft, read_ms: int) -> None:
    """Trades are read again for ``OVERLAP_MS``: what was not told in that time never will be."""
    discrepancy = draft.state.discrepancy
    if discrepancy is not None and read_ms > discrepancy.read_ms + OVERLAP_MS:
        waited = (read_ms - discrepancy.read_ms) // 1000
        reason = f"they add up to {_folded(draft.state)} after {waited} s"
        draft.emit(DiscrepancyGivenUp(instrument=discrepancy.instrument, reason=reason))


def settle(draft: Draft) -> None:
    """Leave protect-only once the open position is told by its fills again."""
    position = draft.state.position
    told = position is not None and not position.corrected and draft.state.discrepancy is None
    if told and CORRECTED in draft.state.protect:
        draft.emit(ProtectOnlyLeft(cause=CORRECTED))
