"""A small file system for real: full, read-only, without power, mounted again."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.real.fault import Need
from chaos.real.permitted import refusal
from chaos.real.volume import Kind, Volume

Make = Callable[[Kind], Volume]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Volume] = []

    def one(kind: Kind) -> Volume:
        reason = refusal(Need.EXT4 if kind == "ext4" else Need.VOLUME)
        if reason:
            pytest.skip(f"a small file system cannot be mounted here: {reason}")
        made.append(Volume(tmp_path, kind, 24))
        return made[-1]

    yield one
    for volume in made:
        volume.end()
    assert not (tmp_path / "disk").exists()


def refused(act: Callable[[], object]) -> int:
    with pytest.raises(OSError) as caught:
        act()
    return caught.value.errno or 0


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_full_one_takes_nothing_until_it_is_freed(make: Make, kind: Kind) -> None:
    volume = make(kind)
    kept = volume.root / "kept"
    kept.write_bytes(bytes(3 * 2**20))
    volume.fill()
    assert refused(lambda: (volume.root / "more").write_bytes(bytes(8192))) == errno.ENOSPC
    kept.unlink()
    volume.fill()  # what has become free since then as well
    assert refused(lambda: (volume.root / "more").write_bytes(bytes(8192))) == errno.ENOSPC
    volume.free()
    (volume.root / "more").write_bytes(bytes(2**20))


def test_without_inodes_no_file_can_be_made(make: Make) -> None:
    volume = make("ext4")
    volume.fill_inodes()
    assert refused((volume.root / "more").touch) == errno.ENOSPC
    volume.free()
    (volume.root / "more").touch()


def test_one_that_broke_off_is_read_only_until_it_is_repaired(make: Make) -> None:
    volume = make("ext4")
    file = volume.root / "file"
    file.write_text("old")
    os.sync()
    with file.open("r+b") as opened:
        volume.break_off()
        assert refused(lambda: os.pwrite(opened.fileno(), b"new", 0)) == errno.EROFS
    assert file.read_text() == "old"
    volume.repair()
    file.write_text("new")


def test_a_power_cut_takes_what_was_not_synced_and_nothing_else(make: Make) -> None:
    volume = make("ext4")
    file = volume.root / "file"
    with file.open("wb") as opened:
        opened.write(b"a" * 8192)
        opened.flush()
        os.fsync(opened.fileno())
        opened.write(b"b" * 8192)
        opened.flush()
        directory = os.open(volume.root, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        volume.cut_power()
        assert refused(lambda: os.pwrite(opened.fileno(), b"c", 0)) == errno.EIO
    volume.repair()
    assert file.read_bytes() == b"a" * 8192
