"""``state`` and ``log``: read a store, live or not, or a backup file. Nothing here writes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tradebaas.commands.common import (
    json_option,
    print_json,
    print_table,
    store_errors,
    with_config,
)
from tradebaas.commands.describe import describe
from tradebaas.commands.owner import become_owner
from tradebaas.commands.summary import state_rows
from tradebaas.config import Config
from tradebaas.core.state import FOLD_VERSION, State

if TYPE_CHECKING:
    from tradebaas.store.reader import Reader
    from tradebaas.store.records import Record

POLL_SECONDS = 0.25
BATCH = 500


def _as_its_owner(
    _ctx: click.Context, _argument: click.Parameter, store: Path | None
) -> Path | None:
    if store is not None:
        become_owner(store if store.is_dir() else store.parent)
    return store


store_argument = click.argument(
    "store", required=False, type=click.Path(path_type=Path), callback=_as_its_owner
)


@click.command()
@store_argument
@with_config
@json_option
def state(config: Config, store: Path | None, as_json: bool) -> None:
    """Show what the log amounts to: position, orders, strategy, totals.

    STORE is a data directory or a backup file; by default the daemon's own store.
    """
    folded = read_state(store or config.data_dir)
    if as_json:
        print_json(folded)
    else:
        print_table(("", ""), state_rows(folded))


def read_state(path: Path) -> State:
    """The state at the end of the store at ``path``, from its newest snapshot.

    Raises:
        Fatal: It cannot be read; the message says what to do.
    """
    from tradebaas.store.folding import fold
    from tradebaas.store.reader import locate, open_reader

    with store_errors(), open_reader(*locate(path)) as reader:
        newest = next(iter(reader.snapshots(FOLD_VERSION)), None)
        return fold(newest, reader.each(newest.seq if newest else 0))


@click.command()
@store_argument
@with_config
@click.option("--follow", is_flag=True, help="Wait for further events until Ctrl-C.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="How many of the newest events; 0 shows all.",
)
@json_option
def log(config: Config, store: Path | None, follow: bool, limit: int, as_json: bool) -> None:
    """Show the newest events, one line each: number, UTC time, life, kind, what happened.

    STORE is a data directory or a backup file; by default the daemon's own store.
    """
    from tradebaas.store.reader import locate, open_reader

    with store_errors(), open_reader(*locate(store or config.data_dir)) as reader:
        after = max(reader.last().seq - limit, 0) if limit else 0
        after = _print_after(reader, after, as_json)
        if follow:
            _follow(reader, after, as_json)


def _follow(reader: "Reader", after: int, as_json: bool) -> None:
    import trio

    async def poll() -> None:
        seen = after
        while True:
            await trio.sleep(POLL_SECONDS)
            seen = _print_after(reader, seen, as_json)

    try:
        trio.run(poll)
    except KeyboardInterrupt:
        return


def _print_after(reader: "Reader", after: int, as_json: bool) -> int:
    for record in _records_after(reader, after):
        click.echo(_json_line(record) if as_json else line_of(record))
        after = record.seq
    return after


def _records_after(reader: "Reader", after: int) -> Iterator["Record"]:
    while batch := reader.read(after, BATCH):
        yield from batch
        after = batch[-1].seq


def line_of(record: "Record") -> str:
    """One event in one line."""
    from tradebaas.store.codec import decode

    at = datetime.fromtimestamp(record.at_ms / 1000, UTC)
    stamp = f"{at:%Y-%m-%d %H:%M:%S}.{record.at_ms % 1000:03d}"
    text = describe(decode(record))
    return f"{record.seq:>7}  {stamp}  L{record.life:<4} {record.kind:<18} {text}"


def _json_line(record: "Record") -> str:
    head = {"seq": record.seq, "at_ms": record.at_ms, "life": record.life, "kind": record.kind}
    return msgspec.json.encode({**head, "event": msgspec.Raw(record.body)}).decode()
