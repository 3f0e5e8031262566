"""``data/ballast``: 16 MiB that are taken in good times and given back when the disk is full.

So a full disk never stops the daemon from recording how it protects and closes a position. Nothing
here decides when: the persister releases it on ``DiskFull`` and restores it when space is back.
"""

import errno
from pathlib import Path

from tradebaas.store.disk import Disk
from tradebaas.store.faults import DiskFull
from tradebaas.store.place import Place

BALLAST_BYTES = 16 * 1024 * 1024


def ballast_held(place: Place) -> bool:
    """Whether the whole ballast is there."""
    try:
        return place.disk.size(place.ballast) == BALLAST_BYTES
    except FileNotFoundError:
        return False


def release_ballast(place: Place) -> None:
    """Give the space back; nothing happens when it is released already.

    Raises:
        OSError: The file cannot be removed.
    """
    place.disk.unlink(place.ballast)
    place.disk.sync_directory(place.root)


def restore_ballast(place: Place) -> bool:
    """Take the space again; whether it is held now.

    Taken only if as much again stays free, so that it is not taken and released in turn.

    Raises:
        OSError: The file cannot be made for another reason than space.
    """
    if ballast_held(place):
        return True
    if place.disk.free_bytes(place.root) < 2 * BALLAST_BYTES:
        return False
    file = place.disk.open(place.ballast, "fresh")
    try:
        file.allocate(BALLAST_BYTES)
        file.sync()
    except OSError as error:
        place.disk.unlink(place.ballast)
        if error.errno != errno.ENOSPC:  # another program took the space meanwhile
            raise
        return False
    finally:
        file.close()
    return True


def require_free(disk: Disk, directory: Path, wanted: int) -> None:
    """Refuse work that would leave less than the ballast free.

    Raises:
        DiskFull: There is not enough space.
    """
    free = disk.free_bytes(directory)
    if free < wanted + BALLAST_BYTES:
        raise DiskFull(f"{directory} has {free} bytes free, {wanted + BALLAST_BYTES} are needed")
