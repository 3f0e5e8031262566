"""Where a run is made: the machine, and the commit of the checkout that it runs from.

A figure without them can't be compared with anything. What can't be found out is left empty; a
report must never fail for it.
"""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psutil

from chaos.report.verdict import Machine

CPUINFO = Path("/proc/cpuinfo")
GIT_LIMIT_S = 10.0


def describe() -> Machine:
    """This machine: Python, cores that this process may use, system with kernel, processor."""
    return Machine(
        python=platform.python_version(),
        cores=len(psutil.Process().cpu_affinity()),
        os=f"{_system()}, {platform.system()} {platform.release()}",
        cpu=_processor(),
    )


def commit() -> str:
    """The commit of this checkout, "with changes" if files differ from it; "" without git."""
    here = _git("rev-parse", "--short=12", "HEAD")
    changed = here and _git("status", "--porcelain", "--untracked-files=no")
    return f"{here} with changes" if changed else here


def now() -> str:
    """Wall time in words."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return os.name


def _processor() -> str:
    try:
        lines = CPUINFO.read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _git(*arguments: str) -> str:
    command = ("git", "-C", str(Path(__file__).parent), *arguments)
    try:
        asked = subprocess.run(command, capture_output=True, timeout=GIT_LIMIT_S, text=True)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
