"""The composition root: the shell around the crew.

The shell nursery holds what must outlive a life: signals, HTTP, the watchdog, the console. Inside
it the supervisor runs life after life of the crew. At process start HTTP binds only once the crew
has its permit (or after three seconds), so that its imports cost no trading time. Nothing here
decides about trading; it wires, starts and stops.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import final

import trio

from tradebaas import __version__, embedded
from tradebaas.actors import backups, metrics, persister, reconciler, strategy
from tradebaas.actors.strategy import StrategyUnusable, bound_strategy
from tradebaas.bearer import bearer_token
from tradebaas.board import Board, Context, LinkStatus, limits_of
from tradebaas.config import HOSTS, Config, check_access, client_secret, denial, instrument_fault
from tradebaas.console import narrate, say
from tradebaas.core.messages import Answer, Arm, Request
from tradebaas.core.model import Assignment
from tradebaas.errors import ConfigError, Fatal, Unusable
from tradebaas.runtime.crew import ActorSpec, Crew, Drain
from tradebaas.runtime.mailbox import (
    Asker,
    Asks,
    AskTimeout,
    Door,
    Latest,
    LifeEnded,
    open_asks,
)
from tradebaas.runtime.ports import Ports, system_ports
from tradebaas.runtime.supervisor import (
    Budget,
    DeathReport,
    LifePlan,
    find_fatal,
    leaves,
    supervise,
)
from tradebaas.runtime.systemd import Notifier, watchdog_interval
from tradebaas.strategies.protocol import BadParameter

ASKS = 256
HTTP_WAITS_S = 3.0
PULSE_LIMIT_S = 5.0
RECOVERY_LIMIT_S = 60.0


def run(config: Config, *, chaos: bool = False) -> int:
    """Run the daemon until it is told to stop; the exit code of the process (``errors``)."""
    code = 0
    try:
        trio.run(
            _Daemon(config, system_ports(), chaos).main,
            restrict_keyboard_interrupt_to_checkpoints=True,
        )
    except* Fatal as group:
        fatal = find_fatal(group)
        with suppress(OSError):
            print(f"tradebaas: {fatal}", file=sys.stderr)
        code = fatal.exit_code if fatal else Fatal.exit_code
    except* SystemExit as group:
        _tell_of_exit(group)
        code = code or Fatal.exit_code
    return code


def _tell_of_exit(group: BaseExceptionGroup[SystemExit]) -> None:
    """Nothing in here may end the process: code that tries (a strategy's) has crashed it."""
    actors = ", ".join(dict.fromkeys(actor for actor, _ in leaves(group)))
    with suppress(OSError):
        traceback.print_exception(group)
        print(
            f"tradebaas: something in here ({actors}) tried to exit the process with SystemExit; "
            "the traceback above says where. Mend that code; a start recovers from the store",
            file=sys.stderr,
        )


@final
@dataclass(slots=True)
class _Daemon:
    """What lives as long as the process."""

    config: Config
    ports: Ports
    chaos: bool
    board: Board = field(default_factory=Board)
    door: Door[Request, Answer] = field(default_factory=Door)
    drain: Drain = field(default_factory=Drain)
    http_down: trio.Event = field(default_factory=trio.Event)
    crew: Crew | None = None
    shell: trio.Nursery | None = None
    deaths: int = 0
    born: float = 0.0
    life_born: float = 0.0

    async def main(self) -> None:
        self.born = self.ports.clock.monotonic()
        self._check_strategy()
        self._check_places()
        notifier = Notifier(os.environ, self.ports.send_datagram)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as shell:
                self.shell = shell
                shell.start_soon(self._take_signals, signals, notifier)
                if self.config.embedded_exchange:
                    shell.start_soon(self._keep_exchange)
                shell.start_soon(narrate, self.board, self.config)
                shell.start_soon(self._watchdog, notifier)
                shell.start_soon(self._autostart)
                shell.start_soon(self._http)
                await self._supervise()
                self.http_down.set()
                shell.cancel_scope.cancel()
        if self.config.embedded_exchange:
            embedded.stop(self.config)

    # ------------------------------------------------------------------------------- lives

    async def _supervise(self) -> None:
        settings = self.config.supervisor
        await supervise(
            self._live,
            clock=self.ports.clock,
            entropy=self.ports.entropy,
            budget=Budget(settings.deaths, settings.period_seconds, settings.forgive_seconds),
            on_death=self._note_death,
            stop=self.drain.asked,
        )

    async def _live(self, plan: LifePlan) -> None:
        """One life of the crew, from the log to its death or the drain."""
        ends: tuple[Asker[Request, Answer], Asks[Request, Answer]] = open_asks(ASKS)
        asker, asks = ends
        self.life_born = self.born if plan.life == 1 else self.ports.clock.monotonic()
        # Connections are numbered per life: what another life's said must not pass for news.
        self.board.market = Latest()
        self.board.link.set(LinkStatus(up=False, detail="not connected yet"))
        causes = ", ".join(map(str, plan.causes))
        ctx = Context(
            config=self.config,
            limits=limits_of(self.config),
            ports=self.ports,
            board=self.board,
            asker=asker,
            cause=f"last death {causes}" if plan.repeat else causes,
            poisoned=plan.repeat,
            locate=self._locate(),
            secret=client_secret(self.config),
            born=self.life_born,
        )
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

    def _note_death(self, report: DeathReport) -> None:
        self.deaths += 1
        causes = ", ".join(map(str, report.causes))
        after = "no further life" if report.backoff is None else f"again in {report.backoff:.2f} s"
        if all(isinstance(leaf, Fatal) for _, leaf in leaves(report.error)):
            return  # its message is the last word of the process
        text = f"life {report.life} died after {report.lived:.1f} s of {causes}; {after}\n"
        text += "".join(traceback.format_exception(report.error)).rstrip()
        self._say(text, last=report.backoff is None)

    def _say(self, text: str, *, last: bool = False) -> None:
        """Tell a person, without waiting for a terminal unless these are the last words."""
        if self.shell is None or last:
            with suppress(OSError):
                print(text, file=sys.stderr)
        else:
            self.shell.start_soon(say, text)

    def _locate(self) -> Callable[[], str]:
        exchange = self.config.exchange
        if self.config.embedded_exchange:
            return embedded.locate(self.config)
        url = exchange.url or HOSTS[exchange.environment]
        return lambda: url

    # ------------------------------------------------------------------------------- shell

    async def _keep_exchange(self) -> None:
        """Keep the embedded exchange alive, once the store is ours: a refused start starts none."""
        await self.board.view.wait_newer(0)
        await embedded.keep(self.config)

    async def _take_signals(self, signals: AsyncIterator[int], notifier: Notifier) -> None:
        async for _ in signals:
            notifier.stopping()
            self.drain.ask()

    async def _watchdog(self, notifier: Notifier) -> None:
        """READY once the store is recovered; then a pat while the loop turns and answers."""
        await self.board.view.wait_newer(0)
        notifier.ready()
        interval = watchdog_interval(os.environ, os.getpid())
        while interval is not None:
            if self._pulse():
                notifier.watchdog()
            await trio.sleep(interval / 2)

    def _pulse(self) -> bool:
        """The persister answered a ping lately, or a recovery is inside its own deadline."""
        now = self.ports.clock.monotonic()
        vitals = self.board.vitals.value
        answered = vitals is not None and now - vitals.at < PULSE_LIMIT_S
        return answered or now - self.life_born < RECOVERY_LIMIT_S

    async def _autostart(self) -> None:
        """Arm the configured strategy if this store was never told what to trade."""
        settings = self.config.strategy
        view, _ = await self.board.view.wait_newer(0)
        if not settings.autostart or view.assignment is not None:
            return
        assignment = bind_assignment(self.config, self._configured())
        assert isinstance(assignment, Assignment)  # main has checked it
        while True:
            try:
                await self.door.ask(Arm(assignment=assignment), 5.0)
                return
            except (AskTimeout, LifeEnded):
                await trio.sleep(0.1)

    def _check_strategy(self) -> None:
        """Refuse a configured strategy that could never be armed.

        Raises:
            ConfigError: naming what is wrong with it and what would be right.
        """
        judged = _judge(self.config, self._configured())
        if isinstance(judged, BadParameter):
            place = self.config.strategy.place(judged.name)
            raise ConfigError(f"{place}: [strategy]: {judged.reason}")

    def _check_places(self) -> None:
        """Refuse a data directory of another user before anything is made in it.

        Raises:
            Unusable: naming what cannot be used, and whose it is.
        """
        data = self.config.data_dir
        places = [data, data / "token"]
        if self.config.embedded_exchange:
            home = embedded.directory(self.config)
            places += [home, home / "address", home / "lock", home / embedded.LOG_NAME]
        for place in places:
            check_access(place)

    def _configured(self) -> Assignment:
        settings = self.config.strategy
        return Assignment(
            strategy=settings.name,
            parameters={name: str(value) for name, value in settings.parameters.items()},
            instrument=settings.instrument,
            timeframe=settings.timeframe,
        )

    # -------------------------------------------------------------------------------- HTTP

    async def _http(self) -> None:
        """Serve once trading is possible, under a budget of its own; never takes the crew down."""
        with trio.move_on_after(HTTP_WAITS_S):
            await self._recovered()
        async with self.ports.open_blocking("imports") as worker:
            await worker.run(import_module, "tradebaas.web.app")  # long: not in the loop
            await worker.run(import_module, "tradebaas.web.server")
        budget = Budget(deaths=20, period=600.0)
        try:
            await supervise(
                self._serve_http,
                clock=self.ports.clock,
                entropy=self.ports.entropy,
                budget=budget,
                on_death=self._note_http_death,
                stop=self.http_down,
            )
        except Fatal as fatal:
            self._say(f"HTTP is not served, the crew goes on: {fatal}")

    async def _recovered(self) -> None:
        """Until the first life has reconciled, proven and protected everything."""
        await self.board.recovery.wait_newer(0)

    async def _serve_http(self, _plan: LifePlan) -> None:
        from tradebaas.web.app import create_app
        from tradebaas.web.server import serve
        from tradebaas.web.shell import Shell

        settings = self.config.http
        shell = Shell(
            config=self.config,
            board=self.board,
            door=self.door,
            clock=self.ports.clock,
            version=__version__,
            started_at=self.born,
            token=self._token(),
            life_up=lambda: self.door.is_open and self._life_published(),
            deaths=lambda: self.deaths,
            bind_assignment=partial(bind_assignment, self.config),
            kill=self._kill if self.chaos else None,
        )
        app = create_app(shell)
        async with trio.open_nursery() as nursery:
            url = await nursery.start(
                partial(serve, app, settings.host, settings.port, shutdown=self.http_down)
            )
            with _address(self.config, str(url)):
                await say(f"HTTP on {url} (health, metrics, API)")
                await self.http_down.wait()

    def _token(self) -> str:
        try:
            return bearer_token(self.config.data_dir, self.ports.entropy)
        except PermissionError as error:
            raise Unusable(denial(self.config.data_dir / "token")) from error

    def _note_http_death(self, report: DeathReport) -> None:
        fatal = find_fatal(report.error)
        if fatal is None:
            self._say("HTTP died\n" + "".join(traceback.format_exception(report.error)).rstrip())

    def _life_published(self) -> bool:
        """Whether the present life has recovered its state (and not only the one before)."""
        store = self.board.store.value
        return store is not None and not store.fault and store.last_commit_at >= self.life_born

    def _kill(self, actor: str) -> None:
        if self.crew is None:
            raise LookupError("no crew is running")
        self.crew.kill(actor)


def bind_assignment(config: Config, assignment: Assignment) -> Assignment | str:
    """The assignment with every parameter spelled out, or why it cannot be armed."""
    judged = _judge(config, assignment)
    return judged.reason if isinstance(judged, BadParameter) else judged


def _judge(config: Config, assignment: Assignment) -> Assignment | BadParameter:
    """Likewise; what is wrong is named as the section [strategy] names it."""
    fault = instrument_fault(config, assignment.instrument)
    if fault:
        return BadParameter("instrument", fault)
    try:
        return bound_strategy(assignment).assignment
    except StrategyUnusable as unusable:
        own = unusable.key in ("name", "timeframe", "parameters")
        key = unusable.key if own else f"parameters.{unusable.key}"
        return BadParameter(key, str(unusable))


@contextmanager
def _address(config: Config, url: str) -> Iterator[None]:
    """Say where HTTP answers, in ``data/address``, for as long as it does."""
    path = config.data_dir / "address"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"http": url, "pid": os.getpid()}), encoding="utf-8")
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
