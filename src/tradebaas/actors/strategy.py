"""The strategy actor: closed candles in, signals out.

Evaluates the armed strategy once per closed candle and proposes what it finds; while a signal
waits in SIGNAL_DETECTED it asks for its admission again whenever the market or the state moved.
It owns no state: after a crash the same candle gives the same signal with the same id, and the
persister admits each only once. In a life that follows two crashes of one kind, or too many starts
without an end, it stays quiet until the crew has lived long enough to be trusted again.
"""

from decimal import Decimal
from importlib import import_module

import trio

from tradebaas.actors.restarts import RESTART_LOOP
from tradebaas.board import Context, Evaluated
from tradebaas.core.messages import Admit, Guard, MoveStop, Propose
from tradebaas.core.model import Assignment, Market, Phase
from tradebaas.core.moving import tightens
from tradebaas.core.state import State, stands
from tradebaas.runtime.bell import Bell
from tradebaas.strategies import registry
from tradebaas.strategies.protocol import TIMEFRAMES, BadParameter, Bound, bind
from tradebaas.strategies.registry import UnknownStrategy
from tradebaas.strategies.signals import BadProposal, to_signal

CRASH_LOOP = "crash loop"
UNUSABLE = "strategy unusable"
ADMIT_INTERVAL_S = 0.05
"""Between two attempts to admit a waiting signal: each one costs the persister a decision."""


class StrategyUnusable(Exception):
    """The armed strategy cannot be loaded or its parameters are wrong; ``key`` names which."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


async def run(ctx: Context, drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    """Evaluate and propose until ``drain``."""
    task_status.started()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_work, ctx)
        await drain.wait()
        nursery.cancel_scope.cancel()


async def _work(ctx: Context) -> None:
    ill = [cause for cause in (CRASH_LOOP, RESTART_LOOP) if stands(ctx.view(), cause)]
    if ill:
        await trio.sleep(ctx.config.supervisor.forgive_seconds)
    for cause in ill:
        await ctx.asker.ask(Guard(cause=cause, active=False))
    async with ctx.ports.open_blocking("imports") as worker:
        await worker.run(import_module, "tradebaas.strategies.indicators")  # numpy: not in the loop
    analyst = _Analyst(ctx)
    async with trio.open_nursery() as nursery:
        bell = Bell().on(nursery, ctx.board.market).on(nursery, ctx.board.view)
        while True:
            await bell.wait()
            market = ctx.board.market.value
            if market is not None:
                await analyst.step(market, ctx.view())


class _Analyst:
    """What the actor remembers within one life: what it last looked at."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._seen: tuple[int, Assignment | None] = (-1, None)
        self._bound: tuple[Assignment, Bound] | None = None

    async def step(self, market: Market, view: State) -> None:
        """Evaluate a new candle, or try again to admit the waiting signal."""
        if not market.candles:
            return
        armed = view.assignment if view.armed else None
        look = (market.candles[-1].open_ms, armed)
        if look != self._seen:
            self._seen = look
            await self._evaluate(market, view, armed)
        elif view.phase is Phase.SIGNAL_DETECTED and view.signal is not None:
            await self._ctx.asker.ask(Admit(signal_id=view.signal.signal_id, market=market))
            await trio.sleep(ADMIT_INTERVAL_S)

    async def _evaluate(self, market: Market, view: State, armed: Assignment | None) -> None:
        candle = market.candles[-1]
        if armed is None:
            self._publish(candle.open_ms, reasons=("no strategy is armed",))
            return
        try:
            bound = self._bind(armed)
        except StrategyUnusable as unusable:
            await self._ctx.asker.ask(Guard(cause=UNUSABLE, active=True, detail=str(unusable)))
            self._publish(candle.open_ms, reasons=(str(unusable),))
            return
        if stands(view, UNUSABLE):
            await self._ctx.asker.ask(Guard(cause=UNUSABLE, active=False))
        await self._judge(market, view, bound)

    async def _judge(self, market: Market, view: State, bound: Bound) -> None:
        candle, armed = market.candles[-1], bound.assignment
        watched = (market.instrument.name, market.timeframe_ms)
        if watched != (armed.instrument, TIMEFRAMES[armed.timeframe].ms):
            return  # the market of another assignment; the reconciler is about to change it
        have, needed = len(market.candles), bound.warm_up
        if have < needed:
            self._publish(candle.open_ms, reasons=(f"warming up: {have} of {needed} candles",))
            return
        analysis = bound.evaluate(market.candles[-needed:], view.position)
        reasons, proposed = analysis.reasons, ""
        if analysis.proposal is not None and view.phase is Phase.ANALYZING:
            signal = to_signal(bound.assignment, candle, market.instrument, analysis.proposal)
            if isinstance(signal, BadProposal):
                reasons = (*reasons, signal.reason)
            else:
                proposed = signal.direction
                await self._ctx.asker.ask(Propose(signal=signal, market=market))
        await self._trail(analysis.stop, market, view)
        self._publish(candle.open_ms, analysis.indicators, reasons, proposed)

    async def _trail(self, stop: Decimal | None, market: Market, view: State) -> None:
        """Ask for a closer stop; a strategy may say the same one at every candle."""
        mark, tick = market.ticker.mark, market.instrument.tick_size
        if stop is not None and tightens(view, stop, tick, self._ctx.limits):
            await self._ctx.asker.ask(MoveStop(stop=stop, by="strategy", mark=mark, tick=tick))

    def _bind(self, assignment: Assignment) -> Bound:
        if self._bound is None or self._bound[0] != assignment:
            self._bound = (assignment, bound_strategy(assignment))
        return self._bound[1]

    def _publish(
        self,
        candle_ms: int,
        indicators: dict[str, str] | None = None,
        reasons: tuple[str, ...] = (),
        proposed: str = "",
    ) -> None:
        self._ctx.board.evaluated.set(
            Evaluated(
                life=self._ctx.view().life,
                candle_ms=candle_ms,
                indicators=indicators or {},
                reasons=reasons,
                proposed=proposed,
            )
        )


def bound_strategy(assignment: Assignment) -> Bound:
    """The strategy of an assignment with its parameters checked.

    Raises:
        StrategyUnusable: saying which name or parameter is wrong and what would be right.
    """
    strategy = registry.get(assignment.strategy)
    if isinstance(strategy, UnknownStrategy):
        raise StrategyUnusable("name", strategy.reason)
    bound = bind(strategy, assignment)
    if isinstance(bound, BadParameter):
        raise StrategyUnusable(bound.name, bound.reason)
    return bound
