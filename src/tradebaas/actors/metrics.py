"""The metrics collector: one sample of the process per second.

Measures the memory and the processor of this process, the free space of the data directory, and
how long the persister takes to answer a ping. Its newest sample is also the pulse that the
watchdog listens to: no answered ping, no pat. It never asks the persister for anything but that.
"""

from pathlib import Path

import psutil
import trio

from tradebaas.board import Context, Vitals
from tradebaas.core.messages import Ping

INTERVAL_S = 1.0


async def run(ctx: Context, drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    """Sample until ``drain``."""
    process = psutil.Process()
    process.cpu_percent()  # the first call only sets the start of the interval
    await _sample(ctx, process)
    task_status.started()
    while not drain.is_set():
        with trio.move_on_after(INTERVAL_S):
            await drain.wait()
        await _sample(ctx, process)


async def _sample(ctx: Context, process: psutil.Process) -> None:
    clock = ctx.ports.clock
    asked = clock.monotonic()
    await ctx.asker.ask(Ping())
    answered = clock.monotonic()
    ctx.board.vitals.set(
        Vitals(
            at=answered,
            ping_seconds=answered - asked,
            memory_bytes=process.memory_info().rss,
            memory_percent=_memory_percent(process),
            cpu_percent=process.cpu_percent(),
            disk_free_bytes=psutil.disk_usage(str(ctx.data_dir)).free,
        )
    )


def _memory_percent(process: psutil.Process) -> float:
    """Of what this process may use: its control group's limit, else the machine's memory."""
    limit = memory_limit()
    return 100 * process.memory_info().rss / limit if limit else process.memory_percent()


def memory_limit(group: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """The memory limit in bytes of the control group that the process sees; 0 for none."""
    try:
        text = group.read_text(encoding="ascii").strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0
