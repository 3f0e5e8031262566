"""Making backups, and proving each before it counts.

A backup is copied through its own read connection, opened again, checked by SQLite, walked along
its chain, and folded: the state digest must be the one that each snapshot states, and the one
that the running daemon held in memory at its own seq. Only then does it get its name. All of this
is meant to run in a child process: it reads much, and the trading loop must not wait for it.
Nothing here writes to the store.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise, takewhile
from pathlib import Path

import msgspec
from msgspec import Struct

from tradebaas.names import command
from tradebaas.store import catalogue, copying, retention, schema
from tradebaas.store.catalogue import BackupInfo
from tradebaas.store.disk import Disk
from tradebaas.store.head import read_head
from tradebaas.store.place import Place
from tradebaas.store.reader import Reader, open_reader, reading
from tradebaas.store.records import EMPTY, Head, Record, Snapshot
from tradebaas.store.verify import Progress, verify_reader

STAMP = "%Y%m%dT%H%M%SZ"


class BackupFailed(Exception):
    """A backup was not made, or is not what it must be. Trading goes on all the same."""


class Fold(Struct, frozen=True):
    """How to get from a snapshot (None: the beginning) over the records after it to the digest of
    the state there. Digests of one ``version`` may be compared."""

    version: int
    digest: Callable[[Snapshot | None, Iterable[Record]], bytes]


class Mark(Struct, frozen=True):
    """The digest of a state as of ``seq``, from memory or from a snapshot."""

    seq: int
    state_digest: bytes


def create_backup(
    place: Place,
    *,
    now_ms: int,
    fold: Fold,
    expected: Mark | None = None,
    full: bool = False,
    before: str = "",
    leave_free: int = 0,
    progress: Progress | None = None,
) -> BackupInfo:
    """Make and verify a backup of a live or a stopped store.

    ``expected`` is what the daemon holds in memory, asked for before this call. ``full`` walks and
    folds from the first record; otherwise from the last verified backup and the oldest snapshot.
    ``before`` says what it is made before ("upgrade"). Older ones make room for it where less than
    ``leave_free`` bytes would stay free.

    Raises:
        BackupFailed: Another one is being made, or this one did not pass.
        DiskFull: It would not leave the ballast's size free.
        StoreDamaged, StoreFault, StoreNewer, Unusable, StoreLocked: The store cannot be read.
    """
    disk, temporary = place.disk, place.backups / ".partial"
    with reading(place, place.db), open_reader(place) as reader:
        disk.mkdir(place.backups)
        with only_one(place):
            stated = read_head(place)
            made_room = retention.make_room(place, _bytes_in(reader), leave_free, now_ms)
            copying.copy_database(disk, reader.connection, temporary)
            others = catalogue.verified_backups(place)
            since = EMPTY if full or not others else _end_of(others[0])
            checks = _Checks(fold, expected, since, stated, full, progress)
            facts = _verify(place, temporary, checks)
            path = place.backups / f"tradebaas-{stamp(now_ms)}-{facts.seq:012d}.db"
            info = msgspec.structs.replace(
                _describe(path.name, now_ms, disk, temporary, facts, fold),
                before=before or _before(others, path.name),
                made_room=made_room,
            )
            catalogue.write_sidecar(disk, path, info)
            disk.rename(temporary, path)
            disk.sync_directory(place.backups)
    return info


def verify_backup(
    place: Place, path: Path, *, now_ms: int, fold: Fold, progress: Progress | None = None
) -> BackupInfo:
    """Verify the backup file ``path`` in full, whoever made it, and write its sidecar anew.

    When and before what it was made stays as it was stated. A sidecar that is missing is made from
    what the file and its name say.

    Raises:
        BackupFailed: It did not pass, or its bytes are not those that were verified when it was
            made; its sidecar is left as it was.
        StoreDamaged, StoreFault, StoreNewer, Unusable: It cannot be read.
    """
    known = catalogue.stated(place.disk, path)
    if known is not None and known.file_digest != catalogue.file_digest(place.disk, path):
        raise BackupFailed(
            f"{path} is not what was verified when it was made: its bytes have changed since. Use "
            f"another backup, and look at the disk. If it was changed on purpose, remove "
            f"{catalogue.sidecar(path)} and verify it again"
        )
    facts = _verify(place, path, _Checks(fold, None, EMPTY, None, True, progress))
    made_ms = known.made_ms if known is not None else _made_ms(path.name, now_ms)
    info = _describe(path.name, made_ms, place.disk, path, facts, fold)
    if known is not None:
        info = msgspec.structs.replace(info, before=known.before, made_room=known.made_room)
    catalogue.write_sidecar(place.disk, path, info)
    return info


def stamp(now_ms: int) -> str:
    """Wall time for a file name, UTC."""
    return f"{datetime.fromtimestamp(now_ms / 1000, UTC):{STAMP}}"


def _made_ms(name: str, now_ms: int) -> int:
    """When a backup of that name was made; ``now_ms`` where the name does not say."""
    with suppress(ValueError, IndexError):
        made = datetime.strptime(name.split("-")[1], STAMP).replace(tzinfo=UTC)
        return round(made.timestamp()) * 1000
    return now_ms


class _Checks(Struct, frozen=True):
    fold: Fold
    expected: Mark | None
    since: Head
    stated: Head | None
    full: bool
    progress: Progress | None


class _Facts(Struct, frozen=True):
    seq: int
    chain: bytes
    verified_from: int
    state: Mark


def _verify(place: Place, file: Path, checks: _Checks) -> _Facts:
    with open_reader(place, file) as reader:
        known = reader.head_at(checks.since.seq) == checks.since  # not so after a restore
        since = checks.since if known else EMPTY
        result = verify_reader(reader, since, checks.stated, checks.progress, integrity=True)
        if result.problem:
            raise BackupFailed(f"the backup of the store did not pass: {result.problem}")
        state = _folded(reader, result.good, checks)
    return _Facts(result.good.seq, result.good.digest, since.seq, state)


def _folded(reader: Reader, last: Head, checks: _Checks) -> Mark:
    """Fold from mark to mark; each must come to the digest that the next one states."""
    fold, expected = checks.fold, checks.expected
    snapshots = list(reversed(reader.snapshots(fold.version)))
    starts: list[Snapshot | None] = [None, *snapshots]
    if len(snapshots) > 1 and not checks.full:
        starts = list(snapshots)
    for start, end in pairwise(starts):
        assert end is not None
        _fold_to(reader, fold, start, Mark(end.seq, end.state_digest))
    if expected is not None:
        start = next((s for s in reversed(snapshots) if s.seq <= expected.seq), None)
        if expected.seq > last.seq:
            raise BackupFailed(
                f"the backup ends at seq {last.seq}, but the daemon had committed {expected.seq}"
            )
        _fold_to(reader, fold, start, expected)
    newest = starts[-1]
    return Mark(last.seq, fold.digest(newest, reader.each(newest.seq if newest else 0)))


def _fold_to(reader: Reader, fold: Fold, start: Snapshot | None, end: Mark) -> None:
    records = reader.each(start.seq if start else 0)
    digest = fold.digest(start, takewhile(lambda record: record.seq <= end.seq, records))
    if digest != end.state_digest:
        first = start.seq if start else 0
        raise BackupFailed(
            f"the events from {first + 1} to {end.seq} fold to the state digest {digest.hex()}, "
            f"but {end.state_digest.hex()} was stated at seq {end.seq}: run `{command('verify')}`"
        )


def _describe(
    name: str, now_ms: int, disk: Disk, file: Path, facts: _Facts, fold: Fold
) -> BackupInfo:
    return BackupInfo(
        name=name,
        made_ms=now_ms,
        seq=facts.seq,
        chain=facts.chain.hex(),
        verified_from=facts.verified_from,
        fold_version=fold.version,
        state_seq=facts.state.seq,
        state_digest=facts.state.state_digest.hex(),
        size=disk.size(file),
        file_digest=catalogue.file_digest(disk, file),
    )


def _end_of(info: BackupInfo) -> Head:
    return Head(info.seq, bytes.fromhex(info.chain))


def _before(others: list[BackupInfo], name: str) -> str:
    """What a backup of that name was made before: one of the same second, of the same events, takes
    its place and must go on to be the way back."""
    return next((info.before for info in others if info.name == name), "")


def _bytes_in(reader: Reader) -> int:
    page_count = schema.one_int(reader.connection, "PRAGMA page_count")
    return page_count * schema.one_int(reader.connection, "PRAGMA page_size")


@contextmanager
def only_one(place: Place, what: str = "backup") -> Iterator[None]:
    """One at a time: the child of a daemon that died may still be at work.

    Raises:
        BackupFailed: Another process is at it.
    """
    name = "lock" if what == "backup" else f"{what}.lock"
    file = place.disk.open(place.backups / name, "create")
    try:
        file.lock()
        yield
    except BlockingIOError:
        raise BackupFailed(f"another {what} is being made in {place.backups}") from None
    finally:
        file.close()
