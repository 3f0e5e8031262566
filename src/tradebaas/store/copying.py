"""A copy of a live database as one plain file, complete and synced.

Made in one pass by SQLite's backup API, which needs no pause of the writer: stepping in parts
would begin again with each commit. The copy has no write-ahead log beside it, so it can be read,
moved and hashed as one file.
"""

from pathlib import Path

import apsw

from tradebaas.store import schema
from tradebaas.store.disk import Disk


def copy_database(disk: Disk, source: apsw.Connection, target: Path) -> None:
    """Copy all that ``source`` sees at this moment to ``target``, replacing it.

    Raises:
        apsw.Error, OSError: The source cannot be read or the target not written.
    """
    disk.unlink(target)
    destination = schema.connect(disk, target)
    try:
        backup = destination.backup("main", source, "main")
        backup.step(-1)
        backup.finish()
        destination.execute("PRAGMA journal_mode=DELETE")
    finally:
        destination.close()
    sync_file(disk, target)


def sync_file(disk: Disk, path: Path) -> None:
    """Make the content of a closed file durable.

    Raises:
        OSError: It cannot be synced.
    """
    file = disk.open(path, "write")
    try:
        file.sync()
    finally:
        file.close()
