"""The strategy, the backup scheduler and the metrics collector, in a real crew."""

import sys
from pathlib import Path

import psutil
import pytest
import trio

from tests.unit.actors.world import EAGER, World, bounded, new_world
from tradebaas.actors import backups
from tradebaas.actors.causes import COD
from tradebaas.board import BackupStatus, Evaluated
from tradebaas.config import StrategySection, SupervisorSection
from tradebaas.core.messages import Disarm, Refused
from tradebaas.core.model import Phase
from tradebaas.deribit.auth import GRANTS, Credentials, Endpoint
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import open_link
from tradebaas.runtime.ports import system_ports
from tradebaas.settings import BackupSection
from tradebaas.store.place import Place

CRASH_LOOP = "crash loop"

# ------------------------------------------------------------------------------------ strategy


async def test_each_candle_is_evaluated_once(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.arm(active=0, timeframe="1m")
        await world.until(lambda s: s.connection == s.reconciled == 2, "the session on minutes")
        seen: list[Evaluated] = []
        version = world.board.evaluated.version
        with trio.fail_after(10):
            while len(seen) < 6:
                evaluated, newest = await world.board.evaluated.wait_newer(version)
                assert newest == version + 1, "an evaluation was overwritten before it was seen"
                version = newest
                seen.append(evaluated)
        candles = [evaluated.candle_ms for evaluated in seen[1:]]
        assert candles == [candles[0] + 60_000 * number for number in range(5)]
        assert all(evaluated.reasons == ("patient",) for evaluated in seen[1:])


async def test_a_signal_that_waits_is_admitted_when_the_permit_comes(tmp_path: Path) -> None:
    """The prices stand still while it waits, so its candle must not be about to end: the candle of
    an hour has just begun when the exchange starts, and lasts twelve seconds."""
    hourly = StrategySection(name=EAGER, timeframe="1h")
    async with new_world(tmp_path, strategy=hourly) as world:
        await world.exchange.admin.call("hold", method="public/auth")
        await world.exchange.admin.call("disconnect")
        await world.until(lambda s: s.connection == 0, "the end of the connection")
        await world.arm(timeframe="1h")
        state = await world.phase(Phase.SIGNAL_DETECTED)
        assert state.signal is not None
        await world.exchange.admin.call("release")
        state = await world.covered()
        assert state.bracket is not None
        assert len(world.exchange.entries()) == 1
        await world.agree()


async def test_the_same_candle_gives_the_same_signal_and_is_refused(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.arm(active=0)
        proposal = world.propose()
        await world.command(proposal)
        await world.covered()
        await world.clear()
        await world.arm(active=0)
        answer = await world.ask(proposal)
        assert isinstance(answer, Refused)
        assert "considered before" in answer.reason


async def test_a_poisoned_strategy_is_kept_quiet_and_then_trusted_again(tmp_path: Path) -> None:
    patience = SupervisorSection(deaths=50, period_seconds=60, forgive_seconds=1.0)
    async with new_world(tmp_path, supervisor=patience) as world:
        await world.open_position()
        await world.command(Disarm(reason="to arm another one"))
        await world.arm(broken=1)
        state = await world.until(lambda s: CRASH_LOOP in s.protect, "a life without strategy")
        deaths = world.lives.deaths
        assert deaths == 2
        assert state.position is not None
        await world.until(lambda s: 0 < s.connection == s.reconciled, "a session all the same")
        await world.command(Disarm(reason="it is broken"))
        await world.until(lambda s: CRASH_LOOP not in s.protect, "trust again")
        assert world.lives.deaths == deaths, "the poison was taken again"
        await world.clear()
        await world.open_position()
        await world.agree()


# ------------------------------------------------------------------------------------- backups

SOURCE = str(Path(backups.__file__).parents[2])


@pytest.fixture(autouse=True)
def _children_import_this_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", SOURCE)


def status(world: World) -> BackupStatus:
    found = world.board.backup.value
    assert found is not None
    return found


def backup(world: World) -> tuple[str, str]:
    return status(world).name, status(world).failure


async def test_a_due_backup_is_made_and_verified_by_a_child(tmp_path: Path) -> None:
    async with new_world(tmp_path, backups=BackupSection(interval_seconds=1, keep=2)) as world:
        await world.poll(lambda: backup(world)[0], "a backup", 20)
        name, failure = backup(world)
        assert failure == ""
        assert (Place(world.data).backups / name).exists()
        assert world.state.life == 1


async def test_a_backup_is_copied_to_the_second_place_once_it_is_there(tmp_path: Path) -> None:
    """Until then the first copies are made, and positions opened, all the same."""
    mount = tmp_path / "mount"
    settings = BackupSection(interval_seconds=1, second=str(mount))
    async with new_world(tmp_path, backups=settings) as world:
        await world.poll(lambda: status(world).second_failure, "a failure of the second", 20)
        assert "there is no directory" in status(world).second_failure
        assert status(world).second_ms is None
        await world.open_position()
        first = status(world).name
        assert first
        mount.mkdir()
        await world.poll(lambda: status(world).second_ms, "the second copy", 20)
        assert status(world).second_failure == ""
        assert (Place(mount).backups / first).exists()
        assert (status(world).failure, world.state.life) == ("", 1)


async def test_a_state_that_the_copy_does_not_fold_to_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "state_digest", lambda _state: b"another state")
    async with new_world(tmp_path, backups=BackupSection(interval_seconds=1)) as world:
        await world.poll(lambda: backup(world)[1], "a failure", 20)
        assert "fold to the state digest" in backup(world)[1]
        assert backup(world)[0] == ""


async def test_a_failed_backup_is_published_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tradebaas.toml").write_text("nonsense", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    async with new_world(tmp_path, backups=BackupSection(interval_seconds=1)) as world:
        await world.poll(lambda: backup(world)[1], "a failure", 20)
        name, failure = backup(world)
        assert name == ""
        assert "not made: it exited 78" in failure
        assert "tradebaas.toml" in failure
        await world.open_position()
        assert world.state.life == 1


async def test_a_backup_that_cannot_be_started_is_a_failure_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    async with new_world(tmp_path, backups=BackupSection(interval_seconds=1)) as world:
        await world.poll(lambda: backup(world)[1], "a failure", 20)
        assert "could not be started" in backup(world)[1]
        assert world.lives.deaths == 0


async def test_a_drain_ends_a_backup_under_way(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 600\n", encoding="ascii")
    slow.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(slow))
        async with new_world(tmp_path, backups=BackupSection(interval_seconds=1)) as world:
            await world.poll(_a_child_sleeps, "the child")
            await world.stop()
            assert not _a_child_sleeps()


def _a_child_sleeps() -> bool:
    children = psutil.Process().children(recursive=True)
    return any("sleep" in " ".join(child.cmdline()) for child in children if child.is_running())


# ------------------------------------------------------------------------------------- metrics


async def test_the_process_is_sampled(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        vitals, version = await world.board.vitals.wait_newer(0)
        assert vitals.memory_bytes > 1_000_000
        assert 0 < vitals.memory_percent < 100
        assert vitals.disk_free_bytes > 0
        assert 0 <= vitals.ping_seconds < 5
        await bounded(world.board.vitals.wait_newer(version), "the next sample", world, 3)


async def test_stops_that_would_go_with_the_connection_let_nothing_be_opened(
    tmp_path: Path,
) -> None:
    method = "private/disable_cancel_on_disconnect"
    async with new_world(tmp_path) as world:
        owner = Endpoint(world.exchange.url, Credentials("paper", "paper-secret"), GRANTS[0], "")
        async with open_link(owner, system_ports(), Credits(), inbox=16) as link:
            await link.call("private/enable_cancel_on_disconnect", {"scope": "account"})
        await world.exchange.admin.call(
            "reject", method=method, count=1, code=13021, message="forbidden"
        )
        await world.exchange.admin.call("disconnect")
        await world.until(lambda s: s.connection == s.reconciled == 2, "the second connection")
        assert "account:read_write" in world.state.protect[COD]
        await world.arm()
        await world.until(lambda s: s.signal is None and s.streams != {}, "the signal's end")
        assert world.exchange.entries() == []
        await world.exchange.admin.call("disconnect")  # the third one may switch it off
        await world.until(lambda s: s.connection == s.reconciled == 3, "the third connection")
        await world.until(lambda s: COD not in s.protect, "the end of protect-only")
        await world.agree()
