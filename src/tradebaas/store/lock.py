"""``data/lock``: one process per data directory.

The kernel holds the lock (flock) and lets go of it when the process dies, however it dies; the
file's content is only for people, and for one question: was there ever a store here? A process
that dies before it has made the store must not leave a directory that refuses to start, so the
mark ``store`` is set once the store exists. This file never removes a lock and never waits.
"""

import fcntl
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from tradebaas.errors import StoreBusy
from tradebaas.store.place import Place

_MAX_BYTES = 65536


class Holder(Struct, frozen=True, kw_only=True):
    """The process that took the lock last. ``store`` says that a store was seen or made here."""

    pid: int
    started_ms: int
    command: str
    store: bool


class Lock:
    """The lock of a data directory, held until ``release`` or death."""

    def __init__(self, descriptor: int, holder: Holder, had_store: bool) -> None:
        self._descriptor = descriptor
        self._holder = holder
        self.had_store = had_store

    @classmethod
    def take(cls, place: Place, now_ms: int) -> Self:
        """Take the lock of an existing directory.

        Raises:
            StoreBusy: Another process holds it.
            OSError: The file cannot be opened or written.
        """
        descriptor = os.open(place.lock, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls._taken(descriptor, now_ms)
        except BlockingIOError:
            text = os.pread(descriptor, _MAX_BYTES, 0)
            os.close(descriptor)
            raise StoreBusy(_busy_message(place, text)) from None
        except BaseException:
            os.close(descriptor)  # else this very process would be the one that holds it
            raise

    @classmethod
    def _taken(cls, descriptor: int, now_ms: int) -> Self:
        had_store = _says_store(os.pread(descriptor, _MAX_BYTES, 0))
        holder = Holder(
            pid=os.getpid(), started_ms=now_ms, command=" ".join(sys.argv), store=had_store
        )
        lock = cls(descriptor, holder, had_store)
        lock._write(holder)
        return lock

    def mark_store(self) -> None:
        """Say durably that there is a store here."""
        if not self.had_store:
            self._write(msgspec.structs.replace(self._holder, store=True))
            os.fsync(self._descriptor)
            self.had_store = True

    def release(self) -> None:
        """Let another process in. The file stays: it says that there was a store."""
        os.close(self._descriptor)

    def _write(self, holder: Holder) -> None:
        """One line, overwritten in place and then cut: a death in between loses nothing."""
        line = msgspec.json.encode(holder) + b"\n"
        os.pwrite(self._descriptor, line, 0)
        os.ftruncate(self._descriptor, len(line))


def had_store(place: Place) -> bool:
    """Whether the lock file says that there was a store; only looks.

    Raises:
        OSError: It cannot be read.
    """
    try:
        return _says_store(place.lock.read_bytes()[:_MAX_BYTES])
    except FileNotFoundError:
        return False


def _read(text: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(text.partition(b"\n")[0], type=Holder)
    except msgspec.DecodeError:
        return None


def _says_store(text: bytes) -> bool:
    """What cannot be read says yes: refusing to start is the lesser evil."""
    holder = _read(text)
    return holder.store if holder is not None else text != b""


def _busy_message(place: Place, text: bytes) -> str:
    return (
        f"{place.lock} is held by {_describe(_read(text))}. Only one daemon may use "
        f"{place.root}: stop that one (`systemctl stop tradebaas`, or end that process), or "
        "name another directory with --data"
    )


def _describe(holder: Holder | None) -> str:
    if holder is None:
        return "another process that has not said who it is"
    started = datetime.fromtimestamp(holder.started_ms / 1000, UTC)
    command = _running_command(holder.pid) or holder.command
    return f"process {holder.pid} ({command}), started {started:%Y-%m-%d %H:%M:%S} UTC"


def _running_command(pid: int) -> str:
    """The command line of a running process, "" when it cannot be seen."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()
