"""The daemon's machine: its processes, one after another, on one disk and one network.

A process here is ``tradebaas.lives.Lives``, the very code that the daemon runs, with every port
replaced. It ends as a real one does: by itself with an exit code, in order after SIGTERM, by
SIGKILL, or with the whole machine. After its death nothing that its code still does reaches the
disk, the network or a person: the code unwinds, since Python must, but nobody hears of it.

Which tasks belong to a process is told by a context variable, which tasks inherit.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import msgspec
import trio

from chaos.sim.blocking import CallTap, SimWorker, unseen
from chaos.sim.clock import SimClock, WallClock
from chaos.sim.timeline import Tell
from chaos.sim.wire import End, Host, Network
from chaos.world.disk import SimDisk
from chaos.world.mount import MountedDisk
from tradebaas.board import USUAL, Capacities
from tradebaas.config import Config
from tradebaas.core.events import Event
from tradebaas.errors import BudgetSpent, Fatal, StoreFault, StoreOlder
from tradebaas.lives import Lives
from tradebaas.runtime.ports import ChildFailed, Ports, SeededEntropy, always
from tradebaas.runtime.supervisor import DeathReport, find_fatal
from tradebaas.runtime.usage import Usage
from tradebaas.store.backup import BackupFailed, Mark, create_backup
from tradebaas.store.faults import DiskFull, StoreLocked
from tradebaas.store.folding import STATE_FOLD
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader
from tradebaas.store.retention import Retention, prune

URL = "ws://exchange.simulated:8022/ws/api/v2"
SECRET = "paper-secret"
PROCESS: ContextVar[int] = ContextVar("process", default=0)
"""The number of the process that a task belongs to; 0 for the rest of the world."""


@final
class Process:
    """One process of the daemon, from exec to its end. ``exit`` is its exit code or how it died.

    ``deaths`` counts the lives that it lost, and ``budget`` says how many it may survive.
    """

    def __init__(
        self, number: int, host: Host, mount: MountedDisk, lives: Lives, budget: int
    ) -> None:
        self.number = number
        self.host = host
        self.mount = mount
        self.lives = lives
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.steps = 0
        self.deaths = 0
        self.budget = budget
        self.exit: int | str | None = None
        self.words = ""

    @property
    def alive(self) -> bool:
        return self.exit is None

    def note_death(self, report: DeathReport) -> None:
        """A life was lost. If another follows, what this one met excuses nothing any more."""
        self.deaths += 1
        if report.backoff is not None:
            self.mount.failures = 0

    def had_cause(self) -> bool:
        """Whether the world has done what it takes to end a process with such an exit code."""
        match self.exit:
            case StoreFault.exit_code:
                return self.mount.failures > 0
            case BudgetSpent.exit_code:
                return self.deaths > self.budget
            case _:
                return False

    def kill(self) -> None:
        """SIGKILL."""
        self._die("SIGKILL")
        self.host.die()
        self.mount.kill()

    def lose_power(self) -> None:
        """The machine stops; the disk is cut by whoever calls this."""
        self._die("power cut")
        self.host.vanish()
        self.mount.kill()

    def _die(self, how: str) -> None:
        if self.exit is None:
            self.exit = how
        self.scope.cancel()
        self.ended.set()

    async def run(self) -> None:
        """Run the lives to their end; a death from outside discards all that comes after it."""
        PROCESS.set(self.number)
        try:
            with self.scope:
                await self.lives.run()
        except* Fatal as group:
            fatal = find_fatal(group)
            assert fatal is not None
            self._end(fatal.exit_code, str(fatal))
        except* Exception:
            if self.alive and trio.current_effective_deadline() > -math.inf:
                raise  # nothing but a Fatal may leave the lives of a process, unless the world ends
        self._end(0, "")

    def _end(self, code: int, words: str) -> None:
        """The process exits by itself, unless it is dead already."""
        if self.exit is None:
            self.exit, self.words = code, words
            self.host.die()
            self.mount.kill()
            self.ended.set()


@final
@dataclass(slots=True)
class Machine:
    """What the processes of the daemon share."""

    rng: random.Random
    config: Config
    disk: SimDisk
    network: Network
    nursery: trio.Nursery
    tell: Tell
    hand_over_s: float = 0.0003
    capacities: Capacities = USUAL
    wall: WallClock = field(default_factory=WallClock)
    count: int = 0
    process: Process | None = None
    prepare: Callable[[Process], None] = lambda _process: None
    within_commit: Callable[[], None] | None = None
    marks: Counter[str] = field(default_factory=Counter)
    calls: CallTap = unseen

    @property
    def root(self) -> Path:
        return self.config.data_dir

    def start(self) -> Process:
        """Exec the daemon; the one before must have ended."""
        assert self.process is None or not self.process.alive
        self.count += 1
        number = self.count
        host, mount = Host(f"daemon {number}"), self.disk.mount()
        lives = Lives(
            config=self.config,
            ports=self._ports(host, mount),
            locate=always(URL),
            secret=SECRET,
            on_death=self._note_death,
            disk=mount,
            capacities=self.capacities,
        )
        process = Process(number, host, mount, lives, self.config.supervisor.deaths)
        self.process = process
        self.prepare(process)
        self.tell("start", f"process {number}")
        self.nursery.start_soon(self._listen, process)
        self.nursery.start_soon(self._watch_link, process)
        self.nursery.start_soon(process.run, name=f"process {number}")
        return process

    async def _listen(self, process: Process) -> None:
        """Write into the timeline what the process commits, as it is published."""
        with process.lives.board.events.subscribe(1000) as events:
            while process.alive:
                seq, event = await events.receive()
                self.tell("event", f"{seq} {describe(event)}")

    async def _watch_link(self, process: Process) -> None:
        """Likewise: how the connection fares."""
        version, told = 0, ""
        while process.alive:
            link, version = await process.lives.board.link.wait_newer(version)
            text = f"connection {link.connection} {'up' if link.up else 'down'}: {link.detail}"
            if text != told and process.alive:
                self.tell("link", text)
                told = text

    def migrating(self) -> bool:
        """Whether the store still has an older schema: whoever opens it migrates it.

        It has the new one from the commit on, which the head of the file tells only much later.
        """
        try:
            with open_reader(Place(self.root, self.disk.view())):
                return False
        except StoreOlder:
            return True
        except Fatal:  # there is no store yet, or none that is whole
            return False

    def note_operation(self, kind: str, path: Path) -> None:
        """Told of each operation before it happens: a write to the log is the midst of a commit."""
        deed = self.within_commit
        if deed is not None and kind == "write" and path.name.endswith("-wal"):
            self.within_commit = None
            deed()

    def cut_power(self) -> None:
        """Stop the machine: the process, its children and what the disk had not made durable."""
        if self.process is not None:
            self.process.lose_power()
        self.disk.power_cut()

    def _note_death(self, report: DeathReport) -> None:
        if self.process is not None and self.process.alive:
            self.process.note_death(report)
            causes = ", ".join(map(str, report.causes))
            self.tell("life died", f"life {report.life} of process {self.count}: {causes}")

    def _ports(self, client: Host, mount: MountedDisk) -> Ports:
        rng = random.Random(self.rng.getrandbits(64))

        async def connect(host: str, port: int, tls: bool) -> End:
            assert f"://{host}:{port}/" in URL
            assert not tls
            return await self.network.connect(client)

        clock = SimClock(self.wall, start=float(rng.randrange(1, 10**6)))
        return Ports(
            clock=clock,
            entropy=SeededEntropy(rng.getrandbits(64)),
            open_blocking=lambda _name: SimWorker(rng, self.hand_over_s, mount, self.calls),
            connect=connect,
            send_datagram=_nobody_listens,
            run_self=_Child(self, rng).run,
            measure=lambda: Usage(50_000_000, 1.0, 1.0),
        )


@final
@dataclass(slots=True)
class _Child:
    """``tradebaas backup create`` as a process of its own: it outlives a SIGKILL of its parent."""

    machine: Machine
    rng: random.Random

    async def run(self, arguments: Sequence[str], within: float, given: str = "") -> str:
        """``ports.RunSelf`` for the one thing that the daemon has its children do."""
        assert (arguments[:2], given) == (("backup", "create"), ""), arguments
        keep = int(arguments[arguments.index("--keep") + 1])
        seq, _, digest = arguments[arguments.index("--state") + 1].partition(":")
        held = Mark(int(seq), bytes.fromhex(digest))
        with trio.move_on_after(within) as limit:
            await trio.sleep(self.rng.uniform(0.05, 0.5))
            await self._in_a_commit_or_soon(keep, held)
            await trio.sleep(self.rng.uniform(0.05, 0.5))
        if limit.cancelled_caught:
            raise ChildFailed(f"it took longer than {within:g} s and was stopped")
        return ""

    async def _in_a_commit_or_soon(self, keep: int, held: Mark) -> None:
        """Copy in the middle of the daemon's next commit, if there is one soon."""
        machine, done = self.machine, trio.Event()
        failed: list[ChildFailed] = []

        def in_a_commit() -> None:
            try:
                self._back_up(keep, held)
                machine.marks["backup during a commit"] += 1
            except ChildFailed as error:
                failed.append(error)
            done.set()

        machine.within_commit = in_a_commit
        with trio.move_on_after(self.rng.uniform(0.0, 2.0)):
            await done.wait()
        machine.within_commit = None
        if failed:
            raise failed[0]
        if not done.is_set():
            self._back_up(keep, held)

    def _back_up(self, keep: int, held: Mark) -> None:
        machine = self.machine
        mount = machine.disk.mount()
        place = Place(machine.root, mount)
        try:
            now_ms = machine.wall.now_ms()
            info = create_backup(place, now_ms=now_ms, fold=STATE_FOLD, expected=held)
            prune(place, Retention(newest=keep), now_ms)
        except (BackupFailed, DiskFull, StoreLocked, Fatal, OSError, SystemError) as error:
            # A sync that fails while a connection is being closed leaves apsw as a SystemError.
            raise ChildFailed(f"it exited 1: {error}") from error
        finally:
            mount.kill()
        machine.tell("backup", info.name)


def describe(event: Event) -> str:
    """An event as one line."""
    return msgspec.json.encode(event).decode()


def _nobody_listens(_address: str, _payload: bytes) -> None:
    raise FileNotFoundError("there is no systemd here")
