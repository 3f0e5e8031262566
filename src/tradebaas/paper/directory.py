"""The exchange's directory: who holds it, and where the exchange listens.

``lock`` is held by flock for as long as the process lives and names it, so two exchanges can never
share one journal, and a crash leaves nothing to clean up. Once there is a journal, a line end in it
says so: without that, a journal that got lost would be begun anew, and the account with it.
``address`` says where to connect; it is written whole or not at all, and it may be stale after a
SIGKILL.
"""

import fcntl
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, final

import msgspec

from tradebaas.errors import StoreBusy, StoreFault

JOURNAL = "exchange.db"
MADE = b"\n"


@final
class Lock:
    """The lock file. ``made`` says whether there was a journal with an account in it before."""

    def __init__(self, file: BinaryIO, *, made: bool) -> None:
        self._file = file
        self.made = made

    def mark_made(self) -> None:
        """Say that there is one from now on."""
        if not self.made:
            self._file.write(MADE)
            self._file.flush()
            self.made = True


@contextmanager
def locked(directory: Path) -> Iterator[Lock]:
    """Hold the directory's lock; the file says which process does. Whatever else it holds, which
    may be no text at all, is nobody's.

    Raises:
        StoreBusy: another exchange holds it.
        StoreFault: there was a journal here, and there is none.
    """
    path = directory / "lock"
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().decode(errors="replace").strip() or "unknown"
            raise StoreBusy(
                f"{directory} is in use by another exchange, process {holder}; use that one, stop "
                "it, or give another directory"
            ) from None
        file.seek(0)
        made = file.read().endswith(MADE)
        file.truncate(0)
        file.write(str(os.getpid()).encode() + (MADE if made else b""))
        file.flush()
        journal = directory / JOURNAL
        if made and not (journal.exists() and journal.stat().st_size):
            raise StoreFault(f"{journal} is gone or empty, {lost(directory)}")
        yield Lock(file, made=made)


def lost(directory: Path) -> str:
    """What it means that the journal is not what it was, and what to do."""
    here = directory.absolute()
    aside = shlex.join(["mv", str(here), f"{here}-lost"])
    return (
        "but there was an exchange here: its account, and what was "
        f"open on it, is lost with it. Put the file back, or begin afresh with: {aside}. "
        "The store of a daemon that traded on it belongs to the lost account, and has to be begun "
        "afresh as well"
    )


@contextmanager
def address(directory: Path, url: str) -> Iterator[None]:
    """Say where the exchange listens (JSON ``url`` and ``pid``) for as long as it does."""
    path = directory / "address"
    fresh = directory / "address.new"
    fresh.write_bytes(msgspec.json.encode({"url": url, "pid": os.getpid()}))
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
