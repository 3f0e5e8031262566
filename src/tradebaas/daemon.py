"""The composition root: the shell around the lives of the crew (``lives``).

The shell nursery holds what must outlive a life: signals, HTTP (``front``), the watchdog
(``attendance``), the console, notices, and a halt that the disk does not take (``diskless``).
Inside it the supervisor runs life after life of the crew. Nothing here decides about trading; it
wires, starts and stops.
"""

import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import trio

from tradebaas import embedded
from tradebaas.access import check_access, client_secret, notice_addresses
from tradebaas.attendance import Attendance
from tradebaas.binding import bind_assignment, check_strategy, configured
from tradebaas.config import Config
from tradebaas.console import narrate, tell_of_exit
from tradebaas.core.messages import Arm
from tradebaas.core.model import Assignment
from tradebaas.diskless import Diskless
from tradebaas.errors import Fatal, StoreDamaged, Unusable
from tradebaas.front import Front
from tradebaas.lives import Lives
from tradebaas.output import OUTPUT, say, say_last
from tradebaas.parts import Parts
from tradebaas.redact import secrets_of
from tradebaas.reload import taken
from tradebaas.runtime.mailbox import AskTimeout, LifeEnded
from tradebaas.runtime.ports import Ports, system_ports
from tradebaas.runtime.supervisor import LifePlan, find_fatal
from tradebaas.runtime.systemd import Notifier
from tradebaas.store.place import Place
from tradebaas.unattended import restore_newest, restored_words, resume_by_itself

if TYPE_CHECKING:
    from tradebaas.notices.watch import Watch

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LAST_NOTICES_S = 3.0
"""How long an orderly end may take for its notices; what is not sent then, the next start sends."""


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
        if config.embedded_exchange:
            embedded.stop(config)
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
    parts: Parts = field(init=False)
    diskless: Diskless = field(init=False)
    http_down: trio.Event = field(default_factory=trio.Event)
    watch: "Watch | None" = None

    def __post_init__(self) -> None:
        secret = client_secret(self.config)
        self.addresses = () if self.rehearsal else notice_addresses()
        addressed = (word for address in self.addresses for word in secrets_of(address))
        OUTPUT.configure(self.config.log, (secret, *addressed))
        self.parts = Parts(self.ports)
        self.lives = Lives(
            self.config, self.ports, embedded.locate(self.config, self.ports), secret,
            self.parts.note_crew, rehearsal=self.rehearsal,
        )  # fmt: skip
        self.diskless = Diskless(self.config, self.ports, self.lives, self.parts.tell)

    async def main(self) -> None:
        check_strategy(self.config)
        self._check_places()
        notifier = Notifier(os.environ, self.ports.send_datagram)
        attendance = Attendance(self.lives, notifier)
        with trio.open_signal_receiver(*SIGNALS) as signals:
            async with trio.open_nursery() as shell:
                self.parts.shell = shell
                shell.start_soon(self._take_signals, signals, notifier)
                if self.config.embedded_exchange:
                    shell.start_soon(self._keep_exchange)
                shell.start_soon(narrate, self.lives.board, self.config)
                shell.start_soon(attendance.attend, lambda: self.diskless.acting)
                shell.start_soon(self._autostart)
                if self.config.backups.auto_restore:
                    board, door = self.lives.board, self.lives.door
                    place = Place(self.config.data_dir)
                    shell.start_soon(resume_by_itself, board, door, self.ports, place)
                shell.start_soon(self._front().run, self.parts)
                shell.start_soon(self.diskless.watch)
                shell.start_soon(self._notices)
                await attendance.turn(Place(self.config.data_dir))
                if not self.lives.drain.asked.is_set():
                    await self.diskless.live()
                self.http_down.set()
                if self.watch is not None:
                    await self.watch.drain(LAST_NOTICES_S)
                shell.cancel_scope.cancel()

    def _front(self) -> Front:
        return Front(self.config, self.ports, self.lives, self.http_down, self.chaos)

    # ------------------------------------------------------------------------------- exchange

    async def _keep_exchange(self) -> None:
        """Keep the embedded exchange alive, once the store is ours: a refused start starts none."""
        await self.lives.board.view.wait_newer(0)
        await embedded.keep(self.config, self.ports)

    # ------------------------------------------------------------------------------- shell

    async def _take_signals(self, signals: AsyncIterator[int], notifier: Notifier) -> None:
        """End in order, or take the configuration anew.

        A terminal that hangs up ends what runs in it; else a hangup asks for a reload.
        """
        for_reload = None if os.isatty(0) else signal.SIGHUP
        async for number in signals:
            if number == for_reload:
                assert self.parts.shell is not None
                self.parts.shell.start_soon(self._reload, notifier)
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
            await self.parts.keep("Notices", self._watch, self.http_down)

    async def _watch(self, _plan: LifePlan) -> None:
        from tradebaas.notices.watch import Watch

        self.watch = Watch(lambda: self.config, self.lives.board, self.ports, self.addresses)
        try:
            await self.watch.run()
        finally:
            self.watch = None
