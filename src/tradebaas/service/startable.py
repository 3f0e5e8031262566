"""Whether a release would start a daemon: its settings and its strategies, as the release's own
program judges them before anything is switched. What ends a start with 78 is refused here."""

import json
from pathlib import Path

from msgspec import Struct

from tradebaas.errors import Unusable
from tradebaas.service import places, stores
from tradebaas.service.daemons import Daemon
from tradebaas.service.system import StepFailed, run, without_python

JUDGE = """
import json, sys, tomllib
import msgspec
from tradebaas.binding import bind_assignment, check_strategy
from tradebaas.config import parse
from tradebaas.core.model import Assignment
from tradebaas.errors import ConfigError

def refuse(*words):
    sys.exit(" ".join(" ".join(words).split()))

given = json.load(sys.stdin)
text, origin, armed = given["settings"], given["origin"], given["armed"]
try:
    config = parse(tomllib.loads(text), text, origin)
    check_strategy(config)
except tomllib.TOMLDecodeError as error:
    refuse(origin, "is not valid TOML:", str(error))
except ConfigError as error:
    refuse(str(error))
bound = bind_assignment(config, msgspec.convert(armed, Assignment)) if armed else None
if isinstance(bound, str):
    refuse("it trades with", armed["strategy"] + ":", bound + ".", given["advice"])
"""
"""A program for the interpreter of a release: what the daemon does with its settings at its start,
and with what is armed at the first candle."""
ADVICE = (
    f"Put a strategy of your own into {places.STRATEGIES}, where every release finds it, or "
    "`tradebaas stop` first"
)


class Settings(Struct, frozen=True):
    """What a daemon will be started with, and the file that it came from."""

    text: str
    origin: Path


def settings_of(daemon: Daemon) -> Settings | None:
    """Those in place; None where there are none yet."""
    if not daemon.config.exists():
        return None
    return Settings(daemon.config.read_text(encoding="utf-8", errors="replace"), daemon.config)


def armed(release: Path, daemon: Daemon) -> dict[str, object] | None:
    """What a daemon trades with, as the release says that wrote its store; None when nothing is
    armed.

    Raises:
        StepFailed: nobody can tell, since the store cannot be read.
    """
    state = json.loads(stores.ask(release, daemon, "state", "--json"))
    assignment: dict[str, object] | None = state["assignment"]
    return assignment if state["armed"] else None


def refuse_unstartable(
    release: Path, daemon: Daemon, settings: Settings, armed: dict[str, object] | None
) -> None:
    """Refuse what a daemon of this release would end with, or stand still for.

    Raises:
        Unusable: the release's own words about the settings or the strategy.
    """
    given = {
        "settings": settings.text, "origin": str(settings.origin), "armed": armed, "advice": ADVICE
    }  # fmt: skip
    home = daemon.data if daemon.data.exists() else Path("/")
    as_daemon = ("runuser", "-u", places.USER, "--", "env", "-C", home)
    try:
        run(*as_daemon, release / "venv" / "bin" / "python", "-I", "-c", JUDGE,
            environment=without_python(), given=json.dumps(given))  # fmt: skip
    except StepFailed as failed:
        raise Unusable(
            f"{release.name} would not start {daemon.unit}: {failed.said}. Nothing was changed"
        ) from None
