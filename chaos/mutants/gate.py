"""Mutants of the gate: an entry is admitted although something speaks against it."""

from collections.abc import Callable
from decimal import Decimal

import trio
from msgspec.structs import replace

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas.actors import session
from tradebaas.actors.desk import Desk
from tradebaas.actors.session import Session
from tradebaas.core import admission, apply, draft, duties, guards, invariants, reconcile
from tradebaas.core.draft import Draft
from tradebaas.core.events import LifeStarted, ProtectOnlyLeft
from tradebaas.core.messages import Guard
from tradebaas.core.model import Fill, Intent, Market, Order, Phase, Role, Signal
from tradebaas.core.risk import Limits
from tradebaas.core.state import Pending, State, pending_with, phase_of

Question = Callable[[State], str]


def _gate(patch: Patch, name: str, changed: Callable[[Question], Question]) -> None:
    """Change ``barrier`` or ``waiting_reason`` for the admission and for the guard behind it."""
    for module in (admission, invariants):
        patch.set(module, name, changed(getattr(module, name)))


@mutant(
    "permit-kept",
    breaks="after a lost connection the permit stays: the account is read beside the work",
    costs="an entry goes out while a stop that fired meanwhile, or an owner's act, is unknown",
    by="Gated",
    needs="a lost connection while a signal waits",
    profile="network",
)
def permit_kept(patch: Patch) -> None:
    def changed(honest: Question) -> Question:
        def waiting_reason(state: State) -> str:
            read = state.connection if state.read_through_ms else state.reconciled
            return honest(replace(state, reconciled=read))

        return waiting_reason

    async def run(self: Session, drain: trio.Event) -> None:
        await self._log_in()
        await self._prepare()
        self.reconciled = bool(self._ctx.view().read_through_ms)
        self._publish_market()
        async with trio.open_nursery() as nursery:
            for task in (self._reconcile, *self._tasks()):
                nursery.start_soon(task)
            await drain.wait()
            await self._desk.close(1.0)
            nursery.cancel_scope.cancel()

    _gate(patch, "waiting_reason", changed)
    patch.set(Session, "run", run)


@mutant(
    "unknown-ignored",
    breaks="an order of unknown outcome does not stand in the way of the next entry",
    costs="two positions where the limits allow for one",
    by="Gated",
    needs="an order without an answer, and a signal before its proof",
    profile="calls",
)
def unknown_ignored(patch: Patch) -> None:
    def known(state: State) -> State:
        pending = {label: p for label, p in state.pending.items() if not p.unknown}
        return replace(state, pending=pending)

    def phase(state: State) -> Phase:
        return phase_of(known(state))

    def unproven(state: State, *roles: Role) -> list[Pending]:
        return pending_with(known(state), *roles)

    _gate(patch, "waiting_reason", lambda reason: lambda state: reason(known(state)))
    patch.set(invariants, "pending_with", unproven)
    for module in (draft, invariants, reconcile):
        patch.set(module, "phase_of", phase)


@mutant(
    "protect-only-ignored",
    breaks="protect-only does not keep an entry back",
    costs="risk is added on a full disk, or by a life that follows two crashes of one kind",
    by="Gated",
    needs="a cause for protect-only while the strategy has a signal",
    profile="full",
    seed=6,
)
def protect_only_ignored(patch: Patch) -> None:
    def may_send(self: Desk, intent: Intent) -> bool:
        return self._is_mine(self._ctx.view(), intent)

    def changed(honest: Question) -> Question:
        return lambda state: honest(replace(state, protect={}))

    _gate(patch, "barrier", changed)
    patch.set(Desk, "_may_send", may_send)


@mutant(
    "poison-forgotten",
    breaks="a life that follows two crashes of one kind trades on like any other",
    costs="whatever kills it is done again and again, with real orders",
    by="Gated",
    needs="two deaths of one actor in a row, and a signal soon after",
    profile="loop",
    seed=3,
)
def poison_forgotten(patch: Patch) -> None:
    def started(state: State, event: LifeStarted) -> State:
        return apply._life_started(state, replace(event, poisoned=False))

    patch.set(apply, "_STEPS", {**apply._STEPS, LifeStarted: started})


