"""Holds back the daemon's commits with SQLite's own means: a write lock taken by another process.

The daemon waits up to a second for a foreign lock, so a commit that is under way stays under way as
long as this does. Whoever answers a command in that time has answered before the commit. Nothing
is ever written here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

LOCK_LIMIT_MS = 500


@contextmanager
def held_commit(store: Path) -> Iterator[bool]:
    """Hold the write lock within the block; gives False when it could not be had."""
    connection = apsw.Connection(str(store), apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(LOCK_LIMIT_MS)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            yield False
            return
        yield True
        connection.execute("ROLLBACK")
    finally:
        connection.close()
