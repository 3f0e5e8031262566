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
from tradebaas.store.disk import SYSTEM_DISK, Disk
from tradebaas.store.missing import refuse_if_there_was_one
from tradebaas.store.place import DATABASE, Place
from tradebaas.store.records import Head, Record, Snapshot


class Reader:
    """An open store. Every method raises ``StoreDamaged`` for a file that SQLite cannot read."""

    def __init__(self, place: Place, file: Path, connection: apsw.Connection) -> None:
        self.connection = connection
        self._place = place
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
        return reading(self._place, self._file)


@contextmanager
def open_reader(place: Place, file: Path | None = None) -> Iterator[Reader]:
    """Read the store of ``place``, or ``file``, a backup of it.

    Raises:
        Unusable: There is none and never was, or it has an older schema (``StoreOlder``).
        StoreDamaged, StoreNewer, StoreFault, StoreLocked: As for ``Log.open``.
    """
    disk, file = place.disk, file or place.db
    with reading(place, file):
        if not disk.exists(file):
            if file == place.db:
                refuse_if_there_was_one(place)
            raise Unusable(f"there is no store at {file}: name a data directory or a backup file")
        schema.check_header(disk, file, lambda: reading_advice(place, file))
        connection = schema.open_for_reading(disk, file)
        try:
            version = schema.check_schema(connection, file, lambda: reading_advice(place, file))
            if version < schema.SCHEMA_VERSION:
                raise StoreOlder(
                    f"{file} has schema {version}, this program reads {schema.SCHEMA_VERSION}: "
                    f"start the daemon on it once (`{command('run')}`), which migrates it"
                )
        except BaseException:
            connection.close()
            raise
    try:
        yield Reader(place, file, connection)
    finally:
        connection.close()


def locate(path: Path, disk: Disk = SYSTEM_DISK) -> tuple[Place, Path]:
    """The place and the file that a person means by ``path``: a data directory, its database
    file, or a backup file.
    """
    if disk.is_directory(path):
        return Place(path, disk), path / DATABASE
    return Place(path.parent if path.name == DATABASE else path.parent.parent, disk), path


def reading(place: Place, file: Path) -> AbstractContextManager[None]:
    """Give errors their meaning for someone who only reads ``file``."""
    return faults.mapped(place.disk, file, lambda: reading_advice(place, file))


def reading_advice(place: Place, file: Path) -> str:
    """What to do about a damaged file that someone wanted to read."""
    if file == place.db:
        return catalogue.advice(place)
    return f"Choose another one: {command('backup', 'list', '--data', place.root)}"
