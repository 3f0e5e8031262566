"""The backup scheduler: decides when, and lets child processes do it.

A backup is due when the newest verified one is older than the interval. The child reads the store
through its own connection and verifies its copy there, so neither copying nor folding costs the
trading loop anything. Another child copies it to the second place, apart from the first, since a
mount may hang. What fails is published and tried again at the next turn; it never stops trading
and never ends the life. What there is, a thread looks up: the loop never waits for the disk.
"""

from collections.abc import Sequence
from pathlib import Path

import trio
from msgspec.structs import replace

from tradebaas.board import BackupStatus, Context
from tradebaas.runtime.ports import Blocking, ChildFailed
from tradebaas.store.catalogue import (
    DRILL,
    SECOND,
    BackupInfo,
    Note,
    read_note,
    verified_backups,
)
from tradebaas.store.folding import state_digest
from tradebaas.store.place import Place

FIRST_AFTER_S = 30.0
CHECK_EVERY_S = 60.0
CHILD_LIMIT_S = 1800.0
ROOM = 3 / 2
"""So much of ``store.low_disk_mib`` a backup leaves free: where that is free again, trading is."""


async def run(ctx: Context, drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    """Make due backups until ``drain``."""
    async with ctx.ports.open_blocking("backups") as worker:
        await _publish(ctx, worker, "")
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_work, ctx, worker)
            if ctx.config.backups.second:
                nursery.start_soon(_work_second, ctx, worker)
            await drain.wait()
            nursery.cancel_scope.cancel()


async def _work(ctx: Context, worker: Blocking) -> None:
    interval = ctx.config.backups.interval_seconds
    await trio.sleep(min(FIRST_AFTER_S, interval))
    while True:
        if _due(ctx, interval):
            failure = await _child(ctx, _create(ctx))
            await _publish(ctx, worker, failure and f"the backup was not made: {failure}")
        await trio.sleep(min(CHECK_EVERY_S, interval))


async def _work_second(ctx: Context, worker: Blocking) -> None:
    while True:
        status = _status(ctx)
        if status.last_ms is not None and status.second_ms != status.last_ms:
            failure = await _child(ctx, _copy(ctx))
            await _publish_second(
                ctx, worker, failure and f"the second copy was not made: {failure}"
            )
        await trio.sleep(min(CHECK_EVERY_S, ctx.config.backups.interval_seconds))


def _due(ctx: Context, interval: float) -> bool:
    last_ms = _status(ctx).last_ms
    if last_ms is None:
        return True
    age_ms = ctx.ports.clock.wall_ms() - last_ms
    return not 0 <= age_ms < interval * 1000


def _create(ctx: Context) -> list[str]:
    """``backup create``, told what is held in memory now: the copy must fold to the same."""
    view, store = ctx.view(), ctx.config.store
    return [
        "create",
        *_kept(ctx),
        *("--leave-free", str(int(store.low_disk_mib * ROOM))),
        *("--state", f"{view.seq}:{state_digest(view).hex()}"),
    ]


def _copy(ctx: Context) -> list[str]:
    return ["copy", *_kept(ctx), str(Path(ctx.config.backups.second))]


def _kept(ctx: Context) -> list[str]:
    settings = ctx.config.backups
    data = str(ctx.data_dir)
    return ["--data", data, "--keep", str(settings.keep), "--keep-days", str(settings.keep_days)]


async def _child(ctx: Context, arguments: Sequence[str]) -> str:
    """Run ``tradebaas backup``; "" when it did what it should, else what went wrong."""
    try:
        await ctx.ports.run_self(("backup", *arguments), CHILD_LIMIT_S)
    except ChildFailed as failed:
        return str(failed)
    return ""


def _status(ctx: Context) -> BackupStatus:
    return ctx.board.backup.value or BackupStatus()


async def _publish(ctx: Context, worker: Blocking, failure: str) -> None:
    newest = second = drill = None
    try:
        newest, second, drill = await worker.run(_listed, ctx.place)
    except OSError as error:
        failure = f"the backups cannot be listed: {error}"
    ctx.board.backup.set(
        BackupStatus(
            last_ms=newest.made_ms if newest else None,
            name=newest.name if newest else "",
            failure=failure,
            made_room=newest.made_room if newest else 0,
            second_ms=second.at_ms if second else None,
            second_failure=_status(ctx).second_failure,
            drilled_ms=drill.at_ms if drill else None,
        )
    )


def _listed(place: Place) -> tuple[BackupInfo | None, Note | None, Note | None]:
    newest = next(iter(verified_backups(place)), None)
    return newest, read_note(place, SECOND), read_note(place, DRILL)


async def _publish_second(ctx: Context, worker: Blocking, failure: str) -> None:
    """Nothing is read there from here: it may hang."""
    second_ms = _status(ctx).second_ms
    try:
        note = await worker.run(read_note, ctx.place, SECOND)
        second_ms = note.at_ms if note else None
    except OSError as error:
        failure = failure or f"the backups cannot be listed: {error}"
    ctx.board.backup.set(replace(_status(ctx), second_ms=second_ms, second_failure=failure))
