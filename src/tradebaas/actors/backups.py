"""The backup scheduler: decides when, and lets a child process do it.

A backup is due when the newest verified one is older than the interval. The child reads the store
through its own connection and verifies its copy there, so neither copying nor folding costs the
trading loop anything. A failed backup is published and tried again at the next turn; it never
stops trading and never ends the life.
"""

import trio

from tradebaas.board import BackupStatus, Context
from tradebaas.runtime.ports import ChildFailed
from tradebaas.store.catalogue import verified_backups

FIRST_AFTER_S = 30.0
CHECK_EVERY_S = 60.0
CHILD_LIMIT_S = 1800.0


async def run(ctx: Context, drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    """Make due backups until ``drain``."""
    _publish(ctx, "")
    task_status.started()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_work, ctx)
        await drain.wait()
        nursery.cancel_scope.cancel()


async def _work(ctx: Context) -> None:
    interval = ctx.config.backups.interval_seconds
    await trio.sleep(min(FIRST_AFTER_S, interval))
    while True:
        if _due(ctx, interval):
            _publish(ctx, await _make(ctx))
        await trio.sleep(min(CHECK_EVERY_S, interval))


def _due(ctx: Context, interval: float) -> bool:
    status = ctx.board.backup.value
    if status is None or status.last_ms is None:
        return True
    age_ms = ctx.ports.clock.wall_ms() - status.last_ms
    return not 0 <= age_ms < interval * 1000


async def _make(ctx: Context) -> str:
    """Run the child; "" when its backup was verified, else what went wrong."""
    keep = str(ctx.config.backups.keep)
    arguments = ("backup", "create", "--data", str(ctx.data_dir), "--keep", keep)
    try:
        await ctx.ports.run_self(arguments, CHILD_LIMIT_S)
    except ChildFailed as failed:
        return f"the backup was not made: {failed}"
    return ""


def _publish(ctx: Context, failure: str) -> None:
    try:
        newest = next(iter(verified_backups(ctx.place)), None)
    except OSError as error:
        newest, failure = None, f"the backups cannot be listed: {error}"
    ctx.board.backup.set(
        BackupStatus(
            last_ms=newest.made_ms if newest else None,
            name=newest.name if newest else "",
            failure=failure,
        )
    )
