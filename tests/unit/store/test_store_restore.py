"""The way back from a backup: what it changes, what it keeps, and dying on the way."""

import re
from pathlib import Path

import msgspec
import pytest
from faulty_vfs import TightDisk
from store_kit import (
    COUNTING,
    NOW_MS,
    contents,
    fill,
    folded,
    new,
    open_log,
    outcome,
    state_after,
)

from tradebaas.errors import Fatal, StoreBusy, StoreDamaged, StoreNewer
from tradebaas.store import ballast
from tradebaas.store.backup import BackupFailed, create_backup
from tradebaas.store.catalogue import file_digest, sidecar, write_sidecar
from tradebaas.store.disk import SYSTEM_DISK, SystemDisk
from tradebaas.store.faults import DiskFull
from tradebaas.store.head import read_head
from tradebaas.store.place import Place
from tradebaas.store.restore import restore

HOUR_MS = 3_600_000


def _broken_store(tmp_path: Path) -> str:
    """A store of 34 records with a backup of 30, then damaged; returns the backup's name."""
    log = open_log(tmp_path)
    fill(log, 1, 9)
    log.append([new(10)], folded(10))
    fill(log, 11, 30)
    name = create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING).name
    fill(log, 31, 34)
    log.abandon()
    (tmp_path / "tradebaas.db-wal").unlink()
    return name


def test_the_refusal_of_a_damaged_store_has_the_command_that_works(tmp_path: Path) -> None:
    name = _broken_store(tmp_path)
    refused = outcome(tmp_path)
    assert isinstance(refused, StoreDamaged)
    command = re.search(r"tradebaas backup restore --data (\S+) (\S+)", str(refused))
    assert command is not None
    assert command.groups() == (str(tmp_path), name)
    restore(Place(Path(command[1])), command[2], now_ms=NOW_MS)
    assert contents(tmp_path) == (30, state_after(10), [new(n).body for n in range(11, 31)])


def test_a_newer_store_names_the_newest_backup_that_can_be_read(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 3)
    log.append([new(4)], folded(4))
    old = create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING).name
    newer = create_backup(Place(tmp_path), now_ms=NOW_MS + HOUR_MS, fold=COUNTING)
    log.close()
    _make_newer(tmp_path / "tradebaas.db")
    file = tmp_path / "backups" / newer.name
    _make_newer(file)
    digest = file_digest(SYSTEM_DISK, file)
    write_sidecar(SYSTEM_DISK, file, msgspec.structs.replace(newer, file_digest=digest))
    refused = outcome(tmp_path)
    assert isinstance(refused, StoreNewer)
    assert str(refused).endswith(f"tradebaas backup restore --data {tmp_path} {old}")
    restore(Place(tmp_path), old, now_ms=NOW_MS)
    assert contents(tmp_path)[0] == 4


