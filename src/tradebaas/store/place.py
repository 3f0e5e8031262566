"""Which file lies where in a data directory, and which of them say that there was a store.

``tradebaas.db`` with its ``-wal`` and ``-shm`` is SQLite's; ``head``, ``lock`` and ``ballast``
guard it; ``HALT`` is the operator's; ``backups/`` holds copies; ``damaged-*/`` what a restore
moved aside. A place carries the disk that it lies on, so whoever has a place needs nothing else.
Nothing here writes.
"""

from pathlib import Path

from msgspec import Struct

from tradebaas.store.disk import SYSTEM_DISK, Disk

DATABASE = "tradebaas.db"
DAMAGED = "damaged-"
"""How the directories begin that restores move things aside to."""


class Place(Struct, frozen=True):
    """A data directory on a disk."""

    root: Path
    disk: Disk = SYSTEM_DISK

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

    Raises:
        OSError: The directory cannot be read.
    """
    disk = place.disk
    found = [str(path) for path in (place.head, place.wal, place.shm) if disk.exists(path)]
    copies = [name for name in disk.names(place.backups) if name.endswith(".db")]
    found += [str(place.backups / name) for name in copies[-1:]]
    found += [str(path) for path in moved_aside(place)[-1:]]
    return found


def moved_aside(place: Place) -> list[Path]:
    """What restores moved aside, oldest first.

    Raises:
        OSError: The directory cannot be read.
    """
    names = place.disk.names(place.root)
    return [place.root / name for name in names if name.startswith(DAMAGED)]
