"""Mutants of the books: what filled, whose it is, what it was worth, and how much is too much."""

from decimal import ROUND_DOWN, Decimal

from msgspec.structs import replace

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas.actors.session import Session
from tradebaas.core import (
    accounts,
    admission,
    charges,
    correct,
    funding,
    owners,
    position,
    reconcile,
    risk,
    state,
)
from tradebaas.core.accounts import Accounts
from tradebaas.core.draft import Draft
from tradebaas.core.facts import FundingFact
from tradebaas.core.funding import Funding
from tradebaas.core.funding_events import FundingRow
from tradebaas.core.model import ZERO, ContractKind, Direction, Fill, Instrument, Market
from tradebaas.core.risk import Limits, NoSize, Policy, size_entry
from tradebaas.core.state import State

_COIN = Decimal("1e-12")
_WIDER = 4
"""So many times as far as the owner allows."""


@mutant(
    "fill-twice",
    breaks="a fill is counted as often as the exchange reports it",
    costs="the position in the books is twice the real one, and so is its stop",
    by="Same, Known",
    needs="a fill that comes with the answer and as a notification",
    profile="adds",
)
def fill_twice(patch: Patch) -> None:
    honest = reconcile._fill

    def fill(draft: Draft, fill: Fill, at_ms: int) -> None:
        other = replace(fill, trade_id=f"{fill.trade_id}/{draft.state.seq}")
        honest(draft, other, at_ms)

    patch.set(reconcile, "_fill", fill)


@mutant(
    "late-fill-dropped",
    breaks="a fill from before a correction is taken for a part of it and forgotten",
    costs="the result of that trade stays wrong for ever",
    by="Same, Known",
    needs="a position that is read before its fills are told",
    profile="news",
)
def late_fill_dropped(patch: Patch) -> None:
    honest = reconcile._fill

    def fill(draft: Draft, fill: Fill, at_ms: int) -> None:
        if not correct.is_late(draft.state, fill):
            honest(draft, fill, at_ms)

    patch.set(reconcile, "_fill", fill)


@mutant(
    "funding-dropped",
    breaks="what holding a position has cost is read and not booked",
    costs="every trade seems to have brought more than it did, and so does the day",
    by="Same",
    needs="an exchange that takes funding",
    profile="charged",
)
def funding_dropped(patch: Patch) -> None:
    honest = charges.absorb

    def absorb(draft: Draft, fact: FundingFact) -> None:
        honest(draft, replace(fact, rows=()))

    patch.set(charges, "absorb", absorb)


@mutant(
    "funding-twice",
    breaks="a row of funding that is read again is booked again",
    costs="results are wrong by as much as was read twice, more with every reconnect",
    by="Same",
    needs="an exchange that takes funding",
    profile="charged",
)
def funding_twice(patch: Patch) -> None:
    def is_known(_funding: Funding, _row: FundingRow) -> bool:
        return False

    patch.set(funding, "is_known", is_known)


@mutant(
    "order-of-telling",
    breaks="fills are folded as they are told, not as they were made",
    costs="a position of the owner's counts as ours, and is closed by our stop",
    by="Same, Known",
    needs="an owner who trades while the daemon logs in, and a store of trades that lags",
    profile="beside",
)
def order_of_telling(patch: Patch) -> None:
    def add(known: Accounts, fill: Fill) -> Accounts:
        return replace(known, fills=(*known.fills, fill))

    patch.set(accounts, "add", add)


@mutant(
    "gone-by-fills",
    breaks="a position that was corrected is held for closed once fills say so, without a read",
    costs="a fill from the middle of a read counts twice, and what is left loses its stop",
    by="Protected",
    needs="a leg that fills between two parts of a read",
    profile="news",
    seed=3,
)
def gone_by_fills(patch: Patch) -> None:
    def moved_since_corrected(_state: State) -> bool:
        return False

    for module in (state, correct):
        patch.set(module, "moved_since_corrected", moved_since_corrected)


@mutant(
    "foreign-is-ours",
    breaks="every order at the account counts as ours",
    costs="the owner's own orders are cancelled",
    by="Once",
    needs="an owner with an order of the owner's own",
    profile="foreign",
)
def foreign_is_ours(patch: Patch) -> None:
    def is_ours(_label: str) -> bool:
        return True

    patch.set(reconcile, "is_ours", is_ours)


