"""Mutants of the protection: a position without its stop, or with exits that open another one."""

import math
from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas.actors import session
from tradebaas.actors.session import Session
from tradebaas.core import apply, duties, moving
from tradebaas.core.draft import Draft
from tradebaas.core.duties import unwanted
from tradebaas.core.events import Event, LifeStarted
from tradebaas.core.facts import Fact
from tradebaas.core.model import ZERO, Edit, Intent, Leg, Market, Order, Position, Role
from tradebaas.core.risk import Limits
from tradebaas.core.state import (
    Bracket,
    State,
    cover,
    live_orders,
    naked_amount,
    pending_with,
    ready,
)
from tradebaas.deribit import orders, reads, stream, trade
from tradebaas.deribit.calls import Caller
from tradebaas.deribit.rpc import Params


@mutant(
    "forget-stop",
    breaks="a position that is found without a stop is adopted as it is",
    costs="one bad night takes the account",
    by="Protected",
    needs="a stop that somebody cancels",
    profile="owner",
)
def forget_stop(patch: Patch) -> None:
    def protect(
        _draft: object, _position: Position, _at_ms: int, _market: Market, _limits: Limits
    ) -> Event | None:
        return None

    patch.set(duties, "_protect", protect)


@mutant(
    "acts-late",
    breaks="nothing is done about a naked position before the limit of naked time is over",
    costs="a market that falls in these seconds falls on a position without a stop",
    by="Protected",
    needs="a cancelled stop, in a world where news is never late",
    profile="prompt",
)
def acts_late(patch: Patch) -> None:
    def grace_over(state: State, at_ms: int, market: Market, limits: Limits) -> bool:
        since = state.naked_since_ms
        return since is None or at_ms - since > duties.naked_limit_ms(market, limits)

    patch.set(duties, "_grace_over", grace_over)


@mutant(
    "fired-is-cover",
    breaks="a stop that has fired counts as protection for as long as it is there",
    costs="an order that nobody trades with is waited for, while the market goes on",
    by="Protected",
    needs="a stop that fires where nobody trades, and rests in the book",
    profile="stuck",
)
def fired_is_cover(patch: Patch) -> None:
    def stalled(_state: State, _position: Position, _at_ms: int, _market: Market) -> str:
        return ""

    patch.set(duties, "_stalled", stalled)


@mutant(
    "take-covers",
    breaks="a take profit counts as protection",
    costs="what the owner adds to the position has only the order that does not protect it",
    by="Protected",
    needs="a position that grows beyond its stop while the take profit stays",
    profile="adds",
)
def take_covers(patch: Patch) -> None:
    def shortfall(state: State) -> Decimal:
        return ZERO if live_orders(state, Role.TAKE) else naked_amount(state)

    patch.set(duties, "naked_amount", shortfall)


@mutant(
    "part-covers",
    breaks="any stop counts as a full one",
    costs="what the owner adds to the position is never protected",
    by="Protected",
    needs="a position that grows beyond its stop",
    profile="adds",
)
def part_covers(patch: Patch) -> None:
    def shortfall(state: State) -> Decimal:
        return ZERO if cover(state) else naked_amount(state)

    patch.set(duties, "naked_amount", shortfall)


@mutant(
    "certainty-first",
    breaks="nothing further is sent while an earlier stop is not proven",
    costs="the position stays naked for as long as an answer does not come",
    by="Protected",
    needs="a cancelled stop, and a new one whose answer never comes",
    profile="answers",
    seed=2,
)
def certainty_first(patch: Patch) -> None:
    honest = duties._hopeless

    def awaiting(state: State, _position: Position, _at_ms: int) -> bool:
        return bool(pending_with(state, Role.STOP))

    def hopeless(state: State, at_ms: int, market: Market, limits: Limits) -> str:
        return "" if pending_with(state, Role.STOP) else honest(state, at_ms, market, limits)

    patch.set(duties, "_awaiting", awaiting)
    patch.set(duties, "_hopeless", hopeless)


@mutant(
    "first-hit",
    breaks="the first part of an entry that fills brings legs of the full size, not reduce-only",
    costs="the stop of a half-filled entry opens the opposite position, without any stop",
    by="Same, Protected, Known",
    needs="an entry that fills in part",
    profile="thin",
)
def first_hit(patch: Patch) -> None:
    honest, honest_leg = orders.request, orders._leg

    def request(intent: Intent, *, resting: bool = False) -> tuple[str, Params]:
        method, params = honest(intent, resting=resting)
        if intent.legs:
            params["trigger_fill_condition"] = "first_hit"
        return method, params

    def one_leg(intent: Intent, leg: Leg) -> Params:
        return {**honest_leg(intent, leg), "reduce_only": False}

    patch.set(orders, "request", request)
    patch.set(orders, "_leg", one_leg)


@mutant(
    "close-adds",
    breaks="a close at the market is not reduce-only",
    costs="when stop and close both fill, the account is as far on the other side",
    by="Once, Gated",
    needs="an operator who closes",
    profile="commands",
)
def close_adds(patch: Patch) -> None:
    honest = orders.request

    def request(intent: Intent, *, resting: bool = False) -> tuple[str, Params]:
        method, params = honest(intent, resting=resting)
        if intent.role is Role.CLOSE:
            params["reduce_only"] = False
        return method, params

    patch.set(orders, "request", request)


