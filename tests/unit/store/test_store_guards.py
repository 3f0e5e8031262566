"""The lock, the head file and the ballast."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faulty_vfs import TightDisk
from store_kit import NOW_MS, open_log

from tradebaas.errors import StoreBusy
from tradebaas.store import ballast
from tradebaas.store.faults import DiskFull
from tradebaas.store.halt import read_halt, write_halt
from tradebaas.store.head import HeadFile, read_head
from tradebaas.store.lock import Lock
from tradebaas.store.place import Place
from tradebaas.store.records import EMPTY, Head

ONE, TWO, THREE = (Head(n, bytes([n]) * 32) for n in (1, 2, 3))


# --- the lock ---


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tradebaas.store.log import Log\n"
        "from tradebaas.store.place import Place\n"
        f"log = Log.open(Place(Path(sys.argv[1])), now_ms={NOW_MS})\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"open\n"
        with pytest.raises(StoreBusy) as busy:
            open_log(tmp_path)
        message = str(busy.value)
        assert f"process {first.pid} ({sys.executable} -c" in message
        assert "started 2022-01-15 23:59:00 UTC" in message
        assert "stop that one" in message
        assert busy.value.exit_code == 75
        first.kill()
    open_log(tmp_path).close()  # the kernel has let go of the lock of the dead


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_the_lock_is_free_after_a_refused_opening(tmp_path: Path) -> None:
    (tmp_path / "tradebaas.db").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(Exception, match="it is empty"):
            open_log(tmp_path)


def test_the_lock_file_says_who_and_whether_there_is_a_store(tmp_path: Path) -> None:
    place = Place(tmp_path)
    lock = Lock.take(place, NOW_MS)
    assert not lock.had_store
    said = json.loads(place.lock.read_text())
    assert (said["pid"], said["started_ms"], said["store"]) == (os.getpid(), NOW_MS, False)
    lock.mark_store()
    lock.release()
    again = Lock.take(place, NOW_MS)
    assert again.had_store
    assert json.loads(place.lock.read_text())["store"] is True
    again.release()


@pytest.mark.parametrize(
    "text, had_store",
    [
        (b"", False),
        (b"garbage", True),
        (b'{"pid":1}\n', True),
        (b'{"store":true,"pid":1' + bytes(500), True),
        (b'{"store":false,"pid":1' + bytes(500), False),
        (bytes(512) + b'and","more"}\n', False),
    ],
)
def test_a_lock_file_that_cannot_be_read_counts_as_a_sign(
    tmp_path: Path, text: bytes, had_store: bool
) -> None:
    Place(tmp_path).lock.write_bytes(text)
    lock = Lock.take(Place(tmp_path), NOW_MS)
    assert lock.had_store is had_store
    lock.release()


def test_a_holder_that_has_written_nothing_yet_is_reported_as_unknown(tmp_path: Path) -> None:
    lock = Lock.take(Place(tmp_path), NOW_MS)
    os.truncate(tmp_path / "lock", 0)
    with pytest.raises(StoreBusy, match="another process that has not said who it is"):
        Lock.take(Place(tmp_path), NOW_MS)
    lock.release()


def test_a_lock_that_cannot_be_written_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(DiskFull):
            open_log(tmp_path)
    open_log(tmp_path).close()


# --- the head ---


def test_the_head_file_says_what_was_written_last(tmp_path: Path) -> None:
    place = Place(tmp_path)
    file = HeadFile.create(place, EMPTY)
    for head in (ONE, TWO, THREE):
        file.write(head)
        assert read_head(place) == head
    file.close()
    assert not (tmp_path / "head.new").exists()


def test_a_torn_write_leaves_the_head_before_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    file = HeadFile.create(place, ONE)
    file.write(TWO)
    file.write(THREE)
    raw = bytearray(place.head.read_bytes())
    at = raw.index(THREE.digest)
    raw[at : at + 16] = bytes(16)
    place.head.write_bytes(raw)
    reopened = HeadFile.open(place)
    assert reopened is not None
    assert reopened.newest == TWO
    reopened.write(THREE)  # over the torn slot, not over the last good one
    raw = bytearray(place.head.read_bytes())
    assert TWO.digest in raw
    assert THREE.digest in raw
    file.close()
    reopened.close()


def test_every_byte_of_a_slot_is_covered_by_its_checksum(tmp_path: Path) -> None:
    place = Place(tmp_path)
    HeadFile.create(place, ONE).close()
    raw = place.head.read_bytes()
    for at in range(64):
        changed = bytearray(raw)
        changed[at] ^= 0x10
        place.head.write_bytes(changed)
        assert read_head(place) is None


def test_no_head_file_says_nothing(tmp_path: Path) -> None:
    assert read_head(Place(tmp_path)) is None


# --- the ballast ---


def test_the_ballast_takes_real_space_and_gives_it_back(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert ballast.restore_ballast(place)
    assert place.ballast.stat().st_blocks * 512 >= ballast.BALLAST_BYTES
    assert ballast.ballast_held(place)
    ballast.release_ballast(place)
    ballast.release_ballast(place)
    assert not ballast.ballast_held(place)


def test_the_ballast_is_not_taken_from_a_nearly_full_disk(tmp_path: Path) -> None:
    disk = TightDisk(2 * ballast.BALLAST_BYTES - 1)
    place = Place(tmp_path, disk)
    assert not ballast.restore_ballast(place)
    assert not place.ballast.exists()
    disk.free += 1
    assert ballast.restore_ballast(place)


def test_space_that_goes_while_the_ballast_is_taken_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ballast, "BALLAST_BYTES", 1 << 50)  # more than any disk has
    with pytest.raises(OSError, match="File too large"):
        ballast.restore_ballast(Place(tmp_path, TightDisk(1 << 60)))
    assert not (tmp_path / "ballast").exists()


def test_a_store_without_room_for_the_ballast_opens_and_says_so(tmp_path: Path) -> None:
    open_log(tmp_path).close()
    ballast.release_ballast(Place(tmp_path))
    log = open_log(tmp_path, TightDisk(0))
    assert "too full to hold the ballast" in log.recover(1).notes[0]
    log.close()


def test_the_reason_of_a_halt_is_one_line_whoever_wrote_it(tmp_path: Path) -> None:
    """It goes to the log, to tables and to other people's terminals."""
    place = Place(tmp_path)
    write_halt(place, "operator: lunch")
    write_halt(place, "operator: and tea")
    assert read_halt(place) == "operator: lunch; operator: and tea"
    write_halt(place, "operator: and tea")
    assert read_halt(place) == "operator: lunch; operator: and tea", "once is enough"
    place.halt.write_bytes(b"\n\x1b[2Jfirst\r\n\n  second\x07\n")
    assert read_halt(place) == "[2Jfirst; second"
    place.halt.write_bytes(b" \n")
    assert read_halt(place) == "no reason given"
