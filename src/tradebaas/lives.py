"""Life after life of the crew: what a process does apart from its shell.

Wires the five actors of a life together, has the supervisor start a new life when one dies, and
keeps what outlives a life and belongs to the process: the board, the door through which the shell
asks, the drain. It knows nothing of signals, HTTP, the console or how the exchange is started, so
a simulation runs exactly this.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import final

from tradebaas.actors import backups, metrics, persister, reconciler, strategy
from tradebaas.board import USUAL, Board, Capacities, Context, LinkStatus, limits_of
from tradebaas.config import Config
from tradebaas.core.messages import Answer, Request
from tradebaas.runtime.crew import ActorSpec, Crew, Drain
from tradebaas.runtime.mailbox import Asker, Asks, Door, Latest, open_asks
from tradebaas.runtime.ports import Locate, Ports
from tradebaas.runtime.supervisor import Budget, DeathReport, LifePlan, supervise
from tradebaas.store.disk import SYSTEM_DISK, Disk
from tradebaas.words import NOT_YET

PULSE_LIMIT_S = 5.0
RECOVERY_LIMIT_S = 60.0


@final
@dataclass(slots=True)
class Lives:
    """The lives of one process. ``run`` ends when a life ends in order or no other may follow.

    ``secret`` is the client secret; ``on_death`` is told of every death; ``disk`` is where the data
    directory lies. ``locate`` and ``rehearsal`` as in ``Context``.
    """

    config: Config
    ports: Ports
    locate: Locate
    secret: str = field(repr=False)
    on_death: Callable[[DeathReport], None]
    disk: Disk = SYSTEM_DISK
    capacities: Capacities = USUAL
    rehearsal: bool = False
    board: Board = field(default_factory=Board)
    door: Door[Request, Answer] = field(default_factory=Door)
    drain: Drain = field(default_factory=Drain)
    crew: Crew | None = None
    deaths: int = 0
    born: float = 0.0
    life_born: float = 0.0

    def __post_init__(self) -> None:
        self.born = self.life_born = self.ports.clock.monotonic()

    async def run(self) -> None:
        """Run life after life.

        Raises:
            Fatal: a life died of it, or more lives died than the budget allows.
        """
        settings = self.config.supervisor
        await supervise(
            self._live,
            clock=self.ports.clock,
            entropy=self.ports.entropy,
            budget=Budget(settings.deaths, settings.period_seconds, settings.forgive_seconds),
            on_death=self._note_death,
            stop=self.drain.asked,
        )

    def kill(self, actor: str) -> None:
        """Make one actor of the running crew die.

        Raises:
            LookupError: there is no such actor, or no crew.
        """
        if self.crew is None:
            raise LookupError("no crew is running")
        self.crew.kill(actor)

    def pulse(self) -> bool:
        """The persister answered a ping lately, or waits for space, or is recovering in time."""
        now = self.ports.clock.monotonic()
        vitals = self.board.vitals.value
        heard_at = vitals.at if vitals is not None else 0.0
        if now - heard_at < PULSE_LIMIT_S or self.waits_for_space():
            return True
        return heard_at < self.life_born and now - self.life_born < RECOVERY_LIMIT_S

    def waits_for_space(self) -> bool:
        """The persister cannot commit, and has lately said that it looks for space again."""
        store = self.board.store.value
        if store is None or not store.fault:
            return False
        return self.ports.clock.monotonic() - store.at < PULSE_LIMIT_S

    def life_up(self) -> bool:
        """Whether a crew is running that has recovered its state (and not only the one before)."""
        store = self.board.store.value
        if store is None or store.fault or not self.door.is_open:
            return False
        return store.last_commit_at >= self.life_born

    async def _live(self, plan: LifePlan) -> None:
        """One life of the crew, from the log to its death or the drain."""
        ends: tuple[Asker[Request, Answer], Asks[Request, Answer]] = open_asks(self.capacities.asks)
        asker, asks = ends
        self.life_born = self.born if plan.life == 1 else self.ports.clock.monotonic()
        # Connections are numbered per life: what another life's said must not pass for news.
        self.board.market = Latest()
        self.board.link.set(LinkStatus(up=False, detail=NOT_YET))
        ctx = self._context(plan, asker)
        actors = [
            ActorSpec("persister", partial(persister.run, ctx, asks)),
            ActorSpec("reconciler", partial(reconciler.run, ctx)),
            ActorSpec("backups", partial(backups.run, ctx)),
            ActorSpec("metrics", partial(metrics.run, ctx)),
            ActorSpec("strategy", partial(strategy.run, ctx)),
        ]
        self.crew = Crew(actors, self.drain)
        with self.door.opened(asker):
            await self.crew.run()

    def _context(self, plan: LifePlan, asker: Asker[Request, Answer]) -> Context:
        causes = ", ".join(map(str, plan.causes))
        return Context(
            config=self.config,
            limits=limits_of(self.config),
            ports=self.ports,
            board=self.board,
            asker=asker,
            cause=f"last death {causes}" if plan.repeat else causes,
            poisoned=plan.repeat,
            locate=self.locate,
            secret=self.secret,
            born=self.life_born,
            disk=self.disk,
            capacities=self.capacities,
            rehearsal=self.rehearsal,
        )

    def _note_death(self, report: DeathReport) -> None:
        self.deaths += 1
        self.board.restarts.update(report.causes)
        self.life_born = self.ports.clock.monotonic()  # from here on the next one is awaited
        self.on_death(report)
