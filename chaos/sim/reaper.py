"""Death, at any step: decides when the living process dies, where exactly, and how.

A trap is set for each process. It counts one thing: task steps, those in one lifecycle state,
operations on the disk, writes to the wire, reads from it, or time. It springs at a number drawn so
that early moments, which are those of recovery, come as often as late ones. Then it does one deed:
SIGKILL, a power cut, an exception in the very task that is about to run, or the death of a named
actor. A deed that leaves the process alive sets the next trap, so a life can die while it recovers
from a death, and again.

An instrument must not raise; whatever can fail here is done by flags that others look at.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar, final

import trio

from chaos.sim import kernel
from chaos.sim.machine import PROCESS, Machine, Process
from chaos.sim.swarm import Swarm
from chaos.sim.wire import End
from tradebaas.core.model import Phase
from tradebaas.runtime.crew import Killed

S = TypeVar("S", bound=str)
ACTORS = ("persister", "reconciler", "backups", "metrics", "strategy")


class Place(StrEnum):
    """What a trap counts."""

    STEP = "step"
    DISK = "disk operation"
    SEND = "send"
    RECEIVE = "receive"
    TIME = "time"
    PHASE = "step in a lifecycle state"


class Deed(StrEnum):
    """How something dies."""

    SIGKILL = "SIGKILL"
    POWER = "power cut"
    ERROR = "exception in an actor"
    KILL = "kill of an actor"
    BREAK = "kill inside a frame"


class Injected(Exception):
    """Raised in an actor by the harness, at a step of its choice."""


MOST = {
    Place.STEP: 6000,
    Place.DISK: 300,
    Place.SEND: 150,
    Place.RECEIVE: 200,
    Place.TIME: 8_000,
    Place.PHASE: 40,
}
"""The latest number at which a trap may spring; time is in ms."""
MIGRATION = 61
"""Operations on the disk from the first start over an old store until it has the new schema: in one
of them that start dies, or hardly any death would ever fall into a migration."""
PLACES = (
    *(Place.STEP,) * 7,
    *(Place.DISK,) * 5,
    *(Place.PHASE,) * 2,
    *(Place.SEND, Place.SEND, Place.RECEIVE, Place.TIME),
)
PATIENCE = 1500
"""Steps after which a trap in a lifecycle state that did not come is given up."""
PHASES = (Phase.SIGNAL_DETECTED, Phase.ENTERING_POSITION, Phase.POSITION_OPEN, Phase.CLOSING)
"""Lifecycle states that a trap may wait for; without it the short ones would hardly be met."""
DEEDS = {
    Place.STEP: (Deed.SIGKILL, Deed.POWER, Deed.ERROR, Deed.ERROR, Deed.KILL),
    Place.DISK: (Deed.SIGKILL, Deed.POWER, Deed.POWER),
    Place.SEND: (Deed.SIGKILL, Deed.POWER, Deed.BREAK, Deed.KILL),
    Place.RECEIVE: (Deed.SIGKILL, Deed.POWER, Deed.KILL),
    Place.TIME: (Deed.SIGKILL, Deed.POWER, Deed.KILL),
    Place.PHASE: (Deed.SIGKILL, Deed.POWER, Deed.ERROR, Deed.KILL),
}


KINDS = {
    Deed.SIGKILL: "process",
    Deed.BREAK: "process",
    Deed.POWER: "power cut",
    Deed.ERROR: "actor",
    Deed.KILL: "actor",
}
"""What each deed counts as in the verdict."""


@dataclass(frozen=True, slots=True)
class Death:
    """One death: in which lifecycle state, of what, where, and how many recoveries it cut short
    in a row (0: it fell into none)."""

    phase: Phase
    deed: Deed
    place: Place
    depth: int


@dataclass(slots=True)
class Trap:
    """Springs when ``place`` has been counted to ``number``; ``phase`` is for ``Place.PHASE``, and
    ``waited`` the steps outside it."""

    place: Place
    number: int
    deed: Deed
    phase: Phase
    counted: int = 0
    waited: int = 0


@dataclass(frozen=True, slots=True)
class Dying:
    """A life that an actor's death should end: the newest of ``Reaper.deaths``, until it is seen to
    have ended. ``lost`` are the lives that its process had lost before, ``depth`` as it was."""

    process: Process
    lost: int
    depth: int

    @property
    def ended(self) -> bool:
        return self.process.deaths > self.lost


@final
class Reaper(trio.abc.Instrument):
    """Watches one machine.

    A life dies once: what strikes it while it is dying already is no further death, and an actor
    whose process died before its life had ended was no death of its own.

    ``injected`` is told the name of each exception that a life is made to die of.
    """

    def __init__(self, rng: random.Random, swarm: Swarm) -> None:
        self.deaths: list[Death] = []
        self.machine: Machine | None = None
        self.injected: Callable[[str], None] = lambda _kind: None
        self._wanted = swarm.deaths
        self._dying: Dying | None = None
        self._rng = rng
        self._kills = {p: _some(deeds, swarm.kills) for p, deeds in DEEDS.items()}
        self._most = {p: most * swarm.soon for p, most in MOST.items()}
        self._patience = PATIENCE * swarm.soon
        self._migrates = swarm.old_store and not swarm.traps
        self._places = [p for p in _some(PLACES, swarm.traps) if self._kills[p]]
        self._trap: Trap | None = None
        self._set_at = 0.0
        self._phase = Phase.IDLE
        self._depth = 0

    def watch(self, process: Process) -> None:
        """Set a trap for a process that is about to start."""
        assert self.machine is not None
        process.host.sends = self._on_send
        process.host.received = self._on_receive
        self.machine.disk.on_operation = self._on_disk
        self._set()
        if self._migrates and process.number == 1 and self._trap is not None:
            deed = self._rng.choice(self._kills[Place.DISK])
            self._trap = Trap(Place.DISK, self._rng.randint(1, MIGRATION), deed, Phase.IDLE)

    # ------------------------------------------------------------------------------- the places

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """The instrument's hook: counts the steps of the living process."""
        number = task.context.get(PROCESS, 0)
        process = self._process()
        if not number or process is None or process.number != number:
            return
        process.steps += 1
        trap = self._trap
        if trap is None:
            return
        if trap.place is Place.TIME:
            trap.counted = int((trio.current_time() - self._set_at) * 1000)
        elif trap.place is Place.STEP or _is_in(process, trap):
            trap.counted += 1
        else:
            trap.waited += 1
            if trap.place is Place.PHASE and trap.waited > self._patience:
                self._set()
            return
        if trap.counted < trap.number:
            return
        if trap.deed is not Deed.ERROR or (_actor_of(task) and kernel.may_throw(task)):
            self._spring(process, trap, task)

    def _on_disk(self, _number: int, kind: str, path: Path) -> None:
        assert self.machine is not None
        self.machine.note_operation(kind, path)
        self._count(Place.DISK, f"{kind} {path.name}")

    def _on_receive(self, _end: End, data: bytes) -> bytes:
        self._count(Place.RECEIVE, "")
        return data

    def _on_send(self, end: End, data: bytes) -> None:
        trap, process = self._trap, self._process()
        due = self._is_due(Place.SEND)
        if not due or trap is None or process is None:
            end.put(data)
        elif trap.deed is Deed.BREAK:
            end.put(data[: self._rng.randrange(len(data) + 1)])
            self._spring(process, trap, None)
        else:
            before = self._rng.random() < 0.5
            if not before:
                end.put(data)
            self._spring(process, trap, None)

    def _count(self, place: Place, detail: str) -> None:
        process = self._process()
        if self._is_due(place) and self._trap is not None and process is not None:
            self._spring(process, self._trap, None, detail)

    def _is_due(self, place: Place) -> bool:
        trap = self._trap
        if trap is None or trap.place is not place or self._process() is None:
            return False
        trap.counted += 1
        return trap.counted >= trap.number

    # -------------------------------------------------------------------------------- the deeds

    def _spring(
        self, process: Process, trap: Trap, task: trio.lowlevel.Task | None, detail: str = ""
    ) -> None:
        assert self.machine is not None
        self._trap = None
        self._note(process, trap)
        where = f"{trap.deed} at {trap.place} {trap.counted} of process {process.number}"
        self.machine.tell("death", f"{where} {detail}".rstrip())
        match trap.deed:
            case Deed.SIGKILL | Deed.BREAK:
                process.kill()
            case Deed.POWER:
                self.machine.cut_power()
            case Deed.ERROR:
                assert task is not None
                kernel.throw(task, Injected(f"at step {trap.counted}"))
                self.injected(Injected.__name__)
                self._set()
            case Deed.KILL:
                if process.lives.crew is not None:
                    process.lives.kill(self._rng.choice(ACTORS))
                    self.injected(Killed.__name__)
                self._set()

    def _note(self, process: Process, trap: Trap) -> None:
        """Enter the death in the list. A life that has shown no state yet is one that recovers."""
        actors = KINDS[trap.deed] == "actor"
        dying = self._dying
        if actors and dying is not None and dying.process is process and not dying.ended:
            return
        self.settle()
        if actors:
            self._dying = Dying(process, process.deaths, self._depth)
        machine = self.machine
        assert machine is not None
        board = process.lives.board
        state = board.view.value
        shown = process.lives.life_up()
        if state is not None:
            self._phase = state.phase
        recovering = not shown or state is None or bool(state.recovering.cause)
        self._depth = self._depth + 1 if recovering else 0
        self.deaths.append(Death(self._phase, trap.deed, trap.place, self._depth))
        if trap.place is Place.DISK and machine.migrating():
            machine.marks["death inside a migration"] += 1

    def wait_for(self, phase: Phase) -> None:
        """Set the trap anew, for a step in this lifecycle state."""
        if self._trap is not None:
            self.strike_in(phase)

    def strike_in(self, phase: Phase) -> None:
        """Set a trap for a step in this lifecycle state, though all deaths may be over."""
        number = self._rng.randint(1, 20)
        self._trap = Trap(Place.PHASE, number, self._rng.choice(DEEDS[Place.PHASE]), phase)

    def settle(self) -> None:
        """Take the newest death back if it was an actor's and its life has not ended."""
        dying, self._dying = self._dying, None
        if dying is not None and not dying.ended:
            self.deaths.pop()
            self._depth = dying.depth

    @property
    def left(self) -> int:
        """How many deaths are still to come; at zero there are none."""
        return max(0, self._wanted - len(self.deaths))

    def disarm(self) -> None:
        """No more deaths."""
        self._wanted, self._trap = 0, None

    def _set(self) -> None:
        self._trap = None
        if self.left <= 0:
            return
        rng = self._rng
        place = rng.choice(self._places)
        number = max(1, int(math.exp(rng.uniform(0.0, math.log(self._most[place])))))
        self._trap = Trap(place, number, rng.choice(self._kills[place]), rng.choice(PHASES))
        self._set_at = trio.current_time()

    def _process(self) -> Process | None:
        machine = self.machine
        if machine is None or machine.process is None or not machine.process.alive:
            return None
        return machine.process


def _is_in(process: Process, trap: Trap) -> bool:
    """Whether the trap waits for a lifecycle state, and this is it."""
    if trap.place is not Place.PHASE:
        return False
    state = process.lives.board.view.value
    return state is not None and state.phase is trap.phase


def _actor_of(task: trio.lowlevel.Task) -> str:
    """The actor that a task works for, "" for none."""
    at: trio.lowlevel.Task | None = task
    while at is not None:
        if at.name in ACTORS:
            return str(at.name)
        at = at.parent_nursery.parent_task if at.parent_nursery is not None else None
    return ""


def _some(names: Sequence[S], only: tuple[str, ...]) -> list[S]:
    """Those of ``names`` that are named in ``only``, or all when it is empty."""
    return [name for name in names if not only or name in only]
