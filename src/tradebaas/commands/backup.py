"""``backup list|create|verify|restore``: copies of the store, and back.

``create`` is also what the daemon's backup scheduler runs, as a process of its own.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tradebaas.commands.common import (
    NotDone,
    json_option,
    print_json,
    print_table,
    store_errors,
    with_config,
)
from tradebaas.commands.verify import progress
from tradebaas.config import Config
from tradebaas.names import command

if TYPE_CHECKING:
    from tradebaas.store.catalogue import Backup


@click.group()
def backup() -> None:
    """List, make, verify and restore backups of the store."""


@backup.command("list")
@with_config
@json_option
def list_(config: Config, as_json: bool) -> None:
    """Show the backups, newest first."""
    from tradebaas.store.catalogue import list_backups
    from tradebaas.store.place import Place

    backups = list_backups(Place(config.data_dir))
    if as_json:
        print_json([_plain(item) for item in backups])
    elif not backups:
        click.echo(f"there is no backup in {Place(config.data_dir).backups}")
    else:
        columns = ("name", "made (UTC)", "events", "size", "verified")
        print_table(columns, [_row(item) for item in backups])


@backup.command()
@with_config
@click.option(
    "--keep", type=click.IntRange(min=1), help="Then remove all but the newest KEEP verified ones."
)
@click.option("--full", is_flag=True, help="Verify it from the very first event.")
@json_option
def create(config: Config, keep: int | None, full: bool, as_json: bool) -> None:
    """Make a backup now and verify it; the daemon may be running."""
    from tradebaas.store.backup import create_backup, prune
    from tradebaas.store.folding import STATE_FOLD
    from tradebaas.store.place import Place

    place = Place(config.data_dir)
    with store_errors(), progress() as report:
        info = create_backup(
            place,
            now_ms=_now_ms(),
            fold=STATE_FOLD,
            full=full,
            progress=lambda done, of: report("verifying", done, of),
        )
        removed = [] if keep is None else prune(place, keep)
    if as_json:
        print_json({"backup": info, "removed": removed})
        return
    click.echo(f"made and verified {info.name}: {info.seq} events, {_size(info.size)}")
    for name in removed:
        click.echo(f"removed {name}")


@backup.command()
@with_config
@click.argument("name", default="")
@json_option
def verify(config: Config, name: str, as_json: bool) -> None:
    """Verify the backup NAME in full, whoever made it, so that it counts again.

    Without NAME the newest one.
    """
    from tradebaas.store.backup import verify_backup
    from tradebaas.store.folding import STATE_FOLD
    from tradebaas.store.reader import locate

    place, path = locate(_path(config, name) if name else _newest(config))
    with store_errors(), progress() as report:
        info = verify_backup(
            place,
            path,
            now_ms=_now_ms(),
            fold=STATE_FOLD,
            progress=lambda done, of: report("verifying", done, of),
        )
    if as_json:
        print_json(info)
    else:
        click.echo(f"{info.name} is sound: {info.seq} events, {_size(info.size)}")


@backup.command()
@with_config
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def restore(config: Config, name: str, yes: bool, as_json: bool) -> None:
    """Put the backup NAME in the place of the store; the daemon must be stopped.

    What is there now is moved aside and kept. The daemon then starts halted and closes what is
    open of its own: look at what it finds, then `tradebaas resume`.
    """
    from tradebaas.store.place import Place
    from tradebaas.store.restore import restore as restore_backup

    path = _path(config, name)
    if not yes and sys.stdin.isatty():
        click.confirm(f"Put {path.name} in the place of the store in {config.data}?", abort=True)
    with store_errors():
        restored = restore_backup(Place(config.data_dir), path.name, now_ms=_now_ms())
    if as_json:
        print_json({"backup": restored.info, "moved_to": _text(restored.moved_to)})
        return
    click.echo(f"restored {restored.info.name}: {restored.info.seq} events")
    if restored.moved_to is not None:
        click.echo(f"what was there before is kept in {restored.moved_to}")
    steps = f"`{command('run')}`, look at `{command('status')}`, then `{command('resume')}`"
    click.echo(f"it starts halted and closes what is open of its own: {steps}")


def _newest(config: Config) -> Path:
    """The newest backup, sound or not.

    Raises:
        NotDone: There is none.
    """
    from tradebaas.store.catalogue import list_backups
    from tradebaas.store.place import Place

    place = Place(config.data_dir)
    for found in list_backups(place):
        return found.path
    raise NotDone(
        f"there is no backup in {place.backups}: make one with `{command('backup', 'create')}`"
    )


def _path(config: Config, name: str) -> Path:
    """The backup called ``name``, or at that path.

    Raises:
        NotDone: There is none.
    """
    from tradebaas.store.place import Place

    path = Path(name) if "/" in name else Place(config.data_dir).backups / name
    if not path.is_file():
        raise NotDone(f"there is no backup {path}: see `{command('backup', 'list')}`")
    return path


def _plain(item: "Backup") -> dict[str, object]:
    info = {} if item.info is None else msgspec.structs.asdict(item.info)
    return {"path": str(item.path), "verified": item.info is not None, **info,
            "problem": item.problem}  # fmt: skip


def _row(item: "Backup") -> tuple[str, ...]:
    info = item.info
    if info is None:
        return (item.path.name, "", "", "", f"no: {item.problem}")
    made = datetime.fromtimestamp(info.made_ms / 1000, UTC)
    verified = "yes" if info.state_digest else "copied before a migration"
    return (item.path.name, f"{made:%Y-%m-%d %H:%M:%S}", str(info.seq), _size(info.size), verified)


def _size(count: int) -> str:
    return f"{count / 1024:.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _now_ms() -> int:
    from tradebaas.runtime.ports import SystemClock

    return SystemClock().wall_ms()
