"""``check --broker``: has the exchange all that the daemon needs, and what to do where it has not.

Logs in as the daemon does and calls every method that it will call, but for those that change
anything. Sends no order. Each look is one row; a look that fails does not keep the next from being
made, unless the connection is gone.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import final
from urllib.parse import urlsplit

import trio

from tradebaas.board import Capacities
from tradebaas.commands.rows import Level, Row, clock_row
from tradebaas.config import Config
from tradebaas.core.model import Account, ContractKind, Instrument, Ticker
from tradebaas.deribit import reads, stream
from tradebaas.deribit.auth import Credentials, Endpoint
from tradebaas.deribit.broken import BROKEN, describe
from tradebaas.deribit.credits import Credits, Pool
from tradebaas.deribit.errors import CallFailed, LinkLost, LoginRefused, Unanswered
from tradebaas.deribit.link import Link, open_link
from tradebaas.errors import Unusable
from tradebaas.runtime.ports import Ports
from tradebaas.strategies.protocol import TIMEFRAMES

LIMIT_S = 15.0
TICK_S = 5.0
BARS = 50
"""A signed login further off is refused (protocol dossier section 3)."""
NEVER_USED = "tb1-check-0-e"
"""A label of ours that no order bears: looking for it reads every store of orders and trades."""
FAILED = Unusable.exit_code


@final
@dataclass(slots=True)
class _Exam:
    """What was found so far, for the looks that build on it."""

    config: Config
    ports: Ports
    link: Link
    instrument: Instrument | None = None
    ticker: Ticker | None = None
    account: Account | None = None
    rows: list[Row] = field(default_factory=list)


Look = Callable[[_Exam], Awaitable[Row]]


async def examine(config: Config, ports: Ports, url: str, secret: str) -> list[Row]:
    """All rows."""
    rows = [await _tls(ports, url)]
    exchange = config.exchange
    key = Credentials(exchange.client_id, secret)
    endpoint = Endpoint(url, key, exchange.grant, exchange.scope)
    try:
        with trio.fail_after(LIMIT_S * len(LOOKS)):
            async with open_link(endpoint, ports, Credits(), inbox=Capacities().inbox) as link:
                exam = _Exam(config, ports, link, rows=rows)
                rows.append(Row("login", Level.OK, f"as {exchange.client_id}, {exchange.grant}"))
                for what, advice, look in LOOKS:
                    rows.append(await _seen(exam, what, advice, look))
    except LoginRefused as error:
        advice = "look at the key, its scopes and its IP list on the exchange's API page"
        rows.append(_bad("login", f"{error}; {advice}"))
    except (LinkLost, trio.TooSlowError) as error:
        advice = "look at this machine's network, its resolver and its firewall, and at the address"
        rows.append(_bad("connection", f"{str(error) or 'no answer in time'}; {advice}"))
    return rows


async def _seen(exam: _Exam, what: str, advice: str, look: Look) -> Row:
    try:
        return await look(exam)
    except (CallFailed, Unanswered) as error:
        return _bad(what, f"{error}; {advice}")


def _bad(what: str, detail: str) -> Row:
    return Row(what, Level.FAIL, detail, FAILED)


def _judged(what: str, detail: str, problem: str) -> Row:
    """A warning if there is a problem."""
    return Row(what, Level.WARN, f"{detail}: {problem}") if problem else Row(what, Level.OK, detail)


# ---------------------------------------------------------------------------------- the connection


async def _tls(ports: Ports, url: str) -> Row:
    parts = urlsplit(url)
    if parts.scheme != "wss":
        return Row(
            "tls", Level.OK, f"none: {parts.hostname} is on this machine or a private network"
        )
    try:
        with trio.fail_after(LIMIT_S):
            socket = await ports.connect(parts.hostname or "", parts.port or 443, True)
            assert isinstance(socket, trio.SSLStream)
            try:
                await socket.do_handshake()
                version, certificate = socket.version(), socket.getpeercert()
            finally:
                await trio.aclose_forcefully(socket)
    except (*BROKEN, trio.TooSlowError) as error:
        advice = "install the system's CA certificates, and look for a proxy that opens TLS"
        return _bad("tls", f"{describe(error)}; {advice}")
    until = certificate.get("notAfter", "?") if certificate else "?"
    return Row("tls", Level.OK, f"{version}, verified by this machine's CAs, good until {until}")


async def _platform(exam: _Exam) -> Row:
    answer = await exam.link.call("public/test", {})
    locked = await reads.locked(exam.link)
    detail = f"answers public/test after {_trip_ms(answer.us_in, answer.us_out)} ms inside"
    return _judged(
        "platform",
        detail,
        "it is locked: maintenance. The daemon waits for its end" if locked else "",
    )


def _trip_ms(us_in: int, us_out: int) -> int:
    return max(0, us_out - us_in) // 1000


async def _scope(exam: _Exam) -> Row:
    granted = exam.link.scope
    missing = [
        scope
        for scope, enough in (
            ("trade:read_write", ("trade:read_write",)),
            ("account:read", ("account:read", "account:read_write")),
        )
        if granted and not any(word in granted.split() for word in enough)
    ]
    await trio.lowlevel.checkpoint()
    if missing:
        return _bad("scope", f"{granted}: the key needs {' and '.join(missing)} as well")
    weak = granted and "account:read_write" not in granted.split()
    return _judged(
        "scope",
        granted or "the exchange does not say",
        "without account:read_write nothing is opened where cancel-on-disconnect is on"
        if weak
        else "",
    )


async def _disconnect(exam: _Exam) -> Row:
    await trio.lowlevel.checkpoint()
    problem = exam.link.cancels_on_disconnect
    if problem:
        advice = "give the key account:read_write, or switch it off on the account's page"
        return _bad("cancel on disconnect", f"{problem}; {advice}")
    return Row("cancel on disconnect", Level.OK, "off for this connection: stops outlive it")


async def _clock(exam: _Exam) -> Row:
    await reads.server_time(exam.link)
    clock, ports = exam.link.clock, exam.ports
    skew_ms = clock.skew_ms(ports.clock.wall_ms(), ports.clock.monotonic())
    return clock_row(skew_ms, exam.config.exchange.max_skew_seconds)


# ------------------------------------------------------------------------------------ the contract


async def _contract(exam: _Exam) -> Row:
    name = exam.config.strategy.instrument
    item = exam.instrument = await reads.instrument(exam.link, name)
    detail = (
        f"{item.name}, {item.kind}, settles in {item.currency}, tick {item.tick_size}, smallest "
        f"{item.min_amount} by {item.amount_step}, up to {item.max_leverage}x, taker "
        f"{item.taker_commission}"
    )
    return _judged("instrument", detail, "" if item.is_open else "it takes no orders now")


async def _prices(exam: _Exam) -> Row:
    ticker = exam.ticker = await reads.ticker(exam.link, exam.config.strategy.instrument)
    age_ms = exam.link.clock.now_ms(exam.ports.clock.monotonic()) - ticker.at_ms
    return Row("prices", Level.OK, f"bid {ticker.bid}, ask {ticker.ask}, {age_ms} ms old")


async def _candles(exam: _Exam) -> Row:
    if exam.instrument is None:
        return _unknown("candles")
    timeframe = exam.config.strategy.timeframe
    bars = await reads.history(exam.link, exam.instrument, TIMEFRAMES[timeframe], BARS)
    problem = "" if len(bars) == BARS else "a strategy that looks back further gets no signal"
    return _judged("candles", f"{len(bars)} of {BARS} closed bars of {timeframe}", problem)


async def _channels(exam: _Exam) -> Row:
    """Subscribe, and wait for the first frame: a firewall may let calls through and no stream."""
    if exam.instrument is None:
        return _unknown("channels")
    timeframe = TIMEFRAMES[exam.config.strategy.timeframe]
    try:
        await stream.subscribe(exam.link, exam.instrument, timeframe)
    except LinkLost as dropped:
        advice = "the key may lack trade:read or account:read"
        return _bad("channels", f"{dropped}; {advice}")
    names = stream.channels(exam.instrument, timeframe)
    with trio.move_on_after(TICK_S):
        async for _ in exam.link.notifications:
            return Row("channels", Level.OK, f"{', '.join(names)}; they speak")
    return Row("channels", Level.WARN, f"subscribed, and silent for {TICK_S:g} s: a quiet market?")


# ------------------------------------------------------------------------------------- the account


async def _money(exam: _Exam) -> Row:
    if exam.instrument is None or exam.ticker is None:
        return _unknown("account")
    item, price = exam.instrument, exam.ticker.ask
    account = exam.account = await reads.account(exam.link, item.currency)
    inverse = item.kind is ContractKind.INVERSE
    smallest = item.min_amount / price if inverse else item.min_amount * price
    allowed = min(exam.config.risk.max_leverage, item.max_leverage)
    detail = f"{account.equity} {account.currency}, {account.available} of it free"
    enough = account.equity > 0 and smallest / allowed <= account.available
    needed = (smallest / allowed).quantize(Decimal("1e-8"))
    return _judged(
        "account", detail, "" if enough else f"the smallest entry needs {needed} free: pay some in"
    )


async def _limits(exam: _Exam) -> Row:
    if exam.instrument is None:
        return _unknown("limits")
    said = await reads.identity(exam.link, exam.instrument.currency)
    words = [
        f"{name} {said.allowed[pool].rate:g}/s, {said.allowed[pool].burst:g} at once"
        for pool, name in ((Pool.GENERAL, "reads"), (Pool.MATCHING, "orders"))
        if pool in said.allowed
    ]
    problem = "" if words else "the daemon keeps to the lowest tier's"
    return _judged("limits", "; ".join(words) or "not told in a known form", problem)


async def _open(exam: _Exam) -> Row:
    held = (await reads.positions(exam.link)).found
    orders = await reads.open_orders(exam.link)
    words = [f"{position.size} {position.instrument}" for position in held]
    words += [f"order {o.order_id} ({o.direction} {o.amount} {o.instrument})" for o in orders]
    problem = (
        "what is not the daemon's own is left alone, and keeps it from opening anything"
        if words
        else ""
    )
    return _judged("open", ", ".join(words) or "no position, no order", problem)


async def _stores(exam: _Exam) -> Row:
    if exam.instrument is None:
        return _unknown("history")
    now_ms = exam.link.clock.now_ms(exam.ports.clock.monotonic())
    await reads.probe(exam.link, (NEVER_USED,), exam.instrument, now_ms)
    return Row("history", Level.OK, "orders, trigger orders and trades, recent and archived")


def _unknown(what: str) -> Row:
    return _bad(what, "not looked at, since the instrument or its prices could not be read")


LOOKS: tuple[tuple[str, str, Look], ...] = (
    ("platform", "see the exchange's status page", _platform),
    ("scope", "give the key its scopes on the exchange's API page", _scope),
    ("cancel on disconnect", "give the key account:read", _disconnect),
    ("clock", "try again; if it stays so, the network is slow", _clock),
    (
        "instrument",
        "name one that the exchange lists (strategy.instrument, --instrument)",
        _contract,
    ),
    ("prices", "the book may be empty on a test network: try again, or another contract", _prices),
    ("candles", "the daemon needs them to begin: try again, or another timeframe", _candles),
    ("account", "give the key account:read", _money),
    ("limits", "give the key account:read", _limits),
    ("open", "give the key trade:read", _open),
    ("history", "give the key trade:read; without it no order can be proven absent", _stores),
    ("channels", "give the key trade:read and account:read", _channels),
)
