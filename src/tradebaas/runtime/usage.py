"""What this process uses: its memory, as a share of what it may use, and the processor.

Reads what the kernel tells about the process and its control group; changes nothing and keeps
nothing but the start of the interval over which the processor is measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import psutil


@final
@dataclass(frozen=True, slots=True)
class Usage:
    """``memory_percent`` is of what the process may use, ``cpu_percent`` of one core since the
    last measure."""

    memory_bytes: int
    memory_percent: float
    cpu_percent: float


Measure = Callable[[], Usage]
"""Measures a process; never blocks."""


@final
class OwnUsage:
    """Measures the process that it is made in."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first call only sets the start of the interval

    def measure(self) -> Usage:
        """The real ``Measure``."""
        memory, limit = self._process.memory_info().rss, memory_limit()
        share = 100 * memory / limit if limit else self._process.memory_percent()
        return Usage(memory, share, self._process.cpu_percent())


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
