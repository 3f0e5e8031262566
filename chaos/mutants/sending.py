"""Mutants of the way to the exchange: what goes twice, too late or never, or is told wrongly."""

from collections.abc import Callable
from typing import cast

from msgspec.structs import replace

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas.actors import reconciler
from tradebaas.actors.desk import Desk
from tradebaas.actors.session import Session
from tradebaas.board import Context
from tradebaas.core import admission
from tradebaas.core.draft import Draft
from tradebaas.core.facts import Fact, NotSentFact
from tradebaas.core.maps import drop
from tradebaas.core.messages import Propose, Refused
from tradebaas.core.model import LABEL_PREFIX, Instrument, Intent, Role
from tradebaas.core.risk import Limits
from tradebaas.core.state import State
from tradebaas.deribit import orders, stream, trade
from tradebaas.deribit.calls import Caller
from tradebaas.deribit.clock import ExchangeClock
from tradebaas.deribit.link import Link
from tradebaas.deribit.rpc import Params


@mutant(
    "resend",
    breaks="an order without a proven outcome is sent again, under its own label",
    costs="the exchange does not deduplicate labels: the position is twice as large",
    by="Once",
    needs="a death, or a lost connection, with an order under way",
    profile="crew",
)
def resend(patch: Patch) -> None:
    def is_mine(_self: Desk, view: State, intent: Intent) -> bool:
        return intent.label in view.pending

    patch.set(Desk, "_is_mine", is_mine)


@mutant(
    "later-life",
    breaks="a later life sends what an earlier one intended, as long as it is still valid",
    costs="the earlier life may have sent it in its last moment: two orders for one signal",
    by="Once, Gated",
    needs="a death soon after an intent, and a quick restart",
    profile="crew",
    seed=2,
)
def later_life(patch: Patch) -> None:
    honest = Desk._is_mine

    def is_mine(self: Desk, view: State, intent: Intent) -> bool:
        inherited = intent.life != view.life and self._now_ms() < intent.valid_until_ms
        return honest(self, view, intent) or (inherited and intent.label in view.pending)

    patch.set(Desk, "_is_mine", is_mine)


@mutant(
    "lost-is-not-sent",
    breaks="an order that was on its way when the connection went counts as not sent",
    costs="it fills all the same, and the next entry comes on top of it",
    by="Known, Gated",
    needs="a connection that is lost between a send and its answer",
    profile="calls",
    seed=3,
)
def lost_is_not_sent(patch: Patch) -> None:
    honest = trade.place

    def fate(label: str, _taken: bool, reason: str) -> Fact:
        return NotSentFact(label=label, reason=reason)

    async def place(
        link: Caller, intent: Intent, guard: Callable[[], bool], *, resting: bool = False
    ) -> trade.Outcome:
        outcome = await honest(link, intent, guard, resting=resting)
        gone = isinstance(outcome, trade.Lost) and not cast(Link, link).alive
        return trade.NotSent(reason="the connection is gone") if gone else outcome

    patch.set(reconciler, "_fate", fate)
    patch.set(trade, "place", place)


@mutant(
    "unsent-forgotten",
    breaks="the fate of an order that was not sent before the connection went is not recorded",
    costs="nothing is ever sent or proven of it, and it blocks every further entry",
    by="Alive",
    needs="a connection that is lost between an intent and its send",
    profile="network",
)
def unsent_forgotten(patch: Patch) -> None:
    honest = reconciler._fate

    def fate(label: str, taken: bool, reason: str) -> Fact:
        return honest(label if taken else "", taken, reason)

    patch.set(reconciler, "_fate", fate)


@mutant(
    "timeout-is-refusal",
    breaks="an order without a usable answer counts as refused",
    costs="it fills all the same, and the next entry comes on top of it",
    by="Known, Gated",
    needs="an order that is executed and whose answer never comes",
    profile="calls",
)
def timeout_is_refusal(patch: Patch) -> None:
    honest = trade.place

    async def place(
        link: Caller, intent: Intent, guard: Callable[[], bool], *, resting: bool = False
    ) -> trade.Outcome:
        outcome = await honest(link, intent, guard, resting=resting)
        if isinstance(outcome, trade.Lost):
            return trade.Rejected(code=0, message=outcome.reason)
        return outcome

    patch.set(trade, "place", place)


