"""The points at which a process can be made to die, and their numbers.

    commit    a call of the writer that appends to the log: before it begins, and again when it has
              ended and nobody has been told
    sync      of any file or directory
    send      bytes have just gone into the wire
    receive   bytes have just come out of it, and nobody has seen them

They are counted from one on in the order in which they come, which is the same in every run of a
world that goes the same way. ``Surveyor`` counts those of the living process, and tells of each
while it lasts: whoever is told may end the process there and then. Of a frame it asks before, in
case the connection is cut there.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import final

from msgspec import Struct

from chaos.enumerate import frames
from chaos.enumerate.cuts import Cut
from chaos.sim.machine import Machine, Process
from chaos.sim.wire import End
from tradebaas.core.model import Phase, Role
from tradebaas.core.state import State, naked_amount
from tradebaas.store.log import Log
from tradebaas.store.records import NewRecord

INTENT = "OrderIntended"


class Kind(StrEnum):
    """What happens at a point."""

    COMMIT = "commit"
    SYNC = "sync"
    SEND = "send"
    RECEIVE = "receive"


ON_DISK = (Kind.COMMIT, Kind.SYNC)
ON_WIRE = (Kind.SEND, Kind.RECEIVE)


class Point(Struct, frozen=True):
    """One point. ``what`` are words; ``phase`` and ``seq`` are those of the state shown last.

    ``hot``: an entry is on its way, or what it opened is not protected yet.
    """

    number: int
    kind: Kind
    what: str
    phase: Phase
    seq: int
    hot: bool


@final
class Surveyor:
    """Counts the points of one machine. Off until ``begin``.

    ``reached`` is told of each point. At a frame ``cut_at`` is asked first; where it cuts the
    connection, nobody is told.
    """

    def __init__(
        self, machine: Machine, reached: Callable[[Point], None],
        cut_at: Callable[[Point], Cut | None],
    ) -> None:  # fmt: skip
        self.count = 0
        self.written = 0
        """Operations that changed the disk; without the syncs, which are..."""
        self.synced = 0
        self.sent = 0
        """Writes into the wire that do more than ask."""
        self._machine = machine
        self._reached = reached
        self._cut_at = cut_at
        self._on = False
        self._asked: dict[int, str] = {}
        self._shown = State()
        machine.prepare = self._watch
        machine.calls = self._on_call
        machine.disk.on_operation = self._on_disk

    def begin(self) -> None:
        """Count from one on, from now."""
        self._on, self.count = True, 0

    def end(self) -> None:
        """Count no more."""
        self._on = False

    def _watch(self, process: Process) -> None:
        self._asked = {}
        process.host.sends, process.host.received = self._on_send, self._on_receive

    # ------------------------------------------------------------------------------- the places

    def _on_call(self, fn: Callable[..., object], args: tuple[object, ...], done: bool) -> None:
        if getattr(fn, "__func__", None) is Log.append:
            records = args[0]
            assert isinstance(records, list)
            self._reach(Kind.COMMIT, f"{'done' if done else 'begins'}: {_kinds(records)}")

    def _on_disk(self, _number: int, kind: str, path: Path) -> None:
        if kind == "sync":
            self._reach(Kind.SYNC, path.name)
            self.synced += 1
        elif kind == "sync names":
            self._reach(Kind.SYNC, f"the names in {path}")
            self.synced += 1
        else:
            self.written += 1

    def _on_send(self, end: End, data: bytes) -> None:
        if not self._on:
            end.put(data)
            return
        self._asked |= {message.id: message.method for message in frames.messages(data)}
        self.sent += not frames.merely_asks(data)
        point = self._next(Kind.SEND, frames.sent(data))
        cut = self._cut_at(point) if point else None
        end.put(cut.passed(data) if cut else data)
        if cut:
            end.finish()
        elif point:
            self._reached(point)

    def _on_receive(self, end: End, data: bytes) -> bytes:
        if not self._on:
            return data
        point = self._next(Kind.RECEIVE, frames.received(data, self._asked))
        cut = self._cut_at(point) if point else None
        if cut:
            end.finish()
            return cut.passed(data)
        if point:
            self._reached(point)
        return data

    def _reach(self, kind: Kind, what: str) -> None:
        point = self._next(kind, what)
        if point:
            self._reached(point)

    def _next(self, kind: Kind, what: str) -> Point | None:
        process = self._machine.process
        if not self._on or process is None or not process.alive:
            return None
        self.count += 1
        self._shown = state = process.lives.board.view.value or self._shown
        return Point(self.count, kind, what, state.phase, state.seq, _hot(what, state))


def _hot(what: str, state: State) -> bool:
    """From the commit of an entry's intent until its position is protected, or its fate unknown."""
    entering = any(
        pending.intent.role is Role.ENTRY and not pending.unknown
        for pending in state.pending.values()
    )
    naked = state.phase is not Phase.CLOSING and naked_amount(state) > 0
    return entering or naked or (INTENT in what and state.phase is Phase.ANALYZING)


def _kinds(records: list[NewRecord]) -> str:
    return ", ".join(dict.fromkeys(record.kind for record in records)) or "a snapshot"
