"""The simulated disk in the hands of one process: files, names and locks until it is killed.

``MountedDisk`` is a ``tradebaas.store.disk.Disk``: a store works on it as on the system's. A
``View`` is the same for a judge: it only reads, at any time, and nothing that it does counts.
The model is told at the head of ``disk``.
"""

import errno
from pathlib import Path
from typing import final

from chaos.world.inodes import Directory, File
from chaos.world.storage import Kind, Storage
from chaos.world.tree import refused
from chaos.world.vfs import ReaderVfs, WriterVfs
from tradebaas.store.disk import Access

ENDLESS = 1 << 40
"""What is said to be free on a disk without a capacity, bytes."""
CHUNK = 16 * 1024
"""A copy is written in pieces of so many bytes, so that one may die in the middle."""


class View:
    """What can be read. SQLite sees a private copy of a database, as it is when it is opened."""

    exclusive = True

    def __init__(self, storage: Storage, name: str, pid: int) -> None:
        self.storage = storage
        self.name = name
        self.pid = pid
        self.owed_seconds = 0.0
        self._reader: ReaderVfs | None = None

    def check(self) -> None:
        """Nothing to check: a judge does not die."""

    def failed(self) -> None:
        """Never told: no fault strikes a judge."""

    def check_read(self, path: Path) -> None:
        """Nothing to check: no fault strikes a judge."""

    def forget(self) -> None:
        """Let SQLite forget this view of the disk."""
        if self._reader is not None:
            self._reader.unregister()

    @property
    def reader_vfs(self) -> str:
        if self._reader is None:
            self._reader = ReaderVfs(f"{self.name}:reader", self)
        return self._reader.name

    @property
    def writer_vfs(self) -> str:
        return self.reader_vfs

    @property
    def command(self) -> str:
        return f"simulated process {self.pid}"

    def command_of(self, pid: int) -> str:
        return f"simulated process {pid}"

    def exists(self, path: Path) -> bool:
        self.check()
        return self.storage.tree.find(path) is not None

    def is_directory(self, path: Path) -> bool:
        self.check()
        return isinstance(self.storage.tree.find(path), Directory)

    def usable(self, directory: Path) -> bool:
        return isinstance(self.storage.tree.find(directory), Directory)

    def size(self, path: Path) -> int:
        self.check()
        return self.storage.tree.file(path).cached.size

    def names(self, directory: Path) -> list[str]:
        self.check()
        if self.storage.tree.find(directory) is None:
            return []
        return sorted(self.storage.tree.directory(directory).names)

    def read(self, path: Path) -> bytes:
        self.check()
        file = self.storage.tree.file(path)
        self.check_read(path)
        return file.cached.read(file.cached.size, 0)

    def open(self, path: Path, access: Access, mode: int = 0o640) -> "SimFile":  # noqa: ARG002
        if access != "read":
            raise refused(errno.EROFS, path)
        return SimFile(self, self.storage.tree.file(path), path, False)

    def copy(self, source: Path, target: Path) -> None:  # noqa: ARG002
        raise refused(errno.EROFS, target)

    def unlink(self, path: Path) -> None:
        raise refused(errno.EROFS, path)

    def rename(self, source: Path, target: Path) -> None:  # noqa: ARG002
        raise refused(errno.EROFS, target)

    def mkdir(self, path: Path, *, parents: bool = False) -> None:  # noqa: ARG002
        raise refused(errno.EROFS, path)

    def sync_directory(self, path: Path) -> None:
        raise refused(errno.EROFS, path)

    def free_bytes(self, directory: Path) -> int:  # noqa: ARG002
        self.check()
        capacity = self.storage.capacity
        return ENDLESS if capacity is None else max(0, capacity - self.storage.used())

    def closed(self, file: "SimFile") -> None:
        """Nothing to let go of."""