@mutant(
    "no-deadline",
    breaks="orders carry no valid_until",
    costs="an entry that waited in a queue fills long after it was proven absent",
    by="Known, Gated",
    needs="an order that reaches the exchange long after it was sent",
    profile="late",
)
def no_deadline(patch: Patch) -> None:
    honest = orders.request

    def request(intent: Intent, *, resting: bool = False) -> tuple[str, Params]:
        method, params = honest(intent, resting=resting)
        return method, {name: value for name, value in params.items() if name != "valid_until"}

    patch.set(orders, "request", request)


@mutant(
    "clock-kept",
    breaks="what time it is at the exchange is learnt once for each connection, then counted on",
    costs="the exchange's clock is set forward, and takes no order any more: not even a stop",
    by="Protected, Alive",
    needs="an exchange whose clock is set while a connection lasts",
    profile="skew",
    seed=4,
)
def clock_kept(patch: Patch) -> None:
    honest = ExchangeClock.learn

    def learn(self: ExchangeClock, sent: float, received: float, us_in: int, us_out: int) -> None:
        if not self.now_ms(received):
            honest(self, sent, received, us_in, us_out)

    def learn_at_least(_self: ExchangeClock, _received: float, _ms: int) -> None:
        pass

    patch.set(ExchangeClock, "learn", learn)
    patch.set(ExchangeClock, "learn_at_least", learn_at_least)


@mutant(
    "label-reused",
    breaks="a label names the life and the role, and nothing more",
    costs="two orders have one name: what became of one is taken for the other's fate",
    by="Once",
    needs="two entries in one life",
    profile="owner",
)
def label_reused(patch: Patch) -> None:
    def label(self: Draft, role: Role) -> str:
        return f"{LABEL_PREFIX}{self.state.token}-{self.state.life}-{role.value}"

    patch.set(Draft, "label", label)


@mutant(
    "subscribed-for-good",
    breaks="a life subscribes again only if the connection before had come to read the account",
    costs="when one goes before that, the next one hears of no price, no fill and no lost stop",
    by="Alive, Protected",
    needs="a connection that goes between its subscription and the end of the first read",
    profile="deaf",
)
def subscribed_for_good(patch: Patch) -> None:
    prepare, account_for, subscribe = Session._prepare, reconciler._account_for, stream.subscribe
    subscribed, asking = set[str](), [""]

    async def prepare_as(self: Session) -> None:
        asking[0] = self._ctx.view().token
        await prepare(self)

    async def subscribe_once(
        link: Caller, instrument: Instrument, timeframe: stream.Timeframe
    ) -> None:
        if asking[0] not in subscribed:
            subscribed.add(asking[0])
            await subscribe(link, instrument, timeframe)

    async def forget(ctx: Context, attempt: reconciler._Attempt) -> None:
        if attempt.session is not None and attempt.session.reconciled:
            subscribed.discard(ctx.view().token)
        await account_for(ctx, attempt)

    patch.set(Session, "_prepare", prepare_as)
    patch.set(stream, "subscribe", subscribe_once)
    patch.set(reconciler, "_account_for", forget)


@mutant(
    "signal-again",
    breaks="a candle's signal is admitted as often as it is proposed",
    costs="after each restart the same candle opens one more position",
    by="Once",
    needs="a death after an entry has ended, within its candle",
    profile="crew",
)
def signal_again(patch: Patch) -> None:
    honest = admission.propose

    def propose(draft: Draft, request: Propose, limits: Limits) -> Refused | None:
        streams = drop(draft.state.streams, request.signal.stream)
        draft.state = replace(draft.state, streams=streams)
        return honest(draft, request, limits)

    patch.set(admission, "propose", propose)
