"""A memory control group of the campaign's own, of version 1 or 2, and a process that fills it.

The group lies below the driver's own, so that whoever limits the driver limits it too. When it is
full the kernel kills the process with the highest score, which the daemon has and the filler has
not: a real out-of-memory kill, which the group itself counts.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MIB = 1024 * 1024
END_LIMIT_S = 5.0
_FILLER = """\
import sys, time
blocks = []
for _ in range(int(sys.argv[1])):
    blocks.append(bytearray(b"x" * (1 << 20)))
time.sleep(60)
"""


class MemoryGroup:
    """A control group.

    Raises:
        OSError: It is not permitted here.
    """

    def __init__(self) -> None:
        parent, self._version = _own_group()
        self.path = parent / f"tradebaas-chaos-{os.getpid()}"
        self.path.mkdir()
        self._filler: subprocess.Popen[bytes] | None = None
        try:
            self.limit(None)
        except OSError:
            self.path.rmdir()
            raise

    @property
    def prologue(self) -> str:
        """Shell commands by which a process joins the group, as the first to be killed."""
        return f"echo $$ > {self.path}/cgroup.procs\necho 1000 > /proc/$$/oom_score_adj"

    def limit(self, limit: int | None) -> None:
        """Allow so many bytes; None: as many as there are.

        Raises:
            OSError: More is in use and cannot be had back, or it is not permitted.
        """
        name = "memory.max" if self._version == 2 else "memory.limit_in_bytes"
        unlimited = "max" if self._version == 2 else "-1"
        (self.path / name).write_text(unlimited if limit is None else str(limit), "ascii")

    def usage(self) -> int:
        """Bytes in use."""
        name = "memory.current" if self._version == 2 else "memory.usage_in_bytes"
        return int((self.path / name).read_text("ascii"))

    def kills(self) -> int:
        """How many processes of the group the kernel has killed for want of memory."""
        name = "memory.events" if self._version == 2 else "memory.oom_control"
        lines = (self.path / name).read_text("ascii").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

    def fill(self, megabytes: int) -> None:
        """Start a process in the group that takes so much and is not killed for it."""
        line = f"echo $$ > {self.path}/cgroup.procs; echo -1000 > /proc/$$/oom_score_adj; "
        self._filler = subprocess.Popen(
            ["sh", "-c", line + 'exec "$@"', "sh", sys.executable, "-c", _FILLER, str(megabytes)],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def free(self) -> None:
        """End that process, and lift the limit."""
        if self._filler is not None:
            self._filler.kill()
            self._filler.wait(END_LIMIT_S)
            self._filler = None
        self.limit(None)

    def end(self) -> None:
        """Take the group away; whoever is still in it goes back to where it came from."""
        self.free()
        for pid in (self.path / "cgroup.procs").read_text("ascii").split():
            with suppress(OSError):
                (self.path.parent / "cgroup.procs").write_text(pid, "ascii")
        until = time.monotonic() + END_LIMIT_S
        while time.monotonic() < until:
            with suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.05)


def _own_group() -> tuple[Path, int]:
    """The driver's own group and the version of its memory controller.

    Raises:
        OSError: There is no memory controller.
    """
    unified = None
    for line in Path("/proc/self/cgroup").read_text("ascii").splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return ROOT / "memory" / path.lstrip("/"), 1
        if number == "0":
            unified = ROOT / path.lstrip("/")
    known = unified / "cgroup.controllers" if unified is not None else None
    if unified and known and known.exists() and "memory" in known.read_text("ascii").split():
        return unified, 2
    raise OSError("no memory controller of control groups can be used")
