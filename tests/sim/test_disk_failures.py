"""Every operation of the store that can fail: let it fail, and start again.

The failure must have a name that the program knows, and the next start, after a kill or a power
cut, must find a store as whole as before.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from disk_kit import ROOT
from disk_stores import (
    BACKUP,
    HOUR_MS,
    Promises,
    Work,
    lay_old_store,
    lay_store_with_backup,
    some_commits,
    whole,
)
from store_kit import COUNTING, FOLD, NOW_MS, fill, new, open_log

from chaos.world.disk import SimDisk
from chaos.world.mount import MountedDisk
from chaos.world.storage import Kind
from tradebaas.errors import Fatal, StoreDamaged
from tradebaas.store import log as log_module
from tradebaas.store.backup import BackupFailed, create_backup
from tradebaas.store.catalogue import file_digest, verified_backups
from tradebaas.store.faults import DiskFull
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.restore import restore


@pytest.fixture
def disk() -> Iterator[SimDisk]:
    disk = SimDisk(Random(1), "failures")
    yield disk
    disk.close()


def commit_three(process: MountedDisk) -> None:
    log = Log.open(Place(ROOT, process), now_ms=NOW_MS)
    try:
        list(log.recover(FOLD).tail)
        fill(log, log.head.seq + 1, log.head.seq + 3)
        log.close()
    except BaseException:
        log.abandon()
        raise


def back_up(process: MountedDisk) -> None:
    create_backup(Place(ROOT, process), now_ms=NOW_MS + HOUR_MS, fold=COUNTING)


def restore_it(process: MountedDisk) -> None:
    restore(Place(ROOT, process), BACKUP, now_ms=NOW_MS + HOUR_MS)


def fail_at(disk: SimDisk, fault: str, nth: int) -> Callable[[], bool]:
    """Arm the ``nth`` failure of a kind; the answer says whether it struck."""
    if fault in ("read", "short read", "write", "sync"):
        disk.arm(fault, nth=nth)  # type: ignore[arg-type]
        return lambda: not disk.armed

    first = disk.operations

    def strike(index: int, kind: Kind, path: Path) -> None:
        if index == first + nth:
            disk.read_only = fault == "read only"
            disk.capacity = disk.used() if fault == "full" else None

    disk.on_operation = strike
    return lambda: disk.operations >= first + nth


@pytest.mark.parametrize("fault", ["read", "short read", "write", "sync", "full", "read only"])
@pytest.mark.parametrize(
    "lay, work, may_be",
    [
        (lambda _: None, commit_three, {0, 1, 2, 3}),
        (lay_old_store, commit_three, {6, 7, 8, 9}),
        (lay_store_with_backup, back_up, {14}),
        (lay_store_with_backup, restore_it, {10, 14}),
    ],
    ids=["first start", "migration", "backup", "restore"],
)
def test_any_operation_may_fail(
    disk: SimDisk,
    lay: Callable[[SimDisk], None],
    work: Work,
    may_be: set[int],
    fault: str,
) -> None:
    """The failure has a name, and the next start finds a store as whole as before."""
    lay(disk)
    for nth in range(1, 200):
        twin = disk.fork(Random(nth))
        struck = fail_at(twin, fault, nth)
        try:
            work(twin.mount())
        except (Fatal, DiskFull, BackupFailed):
            assert struck()
        hit = struck()
        twin.on_operation = None
        twin.disarm()
        if nth % 2:
            twin.power_cut()
        else:
            twin.mounts[0].kill()
        found_after(Place(ROOT, twin.mount()), may_be)
        twin.close()
        if not hit:
            assert nth > 3
            return
    raise AssertionError("the work has no end")


def test_a_damaged_store_is_named_though_the_disk_fails_while_backups_are_looked_for(
    disk: SimDisk,
) -> None:
    lay_store_with_backup(disk)
    damaged = disk.fork(Random(1))
    for path in (Place(ROOT).wal, Place(ROOT).db):
        if damaged.view().exists(path):
            damaged.delete(path)
    told = set()
    for nth in range(1, 60):
        twin = damaged.fork(Random(nth))
        struck = fail_at(twin, "read", nth)
        with pytest.raises(Fatal) as caught:
            open_log(ROOT, twin.mount())
        told.add("the disk fails" in str(caught.value))
        hit = struck()
        twin.close()
        if not hit:
            assert told == {True, False}
            return
    raise AssertionError("the start has no end")


@pytest.mark.parametrize("guarded", [True, False], ids=["with head", "without head"])
def test_a_full_disk_anywhere_stores_nothing_twice(
    guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused for want of space may be repeated, and nothing else is."""
    monkeypatch.setattr(log_module, "CHECKPOINT_PAGES", 12)
    refused = 0
    for nth in range(1, 40):
        disk = SimDisk(Random(nth), "full")
        some_commits(Promises(), 5)(disk.mount())
        if not guarded:
            disk.delete(Place(ROOT).head)
        disk.power_cut()
        struck = fail_at(disk, "full", nth)
        log = open_log(ROOT, disk.mount())
        for number in range(6, 16):
            try:
                log.append([new(number)])
            except DiskFull:
                assert struck()
                refused += 1
                disk.capacity = None
                log.append([new(number)])
        log.abandon()
        disk.power_cut()
        disk.disarm()
        whole(Place(ROOT, disk.mount()), 15, 15).abandon()
        disk.close()
    assert refused > 20


def found_after(place: Place, may_be: set[int]) -> None:
    try:
        log = open_log(ROOT, place.disk)
    except StoreDamaged:
        assert 10 in may_be  # a restore was at work, and goes on
        restore(place, BACKUP, now_ms=NOW_MS + 2 * HOUR_MS)
        log = open_log(ROOT, place.disk)
    assert log.head.seq in may_be
    log.abandon()
    for info in verified_backups(place):
        assert file_digest(place.disk, place.backups / info.name) == info.file_digest
