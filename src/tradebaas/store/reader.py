"""Reading a store without being the daemon: a live one, a dead one or a backup.

A reader has its own connection that cannot write. It sees what is committed, also while the daemon
runs, and never waits for it. It takes no lock of the directory and repairs nothing.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import apsw

from tradebaas.errors import StoreOlder, Unusable
from tradebaas.names import command
from tradebaas.store import catalogue, faults, rows, schema
from tradebaas.store.missing import refuse_if_there_was_one
from tradebaas.store.place import DATABASE, Place
from tradebaas.store.records import Head, Record, Snapshot


class Reader:
    """An open store. Every method raises ``StoreDamaged`` for a file that SQLite cannot read."""

    def __init__(self, file: Path, connection: apsw.Connection) -> None:
        self.connection = connection
        self._file = file

    def read(self, after_seq: int, limit: int) -> list[Record]:
        """At most ``limit`` records after ``after_seq``, in order. Digests are not verified."""
        with self._mapped():
            return rows.read_records(self.connection, after_seq, limit)

    def each(self, after_seq: int) -> Iterator[Record]:
        """All records after ``after_seq``, in order. Digests are not verified."""
        with self._mapped():
            yield from rows.each_record(self.connection, after_seq)

    def last(self) -> Head:
        """Where the log ends."""
        with self._mapped():
            return rows.last_head(self.connection)

    def head_at(self, seq: int) -> Head | None:
        """The head as of ``seq``; None when there is no such record."""
        with self._mapped():
            return rows.head_at(self.connection, seq)

    def snapshots(self, fold_version: int) -> list[Snapshot]:
        """The intact snapshots of that fold version, newest first."""
        with self._mapped():
            found = rows.read_snapshots(self.connection)
        return [s for s, sealed in found if sealed and s.fold_version == fold_version]

    def _mapped(self) -> AbstractContextManager[None]:
        return faults.mapped(self._file, lambda: reading_advice(self._file))


@contextmanager
def open_reader(path: Path) -> Iterator[Reader]:
    """Read the store at ``path``: a data directory, its database file, or a backup file.

    Raises:
        Unusable: There is none and never was, or it has an older schema (``StoreOlder``).
        StoreDamaged, StoreNewer, StoreFault, StoreLocked: As for ``Log.open``.
    """
    file = path / DATABASE if path.is_dir() else path
    with faults.mapped(file, lambda: reading_advice(file)):
        if not file.exists():
            if file.name == DATABASE:
                refuse_if_there_was_one(Place(file.parent))
            raise Unusable(f"there is no store at {file}: name a data directory or a backup file")
        schema.check_header(file, lambda: reading_advice(file))
        connection = schema.open_for_reading(file)
        try:
            version = schema.check_schema(connection, file, lambda: reading_advice(file))
            if version < schema.SCHEMA_VERSION:
                raise StoreOlder(
                    f"{file} has schema {version}, this program reads {schema.SCHEMA_VERSION}: "
                    f"start the daemon on it once (`{command('run')}`), which migrates it"
                )
        except BaseException:
            connection.close()
            raise
    try:
        yield Reader(file, connection)
    finally:
        connection.close()


def reading_advice(file: Path) -> str:
    """What to do about a damaged file that someone wanted to read."""
    if file.name == DATABASE:
        return catalogue.advice(Place(file.parent))
    return f"Choose another one: {command('backup', 'list', '--data', file.parent.parent)}"
