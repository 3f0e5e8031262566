"""The exchange's directory: who holds it, and where the exchange listens.

``lock`` is held by flock for as long as the process lives and names it, so two exchanges can never
share one journal, and a crash leaves nothing to clean up. ``address`` says where to connect; it is
written whole or not at all, and it may be stale after a SIGKILL.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import msgspec

from tradebaas.errors import StoreBusy


@contextmanager
def locked(directory: Path) -> Iterator[TextIO]:
    """Hold the directory's lock; the file says which process does.

    Raises:
        StoreBusy: another exchange holds it.
    """
    path = directory / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise StoreBusy(
                f"{directory} is in use by another exchange, process {holder}; use that one, stop "
                "it, or give another directory"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file


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
