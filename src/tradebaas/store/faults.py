"""What SQLite's and the operating system's errors mean to this program: one table, at one edge.

    damaged (75)     the file is not, or not wholly, what was written: restore a backup
    fault (75)       the disk cannot be trusted or used: the process must end
    unusable (78)    permissions: only a person can mend that
    DiskFull         no space; an ordinary exception, because space can come back
    StoreLocked      a foreign program holds SQLite's lock; an ordinary exception as well

Nothing here retries or logs. Errors of any other kind are bugs and pass unchanged.
"""

import errno
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from tradebaas.errors import Fatal, StoreDamaged, StoreFault, Unusable
from tradebaas.store.disk import Disk


class DiskFull(Exception):
    """No space is left where the data directory lies. Nothing of the failed call was stored."""


class StoreLocked(Exception):
    """A foreign program held the database's write lock for longer than the busy timeout."""


Advice = Callable[[], str]
"""Says what to do about a file that cannot be used; asked only then: it may read every backup."""

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The system's error numbers that mean: no space is left."""
_NO_PERMISSION = frozenset({errno.EACCES, errno.EPERM, errno.EISDIR})
_NO_MORE_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.SchemaChangeError, apsw.SQLError)
_BUSY = (apsw.BusyError, apsw.LockedError)


@contextmanager
def mapped(disk: Disk, file: Path, advice: Advice) -> Iterator[None]:
    """Raise what the errors of SQLite and the system mean for ``file``, which lies on ``disk``.

    Raises:
        StoreDamaged, StoreFault, Unusable, DiskFull, StoreLocked: See the head of this file.
    """
    try:
        yield
    except apsw.Error as error:
        raise _meaning(error, disk, file, advice) from error
    except OSError as error:
        raise _system_meaning(error, disk, file, advice) from error
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        raise damaged(file, f"a row holds what was never written ({error})", advice) from error


def damaged(file: Path, what: str, advice: Advice) -> StoreDamaged:
    """The refusal of a damaged file: what was found, where, and what to do next."""
    return StoreDamaged(f"{file} is damaged: {what}. {advice()}")


def _meaning(error: apsw.Error, disk: Disk, file: Path, advice: Advice) -> Exception:
    match error:
        case apsw.FullError():
            return _full(file)
        case apsw.IOError() if _extended(error) == apsw.SQLITE_IOERR_SHMSIZE:
            return _full(file)  # the wal-index could not grow
        case apsw.IOError() if _extended(error) == apsw.SQLITE_IOERR_SHORT_READ:
            return damaged(file, "it ends in the middle of a page", advice)
        case apsw.IOError() | apsw.ReadOnlyError():
            return _fault(file, str(error))
        case apsw.CantOpenError() | apsw.PermissionsError() | apsw.AuthError():
            return _unopened(error, disk, file, advice)
        case apsw.ConstraintError():
            return _fault(file, f"another writer changed the log under this one ({error})")
        case _ if isinstance(error, _BUSY):
            return StoreLocked(
                f"{file} is locked by another program ({error}): close the tool that has it open "
                "for writing; the daemon tries again by itself"
            )
        case _ if isinstance(error, _DAMAGED):
            return damaged(file, f"SQLite says '{error}'", advice)
    return error


def _extended(error: apsw.Error) -> int:
    return getattr(error, "extendedresult", 0)  # documented, but not in apsw's type stubs


def _unopened(error: apsw.Error, disk: Disk, file: Path, advice: Advice) -> Exception:
    """SQLite does not say why it could not open a file; the system's error number may."""
    number = _errno_of_opening(disk, file)
    if number in NO_SPACE:
        return _full(file)
    if number in _NO_PERMISSION:
        return _denied(file, str(error), disk, file, advice)
    return _too_many(file) if number in _NO_MORE_FILES else _fault(file, str(error))


def _errno_of_opening(disk: Disk, file: Path) -> int:
    try:
        disk.open(file, "write").close()
    except OSError as error:
        return error.errno or 0
    return 0


def _system_meaning(error: OSError, disk: Disk, file: Path, advice: Advice) -> Exception:
    if error.errno in NO_SPACE:
        return _full(file)
    where = Path(error.filename) if isinstance(error.filename, str) else file
    if error.errno in _NO_PERMISSION:
        return _denied(where, str(error), disk, file, advice)
    return _too_many(where) if error.errno in _NO_MORE_FILES else _fault(where, str(error))


def _full(file: Path) -> DiskFull:
    return DiskFull(f"no space is left for {file}: free some space; nothing was lost")


def _too_many(file: Path) -> Fatal:
    return StoreFault(
        f"{file} could not be opened: no more files may be open at a time. Allow more "
        "(LimitNOFILE= in the unit, or `ulimit -n`) before starting again; nothing was lost"
    )


def _denied(where: Path, why: str, disk: Disk, database: Path, advice: Advice) -> Fatal:
    """``where`` is what was refused. A restore replaces only the database's files and the head."""
    name = shlex.quote(str(where.absolute()))
    message = (
        f"{where} cannot be read and written by this user ({why}). Give it and its directory to "
        f"the user that runs tradebaas: chown that-user {name} && chmod u+rwX {name}"
    )
    replaced = where.name.startswith(database.name) or where.name == "head"
    if replaced and disk.usable(database.parent):
        message = f"{message}. Where that cannot be done: {advice()}"
    return Unusable(message)


def _fault(file: Path, why: str) -> Fatal:
    return StoreFault(
        f"{file} could not be read or written ({why}). What the disk holds now is unknown, so the "
        "process ends; look at `dmesg` and the disk's health before starting again"
    )
