"""The machine under the mounts of the simulated disk: what an operation does, and which fault
strikes it. The model is told at the head of ``disk``; a mount asks here for everything it changes.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal, Protocol

from chaos.world.fates import draw_fates
from chaos.world.inodes import Directory, File
from chaos.world.tree import Tree, refused

Kind = Literal["write", "truncate", "sync", "create", "mkdir", "rename", "unlink", "sync names"]
"""What an operation does; these are counted and may be died at. Reading is not among them."""
FaultKind = Literal["read", "short read", "write", "sync", "slow sync"]
Hook = Callable[[int, Kind, Path], None]
"""Told the number, the kind and the path of an operation that is about to happen."""

BLOCK = 4096


@dataclass(slots=True)
class Fault:
    """Strikes once, at the ``nth`` chance from now, or each time with a ``chance``; ``struck`` is
    told whenever it does."""

    nth: int
    chance: float
    seconds: float
    struck: Callable[[], None]


def _untold() -> None:
    """Nobody counts."""


class Process(Protocol):
    """Whoever asks for an operation."""

    def check(self) -> None:
        """Raises ``OSError`` when it is dead."""
        ...

    def failed(self) -> None:
        """Told that an operation of it meets a fault."""
        ...


class Storage:
    """Files, faults and the count of operations. See ``disk.SimDisk`` for what a driver may set."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.tree = Tree()
        self.capacity: int | None = None
        self.read_only = False
        self.lying = False
        self.on_operation: Hook | None = None
        self.operations = 0
        self.refusals = 0
        self.wall_ms: Callable[[], int] = lambda: 0
        self._faults: dict[FaultKind, Fault] = {}

    def arm(
        self, kind: FaultKind, *, nth: int = 0, chance: float = 0.0, seconds: float = 0.0,
        struck: Callable[[], None] = _untold,
    ) -> None:  # fmt: skip
        """Let a fault strike: at the ``nth`` such operation from now, or each time by chance."""
        self._faults[kind] = Fault(nth, chance, seconds, struck)

    @property
    def armed(self) -> bool:
        """Whether a fault still waits to strike."""
        return bool(self._faults)

    def disarm(self) -> None:
        """No fault strikes any more; what they did stays."""
        self._faults.clear()
        self.read_only = self.lying = False
        self.capacity = None

    def used(self) -> int:
        """Bytes in all files."""
        return sum(file.cached.size for file in self.tree.every_file())

    def begin(self, process: Process, kind: Kind, path: Path) -> int:
        """Count an operation that is about to happen; returns its number.

        Raises:
            OSError: The process is dead, or dies here; or the disk is read only.
        """
        process.check()
        self.operations += 1
        if self.on_operation is not None:
            self.on_operation(self.operations, kind, path)
            process.check()
        if kind not in ("sync", "sync names"):
            self.refuse_change(process, path)
        return self.operations

    def refuse_change(self, process: Process, path: Path) -> None:
        """Raises ``OSError`` when the disk is read only."""
        if self.read_only:
            process.failed()
            self.refusals += 1
            raise refused(errno.EROFS, path)

    def fails(self, process: Process, kind: FaultKind) -> bool:
        """Whether a fault strikes an operation of the process now; then it is told."""
        struck = self._strikes(kind) is not None
        if struck:
            process.failed()
        return struck

    def comes_short(self) -> bool:
        """Whether a read brings less than was asked for; nothing has failed by that."""
        return self._strikes("short read") is not None

    def _strikes(self, kind: FaultKind) -> Fault | None:
        fault = self._faults.get(kind)
        if fault is None or not self._due(kind, fault):
            return None
        fault.struck()
        return fault

    def _due(self, kind: FaultKind, fault: Fault) -> bool:
        if not fault.nth:
            return self.random.random() < fault.chance
        fault.nth -= 1
        if not fault.nth and not fault.chance:
            del self._faults[kind]
        return not fault.nth

    def write(
        self, process: Process, serial: int, file: File, path: Path, data: bytes, offset: int
    ) -> None:
        """Write, if there is room.

        Raises:
            OSError: The write failed, or only a part of it had room.
        """
        if self.fails(process, "write"):
            raise refused(errno.EIO, path)
        fits = self._fitting(file, offset + len(data)) - offset
        if fits >= len(data):
            file.write(serial, data, offset)
            return
        if fits >= BLOCK:
            file.write(serial, data[: fits // BLOCK * BLOCK], offset)
        self.refusals += 1
        raise refused(errno.ENOSPC, path)

    def resize(self, serial: int, file: File, path: Path, size: int) -> None:
        """Cut or extend the file.

        Raises:
            OSError: There is no room.
        """
        if self._fitting(file, size) < size:
            self.refusals += 1
            raise refused(errno.ENOSPC, path)
        file.resize(serial, size)

    def sync(self, process: Process, file: File, path: Path) -> None:
        """Make the file's content durable.

        Raises:
            OSError: It may or may not be.
        """
        if file.dirty:
            self.refuse_change(process, path)
        if self.fails(process, "sync"):
            if self.random.random() < 0.5:
                judge = draw_fates(self.random, self.operations, self.operations)
                file.drop(judge, lambda: self.random.random() < 0.5)
            raise refused(errno.EIO, path)
        if not self.lying:
            file.sync()

    def sync_names(self, process: Process, directory: Directory, path: Path) -> None:
        """Make the directory's names durable.

        Raises:
            OSError: They may or may not be.
        """
        if self.fails(process, "sync"):
            raise refused(errno.EIO, path)
        if not self.lying:
            self.tree.sync(directory)

    def sync_seconds(self) -> float:
        """How long the sync that happens now takes."""
        fault = self._strikes("slow sync")
        return fault.seconds if fault else 0.0

    def _fitting(self, file: File, end: int) -> int:
        """As far as the file may reach, up to ``end``."""
        size = file.cached.size
        if self.capacity is None or end <= size:
            return end
        return min(end, size + max(0, self.capacity - self.used()))