@final
class MountedDisk(View):
    """The disk as one process has it. ``owed_seconds`` is how long its operations would have
    taken; whoever simulates time sleeps that off and sets it to zero. ``failures`` counts the
    operations that met a fault of the disk, since whoever looks at that last set it to zero.
    """

    def __init__(self, storage: Storage, name: str, pid: int) -> None:
        super().__init__(storage, name, pid)
        self.alive = True
        self.failures = 0
        self._writer: WriterVfs | None = None
        self._open: dict[SimFile, None] = {}

    def kill(self) -> None:
        """The process dies: what it does from now on raises and changes nothing."""
        self.alive = False
        for file in list(self._open):
            file.let_go()
        self._open.clear()
        self.forget()
        if self._writer is not None:
            self._writer.unregister()

    def check(self) -> None:
        """Raises ``OSError`` when the process is dead."""
        if not self.alive:
            raise refused(errno.EIO, "a dead process")

    def failed(self) -> None:
        self.failures += 1

    def check_read(self, path: Path) -> None:
        """Raises ``OSError`` when the process is dead or the disk fails to read."""
        self.check()
        if self.storage.fails(self, "read"):
            raise refused(errno.EIO, path)

    @property
    def writer_vfs(self) -> str:
        if self._writer is None:
            self.check()
            self._writer = WriterVfs(f"{self.name}:writer", self)
        return self._writer.name

    def usable(self, directory: Path) -> bool:
        if self.storage.read_only:
            self.failed()
        return super().usable(directory) and self.alive and not self.storage.read_only

    def open(self, path: Path, access: Access, mode: int = 0o640) -> "SimFile":  # noqa: ARG002
        self.check()
        tree = self.storage.tree
        if access in ("create", "fresh") and tree.find(path) is None:
            file = File()
            tree.link(self.storage.begin(self, "create", path), path, file)
        else:
            file = tree.file(path)
            if access != "read":
                self.storage.refuse_change(self, path)
            if access == "fresh" and file.cached.size:
                self.storage.resize(self.storage.begin(self, "truncate", path), file, path, 0)
        opened = SimFile(self, file, path, access != "read")
        self._open[opened] = None
        return opened

    def copy(self, source: Path, target: Path) -> None:
        data, file = self.read(source), self.open(target, "fresh")
        for start in range(0, len(data), CHUNK):
            file.pwrite(data[start : start + CHUNK], start)
        file.close()

    def unlink(self, path: Path) -> None:
        self.check()
        if self.storage.tree.find(path) is not None:
            self.storage.tree.unlink(self.storage.begin(self, "unlink", path), path)

    def rename(self, source: Path, target: Path) -> None:
        self.storage.tree.rename(self.storage.begin(self, "rename", target), source, target)

    def mkdir(self, path: Path, *, parents: bool = False) -> None:
        self.check()
        if self.storage.tree.find(path) is not None:
            return
        if parents:
            self.mkdir(path.parent, parents=True)
        self.storage.tree.link(self.storage.begin(self, "mkdir", path), path, Directory())

    def sync_directory(self, path: Path) -> None:
        self.check()
        directory = self.storage.tree.directory(path)
        self.storage.begin(self, "sync names", path)
        self.owed_seconds += self.storage.sync_seconds()
        self.storage.sync_names(self, directory, path)

    def closed(self, file: "SimFile") -> None:
        """Forget an open file."""
        self._open.pop(file, None)


@final
class SimFile:
    """An open file of a process, or of a view."""

    __slots__ = ("_owner", "_writable", "file", "path")

    def __init__(self, owner: View, file: File, path: Path, writable: bool) -> None:
        self._owner = owner
        self._writable = writable
        self.file = file
        self.path = path

    def pread(self, size: int, offset: int) -> bytes:
        self._owner.check_read(self.path)
        return self.file.cached.read(size, offset)

    def size(self) -> int:
        """Bytes in the file."""
        self._owner.check()
        return self.file.cached.size

    def pwrite(self, data: bytes, offset: int) -> None:
        serial = self._begin("write")
        self._owner.storage.write(self._owner, serial, self.file, self.path, data, offset)

    def truncate(self, size: int) -> None:
        serial = self._begin("truncate")
        self._owner.storage.resize(serial, self.file, self.path, size)

    def allocate(self, size: int) -> None:
        if size > self.size():
            self.truncate(size)

    def sync(self) -> None:
        self._begin("sync")
        self._owner.owed_seconds += self._owner.storage.sync_seconds()
        self._owner.storage.sync(self._owner, self.file, self.path)

    def lock(self) -> None:
        self._owner.check()
        if self.file.flock not in (None, self):
            raise refused(errno.EWOULDBLOCK, self.path)
        self.file.flock = self

    def let_go(self) -> None:
        """Give up every lock."""
        self.file.locks.pop(self, None)
        if self.file.flock is self:
            self.file.flock = None

    def close(self) -> None:
        self.let_go()
        self._owner.closed(self)

    def _begin(self, kind: Kind) -> int:
        if not self._writable:
            raise refused(errno.EBADF, self.path)
        return self._owner.storage.begin(self._owner, kind, self.path)
