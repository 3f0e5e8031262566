"""The reconciler: owns the link to the exchange, and makes state and exchange agree.

Connects, runs one ``Session`` for as long as the connection lives, and connects again with capped,
jittered backoff. Losing the connection is not a crash: it revokes the permit, marks every order
call without an answer as unknown and every unsent intent as not sent, and starts over. What it has
to send, prove, cancel or protect it derives from the committed view, so nothing is lost with it.

It never decides: facts go to the persister, and what to do comes back as committed intents.
"""

from dataclasses import dataclass

import trio

from tradebaas.actors.contract import TermsChanged
from tradebaas.actors.feed import CandleGap
from tradebaas.actors.prices import ChannelSilent
from tradebaas.actors.session import Session, SessionOver
from tradebaas.board import Context, LinkStatus
from tradebaas.core.facts import Fact, LostFact, NotSentFact
from tradebaas.core.messages import Link as LinkRequest
from tradebaas.core.messages import Report
from tradebaas.deribit.auth import Credentials
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.errors import MEANS, CallFailed, LinkLost, Unanswered
from tradebaas.deribit.link import Endpoint, open_link

BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 15.0


_ORDINARY = (
    LinkLost,
    Unanswered,
    CallFailed,
    CandleGap,
    ChannelSilent,
    TermsChanged,
    SessionOver,
)
"""What ends a session without ending the life."""


@dataclass(slots=True)
class _Attempt:
    """One connection and how it ended; ``losses`` is how many before it had been up.

    ``credits`` are the account's: the next connection goes on with what this one has left.
    """

    connection: int
    losses: int
    credits: Credits
    session: Session | None = None
    reason: str = "closed"
    url: str = ""


async def run(ctx: Context, drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    """Keep a session with the exchange until ``drain``."""
    task_status.started()
    failures = losses = connection = 0
    credits = Credits()
    while not drain.is_set():
        connection += 1
        attempt = _Attempt(connection, losses, credits)
        await _connect(ctx, attempt, drain)
        await _account_for(ctx, attempt)
        session = attempt.session
        losses += int(session is not None and session.linked)
        failures = 0 if session is not None and session.reconciled else failures + 1
        delay = min(BACKOFF_FIRST_S * 2 ** min(failures, 16), BACKOFF_MAX_S)
        _publish_down(ctx, attempt)
        with trio.move_on_after(delay * ctx.ports.entropy.uniform(0.5, 1.0)):
            await drain.wait()


async def _connect(ctx: Context, attempt: _Attempt, drain: trio.Event) -> None:
    """Open a link and run a session on it; what ends it ordinarily becomes its reason."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_give_up_on, drain, attempt, nursery.cancel_scope)
        await _converse(ctx, attempt, drain)
        nursery.cancel_scope.cancel()


async def _give_up_on(drain: trio.Event, attempt: _Attempt, scope: trio.CancelScope) -> None:
    """A session that works drains itself; one that is still being set up is cut short."""
    await drain.wait()
    if attempt.session is None or not attempt.session.reconciled:
        attempt.reason = "asked to stop"
        scope.cancel()


async def _converse(ctx: Context, attempt: _Attempt, drain: trio.Event) -> None:
    try:
        attempt.url = await ctx.locate()
        endpoint, inbox = _endpoint(ctx, attempt.url), ctx.capacities.inbox
        async with open_link(endpoint, ctx.ports, attempt.credits, inbox=inbox) as link:
            attempt.session = Session(ctx, link, attempt.connection, attempt.losses)
            await attempt.session.run(drain)
    except* _ORDINARY as group:
        attempt.reason = "; ".join(_messages(group))


def _endpoint(ctx: Context, url: str) -> Endpoint:
    """Where to log in, and as whom.

    Raises:
        LinkLost: the embedded exchange is not up (again) yet.
    """
    exchange = ctx.config.exchange
    if not url:
        raise LinkLost("the embedded exchange is still starting")
    return Endpoint(
        url=url,
        credentials=Credentials(exchange.client_id, ctx.secret),
        grant=exchange.grant,
        scope=exchange.scope,
    )


async def _account_for(ctx: Context, attempt: _Attempt) -> None:
    """Revoke the permit and name the fate of every intent that was bound to this connection."""
    session = attempt.session
    if session is None or not session.linked:
        return
    await ctx.asker.ask(LinkRequest(connection=attempt.connection, up=False, reason=attempt.reason))
    # Only now: until the loss was committed, an intent could still be bound to this connection.
    view = ctx.view()
    facts = tuple(
        _fate(label, label in session.taken, attempt.reason)
        for label, pending in view.pending.items()
        if (pending.intent.life, pending.intent.connection) == (view.life, attempt.connection)
        and not pending.unknown
    )
    if facts:
        report = Report(connection=attempt.connection, at_ms=session.now_ms(), facts=facts)
        await ctx.asker.ask(report)


def _fate(label: str, taken: bool, reason: str) -> Fact:
    if taken:
        return LostFact(label=label, reason=f"connection lost before an answer: {reason}")
    return NotSentFact(label=label, reason=f"connection lost before the send: {reason}")


def _messages(error: BaseException) -> list[str]:
    if isinstance(error, BaseExceptionGroup):
        return [text for member in error.exceptions for text in _messages(member)]
    # A lost link says it all in its message; of the others the kind is part of the news.
    if isinstance(error, CallFailed) and error.code in MEANS:
        return [f"{MEANS[error.code]} ({error})"]
    kind = "" if isinstance(error, LinkLost) else f"{type(error).__name__}: "
    return [f"{kind}{error}"]


def _publish_down(ctx: Context, attempt: _Attempt) -> None:
    ctx.board.link.set(
        LinkStatus(
            up=False,
            connection=attempt.connection,
            url=attempt.url,
            since=ctx.ports.clock.monotonic(),
            detail=attempt.reason,
            reconnects=attempt.losses,
        )
    )
