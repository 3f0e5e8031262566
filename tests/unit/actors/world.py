"""The real crew against the real exchange, in one trio loop: what the tests of the actors share.

The exchange is ``paper.process.serve`` on loopback at 300 times real speed, with its admin methods;
the daemon is the shell's own composition without HTTP and signals. Lives, store, socket and disk
are real. Candles are of 15 minutes (3 s), so that signals come when a test arms and not in between.
Every wait is bounded and says what it waited for.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import trio

from tests.unit.actors.exchange import (
    INSTRUMENT,
    LIMIT_S,
    NONE,
    Exchange,
    Wires,
    exchange_on,
    plainly,
)
from tradebaas.access import client_secret
from tradebaas.actors.strategy import bound_strategy
from tradebaas.board import Board, LinkStatus
from tradebaas.config import (
    Config,
    ExchangeSection,
    RiskSection,
    StoreSection,
    StrategySection,
    SupervisorSection,
)
from tradebaas.core.events import Event, OrderIntended, Recovered
from tradebaas.core.messages import Answer, Arm, Committed, Disarm, Propose, Request
from tradebaas.core.model import Assignment, Phase, Role, Signal
from tradebaas.core.state import State
from tradebaas.errors import Fatal
from tradebaas.lives import Lives
from tradebaas.runtime.mailbox import Ask
from tradebaas.runtime.ports import always
from tradebaas.settings import BackupSection
from tradebaas.store import codec
from tradebaas.store.folding import fold, state_digest
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader
from tradebaas.strategies.signals import to_signal

EAGER = f"{Path(__file__).with_name('eager.py')}:Eager"
POLL_S = 0.01
PATIENT = SupervisorSection(deaths=1_000_000, period_seconds=1.0, forgive_seconds=0.0)
"""Every death is the first: no backoff, no crash loop, no end of the budget."""


def configuration(data: Path, url: str, **sections: msgspec.Struct) -> Config:
    """The tests' configuration; ``sections`` replace whole ones."""
    known: dict[str, msgspec.Struct] = {
        "exchange": ExchangeSection(url=url),
        "strategy": StrategySection(name=EAGER, timeframe="15m"),
        "risk": RiskSection(
            risk_percent=Decimal("0.1"),
            max_entries_per_day=10**6,
            max_daily_loss_percent=Decimal(100),
        ),
        "store": StoreSection(snapshot_every=50, low_disk_mib=0),
        "backups": BackupSection(interval_seconds=3600),
        "supervisor": PATIENT,
    }
    return Config(data=str(data), **(known | sections))  # type: ignore[arg-type]


