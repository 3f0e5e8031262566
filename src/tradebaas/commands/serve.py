"""``run`` and ``exchange``: the two long-lived processes."""

from decimal import Decimal, InvalidOperation
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tradebaas.access import EMBEDDED_SECRET
from tradebaas.commands.common import config_options, resolve
from tradebaas.commands.owner import become_owner
from tradebaas.config import Config
from tradebaas.errors import ConfigError
from tradebaas.paper.mishaps import MISHAPS, read_chances
from tradebaas.paper.readings import CHOICES, QUESTIONS, Readings, read_readings

READINGS = "What nobody knows of Deribit, each with its values, the usual one first:\n" + "\n".join(
    f"  {name}={'|'.join(values)}\n    {QUESTIONS[name]}" for name, values in CHOICES.items()
)

if TYPE_CHECKING:
    from tradebaas.paper.config import ExchangeConfig
    from tradebaas.paper.keys import AccountConfig, Key

LOCKSTEP = "lockstep"
USUAL_PREMIUM = Decimal("0.001")
USUAL_BASIS = Decimal("0.0002")
CREDITS = {f"tier{tier}": tier for tier in (1, 2, 3, 4)} | {"off": 0}
FAULTS = "Faults, each with a chance to meet a call that changes orders:\n" + "\n".join(
    f"  {name:13} {mishap.says}" for name, mishap in MISHAPS.items()
)


