"""The exchange's position against the fold of all known fills.

They agree unless fills were lost. Then the exchange is right about its own books: the position is
corrected, and one of ours puts the daemon into protect-only until the account has been flat, for
its result can no longer be told to the last digit.
"""

from msgspec.structs import replace

from tradebaas.core.draft import Draft
from tradebaas.core.events import PositionCorrected, ProtectOnlyEntered
from tradebaas.core.facts import PositionFact
from tradebaas.core.foreign import note, position_key
from tradebaas.core.model import ZERO, Direction, Position, Role, fill_value
from tradebaas.core.state import State, expecting

CORRECTED = "position corrected"


def compare(draft: Draft, fact: PositionFact) -> None:
    """Compare with the exchange's position, unless the state is ahead of that reading."""
    state, known = draft.state, draft.state.position
    if _knows_newer(state, fact):
        return
    if known is not None and known.instrument == fact.instrument:
        if known.size != fact.size or known.open_amount < 0 or _overdue(state, fact):
            _correct(draft, fact, known.ours)
    elif known is None and (_overdue(state, fact) or _looks_ours(state, fact)):
        _correct(draft, fact, True)
    elif fact.size != 0:
        detail = f"foreign position: {fact.size} {fact.instrument}"
        note(draft, position_key(fact.instrument), detail)
        return
    note(draft, position_key(fact.instrument), "")


def _knows_newer(state: State, fact: PositionFact) -> bool:
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


def _looks_ours(state: State, fact: PositionFact) -> bool:
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
    known = draft.state.position
    folded = known.size if known else ZERO
    why = f"fills add up to {folded} {fact.instrument}, the exchange says {fact.size}"
    draft.emit(
        PositionCorrected(
            instrument=fact.instrument,
            position=_corrected(known, fact, ours),
            reason=why,
            at_ms=fact.at_ms,
        )
    )
    if ours and CORRECTED not in draft.state.protect:
        draft.emit(ProtectOnlyEntered(cause=CORRECTED, detail=why))


def _corrected(known: Position | None, fact: PositionFact, ours: bool) -> Position | None:
    """The position that the exchange has, with as much of its history as still holds."""
    if known is not None and known.size == fact.size and known.open_amount >= 0:
        return replace(known, corrected=True)
    if fact.size == 0:
        return None
    amount, price = abs(fact.size), fact.average_price
    return Position(
        instrument=fact.instrument,
        contract=fact.contract,
        currency=fact.currency,
        size=fact.size,
        direction=Direction.BUY if fact.size > 0 else Direction.SELL,
        ours=ours,
        signal_id=known.signal_id if known else "",
        opened_ms=known.opened_ms if known else fact.at_ms,
        changed_ms=fact.at_ms,
        entry_amount=amount,
        entry_value=fill_value(fact.contract, amount, price) if price > 0 else ZERO,
        fees=known.fees if known else ZERO,
        corrected=True,
    )