@mutant(
    "owners-cancelled",
    breaks="the owner's orders are cancelled, whatever the configuration says",
    costs="a hedge, or the owner's own stop, is gone",
    by="Once",
    needs="an owner with an order of the owner's own",
    profile="foreign",
)
def owners_cancelled(patch: Patch) -> None:
    plan, to_cancel = owners.plan, owners.to_cancel

    def always(limits: Limits) -> Limits:
        return replace(limits, foreign_orders=Policy.CLOSE)

    patch.set(owners, "plan", lambda state, at_ms, limits: plan(state, at_ms, always(limits)))
    patch.set(owners, "to_cancel", lambda state, limits: to_cancel(state, always(limits)))


@mutant(
    "rounded-down",
    breaks="the value of a fill is rounded down, not half-even",
    costs="profit and the day's loss drift from the exchange's, a little more with each fill",
    by="Same",
    needs="a closed position in an inverse contract",
    profile="deaths",
    seed=3,
)
def rounded_down(patch: Patch) -> None:
    def fill_value(contract: ContractKind, amount: Decimal, price: Decimal) -> Decimal:
        if contract is ContractKind.LINEAR:
            return amount * price
        return (amount / price).quantize(_COIN, ROUND_DOWN)

    patch.set(position, "fill_value", fill_value)


@mutant(
    "sized-twice",
    breaks="an entry is twice as large as the risk per trade allows",
    costs="every stop costs two percent where the owner said one",
    by="Bounded",
    needs="an entry",
)
def sized_twice(patch: Patch) -> None:
    def twice(
        instrument: Instrument,
        direction: Direction,
        entry: Decimal,
        stop: Decimal,
        equity: Decimal,
        limits: Limits,
        *,
        reference: Decimal,
    ) -> Decimal | NoSize:
        amount = size_entry(instrument, direction, entry, stop, equity, limits, reference=reference)
        return amount if isinstance(amount, NoSize) else 2 * amount

    patch.set(admission, "size_entry", twice)


@mutant(
    "leverage-ignored",
    breaks="an entry that is above the limit of the leverage is sent all the same",
    costs="a stop that is near makes the position many times as large as the owner allows",
    by="Bounded",
    needs="a limit that entries come near to",
    profile="snug",
)
def leverage_ignored(patch: Patch) -> None:
    def leverage(
        _kind: ContractKind, _amount: Decimal, _price: Decimal, _equity: Decimal
    ) -> Decimal:
        return ZERO

    patch.set(risk, "_leverage", leverage)


@mutant(
    "amount-ignored",
    breaks="an entry that is larger than the owner's limit of the amount is sent all the same",
    costs="a position that the owner has said is too large",
    by="Bounded",
    needs="a limit that some entries exceed",
    profile="capped",
    seed=3,
)
def amount_ignored(patch: Patch) -> None:
    honest = risk._above_limit

    def above_limit(
        instrument: Instrument,
        amount: Decimal,
        raw: Decimal,
        price: Decimal,
        equity: Decimal,
        limits: Limits,
    ) -> str:
        return honest(instrument, amount, raw, price, equity, replace(limits, max_amount=None))

    patch.set(risk, "_above_limit", above_limit)


@mutant(
    "loss-ignored",
    breaks="the day's loss is counted and stops nothing",
    costs="on a bad day it loses again and again, as often as the strategy likes",
    by="Bounded",
    needs="a day with more losses than its limit allows",
    profile="losses",
)
def loss_ignored(patch: Patch) -> None:
    honest = admission._day_spent

    def day_spent(state: State, market: Market, limits: Limits) -> str:
        return honest(state, market, replace(limits, max_daily_loss_percent=Decimal(100)))

    patch.set(admission, "_day_spent", day_spent)


@mutant(
    "slippage-ignored",
    breaks="an entry's limit is wide enough to fill, whatever slippage the owner allows",
    costs="in a thin book it fills at prices that the owner has said are too bad",
    by="Bounded",
    needs="an entry",
    profile="silent prices",
)
def slippage_ignored(patch: Patch) -> None:
    def worst_entry_price(
        direction: Direction, reference: Decimal, slippage_percent: Decimal, tick: Decimal
    ) -> Decimal:
        return risk.worst_entry_price(direction, reference, _WIDER * slippage_percent, tick)

    patch.set(admission, "worst_entry_price", worst_entry_price)


@mutant(
    "wall-time",
    breaks="the wall clock of our machine passes for the exchange's time",
    costs="entries are refused as late, or a stale one is sent as if it were fresh",
    by="Alive, Gated",
    needs="a wall clock that differs from the exchange's",
    profile="clock",
)
def wall_time(patch: Patch) -> None:
    def now_ms(self: Session) -> int:
        return self._ctx.ports.clock.wall_ms()

    patch.set(Session, "now_ms", now_ms)
