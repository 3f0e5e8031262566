"""The faults of the simulated disk, and how a simulation dies in the middle of an operation."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from disk_kit import ROOT
from store_kit import NOW_MS, fill, new, open_log

from chaos.world.disk import SimDisk
from chaos.world.mount import ENDLESS, MountedDisk
from chaos.world.storage import BLOCK, FaultKind, Kind
from tradebaas.errors import StoreFault
from tradebaas.store.disk import DiskFile
from tradebaas.store.faults import DiskFull
from tradebaas.store.halt import read_halt, write_halt
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader

A, B = Path("/a"), Path("/b")


@pytest.fixture
def disk() -> Iterator[SimDisk]:
    disk = SimDisk(Random(1), "faults")
    yield disk
    disk.close()


def synced(process: MountedDisk, data: bytes) -> DiskFile:
    file = process.open(A, "create")
    file.pwrite(data, 0)
    file.sync()
    process.sync_directory(Path("/"))
    return file


def number_of(attempt: Callable[[], object]) -> int | None:
    """The system's error number."""
    with pytest.raises(OSError) as refused:
        attempt()
    return refused.value.errno


def running(disk: SimDisk) -> tuple[Log, Place]:
    """An open log with five records, on a new process."""
    process = disk.mount()
    log = open_log(ROOT, process)
    fill(log, 1, 5)
    return log, Place(ROOT, process)


# --- space ---------------------------------------------------------------------------------------


def test_a_full_disk_stores_what_fits_in_whole_blocks(disk: SimDisk) -> None:
    process = disk.mount()
    file = synced(process, bytes(BLOCK))
    disk.capacity = 3 * BLOCK + 100
    assert process.free_bytes(A) == 2 * BLOCK + 100
    assert number_of(lambda: file.pwrite(b"x" * 4 * BLOCK, BLOCK)) == errno.ENOSPC
    assert process.size(A) == 3 * BLOCK
    assert process.free_bytes(A) == 100
    file.pwrite(b"y" * BLOCK, 0)  # what has its space already needs none
    assert number_of(lambda: file.pwrite(b"x" * 200, 3 * BLOCK)) == errno.ENOSPC
    assert number_of(lambda: file.allocate(4 * BLOCK)) == errno.ENOSPC
    file.truncate(0)
    assert process.free_bytes(A) == 3 * BLOCK + 100
    disk.disarm()
    assert process.free_bytes(A) == ENDLESS


def test_the_ballast_is_space_that_can_be_given_back(disk: SimDisk) -> None:
    process = disk.mount()
    ballast, file = process.open(B, "create"), process.open(A, "create")
    disk.capacity = 10 * BLOCK
    ballast.allocate(9 * BLOCK)
    assert (process.size(B), process.free_bytes(A)) == (9 * BLOCK, BLOCK)
    assert number_of(lambda: file.pwrite(bytes(2 * BLOCK), 0)) == errno.ENOSPC
    process.unlink(B)
    file.pwrite(bytes(9 * BLOCK), 0)


def test_a_store_on_a_full_disk_says_so_and_goes_on_when_there_is_room(disk: SimDisk) -> None:
    log, _ = running(disk)
    disk.capacity = disk.used() + 5000
    with pytest.raises(DiskFull):
        log.append([new(6, 50_000)])
    disk.capacity = None
    assert log.append([new(6)]).seq == 6


# --- errors --------------------------------------------------------------------------------------


def test_a_failed_read_and_a_failed_write_do_nothing(disk: SimDisk) -> None:
    file = synced(disk.mount(), b"old")
    disk.arm("write", nth=2)
    file.pwrite(b"1", 0)
    assert number_of(lambda: file.pwrite(b"2", 1)) == errno.EIO
    file.pwrite(b"3", 2)
    disk.arm("read", chance=1.0)
    assert number_of(lambda: file.pread(3, 0)) == errno.EIO
    disk.disarm()
    assert file.pread(3, 0) == b"1l3"


def test_a_chance_strikes_as_often_as_it_says(disk: SimDisk) -> None:
    file = synced(disk.mount(), b"x")
    disk.arm("read", chance=0.25)

    def fails() -> bool:
        try:
            file.pread(1, 0)
        except OSError:
            return True
        return False

    assert 200 < sum(fails() for _ in range(1000)) < 300


