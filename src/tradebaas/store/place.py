"""Which file lies where in a data directory, and which of them say that there was a store.

``tradebaas.db`` with its ``-wal`` and ``-shm`` is SQLite's; ``head``, ``lock`` and ``ballast``
guard it; ``HALT`` is the operator's; ``backups/`` holds copies; ``damaged-*/`` what a restore
moved aside. Nothing here writes to any of them but ``sync_directory``.
"""

import os
from pathlib import Path

from msgspec import Struct

DATABASE = "tradebaas.db"


class Place(Struct, frozen=True):
    """A data directory."""

    root: Path

    @property
    def db(self) -> Path:
        return self.root / DATABASE

    @property
    def wal(self) -> Path:
        return self.root / f"{DATABASE}-wal"

    @property
    def shm(self) -> Path:
        return self.root / f"{DATABASE}-shm"

    @property
    def head(self) -> Path:
        return self.root / "head"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def ballast(self) -> Path:
        return self.root / "ballast"

    @property
    def halt(self) -> Path:
        return self.root / "HALT"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def fresh(self) -> Path:
        """A database that is being made and has never been used."""
        return self.root / f"{DATABASE}.new"


def signs_of_a_store(place: Place) -> list[str]:
    """What in the directory, besides the database, says that there was a store; [] if nothing.

    The lock file says so by itself (``lock.Lock.had_store``), since an empty one does not.
    """
    found = [str(path) for path in (place.head, place.wal, place.shm) if path.exists()]
    found += [str(path) for path in sorted(place.backups.glob("*.db"))[-1:]]
    found += [str(path) for path in sorted(place.root.glob("damaged-*"))[-1:]]
    return found


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable.

    Raises:
        OSError: The directory cannot be opened or synced.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
