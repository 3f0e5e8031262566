"""What this machine permits: one probe for each need of a fault, asked once per process.

A probe tries the real thing in the small and undoes it. It gives "" or the reason, in words that a
person can act on; the reason is what the report shows for a skipped fault.
"""

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from chaos.real import faketime
from chaos.real.fault import Need
from chaos.real.memory import MemoryGroup
from chaos.real.volume import Kind, Volume

PROBE_LIMIT_S = 20.0
PROBE_MIB = 8


@functools.cache
def refusal(need: Need) -> str:
    """Why ``need`` cannot be met here; "" when it can."""
    return _PROBES[need]()


def _strace() -> str:
    return tried("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=none", "true")


def tried(*command: str) -> str:
    """Run a command of the system; "" when it succeeded, else why it did not."""
    if shutil.which(command[0]) is None:
        return f"{command[0]} is not installed"
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{command[0]} did not end within {PROBE_LIMIT_S:g} s"
    words = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    last = words[-1] if words else f"exit code {done.returncode}"
    return "" if done.returncode == 0 else f"{command[0]}: {last.removeprefix(command[0] + ': ')}"


def _always() -> str:
    return ""


def _mounted(kind: Kind) -> str:
    if kind == "ext4" and shutil.which("mkfs.ext4") is None:
        return "mkfs.ext4 is not installed"
    with tempfile.TemporaryDirectory(prefix="tradebaas-probe-") as home:
        try:
            Volume(Path(home), kind, PROBE_MIB).end()
        except OSError as error:
            return str(error)
    return ""


def _ext4() -> str:
    return _mounted("ext4")


def _volume() -> str:
    """The kind that needs least."""
    return _mounted("tmpfs")


def _memory() -> str:
    try:
        MemoryGroup().end()
    except OSError as error:
        return f"a memory control group cannot be made: {error}"
    return ""


def _faketime() -> str:
    with tempfile.TemporaryDirectory(prefix="tradebaas-probe-") as home:
        return faketime.refusal(Path(home))


def _namespace() -> str:
    return tried("unshare", "--net", "ip", "link", "set", "lo", "up")


def _netem() -> str:
    return tried("unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay",
                 "1ms")  # fmt: skip


def _firewall() -> str:
    return tried("unshare", "--net", "nft", "add", "table", "inet", "tb")


_PROBES: dict[Need, Callable[[], str]] = {
    Need.STRACE: _strace,
    Need.VOLUME: _volume,
    Need.EXT4: _ext4,
    Need.MEMORY: _memory,
    Need.FAKETIME: _faketime,
    Need.RELAY: _always,
    Need.WATCHDOG: _always,
    Need.NAMESPACE: _namespace,
    Need.NETEM: _netem,
    Need.FIREWALL: _firewall,
}
