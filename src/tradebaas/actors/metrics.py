"""The metrics collector: one sample of the process per second.

Measures the memory and the processor of this process, the free space of the data directory, and
how long the persister takes to answer a ping. Its newest sample is also the pulse that the
watchdog listens to: no answered ping, no pat. Besides, it tells the persister when space is low,
before there is none: then nothing is opened any more. Files are read by a thread of its own: a disk
that stalls must not stop the loop.
"""

import trio
from msgspec.structs import replace

from tradebaas.board import AuditStatus, Context, Vitals
from tradebaas.core.messages import Guard, Ping
from tradebaas.core.state import stands
from tradebaas.runtime.ports import Blocking
from tradebaas.store.audited import read_audited

INTERVAL_S = 1.0
AUDIT_EVERY = 10
"""So many samples apart is looked for what an audit has found."""
LOW_DISK = "low disk"
MIB = 1024 * 1024


async def run(ctx: Context, drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    """Sample until ``drain``."""
    async with ctx.ports.open_blocking("audit") as worker:
        await _sample(ctx)
        task_status.started()
        turn = 0
        while not drain.is_set():
            with trio.move_on_after(INTERVAL_S):
                await drain.wait()
            await _sample(ctx)
            if turn % AUDIT_EVERY == 0:
                await _look_at_audit(ctx, worker)
            turn += 1


async def _look_at_audit(ctx: Context, worker: Blocking) -> None:
    """The audit is another process, which leaves its findings in a file."""
    audited = await worker.run(read_audited, ctx.place)
    if audited is not None:
        rows = len(audited.differences)
        ctx.board.audit.set(AuditStatus(at_ms=audited.at_ms, differences=rows))


async def _sample(ctx: Context) -> None:
    clock = ctx.ports.clock
    asked = clock.monotonic()
    await ctx.asker.ask(Ping())
    answered, waiting = clock.monotonic(), ctx.asker.depth
    figures = _measured(ctx)
    ctx.board.vitals.set(replace(figures, at=answered, ping_seconds=answered - asked, asks=waiting))
    if figures != Vitals():  # where nothing could ever be measured, nothing is known
        await _guard_space(ctx, figures.disk_free_bytes)


async def _guard_space(ctx: Context, free: int) -> None:
    """Low space is over when there is half as much again, so that it does not come and go."""
    limit, known = ctx.config.store.low_disk_mib * MIB, stands(ctx.view(), LOW_DISK)
    low = free < (limit * 3 // 2 if known else limit)
    if low != known:
        detail = (
            f"{free // MIB} MiB are free in {ctx.data_dir}, less than {limit // MIB}: make room"
        )
        await ctx.asker.ask(Guard(cause=LOW_DISK, active=low, detail=detail))


def _measured(ctx: Context) -> Vitals:
    """The figures of now; those of before where no file can be opened to read them from.

    A process that may open no more files goes on protecting: its pulse matters, not its figures.
    """
    try:
        usage, free = ctx.ports.measure(), ctx.place.disk.free_bytes(ctx.data_dir)
    except OSError:
        return ctx.board.vitals.value or Vitals()
    return Vitals(
        memory_bytes=usage.memory_bytes,
        memory_percent=usage.memory_percent,
        cpu_percent=usage.cpu_percent,
        disk_free_bytes=free,
    )
