"""``check``: would the daemon run here? One row for each thing it needs, and what to do.

Changes nothing: no store is made, no order is sent, no lock is taken. A row is ok, a warning
(the daemon runs, but look at it) or a failure; failures end with the exit code that the daemon
itself would end with.
"""

import os
import shutil
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import click
from msgspec import Struct

from tradebaas.commands.common import (
    json_option,
    print_json,
    print_table,
    resolve,
)
from tradebaas.commands.remote import lock_holder
from tradebaas.config import HOSTS, Config, client_secret
from tradebaas.errors import Fatal, StoreFault, Unusable

MIB = 1 << 20
FREE_FAIL = 64 * MIB
FREE_WARN = 1024 * MIB
LOGIN_SECONDS = 15.0
SKEW_WARN_MS = 1_000
NOTHING = 0


class Level(StrEnum):
    """How a row turned out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Row(Struct, frozen=True):
    """One row of the table; ``exit_code`` counts when it is a failure."""

    what: str
    level: Level
    detail: str
    exit_code: int = NOTHING


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--data", help="Data directory.")
@json_option
@click.pass_context
def check(ctx: click.Context, file: Path | None, data: str | None, as_json: bool) -> None:
    """Check configuration, store, disk, clock and exchange; change nothing.

    Exits 0 when nothing failed, else 78 (only a person can mend it) or 75 (store or disk).
    """
    rows = _rows(file, data)
    if as_json:
        print_json(rows)
    else:
        print_table(("what", "", "detail"), [(r.what, r.level, r.detail) for r in rows])
    ctx.exit(max(row.exit_code for row in rows))


def _rows(file: Path | None, data: str | None) -> list[Row]:
    try:
        config = resolve(file, data)
    except Fatal as error:
        return [_failed("config", error)]
    checks: tuple[Callable[[Config], list[Row]], ...] = (
        _config,
        _directory,
        _store,
        _disk,
        _exchange,
    )
    return [row for check_one in checks for row in check_one(config)]


def _failed(what: str, error: Fatal) -> Row:
    return Row(what, Level.FAIL, str(error), error.exit_code)


def _config(config: Config) -> list[Row]:
    where = config.exchange.url or config.exchange.environment
    strategy = config.strategy
    detail = f"{where}, {strategy.name} on {strategy.instrument} {strategy.timeframe}"
    return [Row("config", Level.OK, detail)]


def _directory(config: Config) -> list[Row]:
    """The data directory, or where it would be made, can be written."""
    directory = config.data_dir
    if directory.exists() and not directory.is_dir():
        return [_failed("data", Unusable(f"{directory} is not a directory: choose another"))]
    nearest = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        message = f"{nearest} cannot be written: give it to this user, or choose another directory"
        return [_failed("data", Unusable(message))]
    state = "can be written" if nearest == directory else "will be made at the first start"
    return [Row("data", Level.OK, f"{directory} {state}")]


def _store(config: Config) -> list[Row]:
    from tradebaas.store.catalogue import advice
    from tradebaas.store.place import Place, signs_of_a_store

    place = Place(config.data_dir)
    if not place.db.exists():
        signs = signs_of_a_store(place) if place.root.exists() else []
        if signs:
            gone = f"{place.db} is gone, but there is {', '.join(signs)}. {advice(place)}"
            return [_failed("store", StoreFault(gone))]
        return [Row("store", Level.OK, "none yet: made at the first start")]
    return [_read_store(place.root), _holder(place.root)]


def _read_store(root: Path) -> Row:
    from tradebaas.commands.inspect import read_state

    try:
        state = read_state(root)
    except Fatal as error:
        return _failed("store", error)
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


def _exchange(config: Config) -> list[Row]:
    """Log in as the daemon would, and compare clocks."""
    url = config.exchange.url or HOSTS.get(config.exchange.environment, "")
    if config.embedded_exchange:
        from tradebaas import embedded

        url = embedded.locate(config)()
        if not url:
            return [Row("exchange", Level.OK, "the embedded one; `tradebaas run` starts it")]
    try:
        secret = client_secret(config)
    except Fatal as error:
        return [_failed("exchange", error)]
    return _log_in(config, url, secret)


def _log_in(config: Config, url: str, secret: str) -> list[Row]:
    import trio

    from tradebaas.deribit.auth import Credentials
    from tradebaas.deribit.link import CallFailed, Endpoint, LinkLost, Unanswered, open_link
    from tradebaas.runtime.ports import system_ports

    ports = system_ports()
    exchange = config.exchange
    endpoint = Endpoint(
        url=url, credentials=Credentials(exchange.client_id, secret), grant=exchange.grant
    )

    async def skew_ms() -> int:
        with trio.fail_after(LOGIN_SECONDS):
            async with open_link(endpoint, ports) as link:
                return ports.clock.wall_ms() - link.clock.now_ms(ports.clock.monotonic())

    try:
        skew = trio.run(skew_ms)
    except* (LinkLost, Unanswered, CallFailed, trio.TooSlowError) as group:
        skew, reason = None, _reason(group)
    if skew is None:
        message = f"cannot log in to {url} as {exchange.client_id}: {reason}"
        return [_failed("exchange", Unusable(message))]
    return [Row("exchange", Level.OK, f"logged in to {url} as {exchange.client_id}"),
            _clock(config, skew)]  # fmt: skip


def _clock(config: Config, skew_ms: int) -> Row:
    if config.embedded_exchange:
        return Row("clock", Level.OK, "the embedded exchange has a clock of its own")
    detail = f"this machine is {skew_ms} ms ahead of the exchange"
    if abs(skew_ms) > SKEW_WARN_MS:
        return Row("clock", Level.WARN, f"{detail}: let NTP set it (`timedatectl set-ntp true`)")
    return Row("clock", Level.OK, detail)


def _reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(member) for member in error.exceptions)
    return str(error) or type(error).__name__
