"""``service install|uninstall|restart|status``: the daemon under systemd."""

import contextlib
import sys
from pathlib import Path

import click
from msgspec import Struct

from tradebaas.commands.common import json_option, print_json, print_table

SHOWN = {
    "state": "ActiveState",
    "since": "ActiveEnterTimestamp",
    "at boot": "UnitFileState",
    "pid": "MainPID",
    "restarts": "NRestarts",
    "result": "Result",
    "says": "StatusText",
}
"""What ``status`` shows of a unit, and systemd's name for it."""
NOT_WELL = 3
"""As `systemctl status` says of what does not run."""


@click.group()
def service() -> None:
    """Install, upgrade or remove the daemon as a service of systemd."""


@service.command()
@click.option(
    "--config", "config", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take this configuration. Without it the one that is there is kept, or play money.",
)  # fmt: skip
@click.option(
    "--secret-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take the API secret from this file; it is kept readable for root alone.",
)  # fmt: skip
@click.option(
    "--python", default=sys.executable, show_default="the one that runs this",
    help="Interpreter of the new environment.",
)  # fmt: skip
@click.option("--start/--no-start", default=True, help="Start it, or only put it in place.")
def install(config: Path | None, secret_file: Path | None, python: str, start: bool) -> None:
    """Install this checkout as a service, or upgrade the one that is there.

    Run it again whenever you like: what is done is left alone. An upgrade makes a backup first and
    goes back to the release before when the daemon does not stay up. It waits for the exchange's
    first answer, and fails if that refuses the key.
    """
    from tradebaas.service.daemons import Watch
    from tradebaas.service.install import Wish
    from tradebaas.service.install import install as install_service
    from tradebaas.service.system import check_system

    check_system()
    old, new = _led(config)
    wish = Wish(
        python=python, config=config, secret=secret_file, start=start,
        elsewhere=f"{old.where}, and these settings lead to {new.where}" if old != new else "",
        at_stake=old.at_stake,
    )  # fmt: skip
    install_service(wish, Watch(_pause, _tell))


@service.command()
@click.option("--purge", is_flag=True, help="Remove settings, secrets, store and backups as well.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def uninstall(purge: bool, yes: bool) -> None:
    """Stop and remove the service; data and settings stay unless --purge is given.

    A position that is open stays open, with its stop at the exchange: close it first if you want.
    """
    from tradebaas.service.removal import uninstall as uninstall_service
    from tradebaas.service.system import check_system

    check_system()
    if purge and not yes:
        click.confirm("Remove the store, all backups, settings and secrets?", abort=True)
    uninstall_service(purge=purge, tell=_tell)


@service.command()
@click.argument("name", default="")
def restart(name: str) -> None:
    """Restart the daemon, or the instance NAME; whatever was counted of its restarts before.

    Positions keep their stops at the exchange meanwhile.
    """
    from tradebaas.service.answers import Outcome, started
    from tradebaas.service.daemons import Daemon, Watch, last_words
    from tradebaas.service.system import StepFailed, check_system
    from tradebaas.service.upgrade import refusal

    check_system()
    daemon = Daemon(name)
    answer = started(daemon, Watch(_pause, _tell))
    if answer.outcome is Outcome.ENDED:
        raise StepFailed(f"{daemon.unit} does not stay up. Its words:\n{last_words(daemon)}")
    _tell("daemon", f"{daemon.unit} was restarted: {answer.says}")
    _tell("exchange", answer.outcome)
    if answer.outcome is Outcome.REFUSED:
        raise StepFailed(refusal({daemon: answer}))


@service.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show what is installed and how its units are. Exits 3 when none is, or a unit has failed."""
    from tradebaas.service.release import running
    from tradebaas.service.removal import ALL
    from tradebaas.service.system import property_of, units_like

    release = running()
    units = [unit for unit in units_like(*ALL) if release]
    shown = {unit: {key: property_of(unit, name) for key, name in SHOWN.items()} for unit in units}
    if as_json:
        print_json({"release": release.name if release else None, "units": shown})
    else:
        click.echo(f"release: {release.name if release else 'none is installed'}")
        rows = [(unit, *(values[key] or "-" for key in SHOWN)) for unit, values in shown.items()]
        print_table(("unit", *SHOWN), rows)
    failed = any(values["state"] == "failed" for values in shown.values())
    ctx.exit(NOT_WELL if failed or release is None else 0)


class _Led(Struct, frozen=True):
    """Where settings lead: the exchange's address, and whether it is about more than play money."""

    where: str
    at_stake: bool


def _led(config: Path | None) -> tuple[_Led, _Led]:
    """Where the settings so far lead, and where those to install will.

    Raises:
        ConfigError: the daemon would refuse the given ones.
    """
    from tradebaas.config import EMBEDDED, HOSTS, load
    from tradebaas.errors import ConfigError
    from tradebaas.service import places

    def led(path: Path) -> _Led:
        exchange = load(path).exchange
        where = exchange.url or HOSTS.get(exchange.environment, exchange.environment)
        return _Led(where, exchange.environment != EMBEDDED)

    given = led(config) if config else None
    old = given
    if config and places.CONFIG.exists():
        with contextlib.suppress(ConfigError):  # the given ones may be what mends it
            old = led(places.CONFIG)
    nowhere = _Led("", False)
    return old or nowhere, given or nowhere


def _tell(what: str, done: str) -> None:
    click.echo(f"{what:14} {done}")


def _pause(seconds: float) -> None:
    import trio

    trio.run(trio.sleep, seconds)
