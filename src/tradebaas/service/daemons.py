"""The daemons of this machine: the plain one, and one for each instance of the template."""

from pathlib import Path

from msgspec import Struct

from tradebaas.service import places
from tradebaas.service.system import is_active, property_of, run, succeeds, units_like

REFUSED = "78"
"""The exit code of what only a person can mend, such as a store of a newer program."""


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


def comes_up(daemon: Daemon) -> bool:
    """Restart it, and see whether it becomes ready. A restart by hand is none that counts."""
    succeeds("systemctl", "reset-failed", daemon.unit)
    return succeeds("systemctl", "restart", daemon.unit) and is_active(daemon.unit)


def stop(daemon: Daemon) -> None:
    """Stop it, and its restarts."""
    run("systemctl", "stop", daemon.unit)


def last_words(daemon: Daemon) -> str:
    """What it wrote last."""
    return run("journalctl", "--no-pager", "-o", "cat", "-n", "12", "-u", daemon.unit)
