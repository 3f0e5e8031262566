"""Every place where the store can die: kill it there, cut the power there, and start again.

Each walk does some work once, takes a copy of the disk before every single operation, and lets a
new process find each copy, as a kill leaves it and as several power cuts do. What was promised by
then must be there; nothing may be there that was never written; and no start may be refused for
good. Beside the deaths, the same is asked after every operation that can fail.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from random import Random

import pytest
from disk_kit import ROOT, deaths, points
from disk_stores import (
    BACKUP,
    HOUR_MS,
    OLD_EVENTS,
    Promises,
    commit_and_lose_power,
    disk_of,
    lay_old_store,
    lay_store_with_backup,
    power_cut,
    some_commits,
    whole,
)
from store_kit import COUNTING, NOW_MS, fill, new, open_log, state_after

from chaos.world.disk import SimDisk
from chaos.world.mount import MountedDisk
from tradebaas.errors import StoreDamaged
from tradebaas.store import log as log_module
from tradebaas.store.backup import Mark, create_backup
from tradebaas.store.catalogue import file_digest, list_backups, verified_backups
from tradebaas.store.halt import clear_halt, read_halt, write_halt
from tradebaas.store.head import read_head
from tradebaas.store.place import Place
from tradebaas.store.restore import restore
from tradebaas.store.retention import Retention, prune


@pytest.fixture
def disk() -> Iterator[SimDisk]:
    disk = SimDisk(Random(1), "walk")
    yield disk
    disk.close()


@pytest.fixture
def promises() -> Promises:
    return Promises()


# --- deaths --------------------------------------------------------------------------------------


def test_the_first_start_may_die_anywhere(disk: SimDisk, promises: Promises) -> None:
    """No later start refuses a directory that never held a commit, and none loses one."""
    found = points(disk, some_commits(promises, 3), lambda: promises.made)
    kinds = Counter(point.kind for point in found)
    assert min(kinds[kind] for kind in ("mkdir", "create", "rename", "sync", "sync names")) > 1
    made = next(n for n, point in enumerate(found) if point.name == "tradebaas.db")
    for _, point, place in chain(deaths(found[:made], 12), deaths(found[made:], 2)):
        log = whole(place, point.promised, 3)
        commit_and_lose_power(place, log)


def test_commits_checkpoints_and_closings_may_die_anywhere(
    disk: SimDisk, promises: Promises, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "CHECKPOINT_PAGES", 12)
    some_commits(promises, 12)(disk.mount())
    found = points(disk, some_commits(promises, 30), lambda: promises.made)
    assert sum(point.name == "tradebaas.db" and point.kind == "write" for point in found) > 5
    for death, point, place in deaths(found, 2):
        guard = read_head(place)
        assert guard is None or guard.seq <= 30
        if death.startswith("kill"):
            assert guard is not None
            assert guard.seq >= point.promised
        log = whole(place, point.promised, 30)
        assert guard is None or guard.seq <= log.head.seq
        commit_and_lose_power(place, log)


def test_a_recovery_may_die_anywhere_as_well(disk: SimDisk, promises: Promises) -> None:
    chance = Random(1)
    found = points(disk, some_commits(promises, 5), lambda: promises.made)
    died = 0
    for _, point, place in deaths(found, 2):
        if chance.random() > 0.1:
            continue
        promises.made = point.promised
        recovery = points(
            disk_of(power_cut(place)), some_commits(promises, 7), lambda: promises.made
        )
        for _, later, second in deaths(chance.sample(recovery, 8), 1):
            whole(second, later.promised, 7).abandon()
            died += 1
    assert died > 150


def test_a_halt_that_was_answered_is_there_and_a_lifted_one_is_not(
    disk: SimDisk, promises: Promises
) -> None:
    def work(process: MountedDisk) -> None:
        place = Place(ROOT, process)
        steps: list[Callable[[], None]] = [
            lambda: open_log(ROOT, process).close(),
            lambda: write_halt(place, "one"),
            lambda: write_halt(place, "two"),
            lambda: clear_halt(place),
            lambda: write_halt(place, "three"),
        ]
        for step in steps:
            step()
            promises.made += 1

    may_say = [{""}, {"", "one"}, {"one", "one; two"}, {"one; two", ""}, {"", "three"}, {"three"}]
    said: set[tuple[int, str]] = set()
    for _, point, place in deaths(points(disk, work, lambda: promises.made), 20):
        said.add((point.promised, read_halt(place)))
    assert said == {(made, text) for made, texts in enumerate(may_say) for text in texts}


def test_a_migration_may_die_anywhere(disk: SimDisk, promises: Promises) -> None:
    lay_old_store(disk)

    def work(process: MountedDisk) -> None:
        log = open_log(ROOT, process)
        promises.made = log.append([new(7)]).seq
        log.close()

    for _, point, place in deaths(points(disk, work, lambda: promises.made), 2):
        log = open_log(ROOT, place.disk)
        assert max(OLD_EVENTS, point.promised) <= log.head.seq <= OLD_EVENTS + 1
        head = log.append([new(8)])
        log.abandon()
        after = power_cut(place)
        log = open_log(ROOT, after.disk)
        assert log.head == head
        log.abandon()
        assert [copy.problem for copy in list_backups(after)] in ([""], [])


def test_a_backup_may_die_anywhere(disk: SimDisk, promises: Promises) -> None:
    """The store is whole, and a backup counts only if it is what it says."""
    log = open_log(ROOT, disk.mount())
    fill(log, 1, 20)

    def work(process: MountedDisk) -> None:
        place, mark = Place(ROOT, process), Mark(20, state_after(20))
        for hour in range(2):
            at = NOW_MS + hour * HOUR_MS
            create_backup(place, now_ms=at, fold=COUNTING, expected=mark)
            promises.made += 1
        prune(place, Retention(newest=1, days=0), NOW_MS)

    for _, point, place in deaths(points(disk, work, lambda: promises.made), 2):
        infos = verified_backups(place)
        assert len(infos) >= min(point.promised, 1)
        for info in infos:
            assert file_digest(place.disk, place.backups / info.name) == info.file_digest
        whole(place, 20, 20).abandon()
        create_backup(place, now_ms=NOW_MS + 9 * HOUR_MS, fold=COUNTING)


def test_a_restore_may_die_anywhere(disk: SimDisk, promises: Promises) -> None:
    """What is found: the old store, one that refuses and can be restored, or the restored one."""
    lay_store_with_backup(disk)

    def work(process: MountedDisk) -> None:
        restore(Place(ROOT, process), BACKUP, now_ms=NOW_MS)
        promises.made = 1

    ends = Counter[str]()
    for death, point, place in deaths(points(disk, work, lambda: promises.made), 4):
        end = end_of_restore(place)
        ends[end] += 1
        assert end == "restored" or not point.promised
        restore(place, BACKUP, now_ms=NOW_MS + HOUR_MS)
        for cut in range(6 if death.startswith("kill") else 1):
            twin = disk_of(place).fork(Random(cut))
            twin.power_cut()
            assert end_of_restore(Place(ROOT, twin.mount())) == "restored"
            twin.close()
    assert set(ends) == {"old", "refused", "restored"}


def test_a_damaged_store_is_never_taken_for_sound_while_it_is_replaced(
    disk: SimDisk, promises: Promises
) -> None:
    lay_store_with_backup(disk)
    disk.mount().open(Place(ROOT).head, "write").sync()  # as the kernel does after a while
    disk.delete(Place(ROOT).wal)

    def work(process: MountedDisk) -> None:
        restore(Place(ROOT, process), BACKUP, now_ms=NOW_MS)
        promises.made = 1

    for _, point, place in deaths(points(disk, work, lambda: promises.made), 4):
        end = end_of_restore(place)
        assert end == "restored" or (end == "refused" and not point.promised)


def end_of_restore(place: Place) -> str:
    try:
        log = open_log(ROOT, place.disk)
    except StoreDamaged as refusal:
        return "refused" if "tradebaas backup restore --data" in str(refusal) else str(refusal)
    log.abandon()
    if log.head.seq != 10:
        return "old" if log.head.seq == 14 else f"{log.head.seq} records"
    assert read_halt(place)
    return "restored"
