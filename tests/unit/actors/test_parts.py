"""The pure parts of the actors: recovery clock, backup schedule, memory limit, what is wanted."""

import errno
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
import trio
from msgspec.structs import replace as struct_replace

from tradebaas.actors import backups, metrics, persister
from tradebaas.actors.recovery import RecoveryClock
from tradebaas.actors.session import _wanted
from tradebaas.actors.strategy import StrategyUnusable, bound_strategy
from tradebaas.board import (
    AuditStatus,
    BackupStatus,
    Board,
    Context,
    StoreStatus,
    Vitals,
    limits_of,
)
from tradebaas.config import Config, StrategySection
from tradebaas.core.messages import Answer, Request
from tradebaas.core.model import Assignment, ContractKind, Direction, Phase, Position
from tradebaas.core.state import Pending, Recovering, State
from tradebaas.runtime.mailbox import Asker, Asks, open_asks
from tradebaas.runtime.ports import Blocking, Inline, Worker, always, system_ports
from tradebaas.runtime.usage import Usage
from tradebaas.store.audited import Audited, write_audited
from tradebaas.store.disk import SYSTEM_DISK, Disk
from tradebaas.store.place import Place


class StoppedClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return int(self.now * 1000)


def context(config: Config | None = None) -> tuple[Context, StoppedClock]:
    ends: tuple[Asker[Request, Answer], Asks[Request, Answer]] = open_asks(1)
    clock = StoppedClock()
    config = config or Config()
    made = Context(
        config=config,
        limits=limits_of(config),
        ports=replace(system_ports(), clock=clock),
        board=Board(),
        asker=ends[0],
        cause="",
        poisoned=False,
        locate=always(""),
        secret="never to be shown",
        disk=SYSTEM_DISK,
        born=90.0,
    )
    return made, clock


def test_a_context_does_not_show_its_secret() -> None:
    made, _ = context()
    assert "never to be shown" not in repr(made)


# ------------------------------------------------------------------------------- recovery clock

FOUND = Recovering(cause="killed", phase=Phase.POSITION_OPEN, unresolved=("tb1-a-1-e",))
POSITION = Position(
    instrument="BTC-PERPETUAL", contract=ContractKind.INVERSE, currency="BTC", size=Decimal(10),
    direction=Direction.BUY, ours=True, signal_id="s", opened_ms=1, changed_ms=1,
    entry_amount=Decimal(10), entry_value=Decimal("0.0002"),
)  # fmt: skip


async def test_the_report_waits_for_reconcile_protection_and_proof() -> None:
    ctx, clock = context()
    ctx.board.store.set(StoreStatus(opened_seconds=0.25, events_replayed=7, notes=("a note",)))
    timing = RecoveryClock(ctx)
    timing.note("connected")
    clock.now += 1
    timing.note("connected")  # of a second session: the first counts
    unproven = Pending(intent=None, unknown="?")  # type: ignore[arg-type]
    state = State(life=4, recovering=FOUND, position=POSITION, pending={"tb1-a-1-e": unproven})
    assert timing.report(state) is None, "not connected"
    state = struct_replace(state, connection=2, reconciled=1)
    assert timing.report(state) is None, "not reconciled through this connection"
    state = struct_replace(state, reconciled=2)
    assert timing.report(state) is None, "naked"
    state = struct_replace(state, position=None)
    assert timing.report(state) is None, "an intent is not proven"
    clock.now += 2
    report = timing.report(struct_replace(state, pending={}))
    assert report is not None
    assert (report.recovered_seconds, report.settle_seconds) == (11.0, 2.0)
    assert report.steps == {"store": 0.25, "connected": 10.0, "protected": 11.0}
    assert (report.events_replayed, report.store_notes) == (7, ("a note",))
    assert report.unresolved == FOUND.unresolved


async def test_there_is_one_report_per_life() -> None:
    ctx, _ = context()
    assert RecoveryClock(ctx).report(State(connection=1, reconciled=1)) is None


# -------------------------------------------------------------------------------------- backups


@pytest.mark.parametrize(
    ("last_ms", "due"),
    [(None, True), (100_000, False), (91_000, False), (90_000, True), (100_001, True)],
)
async def test_a_backup_is_due(last_ms: int | None, due: bool) -> None:
    """Also when the newest one is of the future: the wall clock was set back."""
    ctx, _ = context()
    ctx.board.backup.set(BackupStatus(last_ms=last_ms))
    assert backups._due(ctx, 10.0) is due


async def test_without_a_status_a_backup_is_due() -> None:
    ctx, _ = context()
    assert backups._due(ctx, 10.0)


