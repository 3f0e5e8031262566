"""Installs, upgrades and removes the service. Every step looks first and does only what is missing.

An upgrade makes the new release beside the old one, backs the store up, switches, and restarts; if
the daemon does not become ready it switches back and starts the old one again. Positions keep their
stops at the exchange in between. Settings and secrets that are there are never written over.
"""

import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from tradebaas.errors import Unusable
from tradebaas.service import places, release
from tradebaas.service.system import StepFailed, is_active, property_of, run, succeeds

Tell = Callable[[str, str], None]
"""Told of each step: what, and what became of it."""
PLAY = f"""\
# What a new installation starts with: play money on the exchange of tradebaas-exchange.service.
# Every setting: deploy/tradebaas.toml.example. For Deribit set environment and client_id, put the
# key's secret into {places.SECRET}, and `systemctl restart tradebaas`.

[exchange]
environment = "embedded"
url = "{places.PLAY_URL}"
"""

NOBODY = """\
# Where notices go: one apprise URL on each line. docs/notices.md has examples; after a change
# `systemctl restart tradebaas`.
"""


class Wish(Struct, frozen=True, kw_only=True):
    """What to install: the interpreter, and files to take settings and secret from."""

    python: str
    config: Path | None = None
    secret: Path | None = None
    start: bool = True


def install(wish: Wish, tell: Tell) -> None:
    """Install, or upgrade what is installed.

    Raises:
        StepFailed, Unusable: what could not be done, and how things stand now.
    """
    root = release.source()
    _make_user(tell)
    _make_settings(wish, tell)
    before = release.running()
    new = release.make(root, wish.python)
    tell("release", f"{new.name} is in {new}")
    _put_units(root, tell)
    active = is_active(places.DAEMON)
    if before is not None and before != new and active:
        _back_up(before, tell)
    release.switch(new)
    run("systemctl", "daemon-reload")
    _enable(tell)
    if wish.start and (not active or before != new):
        _start(before, new, tell)
    removed = release.forget_old()
    if removed:
        tell("old releases", f"removed {', '.join(path.name for path in removed)}")


def _make_user(tell: Tell) -> None:
    try:
        pwd.getpwnam(places.USER)
    except KeyError:
        run("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", places.DATA,
            "--shell", "/usr/sbin/nologin", places.USER)  # fmt: skip
        tell("user", f"{places.USER} was made; it cannot log in")
    else:
        tell("user", f"{places.USER} is there")


def _make_settings(wish: Wish, tell: Tell) -> None:
    places.SETTINGS.mkdir(mode=0o755, exist_ok=True)
    places.HOME.mkdir(mode=0o755, exist_ok=True)
    config = wish.config.read_text(encoding="utf-8") if wish.config else PLAY
    _put_once(places.CONFIG, config, 0o644, wish.config is not None, tell)
    secret = wish.secret.read_text(encoding="utf-8") if wish.secret else places.PLAY_SECRET + "\n"
    _put_once(places.SECRET, secret, 0o600, wish.secret is not None, tell)
    _put_once(places.NOTICES, NOBODY, 0o600, False, tell)


def _put_once(place: Path, text: str, mode: int, given: bool, tell: Tell) -> None:
    """Write a file that is not there, or that was given; else leave what there is."""
    if place.exists() and not given:
        tell(place.name, f"{place} is kept as it is")
        return
    fresh = place.with_name(f".{place.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    fresh.chmod(mode)
    os.replace(fresh, place)
    tell(place.name, f"{place} was written")


def _put_units(root: Path, tell: Tell) -> None:
    changed = []
    for unit in sorted((root / "deploy" / "systemd").iterdir()):
        place = places.UNITS / unit.name
        if not place.exists() or place.read_bytes() != unit.read_bytes():
            shutil.copyfile(unit, place)
            changed.append(unit.name)
    tell("units", f"wrote {', '.join(changed)}" if changed else "are there")


def _back_up(running: Path, tell: Tell) -> None:
    """With the release that wrote the store, while it still runs."""
    run("runuser", "-u", places.USER, "--", running / "venv/bin/tradebaas", "backup", "create",
        "--before", "upgrade", "--config", places.CONFIG, "--data", places.DATA)  # fmt: skip
    tell("backup", f"made and verified in {places.DATA / 'backups'}")


def _enable(tell: Tell) -> None:
    play = places.PLAY_URL in places.CONFIG.read_text(encoding="utf-8")
    units = [places.DAEMON, *places.TIMERS, *([places.EXCHANGE] if play else [])]
    run("systemctl", "enable", *units)
    run("systemctl", "start", *places.TIMERS, *([places.EXCHANGE] if play else []))
    tell("at boot", f"{', '.join(units)} will be started")


def _start(before: Path | None, new: Path, tell: Tell) -> None:
    """Restart on the new release; go back when it does not become ready.

    Raises:
        StepFailed: it did not; the message says what runs now.
    """
    run("systemctl", "reset-failed", places.DAEMON)
    if succeeds("systemctl", "restart", places.DAEMON) and is_active(places.DAEMON):
        tell("daemon", f"runs {new.name}: {property_of(places.DAEMON, 'StatusText') or 'ready'}")
        return
    words = run("journalctl", "--no-pager", "-o", "cat", "-n", "12", "-u", places.DAEMON)
    run("systemctl", "stop", places.DAEMON)
    if before is None or before == new:
        raise StepFailed(f"the daemon did not become ready. Its last words:\n{words}")
    release.switch(before)
    run("systemctl", "reset-failed", places.DAEMON)
    again = succeeds("systemctl", "restart", places.DAEMON)
    state = "runs again" if again else "does not start either: see `journalctl -u tradebaas`"
    raise StepFailed(
        f"{new.name} did not become ready, so {before.name} is back and {state}. The last words "
        f"of the new one:\n{words}"
    )


def uninstall(*, purge: bool, tell: Tell) -> None:
    """Stop and remove the service; with ``purge`` its settings and its data as well.

    Raises:
        Unusable: nothing is installed.
        StepFailed: a step failed.
    """
    units = sorted(places.UNITS.glob("tradebaas*"))
    kept = (places.SETTINGS, places.DATA, places.LOGS)
    left = (places.HOME, *(kept if purge else ()))
    names = [path.name for path in units if path.is_file() and "@." not in path.name]
    if not names and not any(place.exists() for place in left):
        raise Unusable("nothing is installed here")
    if names:
        run("systemctl", "disable", "--now", *names)
    for path in units:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    run("systemctl", "daemon-reload")
    tell("units", f"stopped and removed {', '.join(names)}" if names else "there were none")
    shutil.rmtree(places.HOME, ignore_errors=True)
    tell("releases", f"{places.HOME} was removed")
    if not purge:
        tell("kept", f"{places.SETTINGS}, {places.DATA}, user {places.USER}; --purge removes them")
        return
    for place in kept:
        shutil.rmtree(place, ignore_errors=True)
    if succeeds("getent", "passwd", places.USER):
        run("userdel", places.USER)
    tell("purged", f"{places.SETTINGS}, {places.DATA}, {places.LOGS}, user {places.USER}")
