"""Commit without syncing: SQLite writes the log and leaves the rest to the page cache.

A SIGKILL cannot show this, so the kill campaign does not offer it; ``chaos fsync`` must catch it.
"""

from pathlib import Path

import apsw

from chaos.breaks.patch import patch
from tradebaas.store import schema
from tradebaas.store.disk import Disk


def apply() -> None:
    """Break the way the writer's connection is opened."""
    honest = schema.open_writer

    def open_writer(disk: Disk, file: Path) -> apsw.Connection:
        connection = honest(disk, file)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    patch(schema, "open_writer", open_writer)
