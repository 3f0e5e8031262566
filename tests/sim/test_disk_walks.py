"""Every place where the store can die: kill it there, cut the power there, and start again.

Each walk does some work once, takes a copy of the disk before every single operation, and lets a
new process find each copy, as a kill leaves it and as several power cuts do. What was promised by
then must be there; nothing may be there that was never written; and no start may be refused for
good. Beside the deaths, the same is asked after every operation that can fail.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from random import Random

import apsw
import pytest
from disk_kit import ROOT, deaths, points
from store_kit import COUNTING, FOLD, NOW_MS, fill, folded, new, open_log, state_after

from chaos.world.disk import SimDisk
from chaos.world.mount import MountedDisk
from chaos.world.storage import Kind
from tradebaas.errors import Fatal, StoreDamaged
from tradebaas.store import log as log_module
from tradebaas.store.backup import BackupFailed, Mark, create_backup, prune
from tradebaas.store.catalogue import file_digest, list_backups, verified_backups
from tradebaas.store.faults import DiskFull
from tradebaas.store.halt import clear_halt, read_halt, write_halt
from tradebaas.store.head import HeadFile, read_head
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import Head
from tradebaas.store.restore import restore

FIXTURE = Path(__file__).parents[1] / "fixtures" / "store-schema1.db"
OLD_EVENTS = 6
BACKUP = "tradebaas-20220115T235900Z-000000000010.db"
HOUR_MS = 3_600_000
Work = Callable[[MountedDisk], None]


class Promises:
    """What the work has been told so far; what it means is up to the walk."""

    def __init__(self) -> None:
        self.made = 0


@pytest.fixture
def disk() -> Iterator[SimDisk]:
    disk = SimDisk(Random(1), "walk")
    yield disk
    disk.close()


@pytest.fixture
def promises() -> Promises:
    return Promises()


def whole(place: Place, at_least: int, at_most: int) -> Log:
    """The opened log, whose records are those that were written, as many as promised."""
    log = open_log(ROOT, place.disk)
    assert at_least <= log.head.seq <= at_most
    bodies = [record.body for record in log.read(0, at_most + 1)]
    assert bodies == [new(number).body for number in range(1, log.head.seq + 1)]
    return log


def disk_of(place: Place) -> SimDisk:
    """The disk under the place."""
    assert isinstance(place.disk, MountedDisk)
    assert isinstance(place.disk.storage, SimDisk)
    return place.disk.storage


def power_cut(place: Place) -> Place:
    """The same place after a power cut."""
    disk = disk_of(place)
    disk.power_cut()
    return Place(ROOT, disk.mount())


def commit_and_lose_power(place: Place, log: Log) -> None:
    """What the next life commits is as durable as ever."""
    head = log.append([new(log.head.seq + 1)])
    log.abandon()
    whole(power_cut(place), head.seq, head.seq).abandon()


def some_commits(promises: Promises, last: int) -> Work:
    """Open the store, commit up to record ``last``, with a snapshot now and then, and close."""

    def work(process: MountedDisk) -> None:
        log = open_log(ROOT, process)
        for number in range(log.head.seq + 1, last + 1):
            log.append([new(number)], folded(number) if number % 5 == 0 else None)
            promises.made = number
        log.close()

    return work


# --- deaths --------------------------------------------------------------------------------------


def test_the_first_start_may_die_anywhere(disk: SimDisk, promises: Promises) -> None:
    """No later start refuses a directory that never held a commit, and none loses one."""
    found = points(disk, some_commits(promises, 3), lambda: promises.made)
    kinds = Counter(point.kind for point in found)
    assert min(kinds[kind] for kind in ("mkdir", "create", "rename", "sync", "sync names")) > 1
    made = next(n for n, point in enumerate(found) if point.name == "tradebaas.db")
    for _, point, place in chain(deaths(found[:made], 12), deaths(found[made:], 4)):
        log = whole(place, point.promised, 3)
        commit_and_lose_power(place, log)


def test_commits_checkpoints_and_closings_may_die_anywhere(
    disk: SimDisk, promises: Promises, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "CHECKPOINT_PAGES", 12)
    some_commits(promises, 12)(disk.mount())
    found = points(disk, some_commits(promises, 30), lambda: promises.made)
    assert sum(point.name == "tradebaas.db" and point.kind == "write" for point in found) > 5
    for death, point, place in deaths(found, 3):
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

    may_say = [{""}, {"", "one"}, {"one", "one\ntwo"}, {"one\ntwo", ""}, {"", "three"}, {"three"}]
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

    for _, point, place in deaths(points(disk, work, lambda: promises.made), 4):
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
        prune(place, keep=1)

    for _, point, place in deaths(points(disk, work, lambda: promises.made), 3):
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
    for death, point, place in deaths(points(disk, work, lambda: promises.made), 6):
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

    for _, point, place in deaths(points(disk, work, lambda: promises.made), 8):
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


# --- failing operations --------------------------------------------------------------------------


def lay_old_store(disk: SimDisk) -> None:
    """The store that the first version wrote, with its head."""
    disk.put(ROOT / "tradebaas.db", FIXTURE.read_bytes())
    connection = apsw.Connection(str(FIXTURE), apsw.SQLITE_OPEN_READONLY)
    digest = connection.execute("SELECT digest FROM events WHERE seq = 6").get
    connection.close()
    assert isinstance(digest, bytes)
    HeadFile.create(Place(ROOT, disk.mount()), Head(OLD_EVENTS, digest)).close()


def lay_store_with_backup(disk: SimDisk) -> None:
    """Fourteen records, and a backup of the first ten."""
    process = disk.mount()
    log = open_log(ROOT, process)
    fill(log, 1, 10)
    info = create_backup(Place(ROOT, process), now_ms=NOW_MS, fold=COUNTING)
    assert info.name == BACKUP
    fill(log, 11, 14)
    log.abandon()
    process.kill()


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
