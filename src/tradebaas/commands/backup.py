"""``backup list|create|copy|verify|restore|drill|gap``: copies of the store, and back.

``create`` and ``copy`` are also what the daemon's backup scheduler runs, each as a process of its
own.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tradebaas.commands.common import (
    Command,
    NotDone,
    json_option,
    print_json,
    print_table,
    store_errors,
    with_config,
)
from tradebaas.commands.drill import drill
from tradebaas.commands.gap import gap
from tradebaas.commands.starting import start_command
from tradebaas.commands.verify import progress
from tradebaas.config import Config
from tradebaas.errors import StoreFault
from tradebaas.names import command
from tradebaas.store.retention import HELD_DAYS, Retention

if TYPE_CHECKING:
    from tradebaas.store.backup import Mark
    from tradebaas.store.catalogue import Backup


@click.group()
def backup() -> None:
    """List, make, copy, verify, restore and try backups of the store."""


backup.add_command(drill)
backup.add_command(gap)


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


def _kept(default: bool) -> Callable[[Command], Command]:
    """Add --keep and --keep-days; without ``default`` nothing is removed unless it is asked."""

    def add(command: Command) -> Command:
        days = click.option(
            "--keep-days", type=click.IntRange(min=0), default=Retention().days,
            show_default=True, help="And the last one of each of so many days.",
        )  # fmt: skip
        keep = click.option(
            "--keep", type=click.IntRange(min=1), default=Retention().newest if default else None,
            show_default=default, help="Remove all verified ones but the newest KEEP.",
        )  # fmt: skip
        return keep(days(command))

    return add


@backup.command()
@with_config
@_kept(default=False)
@click.option("--full", is_flag=True, help="Verify it from the very first event.")
@click.option(
    "--before", default="", metavar="WHAT",
    help=f"It is made before WHAT, such as an upgrade: it stays for {HELD_DAYS} days.",
)  # fmt: skip
@click.option(
    "--leave-free", type=click.IntRange(min=0), default=0, metavar="MIB",
    help="Remove the oldest ones where less than so much would stay free.",
)  # fmt: skip
@click.option("--state", default="", metavar="SEQ:DIGEST", help="What it must fold to at SEQ.")
@json_option
def create(
    config: Config,
    keep: int | None,
    keep_days: int,
    full: bool,
    before: str,
    leave_free: int,
    state: str,
    as_json: bool,
) -> None:
    """Make a backup now and verify it; the daemon may be running."""
    from tradebaas.store.backup import create_backup
    from tradebaas.store.folding import STATE_FOLD
    from tradebaas.store.place import Place
    from tradebaas.store.retention import prune

    place, now_ms = Place(config.data_dir), _now_ms()
    with store_errors(), progress() as report:
        info = create_backup(
            place,
            now_ms=now_ms,
            fold=STATE_FOLD,
            expected=_mark(state),
            full=full,
            before=before,
            leave_free=leave_free << 20,
            progress=lambda done, of: report("verifying", done, of),
        )
        rule = None if keep is None else Retention(newest=keep, days=keep_days)
        removed = [] if rule is None else prune(place, rule, now_ms)
    if as_json:
        print_json({"backup": info, "removed": removed})
        return
    click.echo(f"made and verified {info.name}: {info.seq} events, {_size(info.size)}")
    if info.made_room:
        click.echo(f"the disk is low: {info.made_room} older ones were removed to make room")
    for name in removed:
        click.echo(f"removed {name}")


def _mark(text: str) -> "Mark | None":
    from tradebaas.store.backup import Mark

    if not text:
        return None
    seq, _, digest = text.partition(":")
    try:
        return Mark(int(seq), bytes.fromhex(digest))
    except ValueError:
        raise click.BadParameter("write it as SEQ:DIGEST", param_hint="--state") from None


@backup.command()
@with_config
@_kept(default=True)
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@json_option
def copy(config: Config, keep: int, keep_days: int, directory: Path | None, as_json: bool) -> None:
    """Copy the verified backups that DIRECTORY lacks to it, another disk or a mount.

    Without DIRECTORY to backups.second of the configuration. Each is read back and compared. It is
    laid out like a data directory: `backup list --data DIRECTORY` shows what is there.
    """
    from tradebaas.store.place import Place
    from tradebaas.store.second import copy_backups

    target = directory or (Path(config.backups.second) if config.backups.second else None)
    if target is None:
        raise click.UsageError("name a DIRECTORY, or set backups.second in the configuration")
    if target.is_dir() and not os.access(target, os.W_OK):
        raise StoreFault(
            f"{target} cannot be written: it is mounted read-only, or belongs to another user, or, "
            "under systemd, the unit does not name it in ReadWritePaths= (docs/deployment.md)"
        )
    rule = Retention(newest=keep, days=keep_days)
    with store_errors():
        copied = copy_backups(Place(config.data_dir), target, rule, _now_ms())
    if as_json:
        print_json(copied)
        return
    click.echo(f"copied {len(copied.made)} to {target}, removed {len(copied.removed)} there")


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
    open of its own: look at what it finds (`tradebaas backup gap`), then `tradebaas resume`. To
    have a damaged store restored without a person, set auto_restore = true under [backups] of the
    configuration: that is a setting and no option, since it is `tradebaas run` that does it.
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
    look = f"look at `{command('status')}` and `{command('backup', 'gap')}`"
    steps = f"`{start_command(config.data_dir)}`, {look}, then `{command('resume')}`"
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
    held = f", made before: {info.before}" if info.before else ""
    verified = f"{'yes' if info.state_digest else 'not folded'}{held}"
    return (item.path.name, f"{made:%Y-%m-%d %H:%M:%S}", str(info.seq), _size(info.size), verified)


def _size(count: int) -> str:
    return f"{count / 1024:.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _now_ms() -> int:
    from tradebaas.runtime.ports import SystemClock

    return SystemClock().wall_ms()
