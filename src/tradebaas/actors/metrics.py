"""The metrics collector: one sample of the process per second.

Measures the memory and the processor of this process, the free space of the data directory, and
how long the persister takes to answer a ping. Its newest sample is also the pulse that the
watchdog listens to: no answered ping, no pat. It never asks the persister for anything but that.
"""

import trio

from tradebaas.board import Context, Vitals
from tradebaas.core.messages import Ping

INTERVAL_S = 1.0


async def run(ctx: Context, drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    """Sample until ``drain``."""
    await _sample(ctx)
    task_status.started()
    while not drain.is_set():
        with trio.move_on_after(INTERVAL_S):
            await drain.wait()
        await _sample(ctx)


async def _sample(ctx: Context) -> None:
    clock = ctx.ports.clock
    asked = clock.monotonic()
    await ctx.asker.ask(Ping())
    answered = clock.monotonic()
    usage = ctx.ports.measure()
    ctx.board.vitals.set(
        Vitals(
            at=answered,
            ping_seconds=answered - asked,
            memory_bytes=usage.memory_bytes,
            memory_percent=usage.memory_percent,
            cpu_percent=usage.cpu_percent,
            disk_free_bytes=ctx.place.disk.free_bytes(ctx.data_dir),
        )
    )