async def test_a_list_of_backups_that_cannot_be_read_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_place: object) -> list[object]:
        raise OSError("the directory is gone")

    monkeypatch.setattr(backups, "verified_backups", refuse)
    ctx, _ = context()
    await backups._publish(ctx, Inline(), "")
    assert ctx.board.backup.value == BackupStatus(
        failure="the backups cannot be listed: the directory is gone"
    )


# -------------------------------------------------------------------------------------- wanted


def assignment(**changes: str) -> Assignment:
    fields = {"strategy": "ma_cross", "instrument": "BTC_USDC-PERPETUAL", "timeframe": "5m"}
    return Assignment(parameters={}, **(fields | changes))


async def test_what_is_managed_is_watched_else_what_is_armed_else_what_is_configured() -> None:
    ctx, _ = context(Config(strategy=StrategySection(instrument="BTC-PERPETUAL", timeframe="1m")))
    ctx.board.view.set(State())
    assert _wanted(ctx) == ("BTC-PERPETUAL", "1m")
    ctx.board.view.set(State(assignment=assignment()))
    assert _wanted(ctx) == ("BTC_USDC-PERPETUAL", "5m")
    ctx.board.view.set(State(assignment=assignment(), position=POSITION))
    assert _wanted(ctx) == ("BTC-PERPETUAL", "5m")


def test_a_strategy_that_cannot_be_used_says_why() -> None:
    assert bound_strategy(assignment()).assignment.strategy == "ma_cross"
    for wrong, word in (({"strategy": "ma_cros"}, "ma_cross"), ({"timeframe": "7m"}, "known")):
        with pytest.raises(StrategyUnusable, match=word):
            bound_strategy(assignment(**wrong))


async def test_a_queue_that_is_over_is_an_empty_batch() -> None:
    ends: tuple[Asker[Request, Answer], Asks[Request, Answer]] = open_asks(1)
    ends[0].close()
    with trio.fail_after(1):
        assert await persister._next(ends[1], 64) == []


# ------------------------------------------------------------------------------------- metrics


def test_figures_that_cannot_be_read_are_those_of_before(tmp_path: Path) -> None:
    """A process that may open no more files must not lose its crew for it."""

    def refuse() -> Usage:
        raise OSError(errno.EMFILE, "Too many open files")

    made, _ = context(Config(data=str(tmp_path)))
    blind = replace(made, ports=replace(made.ports, measure=refuse))
    assert metrics._measured(blind) == Vitals()
    known = metrics._measured(made)
    assert known.memory_bytes > 0
    blind.board.vitals.set(known)
    assert metrics._measured(blind) == known


# ---------------------------------------------------------------------------------- files


class StalledDisk:
    """Lists and reads nothing before the loop has let it."""

    def __init__(self) -> None:
        self.asked = trio.Event()
        self.allowed = threading.Event()
        self._token = trio.lowlevel.current_trio_token()

    def __getattr__(self, name: str) -> object:
        return getattr(SYSTEM_DISK, name)

    def read(self, path: Path) -> bytes:
        self._stall()
        return SYSTEM_DISK.read(path)

    def names(self, path: Path) -> list[str]:
        self._stall()
        return SYSTEM_DISK.names(path)

    def _stall(self) -> None:
        self._token.run_sync_soon(self.asked.set)
        assert self.allowed.wait(2), "the loop stood still while a file was read"


async def _look(ctx: Context, worker: Blocking) -> None:
    await metrics._look_at_audit(ctx, worker)


async def _list(ctx: Context, worker: Blocking) -> None:
    await backups._publish(ctx, worker, "")


async def _list_second(ctx: Context, worker: Blocking) -> None:
    await backups._publish_second(ctx, worker, "")


@pytest.mark.parametrize("look", [_look, _list, _list_second])
async def test_a_disk_that_stalls_does_not_stop_the_loop(
    look: Callable[[Context, Blocking], Awaitable[None]], tmp_path: Path
) -> None:
    write_audited(Place(tmp_path), Audited(at_ms=1, differences=("one",)))
    made, _ = context(Config(data=str(tmp_path)))
    disk = StalledDisk()
    ctx = replace(made, disk=cast(Disk, disk))
    async with Worker() as worker, trio.open_nursery() as nursery:
        nursery.start_soon(look, ctx, worker)
        with trio.fail_after(5):
            await disk.asked.wait()
        disk.allowed.set()
    if look is _look:
        assert ctx.board.audit.value == AuditStatus(at_ms=1, differences=1)
    else:
        assert ctx.board.backup.value is not None