@click.command()
@config_options
@click.option("--port", type=click.IntRange(0, 65_535), help="Port of HTTP; 0 takes a free one.")
@click.option("--chaos", is_flag=True, help="Let POST /chaos/kill/ACTOR kill actors (for tests).")
@click.option("--rehearse", is_flag=True, hidden=True)
@click.pass_context
def run(
    ctx: click.Context,
    file: Path | None,
    data: str | None,
    port: int | None,
    chaos: bool,
    rehearse: bool,
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    Health, metrics and the API are on http://127.0.0.1:3000 unless configured otherwise. SIGHUP
    takes what it tells, [notices] and [log], from the configuration anew.
    """
    from tradebaas import daemon

    def load() -> Config:
        config = resolve(file, data)
        if port is None:
            return config
        http = msgspec.structs.replace(config.http, port=port)
        return msgspec.structs.replace(config, http=http)

    config = load()
    if rehearse:
        from tradebaas.commands.rehearsal import check_rehearsal

        check_rehearsal(config)
    ctx.exit(daemon.run(config, load=load, chaos=chaos, rehearsal=rehearse))


def _speed(_ctx: click.Context, _option: click.Parameter, text: str) -> float | str:
    if text == LOCKSTEP:
        return LOCKSTEP
    try:
        return float(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is neither a number nor {LOCKSTEP!r}") from error


def _amount(_ctx: click.Context, _option: click.Parameter, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise click.BadParameter(f"{text!r} is not a number") from error


def _seconds(_ctx: click.Context, _option: click.Parameter, seconds: float) -> float:
    if not isfinite(seconds):
        raise click.BadParameter(f"{seconds:g} is not a number of seconds")
    return seconds


def _chances(
    _ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, float]:
    try:
        return read_chances(texts)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


def _percent(ctx: click.Context, option: click.Parameter, text: str | None) -> Decimal | None:
    return None if text is None else _amount(ctx, option, text) / 100


def _accounts(
    _ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> "list[tuple[AccountConfig, Key]]":
    from tradebaas.paper.keys import read_account

    try:
        return [read_account(text) for text in texts]
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


def _keys(_ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> "list[Key]":
    from tradebaas.paper.keys import read_key

    try:
        return [read_key(text) for text in texts]
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


def _check(config: "ExchangeConfig") -> None:
    from tradebaas.paper.config import check

    try:
        check(config)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


def _share(asked: Decimal | None, usual: Decimal, *, lockstep: bool) -> Decimal:
    """Without being asked for there is none in lockstep, where what counts is the same result."""
    if asked is not None:
        return asked
    return Decimal(0) if lockstep else usual


def _readings(_ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> Readings:
    try:
        return read_readings(texts)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


@click.command(epilog=f"\b\n{FAULTS}\n\n\b\n{READINGS}")
@click.option("--data", default="data/exchange", show_default=True, help="Its own directory.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; one that others can reach needs a --secret.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option(
    "--secret", default=EMBEDDED_SECRET, show_default=True, help="Secret of the key paper."
)
@click.option(
    "--speed",
    callback=_speed,
    default="1",
    show_default=True,
    help="Exchange seconds per real second, or lockstep (the market waits for its client).",
)
@click.option(
    "--candles",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Replay this file of one-minute candles (CSV or CSV.gz) instead of making a market.",
)
@click.option(
    "--history",
    default=0,
    show_default=True,
    help="How many rows of the candle file are past at the start.",
)
@click.option("--seed", default=1, show_default=True, help="Seed of the generated market.")
@click.option(
    "--idle-exit",
    callback=_seconds,
    default=600.0,
    show_default=True,
    help="End after so many seconds without a client; 0 never ends.",
)
@click.option(
    "--balance-btc", callback=_amount, default="1", show_default=True, help="BTC at the start."
)
@click.option(
    "--balance-usdc", callback=_amount, default="50000", show_default=True, help="USDC likewise."
)
@click.option(
    "--funding",
    callback=_percent,
    metavar="PERCENT",
    help="Largest premium that funding is made of; 0 for none.  [default: 0.1, in lockstep 0]",
)
@click.option(
    "--basis",
    callback=_percent,
    metavar="PERCENT",
    help="How far the mark may be from the index; 0: they are one.  [default: 0.02, in lockstep 0]",
)
@click.option(
    "--settlement",
    callback=_seconds,
    default=0.0,
    show_default=True,
    help="For how many seconds the books are closed at 08:00 UTC.",
)
@click.option(
    "--account",
    "accounts",
    callback=_accounts,
    multiple=True,
    metavar="NAME:SECRET:BTC[:USDC]",
    help="Another account beside the main one, its key's secret, and what it begins with.",
)
@click.option(
    "--key",
    "keys",
    callback=_keys,
    multiple=True,
    metavar="ID:SECRET:ACCOUNT:SCOPE",
    help="A key that may do less, such as audit:SECRET:paper:account:read,trade:read.",
)
@click.option(
    "--credits",
    "tier",
    type=click.Choice(list(CREDITS)),
    default="tier4",
    show_default=True,
    help="How often an account may call; off lets it call as it likes.",
)
@click.option(
    "--fault",
    "faults",
    callback=_chances,
    multiple=True,
    metavar="NAME=CHANCE,...",
    help="What goes wrong, and how often: ack-lost=0.01. The names are below.",
)
@click.option(
    "--reading",
    "readings",
    callback=_readings,
    multiple=True,
    metavar="NAME=VALUE,...",
    help="How to take what nobody knows of Deribit: wrong_side=refuse. The questions are below.",
)
@click.option("--admin", is_flag=True, help="Answer the methods that steer it (for tests).")
@click.pass_context
def exchange(
    ctx: click.Context,
    data: str,
    host: str,
    port: int,
    secret: str,
    speed: float | str,
    candles: Path | None,
    history: int,
    seed: int,
    idle_exit: float,
    balance_btc: Decimal,
    balance_usdc: Decimal,
    funding: Decimal | None,
    basis: Decimal | None,
    settlement: float,
    accounts: "list[tuple[AccountConfig, Key]]",
    keys: "list[Key]",
    tier: str,
    faults: dict[str, float],
    readings: Readings,
    admin: bool,
) -> None:
    """Run the embedded exchange alone: it speaks Deribit's protocol on loopback.

    `tradebaas run` starts one by itself. Its books survive its death; its stops fire while the
    daemon is dead.
    """
    from tradebaas.paper import process
    from tradebaas.paper.config import ExchangeConfig
    from tradebaas.paper.credits import LOWEST_TIER

    config = ExchangeConfig(
        directory=Path(data),
        host=host,
        port=port,
        client_secret=secret,
        speed=speed if isinstance(speed, float) else 1.0,
        lockstep=speed == LOCKSTEP,
        candles=candles,
        history=history,
        seed=seed,
        idle_exit_s=idle_exit,
        balance_btc=balance_btc,
        balance_usdc=balance_usdc,
        funding=_share(funding, USUAL_PREMIUM, lockstep=speed == LOCKSTEP),
        basis=_share(basis, USUAL_BASIS, lockstep=speed == LOCKSTEP),
        settlement_ms=round(settlement * 1000),
        accounts=tuple(account for account, _ in accounts),
        keys=(*(key for _, key in accounts), *keys),
        rate_limits=tier != "off",
        tier=CREDITS[tier] or LOWEST_TIER,
        faults=faults,
        readings=readings,
        admin=admin,
    )
    _check(config)
    become_owner(config.directory)
    ctx.exit(process.main(config))
