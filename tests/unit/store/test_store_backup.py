"""Backups that count, and those that must not."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw
import msgspec
import pytest
from faulty_vfs import TightDisk
from store_kit import (
    COUNTING,
    FOLD,
    NOW_MS,
    fill,
    folded,
    new,
    open_log,
    running_digest,
    state_after,
)

from tradebaas.store import ballast, catalogue
from tradebaas.store.backup import BackupFailed, Fold, Mark, create_backup, verify_backup
from tradebaas.store.catalogue import list_backups, verified_backups
from tradebaas.store.faults import DiskFull
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewSnapshot, Record, Snapshot

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Log]:
    """A running store of 30 records with snapshots at 10 and 20."""
    log = open_log(tmp_path)
    fill(log, 1, 9)
    log.append([new(10)], folded(10))
    fill(log, 11, 19)
    log.append([new(20)], folded(20))
    fill(log, 21, 30)
    yield log
    log.abandon()


def test_a_backup_of_a_live_store_states_what_was_verified(live: Log, tmp_path: Path) -> None:
    info = create_backup(
        Place(tmp_path), now_ms=NOW_MS, fold=COUNTING, expected=Mark(30, state_after(30))
    )
    assert info.name == "tradebaas-20220115T235900Z-000000000030.db"
    assert (info.seq, info.chain, info.verified_from) == (30, live.head.digest.hex(), 0)
    assert (info.state_seq, info.state_digest) == (30, state_after(30).hex())
    assert [backup.info for backup in list_backups(Place(tmp_path))] == [info]
    names = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert names == ["lock", info.name, f"{info.name}.json"]


def test_the_next_backup_walks_only_what_is_new(live: Log, tmp_path: Path) -> None:
    create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING)
    fill(live, 31, 35)
    later = create_backup(Place(tmp_path), now_ms=NOW_MS + HOUR_MS, fold=COUNTING)
    assert (later.seq, later.verified_from) == (35, 30)
    full = create_backup(Place(tmp_path), now_ms=NOW_MS + 2 * HOUR_MS, fold=COUNTING, full=True)
    assert full.verified_from == 0


@pytest.mark.parametrize("full", [False, True])
def test_one_of_the_same_second_goes_on_to_be_the_way_back(
    full: bool, live: Log, tmp_path: Path
) -> None:
    """The daemon's own backup may come due while an upgrade makes one."""
    place = Place(tmp_path)
    create_backup(place, now_ms=NOW_MS, fold=COUNTING, before="upgrade")
    again = create_backup(place, now_ms=NOW_MS, fold=COUNTING, full=full)
    assert [(again.name, again.before)] == [(i.name, i.before) for i in verified_backups(place)]
    assert again.before == "upgrade"
    assert create_backup(place, now_ms=NOW_MS + HOUR_MS, fold=COUNTING).before == ""


@pytest.mark.parametrize(
    "mark, what",
    [
        (Mark(30, b"another state"), "events from 21 to 30 fold to .* stated at seq 30"),
        (Mark(25, b"another state"), "events from 21 to 25 fold to"),
        (Mark(31, b"x"), "the backup ends at seq 30, but the daemon had committed 31"),
    ],
)
def test_a_memory_that_differs_from_the_log_is_found(
    live: Log, tmp_path: Path, mark: Mark, what: str
) -> None:
    with pytest.raises(BackupFailed, match=what):
        create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING, expected=mark)
    assert list_backups(Place(tmp_path)) == []


def test_a_mark_in_the_middle_of_the_log_is_compared_there(live: Log, tmp_path: Path) -> None:
    mark = Mark(25, state_after(25))
    info = create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING, expected=mark)
    assert info.state_digest == state_after(30).hex()


def test_a_snapshot_that_is_not_what_the_events_fold_to_is_found(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 5)
    wrong = NewSnapshot(fold_version=FOLD, body=b"wrong", state_digest=b"wrong")
    log.append([new(6)], wrong)
    with pytest.raises(BackupFailed, match="the events from 1 to 6 fold to"):
        create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING)
    log.close()


