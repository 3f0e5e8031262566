"""This machine's own systemd as PID 1 of fresh namespaces, over a copy of the root that is thrown
away at the end: units are installed, killed and rebooted for real; the machine does not notice.

Needs root. What it cannot enforce where there is no cgroup v2 controller: memory, tasks and CPU.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

BOOT = Path(__file__).with_name("boot.sh")
BOOT_S = 30.0
POLL_S = 0.05
UNSHARE = ("unshare", "--fork", "--kill-child", "--pid", "--mount", "--cgroup", "--uts", "--ipc",
           "--net")  # fmt: skip
TOOLS = ("unshare", "nsenter", "pivot_root", "ip", "systemctl", "/lib/systemd/systemd")


def refusal() -> str:
    """Why no system can be booted here; "" when nothing speaks against it."""
    if os.geteuid():
        return "only root may make namespaces and mounts"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"there is no {', '.join(missing)} here"
    return "" if _cgroups() else "no cgroup v2 hierarchy is mounted here"


def _cgroups() -> Path | None:
    """Where the cgroup v2 hierarchy is mounted, beside the old ones or alone."""
    for place in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")):
        if (place / "cgroup.procs").exists():
            return place
    return None


class CommandFailed(Exception):
    """A command inside failed; its words are in the message."""


class Box:
    """One system. What was ``put`` is laid over its root at the first boot; ``binds`` are
    directories of the machine that it sees, by the path inside."""

    def __init__(self, home: Path, binds: Mapping[str, Path]) -> None:
        self.home = home
        self.layer = home / "layer"
        self._binds = binds
        self._outer: subprocess.Popen[bytes] | None = None
        self._cgroup: Path | None = None
        self.layer.mkdir(parents=True)

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the layer, before the boot."""
        place = self.layer / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)

    def boot(self) -> None:
        """Start it; returns when its basic target is reached.

        Raises:
            RuntimeError: it did not come up; the message has what it said.
        """
        if not (self.home / "mnt").is_mount():
            (self.home / "mnt").mkdir()
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(self.home / "mnt")],
                check=True,
            )
        lines = [f"{source} {target}\n" for target, source in self._binds.items()]
        (self.home / "binds").write_text("".join(lines), encoding="utf-8")
        base = _cgroups()
        assert base is not None
        self._cgroup = base / f"tradebaas-box-{os.getpid()}"
        self._cgroup.mkdir(exist_ok=True)
        enter = f'echo $$ > "{self._cgroup}/cgroup.procs" && exec "$@"'
        log = self.home / "boot.log"
        with log.open("wb") as said:
            self._outer = subprocess.Popen(
                ["sh", "-c", enter, "sh", *UNSHARE, "sh", str(BOOT), str(self.home)],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
        if not self._comes_up():
            words = log.read_text(encoding="utf-8", errors="replace")
            self.stop()
            raise RuntimeError(f"the system did not boot; it said:\n{words}")

    def _comes_up(self) -> bool:
        deadline = time.monotonic() + BOOT_S
        while time.monotonic() < deadline:
            if self._init() and self.run("systemctl", "is-system-running", check=False) in (
                "running", "degraded",
            ):  # fmt: skip
                return True
            time.sleep(POLL_S)
        return False

    def _init(self) -> int:
        """The pid of its systemd, as this machine numbers it; 0 while there is none."""
        assert self._outer is not None
        try:
            text = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
        except OSError:
            return 0
        return int(text.split()[0]) if text.split() else 0

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command inside and return what it printed.

        Raises:
            CommandFailed: it failed, and ``check`` is set.
        """
        with self.start(*command) as done:
            out, error = done.communicate()
        if check and done.returncode:
            raise CommandFailed(f"{' '.join(command)} exited {done.returncode}: {out}{error}")
        return out.strip()

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command inside."""
        enter = ("nsenter", "-t", str(self._init()), "-m", "-u", "-i", "-n", "-p", "-C", "--")
        return subprocess.Popen(
            [*enter, *command], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "-p", name, "--value", unit)

    def kill(self, unit: str, number: signal.Signals) -> None:
        """Send a signal to the main process of a unit, which must be running."""
        pid = int(self.show(unit, "MainPID"))
        assert pid, f"{unit} is not running"
        self.run("kill", f"-{number.value}", str(pid))

    def until(self, unit: str, name: str, wanted: str, within: float = 30.0) -> float:
        """Wait until a property is as wanted; the seconds that it took."""
        began = time.monotonic()
        while time.monotonic() - began < within:
            if self.show(unit, name) == wanted:
                return time.monotonic() - began
            time.sleep(POLL_S)
        raise AssertionError(
            f"{name} of {unit} did not become {wanted!r} within {within:g} s:\n{self.tell(unit)}"
        )

    def tell(self, unit: str) -> str:
        """How a unit is and what it said."""
        status = self.run("systemctl", "status", "--no-pager", unit, check=False)
        return status + "\n" + self.journal(unit)

    def journal(self, unit: str) -> str:
        """What a unit, and systemd about it, wrote into the journal."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, check=False)

    def stop(self) -> None:
        """Stop it hard, as a power cut of which the disk knows nothing; it can be booted again."""
        if self._outer is not None:
            with contextlib.suppress(ProcessLookupError):
                self._outer.kill()
            self._outer.wait()
        if self._cgroup is not None:
            self._clear(self._cgroup)

    def end(self) -> None:
        """Stop it; what it wrote into its root is gone."""
        self.stop()
        if (self.home / "mnt").is_mount():
            subprocess.run(["umount", "-l", str(self.home / "mnt")], check=True)

    @staticmethod
    def _clear(cgroup: Path) -> None:
        deadline = time.monotonic() + BOOT_S
        while time.monotonic() < deadline:
            for place, _, _ in os.walk(cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    Path(place).rmdir()
            if not cgroup.exists():
                return
            time.sleep(POLL_S)


@contextlib.contextmanager
def booted(box: Box) -> Iterator[Box]:
    """Boot it for as long as the block runs."""
    try:
        box.boot()
        yield box
    finally:
        box.end()
