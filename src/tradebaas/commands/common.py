"""What the commands share: their options, the failure that is not fatal, and how they print.

Tables are for people and ``--json`` is for programs; both show the same values. rich is imported
only when a table is printed.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click
import msgspec

from tradebaas.commands.owner import become_owner
from tradebaas.config import DEMO, Config, load
from tradebaas.core.reasons import printable, reason_problem
from tradebaas.errors import Fatal, StoreFault, Unusable

CONFIG_FILE = "tradebaas.toml"
PIPED_COLUMNS = 200


class NotDone(Fatal):
    """The command was refused or nobody answered; trying again later may help."""

    exit_code = 1


Command = Callable[..., None]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def config_options(command: Command) -> Command:
    """Add --config and --data, passed as ``file`` and ``data``; see ``resolve``."""
    command = click.option(
        "--data", help="Data directory.  [default: that of the configuration, ./data]"
    )(command)
    return click.option(
        "--config",
        "file",
        type=click.Path(path_type=Path),
        help=f"Configuration file.  [default: ./{CONFIG_FILE} if there is one, else a demo on "
        "the embedded exchange]",
    )(command)


def with_config(command: Command) -> Command:
    """Add --config and --data, and pass what they lead to as ``config``."""

    @config_options
    @functools.wraps(command)
    def configured(*args: object, file: Path | None, data: str | None, **more: object) -> None:
        command(*args, config=resolve(file, data), **more)

    return configured


def resolve(file: Path | None, data: str | None) -> Config:
    """The configuration that the options lead to; root goes on as the owner of its data directory.

    Raises:
        ConfigError: The file is missing or wrong.
        Unusable: Root cannot be that owner.
    """
    if file is None and Path(CONFIG_FILE).exists():
        file = Path(CONFIG_FILE)
    config = DEMO if file is None else load(file)
    config = config if data is None else msgspec.structs.replace(config, data=data)
    become_owner(config.data_dir)
    return config


@contextmanager
def store_errors() -> Iterator[None]:
    """Report what the store can raise besides ``Fatal``: here nothing will try again by itself.

    Raises:
        StoreFault: In place of ``DiskFull``, ``StoreLocked`` or ``BackupFailed``.
    """
    from tradebaas.store.backup import BackupFailed
    from tradebaas.store.faults import DiskFull, StoreLocked

    try:
        yield
    except (DiskFull, StoreLocked, BackupFailed) as error:
        raise StoreFault(str(error)) from error


def unreadable(error: PermissionError) -> Unusable:
    """What it means to a command that the system does not let it at a file."""
    return Unusable(
        f"{error.filename} cannot be used by this user ({error.strerror}): run this as root or "
        "as the user that runs the daemon, or give that user the directory and all that is in it"
    )


def reason_of(text: str) -> str:
    """What an operator gives as a reason, in one line.

    Raises:
        click.BadParameter: it is too long.
    """
    if problem := reason_problem(text):
        raise click.BadParameter(problem, param_hint="REASON")
    return printable(text)


def price_of(text: str) -> str:
    """A price that an operator gives.

    Raises:
        click.BadParameter: it is none.
    """
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price <= 0:
        raise click.BadParameter(f"{text!r} is no price", param_hint="PRICE")
    return text


def print_json(value: object) -> None:
    """Print a value as JSON; Decimals are strings."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def shown(text: str) -> str:
    """``text`` as a terminal may have it: its lines stay, and nothing in it steers the screen."""
    return "\n".join(printable(line) for line in text.split("\n"))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print rows of text under headings; without headings, as pairs of name and value."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    headed = any(columns)
    first, *others = columns
    table = Table(
        Column(first, no_wrap=True),
        *others,
        title=title or None,
        title_justify="left",
        box=box.SIMPLE_HEAD if headed else None,
        show_header=headed,
        pad_edge=False,
    )
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_COLUMNS  # a program reads it, or a pager: nothing to wrap for
    console.print(table)
