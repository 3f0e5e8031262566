"""The operator of the simulated world: gives commands, remembers what was answered, sees states.

An answer counts once it has left the living process, as an HTTP answer would; what is answered
from then on must be in the store for ever. The operator also wants the machine to trade: whatever
is halted is resumed and whatever is stopped is started, sooner or later.
"""

import random
from collections.abc import Callable
from typing import final

import msgspec
import trio

from chaos.sim.machine import Machine, Process
from chaos.world.oracle import Close, HaltWindow, Promise, Published, Witness
from tradebaas.core.messages import (
    Arm,
    ClosePosition,
    Committed,
    Disarm,
    Halt,
    Request,
    Resume,
)
from tradebaas.core.model import Assignment
from tradebaas.core.state import State
from tradebaas.runtime.mailbox import AskTimeout, LifeEnded
from tradebaas.store.halt import write_halt
from tradebaas.store.head import read_head
from tradebaas.store.place import Place

PATIENCE_S = 5.0
OUTAGE = "nothing could be committed for a while"
SIGNS = 3
"""Signs of life until a file that was left must have been found."""


@final
class Operator:
    """Commands one machine. ``journal_n`` tells the exchange journal's last line."""

    def __init__(
        self,
        rng: random.Random,
        machine: Machine,
        assignment: Assignment,
        witness: Witness,
        journal_n: Callable[[], int],
    ) -> None:
        self._rng = rng
        self._machine = machine
        self._assignment = assignment
        self._witness = witness
        self.journal_n = journal_n
        self.answers = 0
        self._resumes = 0
        self._unanswered = set[int]()

    async def act(self) -> None:
        """One command, drawn by what the state allows."""
        process = self._machine.process
        if process is None or not process.alive:
            if self._rng.random() < 0.3:
                self._halt_while_down()
            return
        state = process.lives.board.view.value
        if state is None:
            return
        self._look(state, process)
        if state.halted is None and self._rng.random() < 0.15:
            await self._leave_halt(process)
        else:
            await self.command(self._draw(state))

    async def care(self) -> None:
        """Start what is stopped, and mostly lift what is halted."""
        process = self._machine.process
        state = process.lives.board.view.value if process and process.alive else None
        if state is None:
            return
        if state.halted is not None:
            if self._rng.random() < 0.5:
                await self.command(Resume(by="operator"))
        elif not state.armed:
            await self.command(Arm(assignment=self._assignment))

    async def insist(self, wanted: Callable[[State], bool]) -> None:
        """Resume, arm and close what only a flat account ends; for the quiet at the end."""
        while True:
            process = self._machine.process
            state = process.lives.board.view.value if process and process.alive else None
            if state is not None and wanted(state):
                return
            if state is not None and state.halted is not None:
                await self.command(Resume(by="operator"))
            elif state is not None and not state.armed:
                await self.command(Arm(assignment=self._assignment))
            elif state is not None and state.protect and state.position is not None:
                await self.command(ClosePosition(reason="protect-only until flat"))
            await trio.sleep(0.2)

    async def wait(self, wanted: Callable[[State], bool]) -> None:
        """Wait until the published state is as wanted."""
        while True:
            process = self._machine.process
            state = process.lives.board.view.value if process and process.alive else None
            if state is not None and wanted(state):
                return
            await trio.sleep(0.05)

    async def try_command(self, request: Request) -> None:
        """Ask if there is a process to ask."""
        process = self._machine.process
        if process is not None and process.alive:
            await self.command(request)

    async def command(self, request: Request) -> None:
        """Ask, and keep the promise if there is one."""
        process = self._machine.process
        assert process is not None
        if isinstance(request, Resume):
            self.end_halts()
            self._resumes += 1
            self._unanswered.add(process.number)
        resumes, start = self._resumes, self._witness.starts[-1]
        start.stops += isinstance(request, Disarm)  # until it is answered
        try:
            answer = await process.lives.door.ask(request, PATIENCE_S)
        except (AskTimeout, LifeEnded):
            return
        if not process.alive:
            return
        if isinstance(request, Resume):
            self._unanswered.discard(process.number)
        start.stops -= isinstance(request, Disarm)
        if isinstance(answer, Committed):
            self._remember(request, answer, resumed=resumes != self._resumes)

    def _remember(self, request: Request, answer: Committed, *, resumed: bool) -> None:
        """Keep a promise. Somebody may have ``resumed`` while the answer was under way."""
        self.answers += 1
        name = type(request).__name__
        if isinstance(request, Halt):
            window = HaltWindow(answer.seq, self.journal_n())
            window.last_n = window.first_n if resumed else None
            self._witness.halts.append(window)
        if _closes(request):
            self._witness.closes.append(Close(name, answer.seq))
        events = tuple(msgspec.json.decode(msgspec.json.encode(e)) for e in answer.events)
        self._witness.promises.append(Promise(name, answer.seq, events))
        self._machine.tell("answer", f"{name} seq {answer.seq}")

    def end_halts(self) -> None:
        """From here on entries are allowed again, as far as the operator is concerned."""
        for window in self._witness.halts:
            if window.last_n is None:
                window.last_n = self.journal_n()

    def note_outage(self) -> HaltWindow:
        """From now on nothing can be committed; the driver ends what this gives."""
        place = Place(self._machine.root, self._machine.disk.view())
        try:
            stated = read_head(place)
        except OSError:
            stated = None
        outage = HaltWindow(stated.seq if stated else 0, self.journal_n())
        self._witness.outages.append(outage)
        self._machine.marks[OUTAGE] += 1
        return outage

    def _draw(self, state: State) -> Request:
        if state.halted is not None:
            return Resume(by="operator")
        if not state.armed:
            return Arm(assignment=self._assignment)
        return self._rng.choice(
            (
                Halt(by="operator", reason="drill"),
                Disarm(reason="drill"),
                Disarm(reason="drill", close=True),
                ClosePosition(reason="drill"),
                ClosePosition(reason="drill"),
            )
        )

    def _look(self, state: State, process: Process) -> None:
        """The whole view is shown: it must be in the store for ever, and the fold of the log."""
        place = Place(self._machine.root, self._machine.disk.view())
        self._witness.see_halt(place.disk.exists(place.halt), f"as seq {state.seq} was shown")
        self._witness.published.append(Published.whole(f"process {process.number}", state))

    def _halt_while_down(self) -> None:
        """``tradebaas halt`` with no daemon running writes the file itself."""
        if self._file("while down"):
            self._hold_to_halt("halt while down")

    async def _leave_halt(self, process: Process) -> None:
        """The file is left while the daemon runs, which may take some time to find it.

        It looks after each sign of life, and tells of that before it looks: so of the third sign
        from now on, the second look is over. A resume that is under way may take the file away.
        """
        resumes = self._resumes
        if process.number in self._unanswered or not self._file("while it ran"):
            return
        self._machine.tell("halt file", "left while it ran")
        version = process.lives.board.vitals.version
        for _ in range(SIGNS):
            with trio.move_on_after(PATIENCE_S):
                _, version = await process.lives.board.vitals.wait_newer(version)
                continue
            return
        if process.alive and resumes == self._resumes:
            self._hold_to_halt("halt file")

    def _file(self, reason: str) -> bool:
        """Write data/HALT, as another process would; whether that was done."""
        mount = self._machine.disk.mount()
        try:
            write_halt(Place(self._machine.root, mount), f"operator: {reason}")
        except OSError:
            return False
        finally:
            mount.kill()
        return True

    def _hold_to_halt(self, what: str) -> None:
        """From now on no entry is allowed, and whatever is open is to be closed."""
        place = Place(self._machine.root, self._machine.disk.view())
        try:
            stated = read_head(place)
        except OSError:
            return
        seq = stated.seq if stated else 0
        self._witness.halts.append(HaltWindow(seq, self.journal_n()))
        self._witness.closes.append(Close(what, seq))
        self._machine.tell("answer", what)


def _closes(request: Request) -> bool:
    """Whether it asks for the end of whatever is open."""
    return isinstance(request, Halt | ClosePosition) or (
        isinstance(request, Disarm) and request.close
    )


def free(state: State) -> bool:
    """Armed, with a permit, and nothing in the way of the next trade but a position of its own."""
    return (
        state.armed
        and 0 < state.connection == state.reconciled
        and state.halted is None
        and not (state.protect or state.foreign or state.pending or state.recovering.cause)
        and (state.position is None or state.position.ours)
    )
