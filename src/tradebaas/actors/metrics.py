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


def memory_limit(
    groups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> int:
    """The memory limit in bytes of this process's control group (cgroups(7), v2); 0 for none.

    In a container its own group is the root of what it sees.
    """
    limits = (_limit_in(groups / name) for name in (_group_of(membership), ""))
    return next((limit for limit in limits if limit), 0)


def _group_of(membership: Path) -> str:
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")


def _limit_in(group: Path) -> int:
    try:
        text = (group / "memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0
