"""Installs and upgrades the service. Every step looks first and does only what is missing.

An upgrade makes the new release beside the old one, backs every store up, switches, and restarts;
if a daemon does not become ready it goes back (``upgrade``). Positions keep their stops at the
exchange in between. Settings and secrets that are there are written over only by those given.
"""

import contextlib
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from tradebaas.errors import Unusable
from tradebaas.service import daemons, places, release, startable, stores, upgrade
from tradebaas.service.daemons import Daemon, Watch
from tradebaas.service.system import StepFailed, is_active, run

Tell = Callable[[str, str], None]
"""Told of each step: what, and what became of it."""
PLAY = f"""\
# What a new installation starts with: play money on the exchange of tradebaas-exchange.service.
# Every setting: deploy/tradebaas.toml.example. To trade at Deribit: docs/deployment.md.

[exchange]
environment = "embedded"
url = "{places.PLAY_URL}"
"""

NOBODY = """\
# Where notices go: one apprise URL on each line. docs/notices.md has examples; after a change
# `tradebaas service restart`.
"""


class Wish(Struct, frozen=True, kw_only=True):
    """What to install: the interpreter, and files to take settings and secret from.

    ``elsewhere`` says from where to where the given settings lead when it is another exchange,
    which the store does not belong to; ``at_stake`` whether the one before was not play money.
    """

    python: str
    config: Path | None = None
    secret: Path | None = None
    start: bool = True
    elsewhere: str = ""
    at_stake: bool = False


def install(wish: Wish, watch: Watch) -> None:
    """Install, or upgrade what is installed.

    Raises:
        StepFailed, Unusable: what could not be done, and how things stand now.
    """
    root, tell = release.source(), watch.tell
    before = release.running()
    moves = bool(wish.elsewhere) and before is not None and stores.has_store(Daemon())
    if moves and before is not None:
        _refuse_both(root, before)
        if wish.at_stake:
            stores.refuse_open(before, Daemon())
    _make_user(tell)
    new = release.make(root, wish.python)
    tell("release", f"{new.name} is in {new}")
    upgrading = before is not None and before != new
    present = daemons.known()
    if upgrading or wish.config is not None:
        _refuse_unstartable(None if moves else before, new, present, wish.config)
    backups = _back_up(before, present, tell) if before and upgrading else {}
    to_start = [each for each in present if each.is_up and upgrading]
    if moves:
        kept = stores.move_aside(Daemon())
        tell("store", f"the one so far belongs to {wish.elsewhere}: it is kept in {kept}")
    settings = _make_settings(wish, tell)
    changed = release.switch(new)
    tell("units", f"wrote {', '.join(changed)}" if changed else "are there")
    _enable(tell)
    if wish.start and Daemon() not in to_start and (settings or not is_active(places.DAEMON)):
        to_start.insert(0, Daemon())
    if wish.start:
        upgrade.start(to_start, upgrade.Way(before, new, backups, settings), watch)
    elif settings or upgrading:
        tell("daemon", "what runs takes it with its next start: `tradebaas service restart`")
    removed = release.forget_old()
    if removed:
        tell("old releases", f"removed {', '.join(path.name for path in removed)}")


def _refuse_both(root: Path, before: Path) -> None:
    """Another exchange and another release at once could not be gone back over."""
    if release.name_of(root) != before.name:
        raise Unusable(
            "these settings lead to another exchange and this checkout to another release: do one "
            "after the other. First `sh deploy/install.sh`, then again with --config and "
            "--secret-file. Nothing was changed"
        )


def _make_user(tell: Tell) -> None:
    try:
        pwd.getpwnam(places.USER)
    except KeyError:
        run("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", places.DATA,
            "--shell", "/usr/sbin/nologin", places.USER)  # fmt: skip
        tell("user", f"{places.USER} was made; it cannot log in")
    else:
        tell("user", f"{places.USER} is there")


def _make_settings(wish: Wish, tell: Tell) -> dict[Path, str]:
    """Write what is missing or was given; what those that have changed said before."""
    places.SETTINGS.mkdir(mode=0o755, exist_ok=True)
    places.STRATEGIES.mkdir(mode=0o755, exist_ok=True)
    config = wish.config.read_text(encoding="utf-8") if wish.config else PLAY
    secret = wish.secret.read_text(encoding="utf-8") if wish.secret else places.PLAY_SECRET + "\n"
    wanted = (
        (places.CONFIG, config, 0o644, wish.config is not None),
        (places.SECRET, secret, 0o600, wish.secret is not None),
        (places.NOTICES, NOBODY, 0o600, False),
    )
    changed = {}
    for place, text, mode, given in wanted:
        old = place.read_text(encoding="utf-8") if place.exists() else None
        if old is not None and (old == text or not given):
            tell(place.name, f"{place} is kept as it is")
            continue
        write(place, text, mode)
        tell(place.name, f"{place} was written")
        if old is not None:
            changed[place] = old
    return changed


def write(place: Path, text: str, mode: int) -> None:
    """Put a file in place, whole."""
    fresh = place.with_name(f".{place.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    fresh.chmod(mode)
    os.replace(fresh, place)


def _refuse_unstartable(
    before: Path | None, new: Path, present: list[Daemon], config: Path | None
) -> None:
    """Refuse settings, those given or those in place, that a daemon could not be started with.

    ``before`` reads what is armed, None where the store will not be used any more. A store that
    cannot be read says nothing here: its backup will fail.

    Raises:
        Unusable: the new release would refuse a daemon's settings, or what it trades with.
    """
    for daemon in present:
        settings = startable.settings_of(daemon)
        if config is not None and daemon == Daemon():
            settings = startable.Settings(config.read_text(encoding="utf-8"), config)
        armed = None
        if before is not None and stores.has_store(daemon):
            with contextlib.suppress(StepFailed):
                armed = startable.armed(before, daemon)
        if settings is not None:
            startable.refuse_unstartable(new, daemon, settings, armed)


def _back_up(before: Path, present: list[Daemon], tell: Tell) -> dict[str, str]:
    """Back every store up with the release that wrote it; unit -> the name of the backup.

    Raises:
        StepFailed: that of a daemon which runs could not be backed up; nothing was changed.
    """
    made = {}
    for daemon in filter(stores.has_store, present):
        try:
            made[daemon.unit] = stores.back_up(before, daemon)
        except StepFailed as failed:
            if is_active(daemon.unit):
                raise
            tell("backup", f"none of {daemon.data}, which cannot be read: {failed}")
        else:
            tell("backup", f"made and verified {daemon.data / 'backups' / made[daemon.unit]}")
    return made


def _enable(tell: Tell) -> None:
    play = places.PLAY_URL in places.CONFIG.read_text(encoding="utf-8")
    units = [places.DAEMON, *places.TIMERS, *([places.EXCHANGE] if play else [])]
    run("systemctl", "enable", *units)
    run("systemctl", "start", *places.TIMERS, *([places.EXCHANGE] if play else []))
    tell("at boot", f"{', '.join(units)} will be started")
