"""From older schemas to the present one: numbered, forward only, each in one transaction.

A death in the middle leaves the last finished schema, from which the next start goes on. Before
the first step a copy of the old file is kept beside the backups. A step checks what it reads with
the rules of its own time and never changes what an event says.

    1 -> 2   events get the version of their kind; the digest covers every field, so the chain is
             made anew; snapshots get the version of the fold and a seal, so the old ones go and
             the state is folded from the log once
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import apsw
import msgspec

from tradebaas.store import catalogue, copying, rows
from tradebaas.store.catalogue import BackupInfo
from tradebaas.store.faults import Advice, damaged
from tradebaas.store.place import Place
from tradebaas.store.records import EMPTY, GENESIS, NewRecord, Record, number
from tradebaas.store.schema import SCHEMA_VERSION, TABLES

Step = Callable[[apsw.Connection, Path, Advice], None]


def migrate(connection: apsw.Connection, file: Path, version: int, advice: Advice) -> None:
    """Take the store from ``version`` to the present schema.

    Raises:
        StoreDamaged: The old store is not what was written; it is left as it was.
        apsw.Error: It cannot be written.
    """
    for number_ in range(version, SCHEMA_VERSION):
        with connection:
            STEPS[number_](connection, file, advice)
            connection.execute(f"PRAGMA user_version={number_ + 1}")


def keep_copy(connection: apsw.Connection, place: Place, version: int, now_ms: int) -> Path:
    """Keep the store as it is in ``backups/``; returns the copy.

    Raises:
        apsw.Error, OSError: It cannot be written.
    """
    head = rows.last_head(connection)
    path = place.backups / f"before-schema-{version + 1}-{head.seq}.db"
    temporary = path.with_suffix(".partial")
    copying.copy_database(place.disk, connection, temporary)
    info = BackupInfo(
        name=path.name,
        made_ms=now_ms,
        seq=head.seq,
        chain=head.digest.hex(),
        verified_from=head.seq,
        fold_version=0,
        state_seq=0,
        state_digest="",
        size=place.disk.size(temporary),
        file_digest=catalogue.file_digest(place.disk, temporary),
        before="migration",
    )
    catalogue.write_sidecar(place.disk, path, info)
    place.disk.rename(temporary, path)
    place.disk.sync_directory(place.backups)
    return path


def _to_2(connection: apsw.Connection, file: Path, advice: Advice) -> None:
    connection.execute("ALTER TABLE events RENAME TO events_1")
    connection.execute("DROP TABLE snapshots")
    for statement in TABLES[2]:
        connection.execute(statement)
    rows.insert_records(connection, _chained_anew(connection, file, advice))
    connection.execute("DROP TABLE events_1")


def _chained_anew(connection: apsw.Connection, file: Path, advice: Advice) -> Iterator[Record]:
    """The records of schema 1, each checked by its old digest, with digests of schema 2."""
    old_digest, head = GENESIS, EMPTY
    query = "SELECT seq, at_ms, life, kind, body, digest FROM events_1 ORDER BY seq"
    for row in connection.execute(query):
        seq, at_ms, life, kind, body, stated = msgspec.convert(
            row, tuple[int, int, int, str, bytes, bytes]
        )
        old_digest = digest_1(old_digest, seq, kind, body)
        if seq != head.seq + 1 or stated != old_digest:
            raise damaged(file, f"record {head.seq + 1} is missing or was changed", advice)
        new = NewRecord(at_ms=at_ms, life=life, kind=kind, version=1, body=body)
        record = number(head, new)
        head = record.head
        yield record


def digest_1(previous: bytes, seq: int, kind: str, body: bytes) -> bytes:
    """The digest of schema 1, which covered neither times nor lives."""
    return sha256(previous + seq.to_bytes(8, "big") + kind.encode() + b"\0" + body).digest()


STEPS: dict[int, Step] = {1: _to_2}
