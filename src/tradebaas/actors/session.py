"""What the reconciler does on one connection, from login to the last answer.

Order of things: log in, subscribe (notifications pile up unread), read the account (bracketed by
that pile), report both as one reconcile, and only then work: send committed intents, pass on what
the exchange says, prove unknown outcomes, tend to what the state needs, reconcile again every 30 s.
Everything here dies with the connection; ``taken`` tells which intents may have been written.
"""

from collections.abc import Awaitable, Callable
from typing import assert_never, final

import trio

from tradebaas.actors.causes import BLIND, Causes
from tradebaas.actors.contract import ContractWatch
from tradebaas.actors.desk import Desk
from tradebaas.actors.elsewhere import Elsewhere
from tradebaas.actors.feed import WINDOW, Feed
from tradebaas.actors.prices import ChannelSilent, PriceWatch
from tradebaas.actors.recovery import RecoveryClock
from tradebaas.actors.statements import Statements
from tradebaas.actors.survey import survey, untold
from tradebaas.board import Context, LinkStatus
from tradebaas.core import owners
from tradebaas.core.correct import CORRECTED
from tradebaas.core.draft import Draft
from tradebaas.core.duties import plan, unwanted
from tradebaas.core.facts import Fact, FillFact, FrameFact, OrderFact
from tradebaas.core.invariants import BROKEN
from tradebaas.core.messages import Link as LinkRequest
from tradebaas.core.messages import RecordRecovery, Refused, Report, Tend
from tradebaas.core.model import Instrument, Market, Phase
from tradebaas.core.reconcile import UNREAD
from tradebaas.core.state import State, managed_instrument
from tradebaas.deribit import reads, stream
from tradebaas.deribit.link import Link
from tradebaas.errors import Unusable
from tradebaas.runtime.bell import Bell
from tradebaas.strategies.protocol import TIMEFRAMES

RECONCILE_EVERY_S = 30.0
DOUBT_EVERY_S = 2.0
SURVEY_PAUSE_S = 0.25
"""Between two full reads: an exchange that talks nonsense must not make us read all the time."""
SILENT_MS = 5_000
"""What happened so long before a read should have been told before it."""
DOUBTS = frozenset({BROKEN, CORRECTED, BLIND})
TEND_EVERY_S = 0.1
DRAIN_S = 8.0


class SessionOver(Exception):
    """This session cannot go on though the connection could; the next one starts afresh."""


