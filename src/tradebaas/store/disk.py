"""The disk: the only way in which this package touches files.

``Disk`` is what the store needs of a file system, and no more; ``SystemDisk`` is the real one. A
simulation brings another, whose files lie in memory and whose power can be cut, and SQLite is told
its name. Errors are the system's own ``OSError``; what they mean is said in ``faults``. Nothing
here decides, retries, or knows which file is which. A commit costs one call of ``pwrite`` here.
"""

import fcntl
import os
import shutil
import sys
from pathlib import Path
from typing import Literal, Protocol, final

Access = Literal["read", "write", "create", "fresh"]
"""How to open: an existing file to read, or to read and write; the same, made when missing; the
same, made or emptied."""


class DiskFile(Protocol):
    """An open file. Every method but ``close`` raises ``OSError``."""

    def pread(self, size: int, offset: int) -> bytes:
        """At most ``size`` bytes from ``offset`` on; fewer only at the end of the file."""
        ...

    def pwrite(self, data: bytes, offset: int) -> None:
        """Write all of ``data`` at ``offset``."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file, or extend it with zeros, to ``size`` bytes."""
        ...

    def allocate(self, size: int) -> None:
        """Take the space for ``size`` bytes, so that writing there cannot fail for want of it."""
        ...

    def sync(self) -> None:
        """Make the content durable; the file's name is durable by its directory's sync."""
        ...

    def lock(self) -> None:
        """Lock the file for this process until it is closed; waits for nobody.

        Raises:
            BlockingIOError: Another one has it.
        """
        ...

    def close(self) -> None:
        """Close the file, and give up its lock; the object is of no use afterwards."""
        ...


class Disk(Protocol):
    """A file system. Every method raises ``OSError`` unless it says otherwise."""

    @property
    def writer_vfs(self) -> str | None:
        """SQLite's name for this disk, None for the system's own."""
        ...

    @property
    def reader_vfs(self) -> str | None:
        """The name to use beside a live writer, read only; None for the system's own."""
        ...

    @property
    def exclusive(self) -> bool:
        """Whether SQLite has no shared memory here and must lock a database as a whole."""
        ...

    @property
    def pid(self) -> int:
        """The number of this process."""
        ...

    @property
    def command(self) -> str:
        """How this process was called."""
        ...

    def command_of(self, pid: int) -> str:
        """The command line of a running process, "" when it cannot be seen. Never raises."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether there is a file or directory at ``path``."""
        ...

    def is_directory(self, path: Path) -> bool:
        """Whether there is a directory at ``path``."""
        ...

    def usable(self, directory: Path) -> bool:
        """Whether this user may list, read and write the directory. Never raises."""
        ...

    def size(self, path: Path) -> int:
        """Bytes in the file."""
        ...

    def names(self, directory: Path) -> list[str]:
        """What is in the directory, sorted; [] when there is no such directory."""
        ...

    def read(self, path: Path) -> bytes:
        """The whole file."""
        ...

    def open(self, path: Path, access: Access, mode: int = 0o640) -> DiskFile:
        """Open a file; ``mode`` is for one that is made."""
        ...

    def copy(self, source: Path, target: Path) -> None:
        """Copy the content of a file to ``target``, made or replaced; syncs nothing."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove the file's name; nothing happens when there is none."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file or directory another name, replacing a file that has it."""
        ...

    def mkdir(self, path: Path, *, parents: bool = False) -> None:
        """Make a directory, with those above it if ``parents``, unless it is there."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make the names in the directory durable."""
        ...

    def free_bytes(self, directory: Path) -> int:
        """Bytes that this user may still write to the file system of ``directory``."""
        ...


_FLAGS: dict[Access, int] = {
    "read": os.O_RDONLY,
    "write": os.O_RDWR,
    "create": os.O_RDWR | os.O_CREAT,
    "fresh": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
}


@final
class SystemFile:
    """An open file of the operating system."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def pread(self, size: int, offset: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def pwrite(self, data: bytes, offset: int) -> None:
        written = os.pwrite(self._descriptor, data, offset)
        while written < len(data):  # the next try then says why
            written += os.pwrite(self._descriptor, data[written:], offset + written)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def allocate(self, size: int) -> None:
        os.posix_fallocate(self._descriptor, 0, size)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def lock(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        os.close(self._descriptor)


class SystemDisk:
    """The operating system's files, and SQLite's own way to them."""

    writer_vfs: str | None = None
    reader_vfs: str | None = None
    exclusive = False

    @property
    def pid(self) -> int:
        return os.getpid()

    @property
    def command(self) -> str:
        return " ".join(sys.argv)

    def command_of(self, pid: int) -> str:
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return raw.replace(b"\0", b" ").decode(errors="replace").strip()

    def exists(self, path: Path) -> bool:
        return path.exists()

    def is_directory(self, path: Path) -> bool:
        return path.is_dir()

    def usable(self, directory: Path) -> bool:
        return os.access(directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def names(self, directory: Path) -> list[str]:
        try:
            return sorted(os.listdir(directory))  # a glob would hide an error
        except FileNotFoundError:
            return []

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def open(self, path: Path, access: Access, mode: int = 0o640) -> SystemFile:
        return SystemFile(os.open(path, _FLAGS[access] | os.O_CLOEXEC, mode))

    def copy(self, source: Path, target: Path) -> None:
        shutil.copyfile(source, target)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def mkdir(self, path: Path, *, parents: bool = False) -> None:
        path.mkdir(parents=parents, exist_ok=True)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, directory: Path) -> int:
        stats = os.statvfs(directory)
        return stats.f_bavail * stats.f_frsize


SYSTEM_DISK = SystemDisk()
