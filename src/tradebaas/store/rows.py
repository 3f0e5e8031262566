"""The queries on the two tables, each on the caller's connection. Nothing here checks digests.

``seq`` is the rowid of both tables, so each query touches only the rows that it returns. A row
whose values have other types than the columns raises ``msgspec.ValidationError``.
"""

from collections.abc import Iterable, Iterator

import apsw
import msgspec

from tradebaas.store.records import EMPTY, Head, Record, Snapshot, seal

_BATCH = 500
_RECORD = "seq, at_ms, life, kind, version, body, digest"
_RecordRow = tuple[int, int, int, str, int, bytes, bytes]
_SnapshotRow = tuple[int, int, bytes, bytes, bytes, bytes]


def read_records(connection: apsw.Connection, after_seq: int, limit: int) -> list[Record]:
    """At most ``limit`` records after ``after_seq``, in order."""
    query = f"SELECT {_RECORD} FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
    return [_record(row) for row in connection.execute(query, (after_seq, limit))]


def each_record(connection: apsw.Connection, after_seq: int) -> Iterator[Record]:
    """All records after ``after_seq`` in batches: holds neither memory nor a read transaction."""
    while batch := read_records(connection, after_seq, _BATCH):
        yield from batch
        after_seq = batch[-1].seq


def insert_records(connection: apsw.Connection, records: Iterable[Record]) -> None:
    """Insert; the caller owns the transaction."""
    connection.executemany(
        f"INSERT INTO events ({_RECORD}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((r.seq, r.at_ms, r.life, r.kind, r.version, r.body, r.digest) for r in records),
    )


def last_head(connection: apsw.Connection) -> Head:
    """The head that the last row states; its digest is not verified."""
    row = connection.execute("SELECT seq, digest FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return EMPTY if row is None else _head(row)


def head_at(connection: apsw.Connection, seq: int) -> Head | None:
    """The head as of ``seq``; None when there is no such row."""
    if seq == 0:
        return EMPTY
    row = connection.execute("SELECT seq, digest FROM events WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else _head(row)


def read_snapshots(connection: apsw.Connection) -> list[tuple[Snapshot, bool]]:
    """All snapshots, newest first, each with whether its seal is intact."""
    query = "SELECT seq, fold_version, body, state_digest, chain, seal FROM snapshots"
    return [_sealed(row) for row in connection.execute(f"{query} ORDER BY seq DESC")]


def insert_snapshot(connection: apsw.Connection, snapshot: Snapshot, keep: int) -> None:
    """Insert and forget all but the newest ``keep``; the caller owns the transaction."""
    values = (
        snapshot.seq,
        snapshot.fold_version,
        snapshot.body,
        snapshot.state_digest,
        snapshot.chain,
        seal(snapshot),
    )
    connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)", values)
    connection.execute(
        "DELETE FROM snapshots WHERE seq NOT IN"
        " (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
        (keep,),
    )


def _head(row: object) -> Head:
    return Head(*msgspec.convert(row, tuple[int, bytes]))


def _record(row: object) -> Record:
    seq, at_ms, life, kind, version, body, digest = msgspec.convert(row, _RecordRow)
    return Record(
        seq=seq,
        at_ms=at_ms,
        life=life,
        kind=kind,
        version=version,
        body=body,
        digest=digest,
    )


def _sealed(row: object) -> tuple[Snapshot, bool]:
    seq, fold_version, body, state_digest, chain, stored = msgspec.convert(row, _SnapshotRow)
    snapshot = Snapshot(
        seq=seq, fold_version=fold_version, body=body, state_digest=state_digest, chain=chain
    )
    return snapshot, stored == seal(snapshot)