def _make_newer(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(60)
        stream.write((99).to_bytes(4, "big"))


def test_a_restore_halts_moves_the_damaged_files_and_rewrites_the_head(tmp_path: Path) -> None:
    name = _broken_store(tmp_path)
    database = (tmp_path / "tradebaas.db").read_bytes()
    head = (tmp_path / "head").read_bytes()
    done = restore(Place(tmp_path), name, now_ms=NOW_MS)
    assert done.moved_to == tmp_path / "damaged-20220115T235900Z"
    assert (done.moved_to / "tradebaas.db").read_bytes() == database
    assert (done.moved_to / "head").read_bytes() == head
    assert (tmp_path / "HALT").read_text().startswith("restored from " + name)
    assert read_head(Place(tmp_path)) == open_log(tmp_path).head


def test_a_restored_store_goes_on_and_can_be_backed_up_again(tmp_path: Path) -> None:
    name = _broken_store(tmp_path)
    restore(Place(tmp_path), name, now_ms=NOW_MS)
    log = open_log(tmp_path)
    log.append([new(1000)])
    log.append([new(1001)])
    info = create_backup(Place(tmp_path), now_ms=NOW_MS + HOUR_MS, fold=COUNTING)
    assert (info.seq, info.verified_from) == (32, 30)
    log.close()


def test_after_a_restore_backups_of_the_lost_branch_are_no_base(tmp_path: Path) -> None:
    name = _broken_store(tmp_path)
    restore(Place(tmp_path), name, now_ms=NOW_MS)
    log = open_log(tmp_path)
    log.append([new(1000)])
    create_backup(Place(tmp_path), now_ms=NOW_MS + HOUR_MS, fold=COUNTING)
    log.close()
    restore(Place(tmp_path), name, now_ms=NOW_MS + 2 * HOUR_MS)
    log = open_log(tmp_path)
    log.append([new(2000)])
    info = create_backup(Place(tmp_path), now_ms=NOW_MS + 2 * HOUR_MS, fold=COUNTING)
    assert (info.seq, info.verified_from) == (31, 0)
    log.close()


def test_an_existing_halt_is_left_alone(tmp_path: Path) -> None:
    name = _broken_store(tmp_path)
    (tmp_path / "HALT").write_text("operator: weekend")
    restore(Place(tmp_path), name, now_ms=NOW_MS)
    assert (tmp_path / "HALT").read_text() == "operator: weekend"


def test_a_second_restore_moves_to_a_second_place(tmp_path: Path) -> None:
    name = _broken_store(tmp_path)
    first = restore(Place(tmp_path), name, now_ms=NOW_MS).moved_to
    second = restore(Place(tmp_path), name, now_ms=NOW_MS).moved_to
    assert first != second
    assert second == tmp_path / "damaged-20220115T235900Z-2"


def test_a_restore_into_a_directory_with_backups_alone(tmp_path: Path) -> None:
    name = _broken_store(tmp_path)
    for path in tmp_path.iterdir():
        if path.is_file():
            path.unlink()
    assert isinstance(outcome(tmp_path), StoreDamaged)
    assert restore(Place(tmp_path), name, now_ms=NOW_MS).moved_to is None
    assert contents(tmp_path)[0] == 30


def test_a_running_daemon_is_not_pulled_from_under(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    name = create_backup(Place(tmp_path), now_ms=NOW_MS, fold=COUNTING).name
    with pytest.raises(StoreBusy):
        restore(Place(tmp_path), name, now_ms=NOW_MS)
    assert not (tmp_path / "HALT").exists()
    log.close()


def test_a_backup_that_was_changed_since_is_refused_and_nothing_moves(tmp_path: Path) -> None:
    name = _broken_store(tmp_path)
    path = tmp_path / "backups" / name
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(BackupFailed, match="is not what was verified"):
        restore(Place(tmp_path), name, now_ms=NOW_MS)
    with pytest.raises(BackupFailed, match=r"there is no backup nothing\.db"):
        restore(Place(tmp_path), "nothing.db", now_ms=NOW_MS)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    refused = outcome(tmp_path)
    assert isinstance(refused, Fatal)
    assert "There is no verified backup" in str(refused)


class Death(BaseException):
    """Stands for SIGKILL: nothing in the program catches it."""


@pytest.mark.parametrize("dies_at", range(9))
def test_a_death_in_a_restore_never_leaves_a_store_that_trades(
    tmp_path: Path, dies_at: int
) -> None:
    """Death before the n-th change of a name in the directory: each is one step of a restore."""
    name = _broken_store(tmp_path)
    left = dies_at

    class DeadlyDisk(SystemDisk):
        def rename(self, source: Path, target: Path) -> None:
            nonlocal left
            if left == 0:
                raise Death
            left -= 1
            super().rename(source, target)

    died = False
    try:
        restore(Place(tmp_path, DeadlyDisk()), name, now_ms=NOW_MS)
    except Death:
        died = True
    assert died == (dies_at < 7)  # HALT, db, shm, head, the note, the new db, the new head
    after = outcome(tmp_path)
    if not isinstance(after, StoreDamaged):
        assert not isinstance(after, Fatal)
        assert after[0] == 30
        assert (tmp_path / "HALT").exists()
    restore(Place(tmp_path), name, now_ms=NOW_MS + HOUR_MS)
    assert contents(tmp_path)[0] == 30
    assert (tmp_path / "HALT").exists()


@pytest.mark.parametrize("damage", ["gone", "garbage", "longer"])
def test_a_backup_that_does_not_count_is_not_restored(tmp_path: Path, damage: str) -> None:
    name = _broken_store(tmp_path)
    path = tmp_path / "backups" / name
    if damage == "longer":
        path.write_bytes(path.read_bytes() + b"x")
    else:
        sidecar(path).write_text("{") if damage == "garbage" else sidecar(path).unlink()
    with pytest.raises(BackupFailed, match=r"cannot be restored.*backup verify"):
        restore(Place(tmp_path), name, now_ms=NOW_MS)


def test_a_disk_without_room_for_the_restored_store_changes_nothing(tmp_path: Path) -> None:
    name = _broken_store(tmp_path)
    with pytest.raises(DiskFull):
        restore(Place(tmp_path, TightDisk(ballast.BALLAST_BYTES)), name, now_ms=NOW_MS)
    assert not (tmp_path / "HALT").exists()
    assert (tmp_path / "tradebaas.db").exists()
