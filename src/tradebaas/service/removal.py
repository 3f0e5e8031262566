"""Removes the service, with every instance; the data stay unless they are to be purged."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tradebaas.errors import Unusable
from tradebaas.service import places, units
from tradebaas.service.system import run, succeeds, units_like

ALL = ("tradebaas.service", "tradebaas-*", "tradebaas@*")
MADE = ("/var/lib/tradebaas*", "/var/log/tradebaas*", "/var/lib/private/tradebaas-*")
"""What the units have made: of the daemon, of each instance, of the exchange, and kept stores."""


def uninstall(*, purge: bool, tell: Callable[[str, str], None]) -> None:
    """Stop and remove the service; with ``purge`` its settings and its data as well.

    Raises:
        Unusable: nothing is installed.
        StepFailed: a step failed.
    """
    files = sorted(path for path in places.UNITS.glob("tradebaas*") if path.is_file())
    edits = sorted(path for path in places.UNITS.glob("tradebaas*.d") if path.is_dir())
    kept = [path for path in (places.SETTINGS, *edits, *_made()) if path.exists()]
    if not files and not places.HOME.exists() and not (purge and kept):
        raise Unusable("nothing is installed here")
    names = units_like(*ALL) if files else []
    if names:
        run("systemctl", "disable", "--now", *names)
    for path in files:
        path.unlink()
    run("systemctl", "daemon-reload")
    tell("units", f"stopped and removed {', '.join(names)}" if names else "there were none")
    if units.wrapper_is_ours():
        places.WRAPPER.unlink()
    shutil.rmtree(places.HOME, ignore_errors=True)
    tell("releases", f"{places.HOME} was removed")
    words = ", ".join(map(str, kept))
    if not purge:
        tell("kept", f"{words}, user {places.USER}; --purge removes them")
        return
    for place in kept:
        place.unlink() if place.is_symlink() else shutil.rmtree(place, ignore_errors=True)
    if succeeds("getent", "passwd", places.USER):
        run("userdel", places.USER)
    tell("purged", f"{words}, user {places.USER}")


def _made() -> list[Path]:
    root = Path("/")
    return sorted(path for pattern in MADE for path in root.glob(pattern.lstrip("/")))