def test_after_a_failed_sync_changes_may_wait_or_be_forgotten() -> None:
    ends = set()
    for number in range(200):
        disk = SimDisk(Random(number), "sync")
        file = synced(disk.mount(), b"old")
        file.pwrite(b"new", 0)
        disk.arm("sync", nth=1)
        assert number_of(file.sync) == errno.EIO
        assert file.pread(3, 0) == b"new"  # the page cache shows it all the same
        file.sync()  # and this one says that all is well
        disk.power_cut()
        ends.add(disk.view().read(A))
        disk.close()
    assert ends == {b"old", b"new"}


def test_a_lying_drive_loses_what_was_synced() -> None:
    ends = set()
    for number in range(100):
        disk = SimDisk(Random(number), "lying")
        file = synced(disk.mount(), b"old")
        disk.lying = True
        file.pwrite(b"new", 0)
        file.sync()
        disk.power_cut()
        ends.add(disk.view().read(A))
        disk.close()
    assert ends == {b"old", b"new"}


def test_a_slow_sync_is_owed_by_the_process_that_waits_for_it(disk: SimDisk) -> None:
    process, other = disk.mount(), disk.mount()
    file = synced(process, b"x")
    disk.arm("slow sync", nth=2, seconds=3.0)
    file.sync()
    assert process.owed_seconds == 0.0
    process.sync_directory(Path("/"))
    file.sync()
    assert process.owed_seconds == 3.0
    assert other.owed_seconds == 0.0


def test_a_disk_that_became_read_only_refuses_every_change(disk: SimDisk) -> None:
    process = disk.mount()
    file = synced(process, b"x")
    disk.read_only = True
    file.sync()  # nothing waits
    for attempt in (
        lambda: file.pwrite(b"y", 0),
        lambda: file.truncate(0),
        lambda: process.open(A, "write"),
        lambda: process.open(B, "create"),
        lambda: process.rename(A, B),
        lambda: process.unlink(A),
        lambda: process.mkdir(B),
    ):
        assert number_of(attempt) == errno.EROFS
    assert process.open(A, "read").pread(1, 0) == b"x"
    assert not process.usable(Path("/"))
    disk.read_only = False
    file.pwrite(b"y", 0)
    disk.read_only = True
    assert number_of(file.sync) == errno.EROFS


def test_a_flipped_bit_stays_flipped_and_a_deleted_file_stays_gone(disk: SimDisk) -> None:
    process = disk.mount()
    file = synced(process, b"....")
    write = process.open(B, "create")
    write.pwrite(b"b", 0)
    file.pwrite(b"x", 0)
    assert disk.flip(A, 2) == 2
    disk.delete(B)
    seen = process.read(A)
    assert (int.from_bytes(seen) ^ int.from_bytes(b"x...")).bit_count() == 1
    file.sync()
    disk.power_cut()
    assert disk.view().read(A) == seen
    assert not disk.view().exists(B)


@pytest.mark.parametrize("kind", ["sync", "write", "read", "short read"])
def test_a_store_never_takes_an_error_for_success(kind: FaultKind) -> None:
    """Whatever fails, an append that returned is there afterwards, and the process ends."""
    faults = 0
    for nth in range(1, 30):
        disk = SimDisk(Random(nth), "store")
        log, _ = running(disk)
        done = 5
        disk.arm(kind, nth=nth)
        try:
            for number in range(6, 12):
                log.append([new(number)])
                done = number
            log.close()
        except StoreFault:
            faults += 1
        disk.disarm()
        disk.power_cut()
        assert open_log(ROOT, disk.mount()).head.seq >= done
        disk.close()
    assert faults >= (0 if kind.endswith("read") else 5)


# --- dying in the middle -------------------------------------------------------------------------


def test_the_hook_is_told_every_operation_in_order(disk: SimDisk) -> None:
    told: list[tuple[int, Kind, str]] = []
    disk.on_operation = lambda index, kind, path: told.append((index, kind, path.name))
    process = disk.mount()
    process.mkdir(Path("/d"))
    file = process.open(A, "create")
    file.pwrite(b"x", 0)
    file.truncate(0)
    file.sync()
    process.rename(A, B)
    process.unlink(B)
    process.sync_directory(Path("/d"))
    file.pread(1, 0)  # reading is no operation
    disk.view().exists(A)
    kinds = ["mkdir", "create", "write", "truncate", "sync", "rename", "unlink", "sync names"]
    assert [kind for _, kind, _ in told] == kinds
    assert [index for index, _, _ in told] == list(range(1, 9))
    assert [name for _, _, name in told] == ["d", "a", "a", "a", "a", "b", "b", "d"]


