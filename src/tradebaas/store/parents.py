"""Makes the names that lead to a data directory durable.

A directory that was just made can vanish at a power cut with all that lies in it, however often
its files were synced, as long as the directories above were not. Whoever made it may have died.
"""

import errno

from tradebaas.store.place import Place

_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EINVAL)


def sync_parents(place: Place) -> None:
    """Sync the directory and all above it. Wanted until the lock says that there is a store.

    What cannot be synced belongs to another file system or user, and is older than the store.

    Raises:
        OSError: One of them could not be synced.
    """
    place.disk.sync_directory(place.root)
    for directory in place.root.absolute().parents:
        try:
            place.disk.sync_directory(directory)
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise
