"""Runs the tools of the system, and says in words what went wrong with them."""

import os
import shutil
import subprocess
from pathlib import Path

from tradebaas.errors import Fatal, Unusable


class StepFailed(Fatal):
    """A step of the installation failed; what was done before it stays, and is found done again.

    ``said`` is the last line of what failed.
    """

    exit_code = 1

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said


def run(*command: str | Path, environment: dict[str, str] | None = None, given: str = "") -> str:
    """Run a command to its end, which reads ``given``, and return what it wrote on its output.

    Raises:
        StepFailed: it failed; the message has its last words.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words, text=True, capture_output=True, check=False, input=given,
        env=environment,
    )  # fmt: skip
    if done.returncode:
        said = f"{done.stdout}\n{done.stderr}".strip().splitlines()[-20:]
        raise StepFailed(
            f"`{' '.join(words)}` failed with exit code {done.returncode}:\n" + "\n".join(said),
            said[-1] if said else "",
        )
    return done.stdout.strip()


def without_python() -> dict[str, str]:
    """This environment without what leads an interpreter to other code than its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def succeeds(*command: str) -> bool:
    """Whether a command exits with 0."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def check_system() -> None:
    """Refuse where nothing can be installed.

    Raises:
        Unusable: not root, or no systemd; the message says what to do.
    """
    if os.geteuid():
        raise Unusable("only root can install a service: run it again with sudo")
    if not Path("/run/systemd/system").is_dir():
        raise Unusable(
            "systemd does not run here, so there is nothing to install into: use `tradebaas run` "
            "under the supervisor that you have"
        )
    missing = [tool for tool in ("useradd", "systemctl") if shutil.which(tool) is None]
    if missing:
        raise Unusable(f"there is no {', '.join(missing)} here: install the package that has it")


def property_of(unit: str, name: str) -> str:
    """One property of a unit, as systemd shows it."""
    return run("systemctl", "show", "-p", name, "--value", unit)


def is_active(unit: str) -> bool:
    """Whether a unit runs."""
    return succeeds("systemctl", "is-active", "--quiet", unit)


def units_like(*patterns: str) -> list[str]:
    """The units that systemd has loaded, or finds on the disk, by their names; no templates."""
    names = set()
    for listing in (("list-units", "--all", "--plain"), ("list-unit-files",)):
        done = subprocess.run(
            ["systemctl", *listing, "--no-legend", "--no-pager", *patterns],
            text=True, capture_output=True, check=False,
        )  # fmt: skip
        names |= {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    return sorted(name for name in names if "@." not in name)
