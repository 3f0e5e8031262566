"""``check``: would the daemon run here? One row for each thing it needs, and what to do.

Changes nothing: no store is made, no order is sent, no lock is taken. A row is ok, a warning
(the daemon runs, but look at it) or a failure; failures end with the exit code that the daemon
itself would end with.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradebaas.access import client_secret
from tradebaas.binding import check_strategy
from tradebaas.board import Capacities
from tradebaas.commands.common import (
    json_option,
    print_json,
    print_table,
    resolve,
    store_errors,
    unreadable,
)
from tradebaas.commands.remote import lock_holder
from tradebaas.commands.rows import Level, Row, clock_row
from tradebaas.commands.venue import Venue, address, aimed, with_venue
from tradebaas.config import HOSTS, Config
from tradebaas.core.state import FOLD_VERSION
from tradebaas.errors import Fatal, StoreFault, StoreOlder, Unusable
from tradebaas.names import command

if TYPE_CHECKING:
    from tradebaas.store.place import Place

MIB = 1 << 20
FREE_FAIL = 64 * MIB
FREE_WARN = 1024 * MIB
BROKER = "deribit"
LOGIN_SECONDS = 15.0


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--data", help="Data directory.")
@click.option(
    "--broker",
    type=click.Choice([BROKER]),
    help="Look at everything that the daemon needs of the exchange.",
)
@with_venue
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    file: Path | None,
    data: str | None,
    broker: str | None,
    venue: Venue,
    as_json: bool,
) -> None:
    """Check configuration, store, disk, clock and exchange; change nothing.

    Exits 0 when nothing failed, else 78 (only a person can mend it) or 75 (store or disk).
    """
    rows = _rows(file, data, venue, _examined if broker else _exchange)
    if as_json:
        print_json(rows)
    else:
        print_table(("what", "", "detail"), [(r.what, r.level, r.detail) for r in rows])
    ctx.exit(max(row.exit_code for row in rows))


Look = Callable[[Config], list[Row]]


def _rows(file: Path | None, data: str | None, venue: Venue, exchange: Look) -> list[Row]:
    try:
        config = aimed(resolve(file, data), venue)
    except Fatal as error:
        return [_failed("config", error)]
    checks: dict[str, Look] = {
        "config": _config,
        "data": _directory,
        "store": _store,
        "disk": _disk,
        "exchange": exchange,
    }
    return [row for what, look in checks.items() for row in _looked(what, look, config)]


def _looked(what: str, look: Look, config: Config) -> list[Row]:
    try:
        return look(config)
    except Fatal as error:
        return [_failed(what, error)]
    except PermissionError as error:
        return [_failed(what, unreadable(error))]


def _failed(what: str, error: Fatal) -> Row:
    return Row(what, Level.FAIL, str(error), error.exit_code)


def _config(config: Config) -> list[Row]:
    where = config.exchange.url or config.exchange.environment
    check_strategy(config)
    strategy = config.strategy
    detail = f"{where}, {strategy.name} on {strategy.instrument} {strategy.timeframe}"
    return [Row("config", Level.OK, detail)]


def _directory(config: Config) -> list[Row]:
    """The data directory, or where it would be made, can be written."""
    directory = config.data_dir
    if directory.exists() and not directory.is_dir():
        return [_failed("data", Unusable(f"{directory} is not a directory: choose another"))]
    nearest = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        message = (
            f"{nearest} cannot be read and written: give it to this user, or choose another "
            "directory"
        )
        return [_failed("data", Unusable(message))]
    state = "can be written" if nearest == directory else "will be made at the first start"
    return [Row("data", Level.OK, f"{directory} {state}")]


def _store(config: Config) -> list[Row]:
    from tradebaas.store.missing import refuse_if_there_was_one
    from tradebaas.store.place import Place

    place = Place(config.data_dir)
    if not place.db.exists():
        try:
            refuse_if_there_was_one(place)
        except Fatal as error:
            return [_refused(error)]
        return [Row("store", Level.OK, "none yet: made at the first start")]
    return [_read_store(place), _holder(place.root)]


def _refused(error: Fatal) -> Row:
    message = f"`{command('run')}` would refuse to start: {error}"
    return Row("store", Level.FAIL, message, error.exit_code)


def _read_store(place: "Place") -> Row:
    """All that a start looks at: the journal mode, the snapshots, the events since the newest
    one, and whether the log ends where ``data/head`` says."""
    from tradebaas.commands.inspect import read_state
    from tradebaas.store import faults, schema
    from tradebaas.store.catalogue import advice
    from tradebaas.store.head import read_head
    from tradebaas.store.reader import open_reader
    from tradebaas.store.records import EMPTY
    from tradebaas.store.verify import verify_reader

    try:
        with store_errors(), faults.mapped(place.disk, place.db, lambda: advice(place)):
            stated = read_head(place)  # before the log: it may only be older
            with open_reader(place) as reader:
                schema.check_wal_mode(place.disk, place.db, lambda: advice(place))
                newest = next(iter(reader.snapshots(FOLD_VERSION)), None)
                since = newest.head if newest else EMPTY
                found = verify_reader(reader, since, stated, None)
                if found.problem:
                    raise faults.damaged(place.db, found.problem, lambda: advice(place))
            state = read_state(place.root)
    except StoreOlder as error:
        return Row("store", Level.WARN, str(error))
    except Fatal as error:
        return _refused(error)
    halted = f"; HALTED by {state.halted.by}: {state.halted.reason}" if state.halted else ""
    detail = f"{state.seq} events, last life {state.life}, {state.phase}{halted}"
    return Row("store", Level.WARN if halted else Level.OK, detail)


def _holder(root: Path) -> Row:
    holder = lock_holder(root)
    if holder:
        detail = f"{holder} uses this directory now; a second daemon would refuse to start"
        return Row("lock", Level.WARN, detail)
    return Row("lock", Level.OK, "no daemon uses this directory now")


def _disk(config: Config) -> list[Row]:
    directory = config.data_dir.absolute()
    nearest = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    detail = f"{free // MIB} MiB are free"
    if free < FREE_FAIL:
        return [_failed("disk", StoreFault(f"{detail}: make room for {FREE_FAIL // MIB} MiB"))]
    if free < FREE_WARN:
        return [Row("disk", Level.WARN, f"{detail}: backups alone will want more")]
    return [Row("disk", Level.OK, detail)]


# ------------------------------------------------------------------------------------ exchange


def _examined(config: Config) -> list[Row]:
    """All that the daemon needs of the exchange, row by row."""
    import trio

    from tradebaas.commands.broker import examine
    from tradebaas.runtime.ports import system_ports

    return trio.run(examine, config, system_ports(), address(config), client_secret(config))


def _exchange(config: Config) -> list[Row]:
    """Log in as the daemon would, and compare clocks."""
    url = config.exchange.url or HOSTS.get(config.exchange.environment, "")
    if config.embedded_exchange:
        from tradebaas import embedded

        url = embedded.url_of(config)
        if not url:
            return [Row("exchange", Level.OK, f"the embedded one; `{command('run')}` starts it")]
    try:
        secret = client_secret(config)
    except Fatal as error:
        return [_failed("exchange", error)]
    return _log_in(config, url, secret)


def _log_in(config: Config, url: str, secret: str) -> list[Row]:
    import trio

    from tradebaas.deribit.auth import Credentials
    from tradebaas.deribit.credits import Credits
    from tradebaas.deribit.link import CallFailed, Endpoint, LinkLost, Unanswered, open_link
    from tradebaas.runtime.ports import system_ports

    ports = system_ports()
    exchange = config.exchange
    key = Credentials(exchange.client_id, secret)
    endpoint = Endpoint(url, key, exchange.grant, exchange.scope)

    async def skew_ms() -> int:
        with trio.fail_after(LOGIN_SECONDS):
            async with open_link(endpoint, ports, Credits(), inbox=Capacities().inbox) as link:
                return link.clock.skew_ms(ports.clock.wall_ms(), ports.clock.monotonic())

    try:
        skew = trio.run(skew_ms)
    except* (LinkLost, Unanswered, CallFailed, trio.TooSlowError) as group:
        skew, reason = None, _reason(group)
    if skew is None:
        message = f"cannot log in to {url} as {exchange.client_id}: {reason}"
        return [_failed("exchange", Unusable(message))]
    return [Row("exchange", Level.OK, f"logged in to {url} as {exchange.client_id}"),
            clock_row(skew, config.exchange.max_skew_seconds)]  # fmt: skip


def _reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(member) for member in error.exceptions)
    return str(error) or type(error).__name__
