"""The part of the fold that concerns funding; see ``apply``."""

from decimal import Decimal

from msgspec.structs import replace

from tradebaas.core import funding
from tradebaas.core.fold_tallies import count, day_of
from tradebaas.core.funding_events import FundingCharged, FundingRead
from tradebaas.core.maps import put
from tradebaas.core.model import ZERO, Phase, Trade
from tradebaas.core.state import State, managed_instrument

QUIET = (Phase.IDLE, Phase.ANALYZING, Phase.SIGNAL_DETECTED)


def funding_charged(state: State, event: FundingCharged) -> State:
    """Of a trade that is over it changes what that brought, and what its day and all have."""
    row, number = event.row, event.trade
    if not number:
        return replace(state, funding=funding.held(state.funding, row))
    before = next((t.net for t in state.funding.closed if t.number == number), None)
    won = 0 if before is None else int(before - row.paid > 0) - int(before > 0)
    counters = count(state, trades_success=won, trades_failed=-won)
    today = day_of(state.day, row.at_ms)
    return replace(
        state,
        funding=funding.charged(state.funding, row, number),
        last_trade=_with(state.last_trade, number, row.paid),
        counters=replace(
            counters,
            net=_add(counters.net, row.currency, -row.paid),
            funding=_add(counters.funding, row.currency, row.paid),
        ),
        day=replace(today, net=_add(today.net, row.currency, -row.paid)),
    )


def _with(trade: Trade | None, number: int, paid: Decimal) -> Trade | None:
    if trade is None or trade.number != number:
        return trade
    return replace(trade, funding=trade.funding + paid, net=trade.net - paid)


def _add(sums: dict[str, Decimal], currency: str, amount: Decimal) -> dict[str, Decimal]:
    return put(sums, currency, sums.get(currency, ZERO) + amount)


def funding_read(state: State, event: FundingRead) -> State:
    under_way = "" if state.phase in QUIET else managed_instrument(state)
    opened_ms = state.position.opened_ms if state.position is not None else 0
    known = funding.read(state.funding, event.through_ms, under_way, opened_ms)
    return replace(state, funding=known)
