"""The persister: halts on disk, group commit, nothing told before the commit, a full disk."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.unit.actors.world import World, new_world
from tradebaas.actors import persister
from tradebaas.actors.metrics import LOW_DISK
from tradebaas.config import StoreSection
from tradebaas.core.events import Halted, OrderIntended, ProtectOnlyEntered, Resumed
from tradebaas.core.messages import (
    ClosePosition,
    Committed,
    Disarm,
    Guard,
    Halt,
    Ping,
    Refused,
    Resume,
)
from tradebaas.core.model import Phase
from tradebaas.runtime.mailbox import LifeEnded
from tradebaas.store.ballast import ballast_held
from tradebaas.store.faults import DiskFull
from tradebaas.store.halt import read_halt, write_halt
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import Head

TMPFS_BYTES = 40 * 1024 * 1024


def halt_file(world: World) -> str:
    return read_halt(Place(world.data))


def halted(world: World) -> bool:
    return world.state.halted is not None


async def patient(world: World) -> None:
    """Until here it wanted to trade; from now on only the test proposes, whenever a candle ends."""
    await world.command(Disarm(reason="to arm another one"))
    await world.arm(active=0)


# --------------------------------------------------------------------------------------- halts


async def test_a_halt_is_on_disk_before_it_is_answered_and_survives_a_death(
    tmp_path: Path,
) -> None:
    async with new_world(tmp_path) as world:
        await world.open_position()
        await world.command(Halt(by="operator", reason="enough"))
        assert halt_file(world) == "operator: enough"
        await world.until(lambda s: s.phase is Phase.ANALYZING, "the close")
        assert await world.exchange.position() == 0
        await world.die()
        world.start()
        state = await world.ready()
        assert state.life == 2
        assert state.halted is not None
        assert len(world.of(Halted)) == 1
        before = len(world.exchange.entries())
        refused = await world.ask(world.propose())
        assert len(world.exchange.entries()) == before, refused
        assert world.state.phase is Phase.ANALYZING
        await patient(world)
        await world.command(Resume(by="operator"))
        assert halt_file(world) == ""
        await world.command(world.propose())
        await world.covered()
        await world.agree()


async def test_a_halt_file_at_start_halts_and_closes(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.open_position()
        await world.die()
        write_halt(Place(world.data), "by hand")
        world.start()
        state = await world.until(lambda s: s.life == 2 and s.phase is Phase.ANALYZING, "the close")
        assert state.halted is not None
        assert (state.halted.by, state.halted.reason) == ("halt file", "by hand")
        await world.agree()


async def test_a_halt_file_is_heeded_by_a_life_that_runs(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.open_position()
        write_halt(Place(world.data), "by hand")
        state = await world.until(lambda s: s.phase is Phase.ANALYZING, "the close", within=5.0)
        assert state.life == 1
        assert state.halted is not None
        assert (state.halted.by, state.halted.reason) == ("halt file", "by hand")
        await world.command(Resume(by="operator"))
        assert halt_file(world) == ""
        await world.agree()


async def test_neither_a_reconnect_nor_a_restart_trades_after_a_halt(tmp_path: Path) -> None:
    """The predecessor's switch closed nothing, and its client came back and traded on."""
    async with new_world(tmp_path) as world:
        await world.open_position()
        await world.command(Halt(by="operator", reason="enough"))
        await world.until(lambda s: s.phase is Phase.ANALYZING and not s.orders, "the close")
        assert await world.exchange.position() == 0
        before = world.exchange.entries()
        await world.exchange.admin.call("disconnect")
        await world.until(lambda s: s.connection == s.reconciled > 1, "the reconnect")
        await world.ready()
        for _ in range(3):
            await world.ask(world.propose())
        await world.die()
        world.start()
        assert (await world.ready()).life == 2
        for _ in range(3):
            await world.ask(world.propose())
        assert world.exchange.entries() == before
        assert await world.exchange.position() == 0
        assert await world.exchange.orders() == {}
        await patient(world)
        await world.command(Resume(by="operator"))
        await world.command(world.propose())
        await world.covered()
        assert len(world.exchange.entries()) == len(before) + 1
        await world.agree()