@dataclass
class World:
    """A daemon without HTTP, on a store that outlives it."""

    config: Config
    nursery: trio.Nursery
    exchange: Exchange
    wires: Wires = field(default_factory=Wires)
    nonce: int = 0
    ended: trio.Event = field(default_factory=trio.Event)
    error: Fatal | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def __post_init__(self) -> None:
        self.lives = self._new_lives()

    def _new_lives(self) -> Lives:
        url, secret = self.config.exchange.url, client_secret(self.config)
        return Lives(self.config, self.wires.ports(), always(url), secret, lambda _: None)

    # ---------------------------------------------------------------------- starting, ending

    def start(self) -> None:
        """A new process, as it were, on the same store."""
        self.lives = self._new_lives()
        self.ended, self.scope, self.error = trio.Event(), trio.CancelScope(), None
        self.nursery.start_soon(self._supervise)

    async def _supervise(self) -> None:
        with self.scope:
            try:
                await self.lives.run()
            except Fatal as error:
                self.error = error
        self.ended.set()

    async def stop(self, within: float = LIMIT_S) -> None:
        """As SIGTERM does."""
        self.lives.drain.ask()
        await bounded(self.ended.wait(), "the end of the drain", self, within)

    async def die(self) -> None:
        """End everything at once, without a last word in the log."""
        self.scope.cancel()
        await bounded(self.ended.wait(), "the end of a cancelled crew", self)

    def kill(self, actor: str) -> None:
        """Make one actor of the running crew die."""
        self.lives.kill(actor)

    def kill_at_birth(self, actor: str) -> None:
        """Make an actor of the next crew die as soon as it is started."""
        old, once = self.lives.crew, trio.Event()

        async def wait() -> None:
            while not once.is_set():
                await trio.lowlevel.checkpoint()
                if self.lives.crew is not old:
                    once.set()
                    self.kill(actor)

        self.nursery.start_soon(wait)

    # ------------------------------------------------------------------------------- looking

    @property
    def board(self) -> Board:
        return self.lives.board

    @property
    def data(self) -> Path:
        return self.config.data_dir

    @property
    def state(self) -> State:
        state = self.board.view.value
        assert state is not None, "nothing was published yet"
        return state

    def link(self) -> LinkStatus:
        link = self.board.link.value
        assert link is not None, "nothing was published about the link yet"
        return link

    async def until(
        self, done: Callable[[State], bool], what: str, within: float = LIMIT_S
    ) -> State:
        """Wait until a committed state satisfies ``done``."""
        version = 0
        with trio.move_on_after(within):
            while True:
                state, version = await self.board.view.wait_newer(version)
                if done(state):
                    return state
        pytest.fail(f"waited {within:g} s for {what}; {self.describe()}")

    async def phase(self, phase: Phase, within: float = LIMIT_S) -> State:
        return await self.until(lambda s: s.phase is phase, phase, within)

    async def ready(self) -> State:
        """Wait for a permit, recovered, reconciled, nothing unproven, and for its first prices."""
        state = await self.until(
            lambda s: s.life_open and 0 < s.connection == s.reconciled
            and not s.pending and not s.recovering.cause,
            "a finished recovery",
        )  # fmt: skip
        await self.poll(self._priced, "the prices of this connection")
        return state

    def _priced(self) -> bool:
        market = self.board.market.value
        return market is not None and market.connection == self.state.connection

    async def poll(
        self, done: Callable[[], bool] | Callable[[], object], what: str, within: float = LIMIT_S
    ) -> None:
        """Wait until ``done()`` (perhaps a coroutine function) is true."""
        with trio.move_on_after(within):
            while True:
                found = done()
                if hasattr(found, "__await__"):
                    found = await found  # type: ignore[misc, unused-ignore]
                if found:
                    return
                await trio.sleep(POLL_S)
        pytest.fail(f"waited {within:g} s for {what}; {self.describe()}")

    def describe(self) -> str:
        state, link = self.board.view.value, self.board.link.value
        if state is None:
            return f"no state was published; the daemon ended with {self.error!r}"
        return (
            f"last state: {state.phase}, life {state.life}, seq {state.seq}, armed {state.armed}, "
            f"connection {state.connection} (reconciled {state.reconciled}), "
            f"signal {state.signal}, position {state.position}, pending {state.pending}, "
            f"orders {list(state.orders.values())}, protect {state.protect}, "
            f"foreign {state.foreign}, halted {state.halted}, closing {state.closing!r}, "
            f"recovering {state.recovering}; link {link}; ended with {self.error!r}; "
            f"last events: {[event for _, event in self.events()[-12:]]}"
        )

    def log(self) -> tuple[State, list[tuple[int, Event]]]:
        """The fold of the whole log, and its events by seq."""
        with open_reader(Place(self.data)) as reader:
            records = list(reader.each(0))
        return fold(None, records), [(record.seq, codec.decode(record)) for record in records]

    def events(self) -> list[tuple[int, Event]]:
        return self.log()[1]

    def of(self, kind: type[msgspec.Struct]) -> list[Event]:
        """All events of a kind."""
        return [event for _, event in self.events() if isinstance(event, kind)]

    # ---------------------------------------------------------------------------- commanding

    async def ask(self, request: Request) -> Answer:
        return await self.lives.door.ask(request, LIMIT_S)

    async def command(self, request: Request) -> Committed:
        answer = await self.ask(request)
        assert isinstance(answer, Committed), answer
        return answer

    async def together(self, *requests: Request) -> list[Answer]:
        """Put requests into the persister's queue in one go, so that it takes them as one batch."""
        asker = self.lives.door._asker
        assert asker is not None
        asks: list[Ask[Request, Answer]] = [Ask(request) for request in requests]
        for ask in asks:
            asker._channel.send_nowait(ask)
        with trio.fail_after(LIMIT_S):
            return [await ask.reply.wait() for ask in asks]

    def propose(self) -> Propose:
        """What the eager strategy would propose now, as a new signal."""
        market = self.board.market.value
        assert market is not None
        bound = bound_strategy(self.assignment())
        proposal = bound.evaluate(market.candles[-bound.warm_up :], None).proposal
        assert proposal is not None
        signal = to_signal(bound.assignment, market.candles[-1], market.instrument, proposal)
        assert isinstance(signal, Signal)
        return Propose(signal=signal, market=market)

    def assignment(
        self, *, active: int = 1, timeframe: str = "15m", instrument: str = INSTRUMENT,
        broken: int = 0,
    ) -> Assignment:  # fmt: skip
        """An assignment whose signals are new ones."""
        self.nonce += 1
        values = {"active": str(active), "nonce": str(self.nonce), "broken": str(broken)}
        return Assignment(
            strategy=EAGER, parameters=values, instrument=instrument, timeframe=timeframe
        )

    async def arm(
        self, *, active: int = 1, timeframe: str = "15m", instrument: str = INSTRUMENT,
        broken: int = 0,
    ) -> None:  # fmt: skip
        """Start the eager strategy, with a signal that was never considered before."""
        wanted = self.assignment(
            active=active, timeframe=timeframe, instrument=instrument, broken=broken
        )
        await self.command(Arm(assignment=wanted))

    async def open_position(self) -> State:
        await self.arm()
        return await self.covered()

    async def covered(self) -> State:
        """Wait for an open position whose stop and take profit are reported."""
        return await self.until(
            lambda s: s.phase is Phase.POSITION_OPEN and not s.pending
            and not any(order.waiting for order in s.orders.values())
            and {order.role for order in s.orders.values()} >= {Role.STOP},
            "a covered position",
        )  # fmt: skip

    async def clear(self) -> None:
        """Disarm, close what is open, and wait for IDLE."""
        if self.state.armed or self.state.phase is not Phase.IDLE:
            await self.command(Disarm(reason="cleared", close=True))
        await self.phase(Phase.IDLE)

    # ------------------------------------------------------------------------------ judging

    async def agree(self) -> None:
        """Fold of the log = memory = exchange; a position is covered; no signal twice."""
        await self.poll(self._agrees, "the state and the exchange to agree")
        folded, events = await self._log_of_now()
        assert state_digest(folded) == state_digest(self.state), "fold(log) differs from memory"
        entries = self.exchange.entries()
        intents = [e.intent for _, e in events if isinstance(e, OrderIntended)]
        signals = {i.label: i.signal_id for i in intents if i.role is Role.ENTRY}
        sent = [signals[label] for label in entries]
        assert len(sent) == len(set(sent)), f"a signal was sent twice: {entries}"

    async def _log_of_now(self) -> tuple[State, list[tuple[int, Event]]]:
        """The log up to the state in memory: a commit is on disk a moment before it is applied."""
        with trio.move_on_after(LIMIT_S):
            while True:
                folded, events = self.log()
                if folded.seq == self.state.seq:
                    return folded, events
                await trio.sleep(POLL_S)
        pytest.fail(f"the log and the memory do not end alike; {self.describe()}")

    async def _agrees(self) -> bool:
        before = self.state
        size, orders = await self.exchange.position(), await self.exchange.orders()
        stop = await self.exchange.live_stop()
        state = self.state
        held = state.position.size if state.position else Decimal(0)
        return (
            state is before
            and held == size
            and set(state.orders) == set(orders)
            and stop >= abs(size)
            and not state.pending
        )

    def reports(self) -> list[Recovered]:
        return [event for event in self.of(Recovered) if isinstance(event, Recovered)]


async def bounded(
    waiting: object, what: str, world: World | None = None, within: float = LIMIT_S
) -> None:
    """Await something, at most so long."""
    with trio.move_on_after(within) as scope:
        await waiting  # type: ignore[misc]
    if scope.cancelled_caught:
        seen = f"; {world.describe()}" if world is not None else ""
        pytest.fail(f"waited {within:g} s for {what}{seen}")


@asynccontextmanager
async def world_on(
    exchange: Exchange, data: Path, **sections: msgspec.Struct
) -> AsyncIterator[World]:
    """A daemon on an exchange, started."""
    with plainly():
        async with trio.open_nursery() as nursery:
            world = World(configuration(data, exchange.url, **sections), nursery, exchange)
            world.start()
            yield world
            await world.die()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def new_world(
    home: Path, *, data: Path | None = None, funding: Decimal = NONE, **sections: msgspec.Struct
) -> AsyncIterator[World]:
    """An exchange and a daemon of its own, recovered."""
    async with (
        exchange_on(home / "exchange", funding=funding) as exchange,
        world_on(exchange, data or home / "data", **sections) as world,
    ):
        await world.ready()
        yield world
