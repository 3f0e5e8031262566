"""The second place of the backups: what gets there, what does not, and getting back from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import COUNTING, NOW_MS, contents, fill, new, open_log

from tradebaas.store import ballast, catalogue
from tradebaas.store.backup import BackupFailed, create_backup
from tradebaas.store.catalogue import SECOND, list_backups, read_note, verified_backups
from tradebaas.store.disk import SystemDisk
from tradebaas.store.faults import DiskFull
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.restore import restore
from tradebaas.store.retention import Retention
from tradebaas.store.second import copy_backups

HOUR_MS = 3_600_000
LATER_MS = NOW_MS + 10 * HOUR_MS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    (tmp_path / "mount").mkdir()
    return tmp_path / "mount"


@pytest.fixture
def live(data: Path) -> Iterator[Log]:
    log = open_log(data)
    fill(log, 1, 5)
    for hour in range(3):
        create_backup(Place(data), now_ms=NOW_MS + hour * HOUR_MS, fold=COUNTING)
    yield log
    log.abandon()


def names(directory: Path) -> list[str]:
    return [info.name for info in verified_backups(Place(directory))]


def test_what_is_missing_is_copied_once_and_kept_by_the_same_rule(
    live: Log, data: Path, mount: Path
) -> None:
    made = names(data)
    first = copy_backups(Place(data), mount, Retention(), LATER_MS)
    assert first.made == tuple(made)
    assert names(mount) == made
    assert copy_backups(Place(data), mount, Retention(), LATER_MS).made == ()
    copied = copy_backups(Place(data), mount, Retention(newest=1, days=0), LATER_MS)
    assert copied.removed == (made[2], made[1])
    assert copy_backups(Place(data), mount, Retention(newest=1, days=0), LATER_MS).made == ()
    note = read_note(Place(data), SECOND)
    assert note is not None
    assert note.at_ms == NOW_MS + 2 * HOUR_MS


def test_nothing_is_written_where_nothing_is_mounted(live: Log, data: Path, mount: Path) -> None:
    with pytest.raises(BackupFailed, match=r"there is no directory .*mount it, or make it"):
        copy_backups(Place(data), mount / "inside", Retention(), LATER_MS)
    assert list(mount.iterdir()) == []
    assert read_note(Place(data), SECOND) is None


def test_a_copy_that_does_not_read_back_does_not_count(live: Log, data: Path, mount: Path) -> None:
    class Rotten(SystemDisk):
        def copy(self, source: Path, target: Path) -> None:
            content = bytearray(source.read_bytes())
            content[4321] ^= 1
            target.write_bytes(content)

    with pytest.raises(BackupFailed, match=r"does not read in .* as it was verified"):
        copy_backups(Place(data, Rotten()), mount, Retention(), LATER_MS)
    assert list_backups(Place(mount)) == []


def test_a_full_second_disk_loses_its_oldest_and_says_so_at_last(
    live: Log, data: Path, mount: Path
) -> None:
    copy_backups(Place(data), mount, Retention(), LATER_MS)
    newest = create_backup(Place(data), now_ms=LATER_MS, fold=COUNTING).name

    class Full(SystemDisk):
        def free_bytes(self, directory: Path) -> int:
            return 0 if mount in directory.parents else 100 * ballast.BALLAST_BYTES

    before = names(data)
    with pytest.raises(DiskFull, match=str(mount)):
        copy_backups(Place(data, Full()), mount, Retention(), LATER_MS)
    assert names(mount) == [before[1]]
    assert names(data) == before
    assert newest not in names(mount)


def test_a_lost_disk_is_made_good_from_the_second_place(
    live: Log, data: Path, mount: Path, tmp_path: Path
) -> None:
    copy_backups(Place(data), mount, Retention(), LATER_MS)
    (name, *_) = names(mount)
    restore(Place(mount), name, now_ms=LATER_MS)
    assert contents(mount) == (5, None, [new(n).body for n in range(1, 6)])
    assert catalogue.newest_intact(Place(mount)) == name
