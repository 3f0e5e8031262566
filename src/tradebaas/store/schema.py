"""The database's tables and identity, and how every connection to it is opened.

Whatever decides about durability is not only set but asked back, since SQLite may silently choose
another journal. A file is looked at as plain bytes before SQLite may touch it, because SQLite
repairs, converts and deletes without asking. Nothing here reads or writes records.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from tradebaas.errors import StoreFault, StoreNewer
from tradebaas.store.disk import Disk
from tradebaas.store.faults import Advice, damaged

APPLICATION_ID = 0x54426161
"""Bytes 68-71 of the file, "TBaa": `file` and SQLite tools show it."""
SCHEMA_VERSION = 2
BUSY_TIMEOUT_MS = 1000
WAL_LIMIT_BYTES = 16 * 1024 * 1024
"""A write-ahead log that a long reader made longer than this is cut back once it is reused."""

_TABLES_1 = (
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, life INTEGER NOT NULL,"
    " kind TEXT NOT NULL, body BLOB NOT NULL, digest BLOB NOT NULL) STRICT",
    "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
)
_TABLES_2 = (
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, life INTEGER NOT NULL,"
    " kind TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL, digest BLOB NOT NULL)"
    " STRICT",
    "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, fold_version INTEGER NOT NULL,"
    " body BLOB NOT NULL, state_digest BLOB NOT NULL, chain BLOB NOT NULL, seal BLOB NOT NULL)"
    " STRICT",
)
TABLES = {1: _TABLES_1, 2: _TABLES_2}

_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100
_WAL_FORMAT = b"\x02\x02"


def check_header(disk: Disk, file: Path, advice: Advice) -> None:
    """Look at the first bytes: is it a database, and ours?

    Layout: https://www.sqlite.org/fileformat.html section 1.3.

    Raises:
        StoreDamaged: It is not.
        OSError: The file cannot be read.
    """
    header = _read_header(disk, file)
    if not header:
        raise damaged(file, "it is empty", advice)
    if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC):
        raise damaged(file, f"it is not a SQLite database (starts with {header[:16]!r})", advice)
    found = int.from_bytes(header[68:72], "big")
    if found != APPLICATION_ID:
        what = f"application id {found:08x}, expected {APPLICATION_ID:08x}"
        raise damaged(file, f"it is not a TradeBaas store ({what})", advice)


def check_wal_mode(disk: Disk, file: Path, advice: Advice) -> None:
    """Is the database still in the journal mode in which it was made?

    In another mode SQLite would delete the write-ahead log, and with it the newest commits.

    Raises:
        StoreDamaged: It is not.
        OSError: The file cannot be read.
    """
    found = _read_header(disk, file)[18:20]
    if found != _WAL_FORMAT:
        raise damaged(file, f"its journal mode bytes are {found.hex()}, expected 0202", advice)


def connect(
    disk: Disk,
    file: Path,
    flags: int = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE,
    vfs: str | None = None,
) -> apsw.Connection:
    """A bare connection; ``vfs`` is the disk's for writing when not given.

    Without shared memory, SQLite must be told so before it looks at the database.

    Raises:
        StoreFault: SQLite refused the locking mode.
        apsw.Error: The file cannot be opened.
    """
    connection = apsw.Connection(str(file), flags, vfs or disk.writer_vfs)
    with _closed_unless_ready(connection):
        if disk.exclusive:
            _demand(connection, "PRAGMA locking_mode=exclusive", "exclusive")
    return connection


@contextmanager
def _closed_unless_ready(connection: apsw.Connection) -> Iterator[None]:
    """Close a connection that cannot be set up: what is left open keeps its lock."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def open_writer(disk: Disk, file: Path) -> apsw.Connection:
    """A connection to an existing database that may write, set up for durable commits.

    Closing the connection never checkpoints or removes the write-ahead log: that of a damaged
    store is evidence.

    Raises:
        StoreFault: SQLite refused one of the settings.
        apsw.Error: The file cannot be opened.
    """
    connection = connect(disk, file, apsw.SQLITE_OPEN_READWRITE)
    with _closed_unless_ready(connection):
        _set_up(connection)
        _demand(connection, "PRAGMA journal_mode=WAL", "wal")
        _demand(connection, "PRAGMA wal_autocheckpoint=0", 0)  # ``log`` does it: errors are lost
        _demand(connection, f"PRAGMA journal_size_limit={WAL_LIMIT_BYTES}", WAL_LIMIT_BYTES)
        connection.execute("PRAGMA synchronous=FULL")
        _demand(connection, "PRAGMA synchronous", 2)
    return connection


def open_for_reading(disk: Disk, file: Path) -> apsw.Connection:
    """A connection that cannot write, to a live database or a backup.

    Raises:
        apsw.Error: The file cannot be opened.
    """
    connection = connect(disk, file, apsw.SQLITE_OPEN_READONLY, disk.reader_vfs)
    with _closed_unless_ready(connection):
        _set_up(connection)
    return connection


def create_database(disk: Disk, file: Path, version: int = SCHEMA_VERSION) -> None:
    """Make an empty store at ``file``, which must not exist, complete and synced.

    The journal mode comes last: what is still in a write-ahead log when a connection closes may
    fail to reach the file without anyone being told.

    Raises:
        apsw.Error: It cannot be made.
    """
    connection = connect(disk, file)
    try:
        with connection:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={version}")
            for statement in TABLES[version]:
                connection.execute(statement)
        _demand(connection, "PRAGMA journal_mode=WAL", "wal")
    finally:
        connection.close()


def check_schema(connection: apsw.Connection, file: Path, advice: Advice) -> int:
    """The schema version of an open store, whose tables are those of that version.

    Raises:
        StoreNewer: A newer program made it.
        StoreDamaged: The tables are not what the version says.
    """
    version = one_int(connection, "PRAGMA user_version")
    if version > SCHEMA_VERSION:
        raise StoreNewer(
            f"{file} has schema {version}, this program knows {SCHEMA_VERSION}: it was written by "
            f"a newer TradeBaas. Start that version again. Where that cannot be done: {advice()}"
        )
    statements = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name")
    if version not in TABLES or tuple(row[0] for row in statements) != TABLES[version]:
        raise damaged(file, f"its tables are not those of schema {version}", advice)
    return version


def version_of(disk: Disk, file: Path) -> int:
    """The schema version that the header of a backup file states (bytes 60-63, user_version).

    Raises:
        OSError: The file cannot be read.
    """
    return int.from_bytes(_read_header(disk, file)[60:64], "big")


def one_int(connection: apsw.Connection, statement: str) -> int:
    """The one number that ``statement`` gives."""
    value = connection.execute(statement).get
    assert isinstance(value, int)
    return value


def _read_header(disk: Disk, file: Path) -> bytes:
    opened = disk.open(file, "read")
    try:
        return opened.pread(_HEADER_SIZE, 0)
    finally:
        opened.close()


def _set_up(connection: apsw.Connection) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute("PRAGMA cell_size_check=ON")


def _demand(connection: apsw.Connection, pragma: str, wanted: str | int) -> None:
    """Run a pragma and insist on its answer."""
    answer = connection.execute(pragma).get
    if answer != wanted:
        raise StoreFault(f"SQLite answered {answer!r} to '{pragma}', not {wanted!r}")