@mutant(
    "legs-left",
    breaks="the cancel of a leg that is left after a close is taken for granted, and never sent",
    costs="the old stop waits at the exchange and hits the next position",
    by="Known, Gated",
    needs="a position that is closed by something else than its legs",
    profile="owner",
)
def legs_left(patch: Patch) -> None:
    async def cancel(link: Caller, order_id: str) -> Order | trade.Gone:
        known = await reads.order(link, order_id)
        return (
            trade.Gone(reason="not there") if known is None else replace(known, state="cancelled")
        )

    patch.set(trade, "cancel", cancel)


@mutant(
    "stop-first",
    breaks="the stop is cancelled as soon as a close is asked for, not when it has filled",
    costs="a close that finds no liquidity leaves a position without any exit",
    by="Protected",
    needs="a close that does not fill, in an empty book",
    profile="dry",
    seed=6,
)
def stop_first(patch: Patch) -> None:
    def early(state: State, at_ms: int, limits: Limits, rate: Decimal) -> tuple[str, ...]:
        stops = {order.order_id for order in live_orders(state, Role.STOP) if state.closing}
        return (*unwanted(state, at_ms, limits, rate), *sorted(stops))

    patch.set(session, "unwanted", early)


@mutant(
    "stop-replaced",
    breaks="a stop that is too small is cancelled first, and a full one is sent afterwards",
    costs="the whole position is bare in between, and stays so when the new one is refused",
    by="Protected",
    needs="a position that grows beyond its stop",
    profile="adds",
)
def stop_replaced(patch: Patch) -> None:
    honest = duties._protect

    def too_small(state: State) -> list[str]:
        if not ready(state) or state.closing or naked_amount(state) <= 0:
            return []
        return [order.order_id for order in live_orders(state, Role.STOP) if not order.waiting]

    def protect(
        draft: Draft, position: Position, at_ms: int, market: Market, limits: Limits
    ) -> Event | None:
        waits = too_small(draft.state)
        return None if waits else honest(draft, position, at_ms, market, limits)

    def more(state: State, at_ms: int, limits: Limits, rate: Decimal) -> tuple[str, ...]:
        ids = (*unwanted(state, at_ms, limits, rate), *too_small(state))
        return tuple(dict.fromkeys(ids))

    patch.set(duties, "_protect", protect)
    patch.set(session, "unwanted", more)


@mutant(
    "cancel-then-create",
    breaks="a stop is moved by a cancel and a new one, not by an edit in place",
    costs="in between there is none, and if the second half fails there is none for longer",
    by="Protected",
    needs="a strategy whose stop follows the market",
    profile="trailing",
)
def cancel_then_create(patch: Patch) -> None:
    async def edit(
        link: Caller, wanted: Edit, _guard: Callable[[], bool]
    ) -> trade.Accepted | trade.Gone:
        gone = await trade.cancel(link, wanted.order_id)
        return trade.Accepted(orders=(gone,), fills=()) if isinstance(gone, Order) else gone

    patch.set(trade, "edit", edit)


@mutant(
    "plan-ignored",
    breaks="a new stop lies at the fixed distance, whatever the plan of the entry was",
    costs="a position that was sized for a near stop loses several times what was allowed",
    by="Protected",
    needs="a stop that somebody cancels",
    profile="owner",
)
def plan_ignored(patch: Patch) -> None:
    def is_plan_of(_bracket: Bracket, _position: Position) -> bool:
        return False

    patch.set(moving, "_is_plan_of", is_plan_of)


@mutant(
    "unreadable-ignored",
    breaks="a frame that cannot be read is dropped, and the account is not read for it",
    costs="it may have told of a stop that went, and the position is bare until the next full read",
    by="Protected",
    needs="a spoilt notification of a cancelled stop, in a world where news is never late",
    profile="spoilt",
)
def unreadable_ignored(patch: Patch) -> None:
    honest = Session._absorb

    def absorb(self: Session, item: stream.Item) -> tuple[Fact, ...]:
        return () if isinstance(item, stream.Unreadable) else honest(self, item)

    patch.set(Session, "_absorb", absorb)


@mutant(
    "read-once",
    breaks="the account is read when a connection begins, and never again",
    costs="what no notification tells of is not known: a stop that went is never put back",
    by="Protected",
    needs="the account's channel that falls silent, and a cancelled stop after that",
    profile="silent",
)
def read_once(patch: Patch) -> None:
    patch.set(session, "RECONCILE_EVERY_S", math.inf)


@mutant(
    "move-forgotten",
    breaks="where a stop was moved to is forgotten by the next life",
    costs="a stop that is lost then comes back where it was at first, and what it held is open",
    by="Protected",
    needs="a stop that follows the market, a death, and an owner who cancels it",
    profile="moved",
)
def move_forgotten(patch: Patch) -> None:
    honest = apply._life_started

    def started(state: State, event: LifeStarted) -> State:
        return replace(honest(state, event), moved=None)

    patch.set(apply, "_STEPS", {**apply._STEPS, LifeStarted: started})
