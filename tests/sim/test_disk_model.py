"""The durability model of the simulated disk: each sentence of its prose, able to fail."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from disk_kit import ROOT, outcomes

from chaos.sim import legacy
from chaos.world.disk import SimDisk
from chaos.world.inodes import UNSYNCED_MAX
from chaos.world.mount import MountedDisk
from tradebaas.store.disk import Disk, DiskFile
from tradebaas.store.place import Place

A, B = Path("/a"), Path("/b")
SECTOR = 512
OLD, NEW = b"o" * SECTOR, b"n" * SECTOR


def write(disk: Disk, path: Path, data: bytes, offset: int = 0) -> None:
    """Write without syncing anything."""
    file = disk.open(path, "create")
    file.pwrite(data, offset)
    file.close()


def lasting(disk: Disk, path: Path, data: bytes) -> DiskFile:
    """A file that has been synced with its name; open."""
    file = disk.open(path, "create")
    file.pwrite(data, 0)
    file.sync()
    disk.sync_directory(path.parent)
    return file


class Look:
    """What lies at a path; None for nothing."""

    def __init__(self, *paths: Path) -> None:
        self.paths = paths

    def __call__(self, disk: SimDisk) -> tuple[bytes | None, ...]:
        view = disk.view()
        return tuple(view.read(path) if view.exists(path) else None for path in self.paths)


@pytest.fixture
def disk() -> Iterator[SimDisk]:
    disk = SimDisk(Random(1), "model")
    yield disk
    disk.close()


# --- the page cache, and a kill ----------------------------------------------------------------


def test_everyone_sees_an_unsynced_change_at_once(disk: SimDisk) -> None:
    first, second = disk.mount(), disk.mount()
    first.mkdir(Path("/d"))
    write(first, Path("/d/x"), b"hello")
    assert second.read(Path("/d/x")) == b"hello"
    assert second.size(Path("/d/x")) == 5
    second.rename(Path("/d/x"), A)
    assert first.names(Path("/")) == ["a", "d"]
    assert first.names(Path("/d")) == []


def test_a_kill_keeps_all_of_the_page_cache_and_lets_nothing_more_happen(disk: SimDisk) -> None:
    process = disk.mount()
    file = process.open(A, "create")
    file.pwrite(b"unsynced", 0)
    process.kill()
    tries: list[Callable[[], object]] = [
        lambda: file.pwrite(b"x", 0),
        lambda: file.truncate(0),
        file.sync,
        lambda: file.pread(1, 0),
        lambda: write(process, B, b"x"),
        lambda: process.rename(A, B),
        lambda: process.unlink(A),
        lambda: process.mkdir(B),
        lambda: process.sync_directory(Path("/")),
        lambda: process.exists(A),
        lambda: process.writer_vfs,
    ]
    for attempt in tries:
        with pytest.raises(OSError) as refused:
            attempt()
        assert refused.value.errno == errno.EIO
    file.close()  # lets go of everything, and is no error
    assert Look(A, B)(disk) == (b"unsynced", None)


def test_a_kill_gives_up_the_locks_of_that_process_alone(disk: SimDisk) -> None:
    first, second, third = disk.mount(), disk.mount(), disk.mount()
    first.open(A, "create").lock()
    second.open(B, "create").lock()
    with pytest.raises(BlockingIOError):
        third.open(A, "create").lock()
    first.kill()
    third.open(A, "create").lock()
    with pytest.raises(BlockingIOError):
        third.open(B, "create").lock()


# --- a power cut: content ----------------------------------------------------------------------


def test_an_unsynced_write_is_lost_kept_or_torn_at_sectors() -> None:
    def work(process: MountedDisk) -> None:
        lasting(process, A, OLD * 3).pwrite(NEW * 3, 0)

    found = outcomes(work, Look(A))
    sectors = {
        (b"".join(OLD if bit == "0" else NEW for bit in f"{number:03b}"),) for number in range(8)
    }
    assert found == sectors


def test_a_write_across_sectors_is_torn_at_their_bounds_only() -> None:
    def work(process: MountedDisk) -> None:
        lasting(process, A, OLD * 2).pwrite(b"n" * 20, SECTOR - 10)

    ends = {(found or b"")[SECTOR - 10 : SECTOR + 10] for (found,) in outcomes(work, Look(A))}
    first, second = b"n" * 10 + b"o" * 10, b"o" * 10 + b"n" * 10
    assert ends == {b"o" * 20, b"n" * 20, first, second}


def test_a_later_write_may_be_kept_and_an_earlier_one_lost() -> None:
    def work(process: MountedDisk) -> None:
        first, second = lasting(process, A, b"...."), lasting(process, B, b".")
        first.pwrite(b"1", 0)
        first.pwrite(b"2", 2)
        second.pwrite(b"3", 0)

    found = outcomes(work, Look(A, B))
    whole = {(a, b) for a in (b"....", b"1...", b"..2.", b"1.2.") for b in (b".", b"3")}
    assert found == whole


def test_where_the_newest_write_is_lost_an_older_one_may_be_seen() -> None:
    def work(process: MountedDisk) -> None:
        file = lasting(process, A, b"1")
        file.pwrite(b"2", 0)
        file.pwrite(b"3", 0)

    assert outcomes(work, Look(A)) == {(b"1",), (b"2",), (b"3",)}


def test_a_lost_write_at_the_end_may_leave_the_file_longer_with_zeros() -> None:
    def work(process: MountedDisk) -> None:
        lasting(process, A, b"old").pwrite(b"new", 3)

    assert outcomes(work, Look(A)) == {(b"old",), (b"oldnew",), (b"old\0\0\0",)}


def test_an_unsynced_truncation_may_have_happened_by_itself() -> None:
    def work(process: MountedDisk) -> None:
        file = lasting(process, A, b"long")
        file.truncate(0)
        file.pwrite(b"ne", 0)

    found = outcomes(work, Look(A))
    assert found == {(b"long",), (b"",), (b"neng",), (b"ne",), (b"\0\0",)}


def test_an_unsynced_extension_may_have_happened() -> None:
    def work(process: MountedDisk) -> None:
        lasting(process, A, b"x").allocate(3)

    assert outcomes(work, Look(A)) == {(b"x",), (b"x\0\0",)}


def test_a_bit_that_is_flipped_and_flipped_back_has_never_been_flipped() -> None:
    def work(process: MountedDisk, *, flipped: bool) -> None:
        file = lasting(process, A, b"old.")
        file.pwrite(b"new", 0)
        for _ in range(2 * flipped):
            process.storage.tree.file(A).flip(1, 0x08)

    honest = outcomes(lambda process: work(process, flipped=False), Look(A))
    assert outcomes(lambda process: work(process, flipped=True), Look(A)) == honest


def test_a_flipped_bit_is_flipped_in_what_is_on_its_way_as_well() -> None:
    def work(process: MountedDisk) -> None:
        lasting(process, A, b"old.").pwrite(b"new", 0)
        process.storage.tree.file(A).flip(1, 0x01)

    assert outcomes(work, Look(A)) == {(b"omd.",), (b"ndw.",)}


def test_a_synced_file_keeps_its_content_and_size() -> None:
    def work(process: MountedDisk) -> None:
        file = lasting(process, A, b"first")
        file.pwrite(b"second", 0)
        file.truncate(4)
        file.sync()

    assert outcomes(work, Look(A)) == {(b"seco",)}


# --- a power cut: names ------------------------------------------------------------------------


def test_the_sync_of_a_file_does_not_keep_its_name() -> None:
    def work(process: MountedDisk) -> None:
        file = process.open(A, "create")
        file.pwrite(b"x", 0)
        file.sync()

    assert outcomes(work, Look(A)) == {(None,), (b"x",)}


def test_the_sync_of_a_directory_keeps_names_and_no_content() -> None:
    def work(process: MountedDisk) -> None:
        process.mkdir(Path("/d"))
        write(process, Path("/d/x"), b"x")
        write(process, A, b"x")
        process.sync_directory(Path("/"))

    found = outcomes(work, Look(A, Path("/d/x")), 2000)
    kept = {(a, x) for a in (b"", b"\0", b"x") for x in (None, b"", b"\0", b"x")}
    assert found == kept


def test_creations_and_removals_happen_each_by_itself() -> None:
    def work(process: MountedDisk) -> None:
        lasting(process, A, b"a")
        process.unlink(A)
        process.open(B, "create")

    assert outcomes(work, Look(A, B)) == {(a, b) for a in (b"a", None) for b in (None, b"")}


def test_a_renaming_happens_wholly_or_not_at_all() -> None:
    def work(process: MountedDisk) -> None:
        lasting(process, A, b"a")
        lasting(process, B, b"b")
        process.rename(A, B)

    assert outcomes(work, Look(A, B)) == {(b"a", b"b"), (None, b"a")}


def test_a_renaming_may_last_where_the_content_does_not() -> None:
    def work(process: MountedDisk) -> None:
        lasting(process, B, b"old")
        write(process, A, b"new")
        process.rename(A, B)
        process.sync_directory(Path("/"))

    assert outcomes(work, Look(A, B)) == {(None, b""), (None, b"new"), (None, b"\0\0\0")}


@pytest.mark.parametrize("synced", [[], ["/"], ["/d"], ["/", "/d"]])
def test_a_renaming_into_another_directory_lasts_when_both_are_synced(synced: list[str]) -> None:
    moved = Path("/d/x")

    def work(process: MountedDisk) -> None:
        process.mkdir(Path("/d"))
        lasting(process, A, b"a")
        process.rename(A, moved)
        for path in synced:
            process.sync_directory(Path(path))

    there, back = (None, b"a"), (b"a", None)
    assert outcomes(work, Look(A, moved)) == ({there} if len(synced) == 2 else {there, back})


def test_a_directory_that_is_lost_takes_everything_in_it_along() -> None:
    def work(process: MountedDisk) -> None:
        process.mkdir(Path("/d"))
        lasting(process, Path("/d/x"), b"x")

    assert outcomes(work, Look(Path("/d/x"))) == {(None,), (b"x",)}


# --- the kernel's own doing --------------------------------------------------------------------


def test_what_is_old_has_been_written_back_by_itself() -> None:
    def work(process: MountedDisk) -> None:
        file = lasting(process, A, bytes(2))
        file.pwrite(b"1", 0)
        for _ in range(UNSYNCED_MAX):
            file.pwrite(b"2", 1)

    found = outcomes(work, Look(A), 50)
    assert all(a is not None and a[:1] == b"1" for (a,) in found)


def test_old_names_have_been_written_back_by_themselves() -> None:
    def work(process: MountedDisk) -> None:
        process.open(A, "create")
        for _ in range(UNSYNCED_MAX // 2):
            process.open(B, "create")
            process.unlink(B)

    assert {a for (a, _) in outcomes(work, Look(A, B), 50)} == {b""}


# --- the same again ----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_disk() -> None:
    def once(seed: int) -> list[bytes]:
        disk = SimDisk(Random(seed), "same")
        process = disk.mount()
        for number in range(20):
            write(process, Path(f"/{number}"), bytes([number]) * 2000, number)
        disk.power_cut()
        found = [file.cached.read(5000, 0) for _, file in disk.tree.files()]
        disk.close()
        return found

    assert once(1) == once(1)
    assert len({tuple(once(seed)) for seed in range(20)}) > 10


def test_an_old_store_is_there_whatever_a_power_cut_takes() -> None:
    for seed in range(10):
        disk = SimDisk(Random(seed), "old")
        process = disk.mount()
        legacy.lay(Place(ROOT, process))
        process.kill()
        disk.power_cut()
        assert disk.view().exists(Place(ROOT).db)
        disk.close()
