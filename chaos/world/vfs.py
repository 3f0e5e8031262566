"""The simulated disk as SQLite wants it: two virtual file systems in Python under the real one.

The writer's passes every call on to the disk, as ``unix`` does to the kernel: a new journal's name
is synced with its first content, and a read beyond the end comes back short (SQLite then gets
zeros for the rest). It has no shared memory, so a connection must lock exclusively before it looks
at the database. The reader's stands for the connection of another process: at the moment of
opening it freezes the database and its logs, and what SQLite then does to them is private.

Errors leave as SQLite's codes; nothing raises where SQLite could not report it, such as in closing
the files of a dead process.
"""

import errno
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, cast, final

import apsw

from chaos.world.inodes import Content
from tradebaas.store.disk import Access

if TYPE_CHECKING:
    from chaos.world.mount import MountedDisk, SimFile, View

_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_UNSUPPORTED = {"xDlOpen", "xDlSym", "xDlClose", "xDlError"}
_UNSUPPORTED |= {"xSetSystemCall", "xGetSystemCall", "xNextSystemCall"}
_JULIAN_1970_MS = 210_866_760_000_000
_SIDES = ("", "-wal", "-journal")
_BARRED_BY = {1: 3, 2: 2, 3: 3, 4: 1}
"""SHARED, RESERVED, PENDING, EXCLUSIVE: which level of another one is in the way."""

Name = str | apsw.URIFilename | None


class _Vfs(apsw.VFS):
    """What both have in common: neither time nor chance of their own."""

    def __init__(self, name: str, owner: "View") -> None:
        assert name not in apsw.vfs_names(), f"two simulated disks are called {name}"
        self.name = name
        self._owner = owner
        super().__init__(name, exclude=_UNSUPPORTED)

    def excepthook(self, *_error: object) -> None:  # type: ignore[override]
        """SQLite knows the error by its code; nobody needs the traceback as well."""

    def xFullPathname(self, name: str) -> str:
        return name

    def xRandomness(self, numbytes: int) -> bytes:
        return self._owner.storage.random.randbytes(numbytes)

    def xSleep(self, microseconds: int) -> int:
        self._owner.owed_seconds += microseconds / 1e6
        return microseconds

    def xCurrentTime(self) -> float:
        return self.xCurrentTimeInt64() / 86_400_000

    def xCurrentTimeInt64(self) -> int:
        return _JULIAN_1970_MS + self._owner.storage.wall_ms()

    def xGetLastError(self) -> tuple[int, str]:
        return 0, ""


@final
class WriterVfs(_Vfs):
    """Every call is an operation of the process."""

    def __init__(self, name: str, owner: "MountedDisk") -> None:
        super().__init__(name, owner)
        self._disk = owner

    def xOpen(self, name: Name, flags: list[int]) -> apsw.VFSFile:
        flags[1] = flags[0]
        if name is None:  # a temporary file, which no other process can see
            return cast(apsw.VFSFile, _Private(self._owner, Content()))
        path = Path(_text(name))
        access: Access = "read"
        if flags[0] & apsw.SQLITE_OPEN_READWRITE:
            access = "create" if flags[0] & apsw.SQLITE_OPEN_CREATE else "write"
        try:
            opened = self._disk.open(path, access)
        except OSError as error:
            raise _refusal(apsw.SQLITE_CANTOPEN) from error
        new_journal = access == "create" and bool(flags[0] & _JOURNALS)
        return cast(apsw.VFSFile, _Open(self._disk, opened, new_journal))

    def xDelete(self, filename: str, syncdir: bool) -> None:
        path = Path(filename)
        try:
            if not self._disk.exists(path):
                raise _refusal(apsw.SQLITE_IOERR_DELETE_NOENT)
            self._disk.unlink(path)
            if syncdir:
                self._disk.sync_directory(path.parent)
        except OSError as error:
            raise _refusal(apsw.SQLITE_IOERR_DELETE) from error

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: ARG002
        try:
            return self._disk.exists(Path(pathname))
        except OSError as error:
            raise _refusal(apsw.SQLITE_IOERR_ACCESS) from error


@final
class ReaderVfs(_Vfs):
    """A database and its logs as they are when it is opened."""

    def __init__(self, name: str, owner: "View") -> None:
        super().__init__(name, owner)
        self._frozen: dict[str, Content] = {}

    def xOpen(self, name: Name, flags: list[int]) -> apsw.VFSFile:
        flags[1] = flags[0]
        path = "" if name is None else _text(name)
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            self._freeze(path)
        elif path not in self._frozen:
            self._frozen[path] = Content()
        return cast(apsw.VFSFile, _Private(self._owner, self._frozen[path]))

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: ARG002
        self._frozen.pop(filename, None)

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: ARG002
        return pathname in self._frozen

    def _freeze(self, database: str) -> None:
        try:
            self._owner.check_read(Path(database))
            for side in _SIDES:
                self._frozen.pop(database + side, None)
                path = Path(database + side)
                if side == "" or self._owner.exists(path):
                    file = self._owner.storage.tree.file(path)
                    self._frozen[database + side] = file.cached.copy()
        except OSError as error:
            raise _refusal(apsw.SQLITE_CANTOPEN) from error


