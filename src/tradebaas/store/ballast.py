"""``data/ballast``: 16 MiB that are taken in good times and given back when the disk is full.

So a full disk never stops the daemon from recording how it protects and closes a position. Nothing
here decides when: the persister releases it on ``DiskFull`` and restores it when space is back.
"""

import errno
import os
from pathlib import Path

from tradebaas.store.faults import DiskFull
from tradebaas.store.place import Place, sync_directory

BALLAST_BYTES = 16 * 1024 * 1024


def ballast_held(place: Place) -> bool:
    """Whether the whole ballast is there."""
    try:
        return place.ballast.stat().st_size == BALLAST_BYTES
    except FileNotFoundError:
        return False


def release_ballast(place: Place) -> None:
    """Give the space back; nothing happens when it is released already.

    Raises:
        OSError: The file cannot be removed.
    """
    place.ballast.unlink(missing_ok=True)
    sync_directory(place.root)


def restore_ballast(place: Place) -> bool:
    """Take the space again; whether it is held now.

    Taken only if as much again stays free, so that it is not taken and released in turn.

    Raises:
        OSError: The file cannot be made for another reason than space.
    """
    if ballast_held(place):
        return True
    if free_bytes(place.root) < 2 * BALLAST_BYTES:
        return False
    descriptor = os.open(place.ballast, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
        os.fsync(descriptor)
    except OSError as error:
        place.ballast.unlink()
        if error.errno != errno.ENOSPC:  # another program took the space meanwhile
            raise
        return False
    finally:
        os.close(descriptor)
    return True


def free_bytes(directory: Path) -> int:
    """Bytes that this user may still write to the file system of ``directory``."""
    stats = os.statvfs(directory)
    return stats.f_bavail * stats.f_frsize


def require_free(directory: Path, wanted: int) -> None:
    """Refuse work that would leave less than the ballast free.

    Raises:
        DiskFull: There is not enough space.
    """
    free = free_bytes(directory)
    if free < wanted + BALLAST_BYTES:
        raise DiskFull(f"{directory} has {free} bytes free, {wanted + BALLAST_BYTES} are needed")
