"""The write-ahead log, written once more at each start.

After a failed fsync the kernel may mark pages as clean that it never wrote: they are seen in the
cache, no later fsync writes them, and a power cut takes them and every commit after them. So what
a start recovers is written again with the same bytes, which makes it dirty again, and synced before
anything is built on it. The database needs no such care: what a checkpoint moved into it stays in
the write-ahead log until a sync of the database has succeeded. Decides nothing, changes no byte.
How kernels behave here is told in https://lwn.net/Articles/752063/.
"""

from tradebaas.store.place import Place


def rewrite_wal(place: Place) -> None:
    """Write what the write-ahead log holds in its place again, and make it durable.

    Raises:
        OSError: It cannot be read, written or synced.
    """
    disk = place.disk
    if not disk.exists(place.wal) or not disk.size(place.wal):
        return
    file = disk.open(place.wal, "write")
    try:
        file.pwrite(disk.read(place.wal), 0)
        file.sync()
    finally:
        file.close()