def test_a_full_backup_folds_from_the_first_event(live: Log, tmp_path: Path) -> None:
    def wrong_before_10(snapshot: Snapshot | None, records: Iterable[Record]) -> bytes:
        return running_digest(snapshot, records) if snapshot else b"another beginning"

    fold = Fold(FOLD, wrong_before_10)
    create_backup(Place(tmp_path), now_ms=NOW_MS, fold=fold)
    with pytest.raises(BackupFailed, match="the events from 1 to 10 fold to"):
        create_backup(Place(tmp_path), now_ms=NOW_MS, fold=fold, full=True)


def test_a_changed_record_never_gets_into_a_backup_that_counts(live: Log, tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "tradebaas.db"))
    connection.execute("UPDATE events SET body = x'00' WHERE seq = 3")
    connection.close()
    with pytest.raises(BackupFailed, match="record 3 is missing or was changed"):
        create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING)
    assert list_backups(Place(tmp_path)) == []


def test_a_backup_that_ends_before_the_head_does_not_count(live: Log, tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "tradebaas.db"))
    connection.execute("DELETE FROM events WHERE seq > 28")
    connection.close()
    with pytest.raises(BackupFailed, match="must hold record 30 of data/head"):
        create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING)


def test_one_backup_at_a_time(live: Log, tmp_path: Path) -> None:
    def nested(snapshot: Snapshot | None, records: Iterable[Record]) -> bytes:
        with pytest.raises(BackupFailed, match="another backup is being made"):
            create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING)
        return running_digest(snapshot, records)

    create_backup(Place(tmp_path), now_ms=NOW_MS, fold=Fold(FOLD, nested))


def test_a_backup_leaves_the_last_space_to_the_daemon(live: Log, tmp_path: Path) -> None:
    disk = TightDisk(ballast.BALLAST_BYTES + 4096)
    with pytest.raises(DiskFull, match="bytes free"):
        create_backup(Place(tmp_path, disk), now_ms=NOW_MS, fold=COUNTING)


@pytest.mark.parametrize("damage", ["gone", "garbage", "longer"])
def test_a_backup_whose_facts_do_not_fit_does_not_count(
    live: Log, tmp_path: Path, damage: str
) -> None:
    info = create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING)
    path = tmp_path / "backups" / info.name
    if damage == "gone":
        catalogue.sidecar(path).unlink()
    elif damage == "garbage":
        catalogue.sidecar(path).write_text("{")
    else:
        path.write_bytes(path.read_bytes() + b"x")
    found = list_backups(Place(tmp_path))[0]
    assert found.info is None
    assert found.problem


def test_a_backup_can_be_verified_again_and_then_counts(live: Log, tmp_path: Path) -> None:
    info = create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING)
    path = tmp_path / "backups" / info.name
    catalogue.sidecar(path).unlink()
    assert verify_backup(Place(tmp_path), path, now_ms=NOW_MS + DAY_MS, fold=COUNTING) == info
    assert verified_backups(Place(tmp_path)) == [info]


def test_verifying_again_says_nothing_else_of_when_and_why_it_was_made(
    live: Log, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    info = create_backup(place, now_ms=NOW_MS, fold=COUNTING, before="upgrade")
    info = msgspec.structs.replace(info, made_room=2)
    path = place.backups / info.name
    catalogue.write_sidecar(place.disk, path, info)
    assert verify_backup(place, path, now_ms=NOW_MS + DAY_MS, fold=COUNTING) == info
    assert verified_backups(place) == [info]


def test_a_byte_that_sqlite_does_not_look_at_is_no_longer_what_was_verified(
    live: Log, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    info = create_backup(place, now_ms=NOW_MS, fold=COUNTING)
    path = place.backups / info.name
    content = bytearray(path.read_bytes())
    content[72] ^= 1  # reserved for expansion, in SQLite's header
    path.write_bytes(content)
    before = catalogue.sidecar(path).read_bytes()
    with pytest.raises(BackupFailed, match="its bytes have changed since"):
        verify_backup(place, path, now_ms=NOW_MS, fold=COUNTING)
    assert catalogue.sidecar(path).read_bytes() == before
    catalogue.sidecar(path).unlink()
    assert verify_backup(place, path, now_ms=NOW_MS, fold=COUNTING).made_ms == info.made_ms