@final
class Session:
    """One logged-in connection. ``run`` returns when drained and raises when the link is lost."""

    def __init__(self, ctx: Context, link: Link, connection: int, losses: int) -> None:
        self.linked = False
        self.reconciled = False
        self._ctx = ctx
        self._link = link
        self._connection = connection
        self._losses = losses
        self._desk = Desk(ctx, link, connection)
        self._causes = Causes(ctx, link)
        self._timing = RecoveryClock(ctx)
        self._feed: Feed | None = None
        self._prices: PriceWatch | None = None
        self._instrument, self._timeframe = _wanted(ctx)

    @property
    def taken(self) -> set[str]:
        """Labels of intents whose sending was begun: they may be at the exchange."""
        return self._desk.taken

    def now_ms(self) -> int:
        """The exchange's clock, as this connection knows it."""
        return self._link.clock.now_ms(self._ctx.ports.clock.monotonic())

    async def run(self, drain: trio.Event) -> None:
        """Work until ``drain``, then let orders under way be answered.

        Raises:
            LinkLost, Unanswered, CallFailed, CandleGap, ChannelSilent, TermsChanged or
                SessionOver: it is over.
        """
        await self._log_in()
        await self._causes.look()
        await self._prepare()
        await self._reconcile()
        async with trio.open_nursery() as nursery:
            for task in self._tasks():
                nursery.start_soon(task)
            await drain.wait()
            await self._desk.close(DRAIN_S)
            nursery.cancel_scope.cancel()

    def _tasks(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (
            self._listen,
            self._desk.send_intents,
            self._prove,
            self._tend,
            self._clear,
            self._reconcile_often,
            self._watch_assignment,
            self._recover,
            self._answer_candles,
            self._watch_prices,
            self._causes.run,
            self._watch_contract,
            Elsewhere(self._ctx, self._link, self._desk, self._market).run,
            self._read_statements,
        )

    # ------------------------------------------------------------------------------ set-up

    async def _log_in(self) -> None:
        ctx = self._ctx
        self._timing.note("connected")
        answer = await ctx.asker.ask(
            LinkRequest(connection=self._connection, up=True, account=await self._account())
        )
        if isinstance(answer, Refused):
            raise Unusable(
                f"{answer.reason}. Use another data directory for another account. If the embedded "
                "exchange was made anew, its old account is gone, and this store belongs to "
                "nothing: move its directory away, and the next start begins a new one"
            )
        self.linked = True
        self._publish_up("reconciling")

    async def _prepare(self) -> None:
        """Subscribe first, then read what the subscriptions continue."""
        link, name = self._link, self._instrument
        instrument = await reads.instrument(link, name)
        timeframe = TIMEFRAMES[self._timeframe]
        await stream.subscribe(link, instrument, timeframe)
        feed = Feed(self._connection, instrument, timeframe.ms, link.clock.rate)
        feed.load(
            await reads.history(link, instrument, timeframe, WINDOW),
            await reads.ticker(link, name),
            await reads.account(link, instrument.currency),
        )
        self._feed, self._prices = feed, PriceWatch(self._ctx.ports.clock, link, feed)
        self._timing.note("subscribed")

    # -------------------------------------------------------------------- what comes by itself

    async def _listen(self) -> None:
        """Pass on notifications in their order: the market only after what it did to us."""
        async for item in self._link.notifications:
            await self._report(self._absorb(item))
            self._ctx.board.inbox = self._link.notifications.depth

    def _absorb(self, item: stream.Item) -> tuple[Fact, ...]:
        """Facts for the persister; everything else goes into the feed."""
        match item:
            case stream.Changes(orders=orders, fills=fills):
                self._desk.doubt(orders)
                return (
                    *(FillFact(fill=fill) for fill in fills),
                    *(OrderFact(order=order) for order in orders),
                )
            case stream.Unreadable(raw=raw, reason=reason):
                self._desk.survey_wanted.set()  # it may have told of a fill, or of a stop that went
                return (FrameFact(raw=raw, reason=reason),)
            case stream.TickerTick() | stream.BarTick() | stream.AccountTick():
                if isinstance(item, stream.TickerTick) and self._prices is not None:
                    self._prices.heard()
                if self._feed is not None and self._feed.take(item):
                    self._publish_market()
                return ()
            case stream.Maintenance(coming=coming):
                self._causes.announced(coming=coming)
                return ()
            case _:
                assert_never(item)

    def _publish_market(self) -> None:
        market = self._market()
        if market is not None and self.reconciled:
            self._ctx.board.market.set(market)

    def _market(self) -> Market | None:
        return self._feed.market(self.now_ms()) if self._feed else None

    async def _report(self, facts: tuple[Fact, ...], *, complete_at: int | None = None) -> None:
        if not facts and complete_at is None:
            return
        await self._ctx.asker.ask(
            Report(
                connection=self._connection,
                at_ms=self.now_ms() if complete_at is None else complete_at,
                facts=facts,
                complete=complete_at is not None,
            )
        )

    # ------------------------------------------------------------------------ reconciling

    async def _reconcile(self) -> None:
        """Read everything, add what came meanwhile, and report both as one reconcile."""
        ctx, instrument = self._ctx, self._needed_instrument()
        taken = await survey(self._link, ctx.view(), instrument, ctx.limits)
        silent_ms = int(SILENT_MS * self._link.clock.rate)
        missed = untold(ctx.view(), taken, silent_ms) if self.reconciled else ""
        facts = list(taken.facts)
        if not self.reconciled:
            for item in self._link.waiting():
                facts += self._absorb(item)
        await self._report(tuple(facts), complete_at=taken.read_ms)
        self._timing.note("reconciled")
        self.reconciled = True
        ctx.board.reconciled_at = ctx.ports.clock.monotonic()
        self._publish_up("reconciled")
        self._publish_market()
        await self._causes.tell(BLIND, missed and f"only a read has told of {missed}")
        if missed:
            raise ChannelSilent(f"only a read has told of {missed}: the account's channel is dead")

    async def _reconcile_often(self) -> None:
        while True:
            with trio.move_on_after(RECONCILE_EVERY_S):
                await self._until_a_survey_is_wanted()
            self._desk.survey_wanted = trio.Event()
            await self._reconcile()
            await trio.sleep(SURVEY_PAUSE_S)

    async def _until_a_survey_is_wanted(self) -> None:
        """An order vanished, fills are missing, or only a read of a quiet account ends a doubt."""
        while not self._desk.survey_wanted.is_set() and not _doubted(self._ctx.view()):
            with trio.move_on_after(DOUBT_EVERY_S):
                await self._desk.survey_wanted.wait()
            view = self._ctx.view()
            quiet = view.phase in (Phase.IDLE, Phase.ANALYZING)
            if view.discrepancy is not None or (quiet and DOUBTS & view.protect.keys()):
                return

    async def _prove(self) -> None:
        await self._desk.prove_unknowns(self._needed_instrument())

    async def _recover(self) -> None:
        """Write this life's recovery report once everything it found is settled, and show it.

        An earlier session may have written it and been cut off before it was shown.
        """
        version = 0
        while True:
            view, version = await self._ctx.board.view.wait_newer(version)
            written = view.last_recovery
            if written is not None and written.life == view.life:
                self._ctx.board.recovery.set(written)
                return
            report = self._timing.report(view)
            if report is not None:
                await self._ctx.asker.ask(RecordRecovery(report=report))

    # ---------------------------------------------------------------------------- tending

    async def _tend(self) -> None:
        """After every change and every tick: protect and close, as the state needs."""
        ctx, version = self._ctx, 0
        while True:
            with trio.move_on_after(TEND_EVERY_S):
                _, version = await ctx.board.view.wait_newer(version)
            market, at_ms = self._market(), self.now_ms()
            if plan(Draft(ctx.view()), at_ms, market, ctx.limits) is not None:
                await ctx.asker.ask(Tend(connection=self._connection, at_ms=at_ms, market=market))

    async def _clear(self) -> None:
        """Likewise: cancel what must go. A task of its own, so that no answer holds up a stop."""
        ctx, version = self._ctx, 0
        while True:
            with trio.move_on_after(TEND_EVERY_S):
                _, version = await ctx.board.view.wait_newer(version)
            view, at_ms, rate = ctx.view(), self.now_ms(), self._link.clock.rate
            if owners.plan(view, at_ms, ctx.limits) is not None:
                tend = Tend(connection=self._connection, at_ms=at_ms, market=self._market())
                await ctx.asker.ask(tend)
            ids = unwanted(view, at_ms, ctx.limits, rate)
            await self._desk.cancel((*ids, *owners.to_cancel(view, ctx.limits)))

    async def _watch_prices(self) -> None:
        assert self._prices is not None
        await self._prices.run()

    async def _watch_contract(self) -> None:
        known = self._needed_instrument()
        await ContractWatch(self._link, known, self._desk, self._causes).run()

    async def _read_statements(self) -> None:
        currency = self._needed_instrument().currency
        await Statements(self._ctx, self._link, self._connection, currency).run()

    async def _watch_assignment(self) -> None:
        """Another instrument or timeframe needs other subscriptions: a new session."""
        version = 0
        while True:
            _, version = await self._ctx.board.view.wait_newer(version)
            if _wanted(self._ctx) != (self._instrument, self._timeframe):
                raise SessionOver("another instrument or timeframe was armed")

    async def _answer_candles(self) -> None:
        """In lockstep the market waits for us: say when a closed candle has had its effect."""
        if not self._link.clock.lockstep:
            return
        board, answered = self._ctx.board, -1
        async with trio.open_nursery() as nursery:
            bell = Bell().on(nursery, board.view).on(nursery, board.evaluated)
            while True:
                await bell.wait(TEND_EVERY_S)
                candle_ms = self._settled_candle()
                if candle_ms > answered:
                    answered = candle_ms
                    params = {"instrument_name": self._instrument, "tick": candle_ms}
                    await self._link.call("public/candle_done", params)

    def _settled_candle(self) -> int:
        """The newest closed candle if the strategy has judged it and nothing is under way.

        An unknown outcome does not hold the market up: its proof needs the clock to go on.
        """
        ctx, view, market = self._ctx, self._ctx.view(), self._market()
        if market is None or self._feed is None:
            return -1
        newest = market.candles[-1].open_ms if market.candles else None
        evaluated = ctx.board.evaluated.value
        seen = (evaluated.life, evaluated.candle_ms) if evaluated else (view.life, None)
        busy = (
            seen != (view.life, newest)
            or any(not pending.unknown for pending in view.pending.values())
            or view.signal
            or view.editing
            or view.reconciled != self._connection
            or plan(Draft(view), market.at_ms, market, ctx.limits)
            or unwanted(view, market.at_ms, ctx.limits, market.rate)
        )
        return -1 if busy else self._feed.awaited_ms

    # ------------------------------------------------------------------------------ words

    async def _account(self) -> str:
        """Which account the store belongs to: its number and its exchange, whatever the key.

        The embedded exchange moves its port, so only its number counts.
        """
        if self._ctx.rehearsal and self._ctx.view().account:
            return self._ctx.view().account
        exchange = self._ctx.config.exchange
        currency = "USDC" if "USDC" in self._instrument else self._instrument.partition("-")[0]
        said = await reads.identity(self._link, currency)
        self._link.credits.allow(said.allowed)
        return f"{said.account} of {exchange.url or exchange.environment}"

    def _needed_instrument(self) -> Instrument:
        assert self._feed is not None
        return self._feed.instrument

    def _publish_up(self, detail: str) -> None:
        ctx = self._ctx
        now = ctx.ports.clock.monotonic()
        ctx.board.link.set(
            LinkStatus(
                up=True,
                connection=self._connection,
                url=self._link.url,
                since=now,
                reconciled=self.reconciled,
                detail=detail,
                reconnects=self._losses,
                rate=self._link.clock.rate,
            )
        )


def _doubted(view: State) -> bool:
    """Only a full read ends this."""
    return UNREAD in view.protect or bool(view.lifting)


def _wanted(ctx: Context) -> tuple[str, str]:
    """The instrument and the timeframe to watch: what is managed, else what is configured."""
    view, strategy = ctx.view(), ctx.config.strategy
    armed = view.assignment
    instrument = managed_instrument(view) or strategy.instrument
    return instrument, armed.timeframe if armed else strategy.timeframe