async def test_halt_and_resume_in_one_batch_leave_what_the_last_one_says(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.together(Halt(by="a", reason="1"), Resume(by="a"))
        assert not halted(world)
        assert halt_file(world) == ""
        await world.command(Halt(by="a", reason="2"))
        await world.together(Resume(by="a"), Halt(by="a", reason="3"))
        assert halted(world)
        assert "3" in halt_file(world)
        await world.command(Resume(by="a"))
        assert halt_file(world) == ""
        assert isinstance(await world.ask(Resume(by="a")), Refused)


# ------------------------------------------------------------------------------------- commits


def commits(world: World) -> int:
    status = world.board.store.value
    assert status is not None
    return status.commits


async def test_requests_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        before, seq = commits(world), world.state.seq
        guards = [Guard(cause=f"test {number}", active=True) for number in range(32)]
        answers = await world.together(*guards)
        assert commits(world) - before <= 2  # one, and perhaps one of somebody else's
        seqs = [answer.seq for answer in answers if isinstance(answer, Committed)]
        assert len(seqs) == len(guards)
        assert seqs == sorted(set(seqs))
        assert seqs[0] > seq
        await world.agree()


async def test_requests_without_events_cost_no_commit(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        before = commits(world)
        answers = await world.together(*[Ping() for _ in range(10)])
        assert all(isinstance(answer, Committed) for answer in answers)
        assert commits(world) == before


async def test_nothing_is_told_when_the_commit_fails(tmp_path: Path) -> None:
    """A foreign program holds SQLite's lock: the life ends, the next one starts from the log."""
    async with new_world(tmp_path) as world:
        view, version = world.state, world.board.view.version
        told: list[int] = []
        with world.board.events.subscribe(100) as feed:
            thief = apsw.Connection(str(Place(world.data).db))
            thief.execute("BEGIN IMMEDIATE")
            with pytest.raises(LifeEnded):
                await world.ask(Guard(cause="never", active=True))
            assert world.board.view.version == version
            assert world.state is view
            thief.execute("ROLLBACK")
            thief.close()
            await world.until(lambda s: s.life > view.life, "the next life")
            await world.ready()
            while feed._receiver.statistics().current_buffer_used:
                told.append((await feed.receive())[0])
        assert told == list(range(view.seq + 1, world.state.seq + 1))
        assert "never" not in world.state.protect
        assert not world.of(ProtectOnlyEntered)
        await world.agree()


# ------------------------------------------------------------------------------- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with room for the ballast and a little more."""
    mount = shutil.which("mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        [mount or "mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "none", str(disk)],
        capture_output=True,
        check=False,
    ) if mount else None  # fmt: skip
    if done is None or done.returncode != 0:
        words = done.stderr.decode().strip() if done is not None else "there is no mount command"
        pytest.skip(f"a small file system cannot be mounted here: {words}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave no space at all."""
    descriptor = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (1 << 20, 4096, 1):
            while True:
                try:
                    os.write(descriptor, bytes(size))
                except OSError:
                    break
    finally:
        os.close(descriptor)


async def commit_until_full(world: World) -> None:
    """The write-ahead log reuses its space for a while; then it must grow."""
    for number in range(2_000):
        active = number % 2 == 0
        await world.command(Guard(cause="test", active=active, detail="x" * 4_000))
        if persister.DISK_FULL in world.state.protect:
            return
    pytest.fail("the disk never became full")


async def test_a_full_disk_releases_the_ballast_and_protects_only(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persister, "SPACE_CHECK_S", 0.05)
    async with new_world(tmp_path, data=small_disk / "data") as world:
        await world.open_position()
        place = Place(world.data)
        assert ballast_held(place)
        fill(small_disk)
        await commit_until_full(world)
        assert not ballast_held(place)
        assert world.lives.deaths == 0
        await world.command(ClosePosition(reason="while the disk is full"))
        await world.until(lambda s: s.phase is Phase.ANALYZING, "the close")
        intents = len(world.of(OrderIntended))
        await world.command(world.propose())
        assert len(world.of(OrderIntended)) == intents, "an entry was intended with a full disk"
        (small_disk / "filler").unlink()

        async def left() -> bool:
            await world.ask(Ping())
            return persister.DISK_FULL not in world.state.protect

        await world.poll(left, "the end of protect-only")
        assert ballast_held(place)
        assert world.state.life == 1
        await world.command(Guard(cause="test", active=False))
        await world.agree()


async def test_a_halt_holds_on_a_full_disk(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persister, "SPACE_CHECK_S", 0.05)
    async with new_world(tmp_path, data=small_disk / "data") as world:
        fill(small_disk)
        await world.command(Halt(by="operator", reason="full"))
        assert halt_file(world) == "operator: full"
        assert world.state.halted is not None
        assert not world.of(Resumed)
        assert world.lives.deaths == 0
        # The file took the ballast's place: without a reserve nothing may be opened.
        assert persister.DISK_FULL in world.state.protect
        (small_disk / "filler").unlink()

        async def held() -> bool:
            await world.ask(Ping())
            return ballast_held(Place(world.data))

        await world.poll(held, "the ballast to be back")


async def test_low_space_opens_nothing_until_there_is_enough_and_a_read(
    tmp_path: Path, small_disk: Path
) -> None:
    data = small_disk / "data"
    store = StoreSection(snapshot_every=50, low_disk_mib=10)
    async with new_world(tmp_path, data=data, store=store) as world:
        await world.open_position()
        assert world.state.protect == {}
        (small_disk / "filler").write_bytes(bytes(16 * 1024 * 1024))
        await world.until(lambda s: LOW_DISK in s.protect, "protect-only")
        assert "make room" in world.state.protect[LOW_DISK]
        await world.command(ClosePosition(reason="it may be closed"))
        await world.until(lambda s: s.phase is Phase.ANALYZING, "the close")
        intents = len(world.of(OrderIntended))
        await world.command(world.propose())
        assert len(world.of(OrderIntended)) == intents, "an entry was intended without space"
        (small_disk / "filler").unlink()
        await world.until(lambda s: s.protect == {}, "the end of protect-only")
        kinds = [type(event).__name__ for _, event in world.events()]
        gone, left = kinds.index("ProtectCauseGone"), kinds.index("ProtectOnlyLeft")
        assert "Reconciled" in kinds[gone:left]
        await world.agree()


async def test_it_starts_on_a_full_disk_with_the_ballast(tmp_path: Path, small_disk: Path) -> None:
    async with new_world(tmp_path, data=small_disk / "data") as world:
        await world.open_position()
        await world.die()
        fill(small_disk)
        world.start()
        await world.until(lambda s: s.life == 2 and not s.recovering.cause, "the recovery")
        assert world.lives.deaths == 0
        assert persister.DISK_FULL in world.state.protect, "the reserve is in use"
        await world.agree()


async def test_a_start_whose_first_commit_meets_a_full_disk_makes_room(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log opens, but its first commit finds no space: the disk fills up in between."""
    append, fulls = Log.append, [DiskFull("no space is left"), None]

    def full_once(log: Log, *arguments: Any) -> Head:
        full = fulls.pop(0) if fulls else None
        if full is not None:
            raise full
        return append(log, *arguments)

    async with new_world(tmp_path, data=small_disk / "data") as world:
        await world.stop()
        monkeypatch.setattr(Log, "append", full_once)
        world.start()
        await world.until(lambda s: s.life == 2 and not s.recovering.cause, "the recovery")
        assert world.lives.deaths == 0
        entered = [e.cause for e in world.of(ProtectOnlyEntered) if hasattr(e, "cause")]
        assert entered == [persister.DISK_FULL]


async def test_without_any_space_it_waits_for_some_and_says_so(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persister, "SPACE_WAIT_S", 0.05)
    async with new_world(tmp_path, data=small_disk / "data") as world:
        await world.open_position()
        await world.die()
        Place(world.data).ballast.unlink()
        fill(small_disk)
        world.start()

        def waits() -> bool:
            status = world.board.store.value
            return status is not None and "no space is left" in status.fault

        await world.poll(waits, "the fault to be published")
        assert world.lives.deaths == 0
        (small_disk / "filler").unlink()
        await world.until(lambda s: s.life == 2 and not s.recovering.cause, "the recovery")
        status = world.board.store.value
        assert status is not None
        assert status.fault == ""
        assert world.lives.deaths == 0
        await world.agree()


async def test_a_database_that_was_moved_alone_starts_halted(tmp_path: Path) -> None:
    """What only its write-ahead log held is gone: a halt, for instance."""
    async with new_world(tmp_path) as world:
        await world.ready()
        await world.arm()
        await world.covered()
        await world.stop()
        for name in ("head", "tradebaas.db-wal", "tradebaas.db-shm"):
            (world.data / name).unlink(missing_ok=True)
        world.start()
        state = await world.until(lambda s: s.halted is not None, "the halt")
        assert state.halted is not None
        assert "without its write-ahead log" in state.halted.reason
        await world.until(lambda s: s.position is None and not s.orders, "an end of what was open")
        await world.command(Resume(by="operator"))
        await world.stop()
        world.start()
        await world.ready()
        assert world.state.halted is None, "it has a head now"
