"""States to snapshots and back, and the fold of a stretch of the log.

The state digest is BLAKE2b-256 of the state's JSON. The fold is deterministic, down to the order
of keys, so two folds of the same events have the same digest whichever snapshot they began from.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from tradebaas.core.apply import apply
from tradebaas.core.state import FOLD_VERSION, State
from tradebaas.store import codec
from tradebaas.store.backup import Fold
from tradebaas.store.records import DIGEST_SIZE, NewSnapshot, Record, Snapshot


def snapshot_of(state: State) -> NewSnapshot:
    """The snapshot of a state."""
    body = msgspec.json.encode(state)
    return NewSnapshot(fold_version=FOLD_VERSION, body=body, state_digest=_digest(body))


def state_of(snapshot: Snapshot | None) -> State:
    """The state in a snapshot; the first state when there is none."""
    return State() if snapshot is None else msgspec.json.decode(snapshot.body, type=State)


def fold(snapshot: Snapshot | None, records: Iterable[Record]) -> State:
    """The state after ``records``, the first of which follows ``snapshot``.

    Raises:
        StoreNewer, Unusable: An event cannot be read.
    """
    state = state_of(snapshot)
    for record in records:
        state = apply(state, codec.decode(record))
    return state


def state_digest(state: State) -> bytes:
    """The digest by which two states are compared."""
    return _digest(msgspec.json.encode(state))


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=DIGEST_SIZE).digest()


STATE_FOLD = Fold(FOLD_VERSION, lambda snapshot, records: state_digest(fold(snapshot, records)))
"""What ``backup.create_backup`` needs to fold this program's events."""
