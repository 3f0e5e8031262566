"""The composition root: the shell around the lives of the crew (``lives``).

The shell nursery holds what must outlive a life: signals, HTTP, the watchdog, the console. Inside
it the supervisor runs life after life of the crew. At process start HTTP binds only once the crew
has its permit (or after three seconds), so that its imports cost no trading time. Nothing here
decides about trading; it wires, starts and stops.
"""

import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import final

import trio

from tradebaas import __version__, embedded
from tradebaas.access import check_access, client_secret, denial
from tradebaas.actors.strategy import StrategyUnusable, bound_strategy
from tradebaas.attendance import attend
from tradebaas.bearer import bearer_token
from tradebaas.config import HOSTS, Config, instrument_fault
from tradebaas.console import narrate, say
from tradebaas.core.messages import Arm
from tradebaas.core.model import Assignment
from tradebaas.errors import ConfigError, Fatal, StoreFault, Unusable
from tradebaas.lives import Lives
from tradebaas.runtime.mailbox import AskTimeout, LifeEnded
from tradebaas.runtime.ports import Ports, system_ports
from tradebaas.runtime.supervisor import (
    Budget,
    DeathReport,
    LifePlan,
    find_fatal,
    leaves,
    supervise,
)
from tradebaas.runtime.systemd import Notifier
from tradebaas.store.halt import write_halt
from tradebaas.store.place import Place
from tradebaas.strategies.protocol import BadParameter

HTTP_WAITS_S = 3.0
SPACE_CHECK_S = 2.0
DEED_S = 20.0
WORDS_S = 1.0


