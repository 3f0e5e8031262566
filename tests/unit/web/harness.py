"""A shell without a daemon: a real board, a real door, and a task that really decides."""

import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import trio

from tradebaas.board import Board, LinkStatus, NoticeStatus, StoreStatus, Vitals
from tradebaas.config import Config, StrategySection
from tradebaas.core.decide import decide
from tradebaas.core.messages import Answer, Committed, Refused, Request, StartLife
from tradebaas.core.model import Assignment, ContractKind, Direction, Intent, Position, Role
from tradebaas.core.risk import Limits
from tradebaas.core.state import State
from tradebaas.errors import Fatal
from tradebaas.runtime.mailbox import Asker, Asks, Door, open_asks
from tradebaas.web.app import create_app
from tradebaas.web.server import serve
from tradebaas.web.shell import Shell

TOKEN = "0123456789abcdef"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
EPOCH_MS = 1_700_000_000_000
NOW = 1_000.0
CONFIG = Config(strategy=StrategySection(parameters={"fast": 3, "slow": 8}))


POSITION = Position(
    instrument="BTC-PERPETUAL",
    contract=ContractKind.INVERSE,
    currency="BTC",
    size=Decimal(-100),
    direction=Direction.SELL,
    ours=True,
    signal_id="s",
    opened_ms=1,
    changed_ms=1,
)

INTENT = Intent(
    label="tb1-t-1-e",
    role=Role.ENTRY,
    instrument="BTC-PERPETUAL",
    direction=Direction.BUY,
    amount=Decimal(10),
    order_type="limit",
    reduce_only=False,
    life=1,
    connection=1,
    intended_ms=1,
    valid_until_ms=2,
)


class StoppedClock:
    """Always the same moment."""

    def monotonic(self) -> float:
        return NOW

    def wall_ms(self) -> int:
        return EPOCH_MS


@dataclass
class World:
    """What the tests steer and look at. ``log`` holds every event that was "committed"."""

    board: Board = field(default_factory=Board)
    door: Door[Request, Answer] = field(default_factory=Door)
    config: Config = CONFIG
    state: State = field(default_factory=State)
    log: list[str] = field(default_factory=list)
    deaths: int = 0
    killed: list[str] = field(default_factory=list)
    gap: object = None
    """What a restore did not have, or why that cannot be read."""
    left: list[str] = field(default_factory=list)
    """The halts that were left in a file."""
    unwritable: bool = False
    """No file can be left."""
    mute: bool = False
    """Take requests and never answer."""
    asked: trio.Event = field(default_factory=trio.Event)
    """A request has come."""

    def shell(self, *, chaos: bool = False) -> Shell:
        return Shell(
            config=self.config,
            board=self.board,
            door=self.door,
            clock=StoppedClock(),
            version="9.9.9",
            started_at=NOW - 100,
            token=TOKEN,
            life_up=lambda: self.door.is_open,
            deaths=lambda: self.deaths,
            bind_assignment=self.bind,
            leave_halt=self.leave_halt,
            read_gap=self.read_gap,
            kill=self.kill if chaos else None,
        )

    def bind(self, assignment: Assignment) -> Assignment | str:
        if assignment.strategy == "unheard_of":
            return "no strategy is called 'unheard_of'"
        return assignment

    async def leave_halt(self, reason: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.unwritable:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        self.left.append(reason)

    async def read_gap(self) -> object:
        await trio.lowlevel.checkpoint()
        if isinstance(self.gap, Fatal):
            raise self.gap
        return self.gap

    def kill(self, actor: str) -> None:
        if actor != "strategy":
            raise LookupError(f"the crew has no actor named {actor!r}")
        self.killed.append(actor)

    def well(self) -> None:
        """Publish what a healthy daemon publishes, connected and reconciled."""
        self.show(life=1, life_open=True, connection=1, reconciled=1)
        self.board.link.set(LinkStatus(up=True, connection=1, url="ws://x", reconciled=True))
        self.board.reconciled_at = NOW - 5
        self.board.store.set(StoreStatus(commits=7, last_commit_seconds=0.002))
        self.board.notices.set(NoticeStatus(sent=4, lost=1, held=2, waiting=3))
        self.board.vitals.set(
            Vitals(
                at=0.0,
                ping_seconds=0.001,
                memory_bytes=50_000_000,
                memory_percent=12.5,
                cpu_percent=3.0,
                disk_free_bytes=10**9,
            )
        )

    def show(self, **changes: Any) -> None:
        """Change the state and publish it."""
        self.state = msgspec.structs.replace(self.state, **changes)
        self.board.view.set(self.state)

    @asynccontextmanager
    async def life(self) -> AsyncIterator[None]:
        """A crew that answers, for as long as the block runs."""
        ends: tuple[Asker[Request, Answer], Asks[Request, Answer]] = open_asks(8)
        asker, asks = ends
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._answer, asks)
            with self.door.opened(asker):
                yield
            nursery.cancel_scope.cancel()

    async def _answer(self, asks: Asks[Request, Answer]) -> None:
        with asks:
            while True:
                for ask in await asks.receive_batch(8):
                    self.asked.set()
                    if not self.mute:
                        ask.reply.answer(self._decide(ask.request))

    def _decide(self, request: Request) -> Answer:
        decision = decide(self.state, request, Limits())
        if isinstance(decision, Refused):
            return decision
        self.state = decision.state
        self.log += [type(event).__name__ for event in decision.events]
        if decision.events:
            self.board.view.set(self.state)
        return Committed(seq=self.state.seq, events=decision.events)

    def start_life(self) -> None:
        """The first request of a life, as the persister makes it."""
        answer = self._decide(
            StartLife(token="t", wall_ms=EPOCH_MS, cause="", poisoned=False, halt_file="")
        )
        assert isinstance(answer, Committed)


@asynccontextmanager
async def served(world: World, *, chaos: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """The real application on a real server on loopback, and a client that talks to it."""
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:
        app = create_app(world.shell(chaos=chaos))

        async def start(*, task_status: trio.TaskStatus[str]) -> None:
            await serve(app, "127.0.0.1", 0, shutdown=shutdown, task_status=task_status)

        url = await nursery.start(start)
        async with httpx.AsyncClient(base_url=url, timeout=20) as client:
            yield client
        shutdown.set()
