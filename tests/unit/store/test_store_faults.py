"""A disk that is full, broken, read-only or forbidden, under the real SQLite."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from faulty_vfs import FaultyDisk
from store_kit import contents, fill, new, open_log

from tradebaas.errors import StoreDamaged, StoreFault, Unusable
from tradebaas.store.faults import DiskFull, mapped
from tradebaas.store.place import Place


def test_a_full_disk_is_an_ordinary_error_that_passes_when_space_returns(tmp_path: Path) -> None:
    with FaultyDisk() as disk:
        log = open_log(tmp_path, disk)
        fill(log, 1, 5)
        head = log.head
        disk.full = True
        with pytest.raises(DiskFull, match="no space is left"):
            log.append([new(n) for n in range(6, 200)])
        assert log.head == head
        disk.full = False
        fill(log, 6, 8)
        log.abandon()
    assert contents(tmp_path) == (8, None, [new(n).body for n in range(1, 9)])


def test_a_failed_sync_ends_the_trust_in_the_log(tmp_path: Path) -> None:
    with FaultyDisk() as disk:
        log = open_log(tmp_path, disk)
        fill(log, 1, 5)
        disk.sync_error = True
        with pytest.raises(StoreFault, match="could not be read or written") as caught:
            log.append([new(6)])
        assert caught.value.exit_code == 75
        disk.sync_error = False
        with pytest.raises(RuntimeError):
            log.append([new(7)])
        log.close()
    assert contents(tmp_path)[0] in (5, 6)


def test_every_append_is_synced_before_it_returns(tmp_path: Path) -> None:
    with FaultyDisk() as disk:
        log = open_log(tmp_path, disk)
        for number in range(1, 20):
            before = disk.syncs
            log.append([new(number)])
            assert disk.syncs > before
        log.close()


def test_a_group_of_records_costs_as_many_syncs_as_one(tmp_path: Path) -> None:
    with FaultyDisk() as disk:
        log = open_log(tmp_path, disk)
        fill(log, 1, 2)
        before = disk.syncs
        log.append([new(n) for n in range(3, 35)])
        assert disk.syncs - before == 1
        log.close()


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Without the right to pass over permissions, which root has."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", ["tradebaas.db", "head", "lock"])
def test_a_file_without_permissions_is_named_and_not_restarted(name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory)
        fill_and_close(data_dir)
        data_dir.chmod(0o777)
        for path in data_dir.iterdir():
            path.chmod(0o777)
        (data_dir / name).chmod(0)
        with _as_nobody(), pytest.raises(Unusable, match=f"{data_dir / name} cannot be") as caught:
            open_log(data_dir)
        assert caught.value.exit_code == 78
        assert "chown" in str(caught.value)


def test_a_forbidden_database_has_the_restore_command_as_well(tmp_path: Path) -> None:
    fill_and_close(tmp_path)
    refusal = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "tradebaas.db"))
    place = Place(tmp_path)
    with pytest.raises(Unusable, match="chown") as caught, _mapped(place):
        raise refusal
    assert str(caught.value).endswith("Where that cannot be done: ADVICE")
    refusal = PermissionError(errno.EACCES, "Permission denied", str(place.lock))
    with pytest.raises(Unusable, match="chown") as caught, _mapped(place):
        raise refusal
    assert "ADVICE" not in str(caught.value)  # a restore needs the lock, too


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_told_as_such(tmp_path: Path, number: int) -> None:
    place = Place(tmp_path)
    with pytest.raises(StoreFault, match="LimitNOFILE") as caught, _mapped(place):
        raise OSError(number, "Too many open files", str(place.head))
    assert str(place.head) in str(caught.value)
    assert "dmesg" not in str(caught.value)


def _mapped(place: Place) -> AbstractContextManager[None]:
    return mapped(place.disk, place.db, lambda: "ADVICE")


def test_a_directory_in_the_place_of_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tradebaas.db").mkdir()
    with pytest.raises(Unusable, match=r"tradebaas\.db"):
        open_log(tmp_path)


def test_a_row_with_a_value_of_another_type_is_damage(tmp_path: Path) -> None:
    fill_and_close(tmp_path)
    raw = (tmp_path / "tradebaas.db").read_bytes()
    changed = raw.replace(new(3).kind.encode(), b"Count\xff\xfe", 3)
    (tmp_path / "tradebaas.db").write_bytes(changed)
    assert changed != raw
    with pytest.raises(StoreDamaged):
        open_log(tmp_path)


def fill_and_close(data_dir: Path) -> None:
    """A store of five records, closed cleanly."""
    log = open_log(data_dir)
    fill(log, 1, 5)
    log.close()
