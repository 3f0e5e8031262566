"""What lies on the simulated disk: files and directories, each as it is seen and as it would last.

Every file has two contents and every directory two tables of names: what the page cache shows, and
what is on the platters. Between them lie the changes that were not synced yet, in the order in
which they were made. The model itself is told at the head of ``disk``; here it is data, and the
few moves between the two sides. Nothing here draws a random number or knows of a process.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, final

SECTOR = 512
UNSYNCED_MAX = 256
"""So many changes may wait for a sync; when more come, the kernel writes the older half back."""

Fate = Literal["lost", "kept", "torn", "grown"]
"""What a power cut does to an unsynced change; ``grown``: lost, but the file is longer."""
Judge: TypeAlias = "Callable[[int], Fate]"
"""From the serial number of a change to its fate."""
Tear: TypeAlias = "Callable[[], bool]"
"""Whether the next sector of a torn write was written."""


@final
class Content:
    """The bytes of a file: ``data``, and then zeros up to ``size``."""

    __slots__ = ("data", "size")

    def __init__(self, data: bytes | bytearray = b"", size: int = 0) -> None:
        self.data = bytearray(data)
        self.size = size or len(data)

    def read(self, size: int, offset: int) -> bytes:
        end = min(offset + size, self.size)
        if end <= offset:
            return b""
        part = bytes(self.data[offset:end])
        return part + bytes(end - offset - len(part))

    def write(self, data: bytes, offset: int) -> None:
        mine = self.data
        if offset > len(mine):
            mine.extend(bytes(offset - len(mine)))
        end = offset + len(data)
        mine[offset:end] = data
        self.size = max(self.size, end)

    def resize(self, size: int) -> None:
        del self.data[size:]
        self.size = size

    def copy(self) -> "Content":
        return Content(self.data, self.size)


Change: TypeAlias = tuple[int, int, bytes | None]
"""(serial, offset, data) of a write, (serial, size, None) of a truncation or an extension."""


@final
class File:
    """A file. ``stale`` says that a failed sync dropped changes that the page cache still shows.

    ``locks`` are SQLite's, by holder; ``flock`` is who holds the other kind.
    """

    __slots__ = ("cached", "durable", "flock", "locks", "stale", "unsynced")

    def __init__(self, content: Content | None = None) -> None:
        self.durable = content or Content()
        self.cached = self.durable.copy()
        self.unsynced: list[Change] = []
        self.stale = False
        self.flock: object = None
        self.locks: dict[object, int] = {}

    @property
    def dirty(self) -> bool:
        """Whether a power cut could change it."""
        return self.stale or bool(self.unsynced)

    def write(self, serial: int, data: bytes, offset: int) -> None:
        self.cached.write(data, offset)
        self._note((serial, offset, data))

    def resize(self, serial: int, size: int) -> None:
        self.cached.resize(size)
        self._note((serial, size, None))

    def sync(self) -> None:
        """All of what is unsynced reaches the platters; what a failed sync dropped does not."""
        _apply(self.durable, self.unsynced)
        self.unsynced.clear()

    def drop(self, judge: Judge, tear: Tear) -> None:
        """A sync failed: some changes were written, the others count as written and are not."""
        _settle(self.durable, self.unsynced, judge, tear)
        self.unsynced.clear()
        self.stale = True

    def lose_power(self, judge: Judge, tear: Tear) -> None:
        """Only the platters are left, with whatever happened to reach them."""
        _settle(self.durable, self.unsynced, judge, tear)
        self.reset(self.durable)

    def reset(self, content: Content) -> None:
        """The content, seen and durable."""
        self.durable = content
        self.cached = content.copy()
        self.unsynced.clear()
        self.stale = False

    def flip(self, at: int, bit: int) -> None:
        """Change bits of one byte wherever it is: as it is seen, on the platters, and in the writes
        that are still on their way there. Done twice, nothing has happened."""
        for content in (self.cached, self.durable):
            if at < content.size:
                content.write(bytes([content.read(1, at)[0] ^ bit]), at)
        self.unsynced = [_flipped(change, at, bit) for change in self.unsynced]

    def copy(self) -> "File":
        twin = File(self.durable.copy())
        twin.cached = self.cached.copy()
        twin.unsynced = list(self.unsynced)
        twin.stale = self.stale
        return twin

    def _note(self, change: Change) -> None:
        self.unsynced.append(change)
        if len(self.unsynced) > UNSYNCED_MAX:
            _apply(self.durable, self.unsynced[: UNSYNCED_MAX // 2])
            del self.unsynced[: UNSYNCED_MAX // 2]


@final
class Directory:
    """A directory: its names as they are seen, and as they would last."""

    __slots__ = ("durable", "names")

    def __init__(self) -> None:
        self.names: dict[str, Node] = {}
        self.durable: dict[str, Node] = {}


Node: TypeAlias = File | Directory


@dataclass(slots=True)
class Naming:
    """An unsynced change of names: ``node`` gets the name ``new``, loses the name ``old``, or
    both at once. ``waits_for`` are the directories whose sync is still missing."""

    serial: int
    node: Node
    new: tuple[Directory, str] | None = None
    old: tuple[Directory, str] | None = None
    waits_for: list[Directory] = field(default_factory=list)

    def __post_init__(self) -> None:
        for place in (self.old, self.new):
            if place is not None and place[0] not in self.waits_for:
                self.waits_for.append(place[0])

    def last(self) -> None:
        """Make it durable."""
        if self.old is not None:
            directory, name = self.old
            if directory.durable.get(name) is self.node:
                del directory.durable[name]
        if self.new is not None:
            directory, name = self.new
            directory.durable[name] = self.node


def _flipped(change: Change, at: int, bit: int) -> Change:
    serial, offset, data = change
    if data is None or not offset <= at < offset + len(data):
        return change
    flipped = bytearray(data)
    flipped[at - offset] ^= bit
    return serial, offset, bytes(flipped)


def _apply(content: Content, changes: list[Change]) -> None:
    for _, at, data in changes:
        if data is None:
            content.resize(at)
        else:
            content.write(data, at)


def _settle(content: Content, changes: list[Change], judge: Judge, tear: Tear) -> None:
    """Apply each change as its fate wants it."""
    for serial, at, data in changes:
        fate = judge(serial)
        if data is None:
            if fate == "kept":
                content.resize(at)
        elif fate == "kept":
            content.write(data, at)
        elif fate == "torn":
            _write_torn(content, data, at, tear)
        elif fate == "grown":
            content.size = max(content.size, at + len(data))


def _write_torn(content: Content, data: bytes, offset: int, tear: Tear) -> None:
    start = 0
    while start < len(data):
        end = min(len(data), start + SECTOR - (offset + start) % SECTOR)
        if tear():
            content.write(data[start:end], offset + start)
        start = end
