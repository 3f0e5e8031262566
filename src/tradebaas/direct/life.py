"""A life without a disk: the reconciler, and a persister that keeps its state in memory only.

Reading the account, sending, proving, protecting, closing and cancelling are the daemon's own, and
so is every decision (``core.decide``). What is missing is the log: nothing that happens here is
remembered, so it may only be used where that is the lesser evil, and only by one process at a time
(the lock of the data directory, or an account that nobody else trades). Labels bear a token of this
life alone, so none can be used twice.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import final

import trio

from tradebaas.actors import reconciler
from tradebaas.board import USUAL, Board, Context, limits_of
from tradebaas.config import Config
from tradebaas.core.decide import decide
from tradebaas.core.events import Event
from tradebaas.core.messages import Answer, Committed, Refused, Request, StartLife
from tradebaas.core.risk import Limits
from tradebaas.core.state import State
from tradebaas.runtime.mailbox import Asker, Asks, open_asks
from tradebaas.runtime.ports import Locate, Ports
from tradebaas.runtime.supervisor import find_fatal
from tradebaas.store.disk import SYSTEM_DISK


@final
@dataclass(frozen=True, slots=True)
class Setting:
    """What a life needs. ``state`` is what it begins with; ``tell`` hears of each event."""

    config: Config
    ports: Ports
    locate: Locate
    secret: str
    state: State
    cause: str
    tell: Callable[[Event], None]
    limits: Limits | None = None


@final
class Life:
    """A running life: what it knows, and how to ask of it what an operator may ask."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    @property
    def board(self) -> Board:
        """What the reconciler publishes."""
        return self._ctx.board

    @property
    def view(self) -> State:
        """The newest state."""
        return self._ctx.view()

    @property
    def limits(self) -> Limits:
        """The owner's limits."""
        return self._ctx.limits

    async def ask(self, request: Request) -> Answer:
        """Have a request decided."""
        return await self._ctx.asker.ask(request)

    async def until(self, wanted: Callable[[State], bool]) -> State:
        """Wait for such a state."""
        version = 0
        while True:
            state, version = await self._ctx.board.view.wait_newer(version)
            if wanted(state):
                return state


@asynccontextmanager
async def open_life(setting: Setting) -> AsyncIterator[Life]:
    """Begin a life, and end it in order: orders that are under way are waited for.

    Raises:
        Unusable: the exchange leads to another account than the state belongs to.
    """
    ends: tuple[Asker[Request, Answer], Asks[Request, Answer]] = open_asks(USUAL.asks)
    asker, asks = ends
    ctx = _context(setting, asker)
    memory = _Memory(ctx, setting)
    drain, gone = trio.Event(), trio.Event()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(memory.serve, asks)
            nursery.start_soon(_reconcile, ctx, drain, gone)
            yield Life(ctx)
            drain.set()
            await gone.wait()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        fatal = find_fatal(group)
        if fatal is not None:
            raise fatal from group
        raise


async def _reconcile(ctx: Context, drain: trio.Event, gone: trio.Event) -> None:
    await reconciler.run(ctx, drain, task_status=trio.TASK_STATUS_IGNORED)
    gone.set()


def _context(setting: Setting, asker: Asker[Request, Answer]) -> Context:
    return Context(
        config=setting.config,
        limits=setting.limits or limits_of(setting.config),
        ports=setting.ports,
        board=Board(),
        asker=asker,
        cause=setting.cause,
        poisoned=False,
        locate=setting.locate,
        secret=setting.secret,
        born=setting.ports.clock.monotonic(),
        disk=SYSTEM_DISK,
    )


@final
class _Memory:
    """The sequencer without its disk."""

    def __init__(self, ctx: Context, setting: Setting) -> None:
        self._ctx = ctx
        self._tell = setting.tell
        self._state = setting.state
        self._take(
            StartLife(
                token=ctx.ports.entropy.token(4),
                wall_ms=ctx.ports.clock.wall_ms(),
                cause=setting.cause,
                poisoned=False,
                halt_file="",
            )
        )

    async def serve(self, asks: Asks[Request, Answer]) -> None:
        """Decide and answer, one request after another."""
        with asks:
            while True:
                for ask in await asks.receive_batch(1):
                    ask.reply.answer(self._take(ask.request))

    def _take(self, request: Request) -> Answer:
        decision = decide(self._state, request, self._ctx.limits)
        if isinstance(decision, Refused):
            return decision
        first, self._state = self._state.seq + 1, decision.state
        self._ctx.board.view.set(self._state)
        for seq, event in enumerate(decision.events, start=first):
            self._ctx.board.events.publish((seq, event))
            self._tell(event)
        return Committed(seq=self._state.seq, events=decision.events)
