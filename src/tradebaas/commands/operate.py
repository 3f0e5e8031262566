"""``status``, ``start``, ``stop`` and ``close``: what an operator says to the running daemon."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec import Struct

from tradebaas.commands.common import (
    NotDone,
    json_option,
    price_of,
    print_json,
    print_table,
    reason_of,
    with_config,
)
from tradebaas.commands.describe import position_text
from tradebaas.commands.gap import read_gap, status_rows
from tradebaas.commands.inspect import read_state
from tradebaas.commands.remote import UNAVAILABLE, Reply, Unreachable, command, get
from tradebaas.commands.summary import Rows, state_rows, strategy_text, trades_text
from tradebaas.config import Config
from tradebaas.core.events import Event
from tradebaas.core.model import Assignment, Position
from tradebaas.deribit.clock import skew_text
from tradebaas.errors import Fatal

if TYPE_CHECKING:
    from tradebaas.store.gap import Gap


@click.command()
@with_config
@json_option
@click.pass_context
def status(ctx: click.Context, config: Config, as_json: bool) -> None:
    """Show how the daemon is and what it holds.

    Exits 0 while it can protect a position (healthy or degraded), else 1. When it is not running,
    the last state of its store is shown.
    """
    try:
        now = get(config, "/api/status")
    except Unreachable as down:
        _show_down(config, down, as_json)
        ctx.exit(down.exit_code)
    if "health" not in now.body:
        raise NotDone(now.error)
    health = msgspec.convert(now.body["health"], dict[str, object])
    if as_json:
        print_json(health)
    else:
        doing = msgspec.convert(now.body["strategy"], _Doing | None)
        print_table(("", ""), _rows(config, health, doing))
        print_table(("check", "", "detail"), _check_rows(health))
    ctx.exit(1 if now.status == UNAVAILABLE else 0)


@click.command()
@click.argument("strategy", required=False)
@with_config
@click.option("--instrument", help="Such as BTC-PERPETUAL.")
@click.option("--timeframe", help="Such as 1m, 5m, 1h.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter.")
@json_option
def start(
    config: Config,
    strategy: str | None,
    instrument: str | None,
    timeframe: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Start STRATEGY; what is not given comes from the daemon's configuration."""
    wanted = {"strategy": strategy, "instrument": instrument, "timeframe": timeframe}
    body: dict[str, object] = {name: value for name, value in wanted.items() if value is not None}
    if settings:
        body["parameters"] = dict(_pair(text) for text in settings)
    print_events(command(config, "/api/strategy/start", body), as_json)


@click.command()
@with_config
@click.option("--close", "close_too", is_flag=True, help="Close the position as well.")
@json_option
def stop(config: Config, close_too: bool, as_json: bool) -> None:
    """Open no further position; the present one is managed until it closes."""
    print_events(command(config, "/api/strategy/stop", {"close": close_too}), as_json)


@click.command()
@click.argument("reason", required=False, default="")
@with_config
@json_option
def close(config: Config, reason: str, as_json: bool) -> None:
    """Close the position at the market; the strategy stays started."""
    print_events(command(config, "/api/position/close", {"reason": reason_of(reason)}), as_json)


@click.command("move-stop")
@click.argument("price")
@with_config
@json_option
def move_stop(config: Config, price: str, as_json: bool) -> None:
    """Move the stop of the open position to PRICE, closer to the market than it is."""
    stop = price_of(price)
    print_events(command(config, "/api/position/stop", {"stop": stop}), as_json)


def print_events(reply: Reply, as_json: bool) -> None:
    """Show what a command led to: the committed events, and the last one's number."""
    from tradebaas.commands.describe import describe

    if as_json:
        print_json(reply.body)
        return
    for event in msgspec.convert(reply.body["events"], list[Event]):
        click.echo(describe(event))
    known = "" if reply.body["events"] else "nothing to change: "
    click.echo(f"{known}stored as event {reply.body['seq']}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
    return name, value


# -------------------------------------------------------------------------------------- status


def _rows(config: Config, body: Mapping[str, object], doing: "_Doing | None") -> Rows:
    rows = [
        ("daemon", f"{body['status']}, up {_seconds(body['uptime'])}, version {body['version']}"),
        ("phase", _phase(body)),
        ("crew deaths", f"{body['crew_deaths']} in this process"),
        ("clock", _clock(body["clock"])),
    ]
    rows += _doing_rows(doing) if doing is not None else []
    return rows + status_rows(config, _gap(config), msgspec.convert(body["timestamp_ms"], int))


def _gap(config: Config) -> "Gap | None":
    """What the newest restore did not have, as the daemon tells it."""
    from tradebaas.store.gap import Gap

    told = get(config, "/api/gap")
    return msgspec.convert(told.body["restored"], Gap | None) if told.ok else None


class _Doing(Struct, frozen=True):
    """The part of what the strategy does that ``status`` shows."""

    strategy: "_Strategy"
    position: Position | None
    barrier: str
    waiting: str
    trades: "_Trades"


class _Strategy(Struct, frozen=True):
    armed: bool
    assignment: Assignment | None


class _Trades(Struct, frozen=True):
    total: int
    success: int
    failed: int
    net: dict[str, Decimal]
    fees: dict[str, Decimal]
    funding: dict[str, Decimal]
    funding_refused: str


def _trades(trades: _Trades) -> str:
    text = trades_text(
        trades.total, trades.success, trades.failed, trades.net, trades.fees, trades.funding
    )
    refused = trades.funding_refused
    return f"{text}; funding is not told by the exchange ({refused})" if refused else text


def _doing_rows(doing: _Doing) -> Rows:
    trades = doing.trades
    return [
        ("strategy", strategy_text(doing.strategy.assignment, doing.strategy.armed)),
        ("position", position_text(doing.position)),
        ("new risk", doing.barrier or doing.waiting or "allowed"),
        ("trades", _trades(trades)),
    ]


def _phase(body: Mapping[str, object]) -> str:
    if body["phase"] is None:
        return "not known before the store is recovered"
    return f"{body['phase']} in life {body['life']}, event {body['seq']}"


def _clock(status: object) -> str:
    if status is None:
        return "not compared with the exchange's yet"
    return skew_text(msgspec.convert(status, dict[str, int])["skew_ms"])


def _check_rows(body: Mapping[str, object]) -> list[tuple[str, str, str]]:
    checks = msgspec.convert(body["checks"], dict[str, dict[str, bool | str]])
    return [
        (name, "ok" if check["ok"] else "NO", str(check["detail"]))
        for name, check in checks.items()
    ]


def _seconds(value: object) -> str:
    whole = int(float(str(value)))
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"


def _show_down(config: Config, down: Unreachable, as_json: bool) -> None:
    """Say that it is down, and show what its store holds."""
    from tradebaas.runtime.ports import SystemClock

    try:
        folded = read_state(config.data_dir)
    except Fatal as unreadable:
        if isinstance(unreadable.__cause__, PermissionError):
            raise  # whether it is down cannot be told either: only a person can mend that
        raise NotDone(f"{down}. Its store cannot be read either: {unreadable}") from unreadable
    if as_json:
        print_json({"status": "down", "reason": str(down), "state": folded})
        return
    click.echo(f"{down}.", err=True)
    rows = state_rows(folded) + status_rows(config, read_gap(config), SystemClock().wall_ms())
    print_table(("", ""), rows, title="The last state of its store:")
