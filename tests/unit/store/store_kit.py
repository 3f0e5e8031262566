"""Small stores for tests: made, abandoned as a crash would, and read back."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from tradebaas.errors import Fatal
from tradebaas.store.backup import Fold
from tradebaas.store.disk import SYSTEM_DISK, Disk
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import Head, NewRecord, NewSnapshot, Record, Snapshot

NOW_MS = 1_642_291_140_000
FOLD = 7


def new(number: int, size: int = 200) -> NewRecord:
    """A record that differs from every other, of about ``size`` bytes."""
    body = f'{{"n":{number},"pad":"{"x" * size}"}}'.encode()
    return NewRecord(at_ms=NOW_MS + number, life=1, kind="Counted", version=1, body=body)


def snapshot(number: int, fold_version: int = FOLD) -> NewSnapshot:
    """What a fold up to record ``number`` might come to."""
    body = f"state after {number}".encode()
    return NewSnapshot(fold_version=fold_version, body=body, state_digest=b"digest of " + body)


def running_digest(snapshot: Snapshot | None, records: Iterable[Record]) -> bytes:
    """A fold whose state is a running hash, so that every body and the order count."""
    state = snapshot.body if snapshot else b""
    for record in records:
        state = sha256(state + record.body).digest()
    return state


COUNTING = Fold(FOLD, running_digest)


def state_after(last: int) -> bytes:
    """What ``COUNTING`` folds the records 1 to ``last`` to."""
    state = b""
    for number in range(1, last + 1):
        state = sha256(state + new(number).body).digest()
    return state


def folded(last: int) -> NewSnapshot:
    """A true snapshot of that state."""
    state = state_after(last)
    return NewSnapshot(fold_version=FOLD, body=state, state_digest=state)


def open_log(data_dir: Path, disk: Disk = SYSTEM_DISK) -> Log:
    """Open and recover, reading the whole tail."""
    log = Log.open(Place(data_dir, disk), now_ms=NOW_MS)
    try:
        list(log.recover(FOLD).tail)
    except BaseException:
        log.abandon()
        raise
    return log


def fill(log: Log, first: int, last: int) -> Head:
    """Append the records ``first`` to ``last``, one commit each."""
    for number in range(first, last + 1):
        log.append([new(number)])
    return log.head


def contents(data_dir: Path) -> tuple[int, bytes | None, list[bytes]]:
    """What a recovery yields: last seq, body of the snapshot, bodies after it. Changes nothing."""
    log = Log.open(Place(data_dir), now_ms=NOW_MS)
    try:
        recovered = log.recover(FOLD)
        tail = [record.body for record in recovered.tail]
    finally:
        log.abandon()
    found = recovered.snapshot
    return recovered.head.seq, found.body if found else None, tail


def outcome(data_dir: Path) -> tuple[int, bytes | None, list[bytes]] | Fatal:
    """``contents``, or the refusal."""
    try:
        return contents(data_dir)
    except Fatal as refusal:
        return refusal
