"""The log: the one writer of the store. Open it, recover from it, append to it.

    open      lock the directory, judge what lies there, migrate (``opening``)
    recover   the newest snapshot and the records after it, compared with ``data/head``; its cost
              does not depend on how long the history is
    append    many records, one transaction, one fdatasync; then ``data/head``; then the answer

An append that has returned is durable. One that raised ``DiskFull`` or ``StoreLocked`` has stored
nothing and may be repeated; after any other error the process must end, because what the disk
holds is unknown. The log never deletes a record, never repairs one, and never starts afresh
silently. One thread at a time may call it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self

import apsw
from msgspec import Struct

from tradebaas.errors import StoreDamaged, StoreFault
from tradebaas.store import catalogue, faults, rows
from tradebaas.store.head import HeadFile
from tradebaas.store.opening import Opened, check_head, open_store
from tradebaas.store.place import Place
from tradebaas.store.records import (
    EMPTY,
    Head,
    NewRecord,
    NewSnapshot,
    Record,
    Snapshot,
    follows,
    number,
    place_snapshot,
)

CHECKPOINT_PAGES = 1000
"""The write-ahead log is moved into the database whenever it has grown by so many 4 KiB pages."""
SNAPSHOTS_KEPT = 2


class Recovered(Struct, frozen=True):
    """What a log holds. ``tail`` are the records after the snapshot, verified as they are read:
    iterating raises ``StoreDamaged`` at the first one that is not what was written.

    ``notes`` are sentences for the recovery report. ``alone``: the database came without anything
    that says where its log must end, so it may be older than what it has traded.
    """

    snapshot: Snapshot | None
    tail: Iterator[Record]
    head: Head
    notes: tuple[str, ...]
    alone: bool = False


class Log:
    """An open log. Build it with ``Log.open``; ``recover`` comes before the first ``append``."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._place = opened.place
        self._connection = opened.connection
        self._head: Head | None = None
        self._wal_pages = 0
        self._checkpoint_at = CHECKPOINT_PAGES
        self._connection.set_wal_hook(self._note_wal)

    @classmethod
    def open(cls, place: Place, *, now_ms: int) -> Self:
        """Open the store in ``place``, which is made when missing; ``now_ms`` is wall time, for
        people.

        Raises:
            StoreBusy: Another process holds the directory.
            StoreDamaged: The store is damaged or gone; the message has the restore command.
            StoreNewer, Unusable: A newer program wrote it, or permissions are missing.
            StoreFault: The disk cannot be used.
            DiskFull, StoreLocked: Try again later.
        """
        return cls(open_store(place, now_ms))

    def recover(self, fold_version: int) -> Recovered:
        """Compare the log with its head, and give the way to the present state.

        A snapshot of another fold version is not used; then the tail may be the whole log. What
        was recovered is proof against a power cut once the next append has returned.

        Raises:
            StoreDamaged: The log was cut or changed.
            StoreFault, DiskFull: The disk cannot be used; space may come back.
        """
        notes = list(self._opened.notes)
        with self._mapped():
            last = rows.last_head(self._connection)
            check_head(self._opened, last)
            snapshot = self._newest_snapshot(fold_version, notes)
        if self._opened.stated_head is None:
            notes.append(f"{self._place.head} is missing or unreadable; the next commit makes it")
        self._head = last
        start = EMPTY if snapshot is None else snapshot.head
        alone = self._opened.alone and last != EMPTY
        return Recovered(snapshot, self._tail(start, last), last, tuple(notes), alone)

    def append(self, records: Sequence[NewRecord], snapshot: NewSnapshot | None = None) -> Head:
        """Make ``records``, and the state after them, durable; returns where the log ends now.

        Without records and snapshot nothing is done.

        Raises:
            DiskFull, StoreLocked: Nothing was stored; the call may be repeated.
            StoreFault: The disk cannot be used; whether it was stored is unknown.
        """
        head = self.head
        if not records and snapshot is None:
            return head
        numbered: list[Record] = []
        for new in records:
            record = number(head, new)
            numbered.append(record)
            head = record.head
        with self._mapped():
            self._commit(numbered, place_snapshot(snapshot, head) if snapshot else None)
            self._head = head
            self._guard(head)
            if self._wal_pages >= self._checkpoint_at:
                self._checkpoint()
        return head

    def read(self, after_seq: int, limit: int) -> list[Record]:
        """At most ``limit`` records after ``after_seq``, in order."""
        with self._mapped():
            return rows.read_records(self._connection, after_seq, limit)

    @property
    def head(self) -> Head:
        """Where the log ends."""
        if self._head is None:
            raise RuntimeError("recover() comes first: it says where the log ends")
        return self._head

    def database_bytes(self) -> int:
        """Size of the database file."""
        return self._place.disk.size(self._place.db)

    def wal_bytes(self) -> int:
        """Size of the write-ahead log, which a long-lived reader makes grow."""
        disk, wal = self._place.disk, self._place.wal
        return disk.size(wal) if disk.exists(wal) else 0

    def close(self) -> None:
        """Move everything into the database file, and let go of the directory.

        A log that was found damaged, or never recovered, is left as it is.

        Raises:
            StoreFault: The disk cannot be used. Nothing committed is lost.
        """
        try:
            if self._head is not None:
                with self._mapped():
                    self._checkpoint()
                self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of everything as a crash would: nothing more is written. Once more is nothing."""
        with suppress(apsw.Error):  # what it could not tidy up is no loss
            self._connection.close()
        self._opened.close_head()
        self._opened.lock.release()

    # --- recovering ------------------------------------------------------------------------------

    def _newest_snapshot(self, fold_version: int, notes: list[str]) -> Snapshot | None:
        """The newest snapshot that this program can use; refuses any that was changed."""
        usable: list[Snapshot] = []
        for snapshot, sealed in rows.read_snapshots(self._connection):
            if not sealed or rows.head_at(self._connection, snapshot.seq) != snapshot.head:
                raise self._damaged(f"the snapshot at seq {snapshot.seq} was changed")
            if snapshot.fold_version == fold_version:
                usable.append(snapshot)
            else:
                notes.append(
                    f"the snapshot at seq {snapshot.seq} has fold version "
                    f"{snapshot.fold_version}, not {fold_version}: it was not used"
                )
        return usable[0] if usable else None

    def _tail(self, start: Head, last: Head) -> Iterator[Record]:
        at = start
        with self._mapped():
            for record in rows.each_record(self._connection, start.seq):
                if not follows(at, record):
                    raise self._damaged(f"record {at.seq + 1} is missing or was changed")
                at = record.head
                yield record
                if at == last:
                    return
        if at != last:
            raise self._damaged(f"the log ends at seq {at.seq}, not {last.seq}")

    # --- appending -------------------------------------------------------------------------------

    def _commit(self, records: list[Record], snapshot: Snapshot | None) -> None:
        """One transaction; COMMIT returns after SQLite has synced the write-ahead log."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            rows.insert_records(connection, records)
            if snapshot is not None:
                rows.insert_snapshot(connection, snapshot, SNAPSHOTS_KEPT)
            connection.execute("COMMIT")
        except apsw.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _guard(self, head: Head) -> None:
        """Make the head file say ``head``.

        Only after a commit: its sync covers all that the log holds. What a killed process wrote
        and did not sync can be recovered and still be lost in a power cut; a head that names it
        would then condemn a sound store.

        Without space it stays behind, which is normal: the records are stored, and whoever heard
        of a full disk now would store them again.
        """
        try:
            if self._opened.stated_head is None or self._opened.head_file is None:
                self._opened.close_head()
                self._opened.head_file = HeadFile.create(self._place, head)
            else:
                self._opened.head_file.write(head)
        except OSError as error:
            if error.errno not in faults.NO_SPACE:
                raise

    def _note_wal(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        """SQLite's report, after each commit, of how long the write-ahead log is."""
        if pages < self._wal_pages:  # it began again from its start
            self._checkpoint_at = CHECKPOINT_PAGES
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Move what is in the write-ahead log into the database; waits for no reader.

        Without space it is left for later: an append reports a full disk when the log must grow.
        """
        with suppress(apsw.FullError, apsw.BusyError):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._checkpoint_at = self._wal_pages + CHECKPOINT_PAGES

    # --- refusing --------------------------------------------------------------------------------

    def _damaged(self, what: str) -> StoreDamaged:
        return faults.damaged(self._place.db, what, self._advice)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Give errors their meaning; after a fault nothing may be built on this log any more."""
        try:
            with faults.mapped(self._place.disk, self._place.db, self._advice):
                yield
        except StoreFault:
            self._head = None
            raise

    def _advice(self) -> str:
        return catalogue.advice(self._place)
