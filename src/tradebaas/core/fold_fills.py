"""The part of the fold that concerns fills and the position that they amount to; see ``apply``."""

from msgspec.structs import replace

from tradebaas.core import accounts, funding
from tradebaas.core.accounts import Accounts
from tradebaas.core.events import (
    DiscrepancyGivenUp,
    DiscrepancyResolved,
    Filled,
    PositionAdopted,
    PositionCorrected,
    PositionElsewhere,
    TradeClosed,
)
from tradebaas.core.fold_tallies import count, day_of, found, watch_naked
from tradebaas.core.maps import drop, put
from tradebaas.core.model import ZERO, Fill, Position, Role, role_of
from tradebaas.core.state import Bracket, Discrepancy, State, signal_of


def filled(state: State, event: Filled) -> State:
    """Every fill is put in its place. Beside a corrected position it moves that one as well, unless
    it is late: then the exchange has counted it in already.
    """
    fill, signal_id = event.fill, signal_of(state)
    state = replace(
        state,
        bracket=_bracket(state, fill),
        accounts=accounts.add(state.accounts, fill),
        recent_fills=put(state.recent_fills, fill.key, fill.at_ms),
    )
    if state.discrepancy is None:
        state = _told_by_accounts(state)
    elif not event.late:
        state = replace(
            state,
            position=accounts.moved(state.position, fill, signal_id),
            discrepancy=replace(state.discrepancy, moved=True),
        )
    return watch_naked(state, fill.at_ms)


def _told_by_accounts(state: State) -> State:
    """The position is what the fills amount to. One of the owner's that is over is forgotten."""
    signal_id, left = signal_of(state), state.accounts
    position, after = accounts.walk(left, signal_id)
    while position is not None and after is not None and not position.ours:
        left = after
        position, after = accounts.walk(left, signal_id)
    if after is not None:  # a trade of ours is over, and not told yet
        position = accounts.remaining(after, signal_id) or position
    return replace(state, accounts=left, position=position)


def _bracket(state: State, fill: Fill) -> Bracket | None:
    bracket, mine = state.bracket, role_of(fill.label) is Role.ENTRY
    if bracket is None or not mine or fill.label not in bracket.labels:
        return bracket
    return replace(bracket, filled=bracket.filled + fill.amount)


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
        funding=put(
            counters.funding, currency, counters.funding.get(currency, ZERO) + trade.funding
        ),
    )
    today = day_of(state.day, trade.closed_ms)
    net_today = put(today.net, currency, today.net.get(currency, ZERO) + trade.net)
    ended = accounts.first_trade(state.accounts, signal_of(state))
    return _told_by_accounts(
        replace(
            state,
            accounts=Accounts() if ended is None else ended[1],
            last_trade=trade,
            funding=funding.ended(state.funding, trade),
            naked_ms=0,
            counters=counters,
            day=replace(today, net=net_today),
        )
    )


def position_corrected(state: State, event: PositionCorrected) -> State:
    """From here on the position is what the exchange said, and the accounts go on beside it."""
    before = state.discrepancy
    state = replace(
        state,
        position=event.position,
        discrepancy=Discrepancy(
            instrument=event.instrument,
            read_ms=event.at_ms,
            known_ms=state.read_through_ms if before is None else before.known_ms,
        ),
    )
    return watch_naked(state if event.awaits else _line_drawn(state), event.at_ms)


def position_elsewhere(state: State, event: PositionElsewhere) -> State:
    others = drop(state.elsewhere, event.instrument)
    if event.position is not None:
        others[event.instrument] = event.position
    return replace(state, elsewhere=others)


def position_adopted(state: State, event: PositionAdopted) -> State:
    """What led to it is of the time when it was not ours."""
    fills_from_ms = max(state.fills_from_ms, event.at_ms)
    state = replace(state, position=event.position, fills_from_ms=fills_from_ms)
    return watch_naked(_line_drawn(state), event.at_ms)


def discrepancy_resolved(state: State, event: DiscrepancyResolved) -> State:
    """All fills are known again: the position is what they amount to, to the last digit."""
    return watch_naked(_told_by_accounts(replace(state, discrepancy=None)), event.at_ms)


def discrepancy_given_up(state: State, event: DiscrepancyGivenUp) -> State:
    """The fills will not come: what the exchange said is all that is known, and it stays.

    A position that is over leaves a trade only if what is known of it has an entry and an exit.
    """
    position = state.position
    if position is not None and position.size == 0 and not _balanced(position):
        state = replace(state, position=None)
    return _line_drawn(state)


def _balanced(position: Position) -> bool:
    return position.entry_amount == position.exit_amount > 0


def _line_drawn(state: State) -> State:
    """No fill from before the correction is awaited or taken any more."""
    bracket, discrepancy = state.bracket, state.discrepancy
    if bracket is not None:
        bracket = replace(bracket, filled=max(bracket.filled, bracket.expected))
    at_ms = 0 if discrepancy is None else discrepancy.read_ms
    return replace(
        state,
        bracket=bracket,
        accounts=Accounts(base=state.position),
        discrepancy=None,
        fills_from_ms=max(state.fills_from_ms, at_ms),
    )