@mutant(
    "left-without-a-read",
    breaks="protect-only ends as soon as its cause is gone, before the account was read again",
    costs="risk is added to an account of which nobody knows what it went through meanwhile",
    by="Gated",
    needs="a cause for protect-only that goes while the strategy has signals",
    profile="full",
)
def left_without_a_read(patch: Patch) -> None:
    honest = guards.guard

    def guard(draft: Draft, request: Guard) -> None:
        honest(draft, request)
        if not request.active and request.cause in draft.state.protect:
            draft.emit(ProtectOnlyLeft(cause=request.cause))

    patch.set(guards, "guard", guard)


@mutant(
    "quarantine-ignored",
    breaks="orders and positions of the owner's do not keep an entry back",
    costs="our sizes are computed as if the owner's exposure were not there",
    by="Gated",
    needs="an owner with an order of the owner's own",
    profile="foreign",
)
def quarantine_ignored(patch: Patch) -> None:
    def changed(honest: Question) -> Question:
        return lambda state: honest(replace(state, foreign={}))

    _gate(patch, "barrier", changed)


@mutant(
    "liquidated-goes-on",
    breaks="a liquidation is booked as the end of a trade like any other",
    costs="the account could not carry its positions, and the next one is opened",
    by="Gated",
    needs="an exchange that liquidates the position",
    profile="liquidated",
)
def liquidated_goes_on(patch: Patch) -> None:
    def liquidated(_draft: Draft, _fill: Fill) -> None:
        return None

    patch.set(reconcile, "_liquidated", liquidated)


@mutant(
    "halt-not-asked",
    breaks="a halt is committed, and admission does not ask for it",
    costs="the operator has halted it, and it opens the next position",
    by="Gated",
    needs="an operator who halts while the strategy is armed",
    profile="commands",
    seed=5,
)
def halt_not_asked(patch: Patch) -> None:
    def may_send(self: Desk, intent: Intent) -> bool:
        return self._is_mine(self._ctx.view(), intent)

    def changed(honest: Question) -> Question:
        return lambda state: honest(replace(state, halted=None))

    _gate(patch, "barrier", changed)
    patch.set(Desk, "_may_send", may_send)


@mutant(
    "stale-taken",
    breaks="a signal that had to wait is never too old",
    costs="an entry on a candle long past, at a price that its strategy never saw",
    by="Gated",
    needs="a long outage while a signal waits",
    profile="outage",
)
def stale_taken(patch: Patch) -> None:
    def stale(_signal: Signal, _market: Market) -> str:
        return ""

    patch.set(admission, "_stale", stale)


@mutant(
    "old-prices",
    breaks="an entry is made by the last prices, however old they are",
    costs="the market may be anywhere by now, and its limit and its size are of another one",
    by="Bounded",
    needs="prices that fall silent while candles go on",
    profile="silent prices",
)
def old_prices(patch: Patch) -> None:
    def old(_market: Market, _limits: Limits) -> str:
        return ""

    patch.set(admission, "_old_prices", old)


@mutant(
    "rests-for-ever",
    breaks="what an entry does not fill at once stays in the book until somebody trades with it",
    costs="it fills hours later, at a price and by a signal that nobody stands for any more",
    by="Bounded",
    needs="an entry that may not be immediate, and a market that leaves it behind",
    profile="resting",
)
def rests_for_ever(patch: Patch) -> None:
    honest = duties.unwanted

    def unwanted(state: State, _at_ms: int, limits: Limits, rate: Decimal) -> tuple[str, ...]:
        return honest(state, 0, limits, rate)

    patch.set(session, "unwanted", unwanted)


@mutant(
    "strange-is-ended",
    breaks="an order of ours in a state that we have never heard of counts as ended",
    costs="what rests at the exchange is forgotten, and the next entry goes out beside it",
    by="Gated, Known",
    needs="an exchange with states of orders that are not in its documents",
    profile="strange",
)
def strange_is_ended(patch: Patch) -> None:
    def live(self: Order) -> bool:
        return self.state in ("open", "untriggered")

    patch.set(Order, "live", property(live))


@mutant(
    "strange-is-waited-for",
    breaks="an order of ours in a state that nobody knows is waited for, and nobody looks",
    costs="a close may be over under a name that we do not know, and the position stays bare",
    by="Protected",
    needs="a close that finds too few to trade with, told of in a state that is in no document",
    profile="expired",
)
def strange_is_waited_for(patch: Patch) -> None:
    def doubt(_self: Desk, _orders: tuple[Order, ...]) -> None:
        pass

    patch.set(Desk, "doubt", doubt)
