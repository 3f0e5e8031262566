"""The part of the fold that concerns fills and the position that they amount to; see ``apply``."""

from msgspec.structs import replace

from tradebaas.core.events import (
    DiscrepancyGivenUp,
    DiscrepancyResolved,
    Filled,
    PositionCorrected,
    TradeClosed,
)
from tradebaas.core.fold_tallies import count, day_of, found, watch_naked
from tradebaas.core.maps import put
from tradebaas.core.model import ZERO, Fill, Position, Role, role_of
from tradebaas.core.position import fold_fill
from tradebaas.core.state import Bracket, Discrepancy, State


def filled(state: State, event: Filled) -> State:
    """A late fill is in the corrected position already: it moves the accounts beside it only."""
    fill = event.fill
    position = state.position if event.late else _with(state, state.position, fill)
    state = replace(
        state,
        bracket=_bracket(state, fill),
        position=_unless_foreign_and_flat(position),
        discrepancy=_accounted(state, event),
        recent_fills=put(state.recent_fills, fill.key, fill.at_ms),
    )
    return watch_naked(state, fill.at_ms)


def _with(state: State, position: Position | None, fill: Fill) -> Position:
    mine, bracket = role_of(fill.label) is Role.ENTRY, state.bracket
    signal_id = bracket.signal_id if bracket and mine else ""
    return fold_fill(position, fill, ours=mine, signal_id=signal_id)


def _bracket(state: State, fill: Fill) -> Bracket | None:
    bracket, mine = state.bracket, role_of(fill.label) is Role.ENTRY
    if bracket is None or not mine or fill.label not in bracket.labels:
        return bracket
    return replace(bracket, filled=bracket.filled + fill.amount)


def _accounted(state: State, event: Filled) -> Discrepancy | None:
    discrepancy = state.discrepancy
    if discrepancy is None or discrepancy.instrument != event.fill.instrument:
        return discrepancy
    accounts = _with(state, discrepancy.accounts, event.fill)
    return replace(discrepancy, accounts=accounts, moved=discrepancy.moved or not event.late)


def _unless_foreign_and_flat(position: Position | None) -> Position | None:
    return position if position is not None and (position.ours or position.size != 0) else None


def trade_closed(state: State, event: TradeClosed) -> State:
    trade = event.trade
    how = f"{trade.exit_reason or 'unknown'}, net {trade.net} {trade.currency}"
    state = found(state, f"trade {trade.number}", "closed", how)
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
    """From here on the position is what the exchange said, and the accounts go on beside it."""
    if event.awaits:
        state = replace(state, discrepancy=_opened(state, event))
    else:
        state = _line_drawn(state, event.at_ms)
    return watch_naked(replace(state, position=event.position), event.at_ms)


def _opened(state: State, event: PositionCorrected) -> Discrepancy:
    """The accounts of a second correction are those of the first."""
    before = state.discrepancy
    return Discrepancy(
        instrument=event.instrument,
        accounts=state.position if before is None else before.accounts,
        read_ms=event.at_ms,
        known_ms=state.read_through_ms if before is None else before.known_ms,
    )


def discrepancy_resolved(state: State, event: DiscrepancyResolved) -> State:
    """All fills are known again: the position is what they amount to, to the last digit."""
    discrepancy = state.discrepancy
    if discrepancy is None:
        return state
    accounts = _unless_foreign_and_flat(discrepancy.accounts)
    state = replace(state, position=accounts, discrepancy=None)
    return watch_naked(state, event.at_ms)


def discrepancy_given_up(state: State, event: DiscrepancyGivenUp) -> State:
    """The fills will not come: what the exchange said is all that is known, and it stays.

    A position that is over leaves a trade only if what is known of it has an entry and an exit.
    """
    discrepancy, position = state.discrepancy, state.position
    if discrepancy is None:
        return state
    if position is not None and position.size == 0 and not _balanced(position):
        position = None
    return _line_drawn(replace(state, position=position), discrepancy.read_ms)


def _balanced(position: Position) -> bool:
    return position.entry_amount == position.exit_amount > 0


def _line_drawn(state: State, at_ms: int) -> State:
    """No fill from before ``at_ms`` is awaited or taken any more."""
    bracket = state.bracket
    if bracket is not None:
        bracket = replace(bracket, filled=max(bracket.filled, bracket.expected))
    return replace(
        state,
        bracket=bracket,
        discrepancy=None,
        fills_from_ms=max(state.fills_from_ms, at_ms),
    )