def run(config: Config, *, chaos: bool = False, rehearsal: bool = False) -> int:
    """Run the daemon until it is told to stop; the exit code of the process (``errors``).

    With ``chaos`` its actors can be killed; ``rehearsal`` is for ``backup drill``.
    """
    code = 0
    try:
        trio.run(
            _Daemon(config, system_ports(), chaos, rehearsal).main,
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
    rehearsal: bool
    lives: Lives = field(init=False)
    http_down: trio.Event = field(default_factory=trio.Event)
    shell: trio.Nursery | None = None
    acting: bool = False

    def __post_init__(self) -> None:
        secret = client_secret(self.config)
        self.lives = Lives(
            self.config, self.ports, self._locate(), secret, self._note_death,
            rehearsal=self.rehearsal,
        )  # fmt: skip

    async def main(self) -> None:
        self._check_strategy()
        self._check_places()
        notifier = Notifier(os.environ, self.ports.send_datagram)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as shell:
                self.shell = shell
                shell.start_soon(self._take_signals, signals, notifier)
                if self.config.embedded_exchange:
                    shell.start_soon(self._keep_exchange)
                shell.start_soon(narrate, self.lives.board, self.config)
                shell.start_soon(attend, self.lives, notifier, lambda: self.acting)
                shell.start_soon(self._autostart)
                shell.start_soon(self._http)
                shell.start_soon(self._halt_without_space)
                await self._live()
                self.http_down.set()
                shell.cancel_scope.cancel()
        if self.config.embedded_exchange:
            embedded.stop(self.config)

    # ------------------------------------------------------------------- a halt without a disk

    async def _live(self) -> None:
        """All lives. A halt that the disk does not take any more is carried out all the same."""
        try:
            await self.lives.run()
        except StoreFault:
            await self._carry_out_halt()
            raise

    async def _halt_without_space(self) -> None:
        """Likewise while a life waits for space, which may take for ever; once."""
        store, version = self.lives.board.store, 0
        while not (self.lives.waits_for_space() and self._halt_reason()):
            with trio.move_on_after(SPACE_CHECK_S):
                _, version = await store.wait_newer(version)
        await self._carry_out_halt()

    def _halt_reason(self) -> str:
        """Of a halt that is in force or was asked for; "" when there is none."""
        board = self.lives.board
        halted = board.view.value.halted if board.view.value is not None else None
        return board.halt or (f"{halted.by}: {halted.reason}" if halted is not None else "")

    async def _carry_out_halt(self) -> None:
        """Do the deed of a halt with what was known last, if there is one and anything is known."""
        from tradebaas.direct.flatten import flatten
        from tradebaas.direct.life import Setting

        state, reason = self.lives.board.view.value, self._halt_reason()
        if state is None or not reason:
            return
        setting = Setting(
            config=self.config, ports=self.ports, locate=self.lives.locate,
            secret=self.lives.secret, state=state, cause="halt without a disk",
            tell=lambda _: None,
        )  # fmt: skip
        self._say(f"the disk does not take the halt ({reason}): acting at the exchange without it")
        steps: list[str] = []
        self.acting = True
        try:
            with nullcontext() if self.lives.waits_for_space() else self._claimed():
                left = await flatten(
                    setting, "daemon", reason, DEED_S,
                    lambda step, detail: steps.append(f"{step}: {detail}"),
                )  # fmt: skip
            steps.append(left.problem or "halted: nothing of ours is left at the exchange")
        except Fatal as fatal:
            steps.append(f"nothing more was done: {fatal}")
        finally:
            self.acting = False
        with trio.move_on_after(WORDS_S):
            await say("\n".join(steps))

    def _claimed(self) -> AbstractContextManager[None]:
        from tradebaas.direct.claim import claimed

        return claimed(Place(self.config.data_dir), self.ports.clock.wall_ms())

    # ------------------------------------------------------------------------------- words

    def _note_death(self, report: DeathReport) -> None:
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
        await self.lives.board.view.wait_newer(0)
        await embedded.keep(self.config)

    async def _take_signals(self, signals: AsyncIterator[int], notifier: Notifier) -> None:
        async for _ in signals:
            notifier.stopping()
            self.lives.drain.ask()

    async def _autostart(self) -> None:
        """Arm the configured strategy if this store was never told what to trade."""
        settings = self.config.strategy
        view, _ = await self.lives.board.view.wait_newer(0)
        if not settings.autostart or view.assignment is not None:
            return
        assignment = bind_assignment(self.config, self._configured())
        assert isinstance(assignment, Assignment)  # main has checked it
        while True:
            try:
                await self.lives.door.ask(Arm(assignment=assignment), 5.0)
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
        await self.lives.board.recovery.wait_newer(0)

    async def _serve_http(self, _plan: LifePlan) -> None:
        async with self.ports.open_blocking("imports") as worker:
            await worker.run(import_module, "tradebaas.web.app")  # long: not in the loop
            await worker.run(import_module, "tradebaas.web.server")
        from tradebaas.web.address import keep_address
        from tradebaas.web.app import create_app
        from tradebaas.web.server import serve
        from tradebaas.web.shell import Shell

        settings = self.config.http
        shell = Shell(
            config=self.config,
            board=self.lives.board,
            door=self.lives.door,
            clock=self.ports.clock,
            version=__version__,
            started_at=self.lives.born,
            token=self._token(),
            life_up=self.lives.life_up,
            deaths=lambda: self.lives.deaths,
            bind_assignment=partial(bind_assignment, self.config),
            leave_halt=self._leave_halt,
            kill=self.lives.kill if self.chaos else None,
        )
        app = create_app(shell)
        async with trio.open_nursery() as nursery:
            url = await nursery.start(
                partial(serve, app, settings.host, settings.port, shutdown=self.http_down)
            )
            async with trio.open_nursery() as telling:
                await telling.start(keep_address, self.config.data_dir / "address", str(url))
                await say(f"HTTP on {url} (health, metrics, API)")
                await self.http_down.wait()
                telling.cancel_scope.cancel()

    async def _leave_halt(self, reason: str) -> None:
        self.lives.board.halt = reason
        async with self.ports.open_blocking("halt") as worker:
            await worker.run(write_halt, Place(self.config.data_dir), reason)

    def _token(self) -> str:
        try:
            return bearer_token(self.config.data_dir, self.ports.entropy)
        except PermissionError as error:
            raise Unusable(denial(self.config.data_dir / "token")) from error

    def _note_http_death(self, report: DeathReport) -> None:
        fatal = find_fatal(report.error)
        if fatal is None:
            self._say("HTTP died\n" + "".join(traceback.format_exception(report.error)).rstrip())


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