@pytest.mark.parametrize("way", ["kill", "power cut"])
@pytest.mark.parametrize("step", [1, 2, 3, 4])  # frame header, page, sync, head
def test_a_process_that_dies_in_a_commit_has_not_committed(
    disk: SimDisk, way: str, step: int
) -> None:
    log, place = running(disk)
    last = disk.operations + step

    def die(index: int, kind: Kind, path: Path) -> None:
        if index == last:
            disk.power_cut() if way == "power cut" else disk.mounts[0].kill()

    disk.on_operation = die
    with pytest.raises(StoreFault):
        log.append([new(6)])
    with pytest.raises(OSError):
        read_halt(place)
    log.abandon()  # a dead process closes its files without a word
    disk.on_operation = None
    assert open_log(ROOT, disk.mount()).head.seq in ((5, 6) if step > 2 else (5,))


def test_an_exception_of_the_hook_comes_through_sqlite_unchanged(disk: SimDisk) -> None:
    class Death(BaseException):
        pass

    def die(index: int, kind: Kind, path: Path) -> None:
        raise Death

    log, _ = running(disk)
    disk.on_operation = die
    with pytest.raises(Death):
        log.append([new(6)])


# --- what the store needs beside ----------------------------------------------------------------


def test_only_one_process_has_the_store(disk: SimDisk) -> None:
    log, _ = running(disk)
    with pytest.raises(StoreFault, match="is held by process 1 "):
        open_log(ROOT, disk.mount())
    log.close()
    assert open_log(ROOT, disk.mount()).head.seq == 5


def test_a_copy_of_the_disk_goes_its_own_way(disk: SimDisk) -> None:
    log, place = running(disk)
    twin = disk.fork(Random(2))
    log.append([new(6)])
    write_halt(place, "later")
    other = open_log(ROOT, twin.mount())
    assert other.head.seq == 5
    other.append([new(6), new(7)])
    assert twin.view().exists(place.lock)
    assert not twin.view().exists(place.halt)
    assert log.head.seq == 6
    twin.close()


def test_two_disks_of_one_name_are_refused(disk: SimDisk) -> None:
    first = disk.mount()
    assert first.writer_vfs == "faults:1:writer"
    with pytest.raises(AssertionError, match="two simulated disks"):
        _ = SimDisk(Random(1), "faults").mount().writer_vfs
    disk.close()
    again = SimDisk(Random(1), "faults")
    assert again.mount().writer_vfs == "faults:1:writer"
    again.close()


def test_sqlite_waits_in_the_simulations_time(disk: SimDisk) -> None:
    process = disk.mount()
    log = Log.open(Place(ROOT, process), now_ms=NOW_MS)
    log.recover(7)
    other = SimDisk(Random(3), "other")
    other.tree = disk.tree  # another process that pays no attention to the lock of the directory
    second = other.mount()
    other.tree.file(ROOT / "lock").flock = None
    with pytest.raises(Exception, match="locked"):
        open_log(ROOT, second)
    assert 0.5 < second.owed_seconds <= 2.0
    other.close()


def test_a_connection_whose_setup_fails_leaves_the_store_unlocked(disk: SimDisk) -> None:
    """An open one would keep its lock for as long as the exception lives that tells of it."""
    log, _ = running(disk)
    log.close()
    for nth in range(1, 30):
        process = disk.mount()
        disk.arm("read", nth=nth)
        kept: list[Exception] = []
        try:
            open_log(ROOT, process).close()
        except StoreFault as error:
            kept.append(error)
        disk.disarm()
        open_log(ROOT, process).close()
        process.kill()
        if not kept:
            break
    assert nth > 3
    assert not kept, "no start was left without a failing read"


def test_a_read_that_comes_short_is_asked_for_again() -> None:
    """SQLite takes a short read for the end of the file: the rest of a page would be zeros, which
    the next commit would write."""
    disk = SimDisk(Random(1), "store")
    log, _ = running(disk)
    log.close()
    for nth in range(1, 40):
        disk.arm("short read", nth=nth)
        reopened = open_log(ROOT, disk.mount())
        reopened.append([new(5 + nth)])
        reopened.close()
    with open_reader(Place(ROOT, disk.view())) as reader:
        assert reader.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    disk.close()
