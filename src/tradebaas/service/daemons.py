"""The daemons of this machine: the plain one, and one for each instance of the template."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from tradebaas.service import places
from tradebaas.service.system import is_active, property_of, run, succeeds, units_like

REFUSED = "78"
"""The exit code of what only a person can mend, such as a store of a newer program."""


START_LOOK_S = 0.2


class Watch(Struct, frozen=True):
    """How to wait, so many seconds, and whom to tell of a step: what, and what became of it.

    Commands bring both: only they know how.
    """

    pause: Callable[[float], None]
    tell: Callable[[str, str], None]


class Daemon(Struct, frozen=True):
    """One daemon; ``name`` is that of the instance, "" for the plain one."""

    name: str = ""

    @property
    def unit(self) -> str:
        return f"tradebaas@{self.name}.service" if self.name else places.DAEMON

    @property
    def config(self) -> Path:
        return places.SETTINGS / f"{self.name or 'tradebaas'}.toml"

    @property
    def data(self) -> Path:
        return places.STATE / f"tradebaas-{self.name}" if self.name else places.DATA

    @property
    def is_up(self) -> bool:
        """Whether it runs, or is about to."""
        return property_of(self.unit, "ActiveState") in ("active", "activating", "reloading")


def known() -> list[Daemon]:
    """The plain one, and then every instance that is loaded or will be started at boot."""
    names = (unit.removesuffix(".service") for unit in units_like(places.INSTANCES))
    return [Daemon(), *(Daemon(name.partition("@")[2]) for name in names)]


def comes_up(daemon: Daemon, watch: Watch) -> bool:
    """Restart it, and see whether it becomes ready. A restart by hand is none that counts.

    A start takes as long as its store does, and longer where the disk hangs or another process has
    the store: then what the daemon waits for is told.
    """
    succeeds("systemctl", "reset-failed", daemon.unit)
    told = ""
    with subprocess.Popen(["systemctl", "restart", daemon.unit], stderr=subprocess.DEVNULL) as job:
        while job.poll() is None:
            watch.pause(START_LOOK_S)
            says = property_of(daemon.unit, "StatusText")
            if says != told and property_of(daemon.unit, "ActiveState") == "activating":
                watch.tell("starting", f"{daemon.unit}: {says}")
                told = says
    return job.returncode == 0 and is_active(daemon.unit)


def stop(daemon: Daemon) -> None:
    """Stop it, and its restarts."""
    run("systemctl", "stop", daemon.unit)


def last_words(daemon: Daemon) -> str:
    """What it wrote last."""
    return run("journalctl", "--no-pager", "-o", "cat", "-n", "12", "-u", daemon.unit)
