"""The composition root: the shell around the lives of the crew (``lives``).

The shell nursery holds what must outlive a life: signals, HTTP, the watchdog, the console. Inside
it the supervisor runs life after life of the crew. At process start HTTP binds only once the crew
has its permit (or after three seconds), so that its imports cost no trading time. Nothing here
decides about trading; it wires, starts and stops.
"""

import os
import signal
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, final

import trio

from tradebaas import __version__, embedded
from tradebaas.access import check_access, client_secret, denial, notice_addresses
from tradebaas.attendance import attend
from tradebaas.bearer import bearer_token
from tradebaas.binding import bind_assignment, check_strategy, configured
from tradebaas.config import HOSTS, Config
from tradebaas.console import narrate, tell_of_exit
from tradebaas.core.messages import Arm
from tradebaas.core.model import Assignment
from tradebaas.errors import Fatal, StoreDamaged, StoreFault, Unusable
from tradebaas.lives import Lives
from tradebaas.output import OUTPUT, say, say_last
from tradebaas.redact import secrets_of
from tradebaas.reload import taken
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
from tradebaas.unattended import restore_newest, restored_words, resume_by_itself

if TYPE_CHECKING:
    from tradebaas.notices.watch import Watch

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
HTTP_WAITS_S = 3.0
LAST_NOTICES_S = 3.0
"""How long an orderly end may take for its notices; what is not sent then, the next start sends."""
SPACE_CHECK_S = 2.0
DEED_S = 20.0
WORDS_S = 1.0


def run(
    config: Config, *, load: Callable[[], Config], chaos: bool = False, rehearsal: bool = False
) -> int:
    """Run the daemon until it is told to stop; the exit code of the process (``errors``).

    ``load`` reads it again. ``chaos``: its actors can be killed; ``rehearsal``: a ``backup drill``.
    """
    ports = system_ports()
    code, fatal = _run(config, ports, load, chaos, rehearsal)
    if isinstance(fatal, StoreDamaged) and config.backups.auto_restore:
        problem = restore_newest(Place(config.data_dir), ports.clock.wall_ms())
        level = "error" if problem else "warning"
        say_last(f"tradebaas: {problem or restored_words(config.data_dir)}", level)
        if not problem:
            code, _ = _run(config, ports, load, chaos, rehearsal)
    return code


def _run(
    config: Config, ports: Ports, load: Callable[[], Config], chaos: bool, rehearsal: bool
) -> tuple[int, Fatal | None]:
    """The exit code, and what it was that ended it."""
    code, fatal = 0, None
    try:
        trio.run(
            _Daemon(config, ports, load, chaos, rehearsal).main,
            restrict_keyboard_interrupt_to_checkpoints=True,
        )
    except* Fatal as group:
        fatal = find_fatal(group)
        say_last(f"tradebaas: {fatal}")
        code = fatal.exit_code if fatal else Fatal.exit_code
    except* SystemExit as group:
        tell_of_exit(group)
        code = code or Fatal.exit_code
    return code, fatal


