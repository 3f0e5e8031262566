"""Backups that go, on a real disk: by the rule, and for want of space."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_vfs import TightDisk
from msgspec.structs import replace
from store_kit import COUNTING, NOW_MS, fill, open_log

from tradebaas.store import ballast, catalogue
from tradebaas.store.backup import create_backup
from tradebaas.store.catalogue import list_backups, verified_backups
from tradebaas.store.disk import SYSTEM_DISK
from tradebaas.store.faults import DiskFull
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.retention import DAY_MS, HELD_DAYS, Retention, prune

HOUR_MS = 3_600_000
LATER_MS = NOW_MS + 10 * HOUR_MS


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Log]:
    log = open_log(tmp_path)
    fill(log, 1, 5)
    yield log
    log.abandon()


def make(data_dir: Path, hours: int, before: str = "") -> list[str]:
    """Backups of so many hours; their names, newest first."""
    for hour in range(hours):
        create_backup(Place(data_dir), now_ms=NOW_MS + hour * HOUR_MS, fold=COUNTING, before=before)
    return names(data_dir)


def names(data_dir: Path) -> list[str]:
    return [info.name for info in verified_backups(Place(data_dir))]


class CrowdedDisk(TightDisk):
    """Each removed backup gives its size back."""

    def unlink(self, path: Path) -> None:
        self.free += self.size(path) if self.exists(path) else 0
        super().unlink(path)


def test_pruning_keeps_by_the_rule_and_all_that_was_never_verified(
    live: Log, tmp_path: Path
) -> None:
    made = make(tmp_path, 5)  # the first at 23:59, the others on the next day
    strange = tmp_path / "backups" / "mine.db"
    strange.write_bytes(b"x")
    assert prune(Place(tmp_path), Retention(newest=2, days=2), LATER_MS) == made[3:1:-1]
    assert names(tmp_path) == [*made[:2], made[4]]
    assert strange.exists()
    assert len(list((tmp_path / "backups").glob("*.json"))) == 3
    with pytest.raises(ValueError):
        prune(Place(tmp_path), Retention(newest=0), LATER_MS)


def test_a_backup_from_before_an_upgrade_stays_for_a_month(live: Log, tmp_path: Path) -> None:
    [held] = make(tmp_path, 1, before="upgrade")
    create_backup(Place(tmp_path), now_ms=NOW_MS + 2 * HOUR_MS, fold=COUNTING)
    rule = Retention(newest=1, days=0)
    end_ms = NOW_MS + HELD_DAYS * DAY_MS
    assert prune(Place(tmp_path), rule, end_ms - 1) == []
    assert prune(Place(tmp_path), rule, end_ms) == [held]


def test_a_copy_from_before_a_migration_goes_after_a_month_as_well(
    live: Log, tmp_path: Path
) -> None:
    make(tmp_path, 2)
    oldest = verified_backups(Place(tmp_path))[1]
    path = tmp_path / "backups" / oldest.name
    catalogue.write_sidecar(SYSTEM_DISK, path, replace(oldest, state_digest="", before="migration"))
    rule, end_ms = Retention(newest=1), NOW_MS + HELD_DAYS * DAY_MS
    assert prune(Place(tmp_path), rule, end_ms - 1) == []
    assert prune(Place(tmp_path), rule, end_ms) == [oldest.name]


def test_where_space_is_short_the_oldest_go_until_there_is_enough(
    live: Log, tmp_path: Path
) -> None:
    made = make(tmp_path, 4)
    size = verified_backups(Place(tmp_path))[0].size
    disk = CrowdedDisk(ballast.BALLAST_BYTES + size // 2)
    info = create_backup(Place(tmp_path, disk), now_ms=LATER_MS, fold=COUNTING)
    assert info.made_room == 1
    assert names(tmp_path) == [info.name, *made[:3]]
    disk.free = 2 * ballast.BALLAST_BYTES + 2 * size  # enough, but for what is to stay free
    leave = 2 * ballast.BALLAST_BYTES + 3 * size
    info = create_backup(
        Place(tmp_path, disk), now_ms=LATER_MS + 1000, fold=COUNTING, leave_free=leave
    )
    assert info.made_room == 2
    assert list_backups(Place(tmp_path))[0].info == info


def test_the_newest_intact_backup_is_never_removed_for_space(live: Log, tmp_path: Path) -> None:
    made = make(tmp_path, 3)
    newest = tmp_path / "backups" / made[0]
    content = bytearray(newest.read_bytes())
    content[5000] ^= 1
    newest.write_bytes(content)
    with pytest.raises(DiskFull, match="bytes free"):
        create_backup(Place(tmp_path, TightDisk(0)), now_ms=LATER_MS, fold=COUNTING)
    assert names(tmp_path) == made[:2]
    assert catalogue.newest_intact(Place(tmp_path)) == made[1]


def test_for_space_what_is_held_stays(live: Log, tmp_path: Path) -> None:
    [held] = make(tmp_path, 1, before="upgrade")
    create_backup(Place(tmp_path), now_ms=NOW_MS + HOUR_MS, fold=COUNTING)
    with pytest.raises(DiskFull):
        create_backup(Place(tmp_path, TightDisk(0)), now_ms=LATER_MS, fold=COUNTING)
    assert held in names(tmp_path)
