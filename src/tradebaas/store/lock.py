"""``data/lock``: one process per data directory.

The kernel holds the lock (flock) and lets go of it when the process dies, however it dies; the
file's content is only for people, and for one question: was there ever a store here? A process
that dies before it has made the store must not leave a directory that refuses to start, so the
mark ``store`` is set once the store exists. This file never removes a lock and never waits.
"""

from datetime import UTC, datetime
from typing import Self

import msgspec
from msgspec import Struct

from tradebaas.errors import StoreBusy
from tradebaas.store.disk import Disk, DiskFile
from tradebaas.store.place import Place

_MAX_BYTES = 65536


class Holder(Struct, frozen=True, kw_only=True):
    """The process that took the lock last. ``store`` says that a store was seen or made here; it
    comes first, so that it lies in the first sector, whatever else is torn."""

    store: bool
    pid: int
    started_ms: int
    command: str


class Lock:
    """The lock of a data directory, held until ``release`` or death."""

    def __init__(self, file: DiskFile, holder: Holder, had_store: bool) -> None:
        self._file = file
        self._holder = holder
        self.had_store = had_store
        self._released = False

    @classmethod
    def take(cls, place: Place, now_ms: int) -> Self:
        """Take the lock of an existing directory.

        Raises:
            StoreBusy: Another process holds it.
            OSError: The file cannot be opened or written.
        """
        file = place.disk.open(place.lock, "create")
        try:
            file.lock()
            return cls._taken(file, place.disk, now_ms)
        except BlockingIOError:
            text = file.pread(_MAX_BYTES, 0)
            file.close()
            raise StoreBusy(_busy_message(place, text)) from None
        except BaseException:
            file.close()  # else this very process would be the one that holds it
            raise

    @classmethod
    def _taken(cls, file: DiskFile, disk: Disk, now_ms: int) -> Self:
        had_store = _says_store(file.pread(_MAX_BYTES, 0))
        holder = Holder(pid=disk.pid, started_ms=now_ms, command=disk.command, store=had_store)
        lock = cls(file, holder, had_store)
        lock._write(holder)
        return lock

    def mark_store(self) -> None:
        """Say durably that there is a store here."""
        if not self.had_store:
            self._write(msgspec.structs.replace(self._holder, store=True))
            self._file.sync()
            self.had_store = True

    def release(self) -> None:
        """Let another process in, once. The file stays: it says that there was a store."""
        if not self._released:
            self._released = True
            self._file.close()

    def _write(self, holder: Holder) -> None:
        """One line, overwritten in place and then cut: a death in between loses nothing."""
        line = msgspec.json.encode(holder) + b"\n"
        self._file.pwrite(line, 0)
        self._file.truncate(len(line))


def had_store(place: Place) -> bool:
    """Whether the lock file says that there was a store; only looks.

    Raises:
        OSError: It cannot be read.
    """
    try:
        return _says_store(place.disk.read(place.lock)[:_MAX_BYTES])
    except FileNotFoundError:
        return False


def _read(text: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(text.partition(b"\n")[0], type=Holder)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _says_store(text: bytes) -> bool:
    """What cannot be read says yes, for refusing to start is the lesser evil, unless it is what
    a power cut may leave of the first line that was ever written here."""
    holder = _read(text)
    if holder is None:
        return not text.startswith((b"\0", b'{"store":false')) and text != b""
    return holder.store


def _busy_message(place: Place, text: bytes) -> str:
    return (
        f"{place.lock} is held by {_describe(_read(text), place.disk)}. Only one daemon may use "
        f"{place.root}: stop that one (`systemctl stop tradebaas`, or end that process), or "
        "name another directory with --data"
    )


def _describe(holder: Holder | None, disk: Disk) -> str:
    if holder is None:
        return "another process that has not said who it is"
    started = datetime.fromtimestamp(holder.started_ms / 1000, UTC)
    command = disk.command_of(holder.pid) or holder.command
    return f"process {holder.pid} ({command}), started {started:%Y-%m-%d %H:%M:%S} UTC"
