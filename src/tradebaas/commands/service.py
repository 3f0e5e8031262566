"""``service install|uninstall|status``: the daemon under systemd."""

import sys
from pathlib import Path

import click

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
    goes back to the release before when the daemon does not become ready.
    """
    from tradebaas.service.install import Wish
    from tradebaas.service.install import install as install_service
    from tradebaas.service.system import check_system

    check_system()
    _check(config)
    wish = Wish(python=python, config=config, secret=secret_file, start=start)
    install_service(wish, _tell)


@service.command()
@click.option("--purge", is_flag=True, help="Remove settings, secrets, store and backups as well.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def uninstall(purge: bool, yes: bool) -> None:
    """Stop and remove the service; data and settings stay unless --purge is given.

    A position that is open stays open, with its stop at the exchange: close it first if you want.
    """
    from tradebaas.service.install import uninstall as uninstall_service
    from tradebaas.service.system import check_system

    check_system()
    if purge and not yes:
        click.confirm("Remove the store, all backups, settings and secrets?", abort=True)
    uninstall_service(purge=purge, tell=_tell)


@service.command()
@json_option
def status(as_json: bool) -> None:
    """Show what is installed and how its units are."""
    from tradebaas.service import places
    from tradebaas.service.release import running
    from tradebaas.service.system import property_of

    found = sorted(path.name for path in places.UNITS.glob("tradebaas*") if path.is_file())
    units = [name for name in found if "@." not in name]
    shown = {unit: {key: property_of(unit, name) for key, name in SHOWN.items()} for unit in units}
    release = running()
    if as_json:
        print_json({"release": release.name if release else None, "units": shown})
        return
    click.echo(f"release: {release.name if release else 'none is installed'}")
    rows = [(unit, *(values[key] or "-" for key in SHOWN)) for unit, values in shown.items()]
    print_table(("unit", *SHOWN), rows)


def _check(config: Path | None) -> None:
    """Refuse a configuration that the daemon would refuse."""
    if config is not None:
        from tradebaas.config import load

        load(config)


def _tell(what: str, done: str) -> None:
    click.echo(f"{what:14} {done}")
