"""The values that the store keeps, and the digest that chains them.

Every record carries a digest over the record before it and all of its own fields, so a record
that was changed, dropped, repeated or moved is found by whoever walks the chain. Nothing here
does I/O or knows what a body means.
"""

import struct
from hashlib import blake2b

from msgspec import Struct

DIGEST_SIZE = 32
GENESIS = bytes(DIGEST_SIZE)
"""The digest before the first record."""

_FIXED = struct.Struct(">QqqqII")  # seq, at_ms, life, version, length of kind, length of body


class NewRecord(Struct, frozen=True, kw_only=True):
    """An event on its way into the log. ``at_ms`` is in ms since the Unix epoch."""

    at_ms: int
    life: int
    kind: str
    version: int
    body: bytes


class Head(Struct, frozen=True):
    """A place in a log, mostly its end: a ``seq`` (0: before the first) and the digest there."""

    seq: int
    digest: bytes


class Record(NewRecord, frozen=True, kw_only=True):
    """A committed event. ``seq`` counts from 1 without a gap; ``digest`` is 32 bytes."""

    seq: int
    digest: bytes

    @property
    def head(self) -> Head:
        return Head(self.seq, self.digest)


EMPTY = Head(0, GENESIS)


class NewSnapshot(Struct, frozen=True, kw_only=True):
    """The state after the last record that it is committed with.

    ``state_digest`` may be compared with another only if both have the same ``fold_version``.
    """

    fold_version: int
    body: bytes
    state_digest: bytes


class Snapshot(NewSnapshot, frozen=True, kw_only=True):
    """A committed snapshot: the state as of ``seq``. ``chain`` is the log's digest there."""

    seq: int
    chain: bytes

    @property
    def head(self) -> Head:
        return Head(self.seq, self.chain)


def chain_digest(previous: bytes, seq: int, new: NewRecord) -> bytes:
    """The digest of record ``seq``, whose predecessor has the digest ``previous``.

    BLAKE2b-256 over the previous digest and every field, each with its length, so that no two
    different records have the same encoding.
    """
    kind = new.kind.encode()
    fixed = _FIXED.pack(seq, new.at_ms, new.life, new.version, len(kind), len(new.body))
    return blake2b(previous + fixed + kind + new.body, digest_size=DIGEST_SIZE).digest()


def number(after: Head, new: NewRecord) -> Record:
    """``new`` as the record that follows ``after``."""
    seq = after.seq + 1
    return Record(
        at_ms=new.at_ms,
        life=new.life,
        kind=new.kind,
        version=new.version,
        body=new.body,
        seq=seq,
        digest=chain_digest(after.digest, seq, new),
    )


def place_snapshot(new: NewSnapshot, at: Head) -> Snapshot:
    """``new`` as the state at ``at``."""
    return Snapshot(
        fold_version=new.fold_version,
        body=new.body,
        state_digest=new.state_digest,
        seq=at.seq,
        chain=at.digest,
    )


def follows(after: Head, record: Record) -> bool:
    """Whether ``record`` is the one that comes next after ``after``, unchanged."""
    return record.seq == after.seq + 1 and record.digest == chain_digest(
        after.digest, record.seq, record
    )


def seal(snapshot: Snapshot) -> bytes:
    """A digest over everything in a snapshot, kept beside it: a changed one is refused."""
    fixed = struct.pack(">Qq", snapshot.seq, snapshot.fold_version)
    parts = (fixed, snapshot.chain, snapshot.state_digest, snapshot.body)
    return blake2b(b"".join(parts), digest_size=DIGEST_SIZE).digest()