@final
@dataclass(slots=True)
class _Daemon:
    """What lives as long as the process."""

    config: Config
    ports: Ports
    load: Callable[[], Config]
    chaos: bool
    rehearsal: bool
    lives: Lives = field(init=False)
    addresses: tuple[str, ...] = field(init=False, repr=False)
    http_down: trio.Event = field(default_factory=trio.Event)
    shell: trio.Nursery | None = None
    acting: bool = False
    watch: "Watch | None" = None

    def __post_init__(self) -> None:
        secret = client_secret(self.config)
        self.addresses = () if self.rehearsal else notice_addresses()
        addressed = (word for address in self.addresses for word in secrets_of(address))
        OUTPUT.configure(self.config.log, (secret, *addressed))
        self.lives = Lives(
            self.config, self.ports, self._locate(), secret, self._note_death,
            rehearsal=self.rehearsal,
        )  # fmt: skip

    async def main(self) -> None:
        check_strategy(self.config)
        self._check_places()
        notifier = Notifier(os.environ, self.ports.send_datagram)
        with trio.open_signal_receiver(*SIGNALS) as signals:
            async with trio.open_nursery() as shell:
                self.shell = shell
                shell.start_soon(self._take_signals, signals, notifier)
                if self.config.embedded_exchange:
                    shell.start_soon(self._keep_exchange)
                shell.start_soon(narrate, self.lives.board, self.config)
                shell.start_soon(attend, self.lives, notifier, lambda: self.acting)
                shell.start_soon(self._autostart)
                if self.config.backups.auto_restore:
                    board, door = self.lives.board, self.lives.door
                    place = Place(self.config.data_dir)
                    shell.start_soon(resume_by_itself, board, door, self.ports, place)
                shell.start_soon(self._http)
                shell.start_soon(self._halt_without_space)
                shell.start_soon(self._notices)
                await self._live()
                self.http_down.set()
                if self.watch is not None:
                    await self.watch.drain(LAST_NOTICES_S)
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
        died = ", ".join(dict.fromkeys(cause.actor for cause in report.causes))
        self._say(text, last=report.backoff is None, actor=died)

    def _say(self, text: str, *, last: bool = False, actor: str = "shell") -> None:
        """Tell of a fault, without waiting for a terminal unless these are the last words."""
        if self.shell is None or last:
            say_last(text)
        else:
            self.shell.start_soon(partial(say, text, "error", actor=actor))

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
        """End in order, or take the configuration anew.

        A terminal that hangs up ends what runs in it; else a hangup asks for a reload.
        """
        for_reload = None if os.isatty(0) else signal.SIGHUP
        async for number in signals:
            if number == for_reload:
                assert self.shell is not None
                self.shell.start_soon(self._reload, notifier)
                continue
            notifier.stopping()
            self.lives.drain.ask()

    async def _reload(self, notifier: Notifier) -> None:
        """Take what can be changed while it runs; a configuration that is wrong changes nothing."""
        await self.lives.board.view.wait_newer(0)  # sooner it must not say that it is ready
        notifier.reloading(self.ports.clock.monotonic())
        try:
            async with self.ports.open_blocking("configuration") as worker:
                found = await worker.run(self.load)
        except Unusable as error:
            text = f"the new configuration is refused, the old one stays: {error}"
            await say(text, "error", actor="shell")
        else:
            self.config, words = taken(self.config, found)
            OUTPUT.configure(self.config.log)
            await say(words, actor="shell")
        notifier.ready()

    async def _autostart(self) -> None:
        """Arm the configured strategy if this store was never told what to trade."""
        settings = self.config.strategy
        view, _ = await self.lives.board.view.wait_newer(0)
        if not settings.autostart or view.assignment is not None:
            return
        assignment = bind_assignment(self.config, configured(self.config))
        assert isinstance(assignment, Assignment)  # main has checked it
        while True:
            try:
                await self.lives.door.ask(Arm(assignment=assignment), 5.0)
                return
            except (AskTimeout, LifeEnded):
                await trio.sleep(0.1)

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

    async def _notices(self) -> None:
        """Tell those who want to be told."""
        if self.addresses:
            await self._keep("Notices", self._watch)

    async def _watch(self, _plan: LifePlan) -> None:
        from tradebaas.notices.watch import Watch

        self.watch = Watch(lambda: self.config, self.lives.board, self.ports, self.addresses)
        try:
            await self.watch.run()
        finally:
            self.watch = None

    async def _keep(self, name: str, start: Callable[[LifePlan], Awaitable[None]]) -> None:
        """Run a part of the shell under a budget of its own; it never takes the crew down."""
        budget = Budget(deaths=20, period=600.0)
        try:
            await supervise(
                start,
                clock=self.ports.clock,
                entropy=self.ports.entropy,
                budget=budget,
                on_death=partial(self._note_part_death, name),
                stop=self.http_down,
            )
        except Fatal as fatal:
            self._say(f"{name} ended, the crew goes on: {fatal}")

    # -------------------------------------------------------------------------------- HTTP

    async def _http(self) -> None:
        """Serve once trading is possible."""
        with trio.move_on_after(HTTP_WAITS_S):
            await self._recovered()
        await self._keep("HTTP", self._serve_http)

    async def _recovered(self) -> None:
        """Until the first life has reconciled, proven and protected everything."""
        await self.lives.board.recovery.wait_newer(0)

    async def _serve_http(self, _plan: LifePlan) -> None:
        async with self.ports.open_blocking("imports") as worker:
            await worker.run(import_module, "tradebaas.web.app")  # long: not in the loop
            await worker.run(import_module, "tradebaas.web.server")
        from tradebaas.gaps import gap_of
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
            read_gap=partial(gap_of, Place(self.config.data_dir), self.ports),
            kill=self.lives.kill if self.chaos else None,
        )
        app = create_app(shell)
        async with trio.open_nursery() as nursery:
            url = await nursery.start(
                partial(serve, app, settings.host, settings.port, shutdown=self.http_down)
            )
            async with trio.open_nursery() as telling:
                await telling.start(keep_address, self.config.data_dir / "address", str(url))
                await say(f"HTTP on {url} (health, metrics, API)", actor="http")
                await self.http_down.wait()
                telling.cancel_scope.cancel()

    async def _leave_halt(self, reason: str) -> None:
        self.lives.board.halt = reason
        async with self.ports.open_blocking("halt") as worker:
            await worker.run(write_halt, Place(self.config.data_dir), reason)

    def _token(self) -> str:
        try:
            token = bearer_token(self.config.data_dir, self.ports.entropy)
        except PermissionError as error:
            raise Unusable(denial(self.config.data_dir / "token")) from error
        OUTPUT.log.secrets.add(token)
        return token

    def _note_part_death(self, name: str, report: DeathReport) -> None:
        fatal = find_fatal(report.error)
        if fatal is None:
            self._say(f"{name} died\n" + "".join(traceback.format_exception(report.error)).rstrip())