class _File:
    """What SQLite asks of every file and is answered in the same way."""

    def excepthook(self, *_error: object) -> None:
        """As for the file system."""

    def xClose(self) -> None: ...

    def xSync(self, flags: int) -> None: ...

    def xLock(self, level: int) -> None: ...

    def xUnlock(self, level: int) -> None: ...

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: ARG002
        return False

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE  # as ``unix`` says


@final
class _Open(_File):
    """A file on the disk, opened by a process."""

    def __init__(self, disk: "MountedDisk", opened: "SimFile", new_journal: bool) -> None:
        self._disk = disk
        self._opened = opened
        self._name_unsynced = new_journal

    def xRead(self, amount: int, offset: int) -> bytes:
        """As ``unix`` does, it asks again for the rest of a read that came short: SQLite takes a
        short answer for the end of the file, and what is missing for zeros."""
        short = amount // 2 if self._disk.storage.comes_short() else 0
        try:
            first = self._opened.pread(short, offset) if short else b""
            return first + self._opened.pread(amount - short, offset + short)
        except OSError as error:
            raise _refusal(apsw.SQLITE_IOERR_READ) from error

    def xWrite(self, data: bytes, offset: int) -> None:
        try:
            self._opened.pwrite(data, offset)
        except OSError as error:
            full = error.errno == errno.ENOSPC
            code = apsw.SQLITE_FULL if full else apsw.SQLITE_IOERR_WRITE
            raise _refusal(code) from error

    def xTruncate(self, newsize: int) -> None:
        try:
            self._opened.truncate(newsize)
        except OSError as error:
            raise _refusal(apsw.SQLITE_IOERR_TRUNCATE) from error

    def xSync(self, flags: int) -> None:  # noqa: ARG002
        try:
            self._opened.sync()
            if self._name_unsynced:
                self._disk.sync_directory(self._opened.path.parent)
                self._name_unsynced = False
        except OSError as error:
            raise _refusal(apsw.SQLITE_IOERR_FSYNC) from error

    def xFileSize(self) -> int:
        try:
            return self._opened.size()
        except OSError as error:
            raise _refusal(apsw.SQLITE_IOERR_FSTAT) from error

    def xLock(self, level: int) -> None:
        locks = self._opened.file.locks
        others = [held for who, held in locks.items() if who is not self._opened]
        if max(others, default=0) >= _BARRED_BY[level]:
            raise apsw.BusyError("another connection has locked it")
        if self._disk.alive:
            locks[self._opened] = level

    def xUnlock(self, level: int) -> None:
        if self._disk.alive:
            self._opened.file.locks[self._opened] = level

    def xCheckReservedLock(self) -> bool:
        return any(level >= 2 for level in self._opened.file.locks.values())

    def xClose(self) -> None:
        self._opened.close()


@final
class _Private(_File):
    """A file that only this connection sees."""

    def __init__(self, owner: "View", content: Content) -> None:
        self._owner = owner
        self._content = content

    def xRead(self, amount: int, offset: int) -> bytes:
        try:
            self._owner.check_read(Path("/private"))
        except OSError as error:
            raise _refusal(apsw.SQLITE_IOERR_READ) from error
        return self._content.read(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._content.write(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._content.resize(newsize)

    def xFileSize(self) -> int:
        return self._content.size


@final
class _Seed(apsw.VFS):
    """The system's own, but for where SQLite's generator of random numbers begins."""

    def __init__(self, random: Random) -> None:
        self._random = random
        super().__init__("simulated seed", base="", makedefault=True)

    def xRandomness(self, numbytes: int) -> bytes:
        return self._random.randbytes(numbytes)


def seed_sqlite(random: Random) -> None:
    """Begin SQLite's generator anew. It is one for the whole process and is seeded by the default
    file system, at its next use after it has been told to forget."""
    seed = _Seed(random)
    apsw.randomness(0)
    apsw.randomness(1)
    seed.unregister()


def _text(name: str | apsw.URIFilename) -> str:
    return name if isinstance(name, str) else name.filename()


def _refusal(code: int) -> Exception:
    """SQLite's error of that code, as apsw must raise it.

    Where SQLite goes on after an error and meets the next one, as when it cannot roll back either,
    apsw reports the second as an exception that nobody can catch. SQLite was told all the same.
    """
    if sys.unraisablehook is not _unraisable:
        _reported.append(sys.unraisablehook)
        sys.unraisablehook = _unraisable
    error = apsw.exception_for(code)
    error.add_note(_SIMULATED)
    return error


_SIMULATED = "a simulated failure"
_reported = [sys.unraisablehook]


def _unraisable(report: "sys.UnraisableHookArgs") -> None:
    if _SIMULATED not in getattr(report.exc_value, "__notes__", ()):
        _reported[-1](report)
