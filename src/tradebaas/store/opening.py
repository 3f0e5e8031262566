"""Opening a store: lock, judge what lies there, make a new one or migrate an old one.

A new store is made only when nothing says that there was one: no database, write-ahead log, head,
backup, moved-aside damage, nor a lock file with the mark. It is made under another name and then
renamed, so a death in the middle leaves nothing that a later start could mistake for a store.
"""

from contextlib import ExitStack

import apsw
from msgspec import Struct

from tradebaas.store import ballast, faults, migrations, rows, schema
from tradebaas.store.catalogue import advice
from tradebaas.store.head import HeadFile, remove_head
from tradebaas.store.lock import Lock
from tradebaas.store.missing import refuse_if_there_was_one
from tradebaas.store.parents import sync_parents
from tradebaas.store.place import Place
from tradebaas.store.records import EMPTY, Head
from tradebaas.store.rewrite import rewrite_wal


class Opened(Struct):
    """An open store whose tables are those of this program. ``head_file`` None: none was there.

    ``alone`` says that nothing lay beside the database that tells where its log must end.
    """

    place: Place
    lock: Lock
    connection: apsw.Connection
    head_file: HeadFile | None
    notes: list[str]
    alone: bool = False

    @property
    def stated_head(self) -> Head | None:
        """What the head file says; None when it is missing or unreadable."""
        return self.head_file.newest if self.head_file else None

    def close_head(self) -> None:
        """Close the head file, if there is one."""
        if self.head_file is not None:
            self.head_file.close()
            self.head_file = None


def open_store(place: Place, now_ms: int) -> Opened:
    """Open, or make, the store in ``place``; holds nothing when it raises.

    Raises:
        StoreBusy, StoreDamaged, StoreNewer, Unusable, StoreFault, DiskFull, StoreLocked:
            As ``Log.open`` says.
    """
    disk = place.disk
    with faults.mapped(disk, place.db, lambda: advice(place)), ExitStack() as undo:
        disk.mkdir(place.backups, parents=True)
        lock = Lock.take(place, now_ms)
        undo.callback(lock.release)
        if not disk.exists(place.db):
            refuse_if_there_was_one(place)
            _make_fresh(place)
        schema.check_header(disk, place.db, lambda: advice(place))
        schema.check_wal_mode(disk, place.db, lambda: advice(place))
        if not lock.had_store:
            sync_parents(place)
            lock.mark_store()
        alone = _is_alone(place)
        rewrite_wal(place)
        connection = schema.open_writer(disk, place.db)
        undo.callback(connection.close)
        version = schema.check_schema(connection, place.db, lambda: advice(place))
        opened = Opened(place, lock, connection, HeadFile.open(place), [], alone)
        undo.callback(opened.close_head)
        if version < schema.SCHEMA_VERSION:
            _migrate(opened, version, now_ms)
            opened.alone = False  # a death in a migration leaves it so
        if not ballast.restore_ballast(place):
            opened.notes.append(f"the disk is too full to hold the ballast {place.ballast}")
        undo.pop_all()
        return opened


def _is_alone(place: Place) -> bool:
    """Whether neither the head nor a write-ahead log came with the database.

    No crash and no power cut leaves it so: somebody moved it without them, and what only the log
    held, a halt for instance, is gone without a trace.
    """
    disk = place.disk
    has_log = disk.exists(place.wal) and disk.size(place.wal) > 0
    return not has_log and not disk.exists(place.head)


def check_head(opened: Opened, last: Head) -> None:
    """Refuse a log, ending at ``last``, that ends before its head or has another record there.

    A head that is older than the log is normal; one that is missing proves nothing (``alone``).

    Raises:
        StoreDamaged: The log was cut or changed.
    """
    place = opened.place
    stated = opened.stated_head
    if stated is None or rows.head_at(opened.connection, stated.seq) == stated:
        return
    if stated.seq > last.seq:
        found = f"the log ends at seq {last.seq} but {place.head} says {stated.seq}"
        what = f"{found}: it was cut or corrupted"
    else:
        what = f"record {stated.seq} is not the one that {place.head} names"
    raise faults.damaged(place.db, what, lambda: advice(place))


def _make_fresh(place: Place) -> None:
    disk = place.disk
    for name in disk.names(place.root):
        if name.startswith(place.fresh.name):
            disk.unlink(place.root / name)  # of a process that died while making it
    schema.create_database(disk, place.fresh)
    disk.rename(place.fresh, place.db)
    disk.sync_directory(place.root)
    HeadFile.create(place, EMPTY).close()


def _migrate(opened: Opened, version: int, now_ms: int) -> None:
    """Bring an older store to the present schema. The head goes first: its digest will change.

    A death in between leaves a sound store without a head, which is normal.
    """
    place, connection = opened.place, opened.connection
    check_head(opened, rows.last_head(connection))
    kept = migrations.keep_copy(connection, place, version, now_ms)
    opened.close_head()
    remove_head(place)
    migrations.migrate(connection, place.db, version, lambda: advice(place))
    opened.head_file = HeadFile.create(place, rows.last_head(connection))
    opened.notes.append(
        f"the store was migrated from schema {version} to {schema.SCHEMA_VERSION}; "
        f"a copy of the old one is {kept}"
    )
