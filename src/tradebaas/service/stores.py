"""What an installation does with stores: always by a program of a release, as the daemons' user,
with nothing of the caller's environment that could lead it to other code."""

import json
import os
import shutil
from pathlib import Path

from tradebaas.errors import Unusable
from tradebaas.service import places
from tradebaas.service.daemons import Daemon, stop
from tradebaas.service.system import StepFailed, run, without_python

OPEN = ("ENTERING_POSITION", "POSITION_OPEN", "CLOSING")
"""The phases in which something is at stake at the exchange."""


def has_store(daemon: Daemon) -> bool:
    """Whether it has ever made one."""
    return (daemon.data / "tradebaas.db").exists()


def back_up(release: Path, daemon: Daemon) -> str:
    """Back a store up with the release that wrote it; the name of the backup.

    Raises:
        StepFailed: it was not made.
    """
    said = ask(release, daemon, "backup", "create", "--before", "upgrade", "--json")
    return str(json.loads(said)["backup"]["name"])


def put_back(release: Path, daemon: Daemon, backup: str) -> None:
    """Restore a backup, which halts the daemon until a person resumes it.

    Raises:
        StepFailed: it was not restored.
    """
    ask(release, daemon, "backup", "restore", "--yes", backup)


def put_back_by_hand(release: Path, daemon: Daemon, backup: str) -> str:
    """The command that does the same."""
    return " ".join(map(str, _command(release, daemon, "backup", "restore", "--yes", backup)))


def refuse_open(release: Path, daemon: Daemon) -> None:
    """Refuse to leave an account on which something is open.

    Raises:
        Unusable: something is.
        StepFailed: nobody can tell, since the store cannot be read.
    """
    phase = json.loads(ask(release, daemon, "state", "--json"))["phase"]
    if phase in OPEN:
        raise Unusable(
            f"{daemon.unit} is in {phase} on the account that it trades on now, and nobody would "
            f"look after that: `tradebaas stop --close` first. Nothing was changed"
        )


def move_aside(daemon: Daemon) -> Path:
    """Stop a daemon and keep its store elsewhere, so that the next start makes a new one. A halt
    file goes on to hold.

    Raises:
        StepFailed: the directory cannot be moved.
    """
    stop(daemon)
    kept = daemon.data.with_name(
        f"{daemon.data.name}.before-{run('date', '-u', '+%Y%m%dT%H%M%SZ')}"
    )
    try:
        os.rename(daemon.data, kept)
    except OSError as error:
        raise StepFailed(
            f"{daemon.data} cannot be moved to {kept} ({error.strerror}): move what is in it "
            f"aside by hand, then install again. {daemon.unit} is stopped; nothing else was changed"
        ) from error
    if (kept / "HALT").exists():
        daemon.data.mkdir(mode=0o700)
        shutil.copy2(kept / "HALT", daemon.data / "HALT")
        for path in (daemon.data, daemon.data / "HALT"):
            shutil.chown(path, places.USER, places.USER)
    return kept


def ask(release: Path, daemon: Daemon, *words: str) -> str:
    """What the program of a release says about a daemon, as the daemon's user.

    Raises:
        StepFailed: it says that it cannot.
    """
    return run(*_command(release, daemon, *words), environment=without_python())


def _command(release: Path, daemon: Daemon, *words: str) -> tuple[str | Path, ...]:
    program = release / "venv" / "bin" / "tradebaas"
    where = ("--config", daemon.config, "--data", daemon.data)
    return ("runuser", "-u", places.USER, "--", program, *words, *where)
