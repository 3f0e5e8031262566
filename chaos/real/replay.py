"""A whole candle file through the real daemon in lockstep; both ledgers must be equal at its end.

The exchange plays the file bar by bar and waits for the daemon's answer after each; the daemon
trades it over the real protocol. At the end the position is closed, and trades, fees, profit and
equity are compared, to the last digit, between the daemon's store and the exchange's own books.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos.real.admin import Admin
from chaos.real.api import Api, wait_for_api
from chaos.real.processes import Daemon, Exchange
from chaos.world.books import Books, Span
from chaos.world.ledger import LogRow, Tail, read_journal, read_log
from tradebaas.core.events import TradeClosed
from tradebaas.core.model import Trade

CLOSE_LIMIT_S = 20.0
STALL_LIMIT_S = 60.0
API_LIMIT_S = 20.0

CONFIG = """\
data = {data}

[exchange]
url = {url}

[strategy]
instrument = "{instrument}"
timeframe = "1m"
autostart = true

[risk]
risk_percent = "0.25"
max_leverage = 20
max_entries_per_day = 100000
max_daily_loss_percent = 100

[http]
port = 0
"""


class ReplayFailed(Exception):
    """The replay could not be finished; the message says where it stood."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """Both sides of the comparison, and how long the bars took."""

    bars: int
    seconds: float
    trades: list[Trade]
    spans: list[Span]
    first: dict[str, Decimal]
    last: dict[str, Decimal]
    equity: dict[str, Decimal]

    def differences(self) -> list[str]:
        """What is not equal to the last digit; empty when all is."""
        found = [
            f"trade {trade.number}: the store has {_of_trade(trade)}, the exchange {_of_span(span)}"
            for trade, span in zip(self.trades, self.spans, strict=False)
            if _of_trade(trade) != _of_span(span)
        ]
        if len(self.trades) != len(self.spans):
            found.append(f"{len(self.trades)} trades in the store, {len(self.spans)} there")
        for currency in self.first:
            net = sum((t.net for t in self.trades if t.currency == currency), Decimal(0))
            expected = self.first[currency] + net
            for name, value in (("balance", self.last), ("equity", self.equity)):
                if value[currency] != expected:
                    found.append(
                        f"{currency}: the store leads to {expected}, "
                        f"the exchange's {name} is {value[currency]}"
                    )
        return found


def _of_trade(trade: Trade) -> tuple[Decimal, Decimal]:
    return (trade.gross, trade.fees)


def _of_span(span: Span) -> tuple[Decimal, Decimal]:
    return (span.gross, span.fees)


def replay(candles: Path, instrument: str, progress: Callable[[str], None]) -> Replayed:
    """Replay ``candles`` through the daemon on ``instrument``.

    Raises:
        ReplayFailed: the market stalled, or the position could not be closed.
        DidNotStart: a process did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="tradebaas-replay-") as folder:
        home = Path(folder)
        exchange = Exchange(home / "exchange", candles=candles)
        daemon = Daemon(home)
        try:
            exchange.start()
            with closing(Admin(exchange.url)) as admin:
                first = _money(admin, "balances")
                _configure(daemon, exchange.url, instrument)
                daemon.start()
                return _play(exchange, daemon, admin, first, progress)
        finally:
            daemon.end()
            exchange.end()


def _configure(daemon: Daemon, url: str, instrument: str) -> None:
    daemon.data.mkdir(parents=True)
    text = CONFIG.format(
        data=json.dumps(str(daemon.data)), url=json.dumps(url), instrument=instrument
    )
    (daemon.home / "tradebaas.toml").write_text(text, encoding="utf-8")


def _play(
    exchange: Exchange,
    daemon: Daemon,
    admin: Admin,
    first: dict[str, Decimal],
    progress: Callable[[str], None],
) -> Replayed:
    began = time.monotonic()
    bars = _wait_for_end(admin, daemon, progress)
    seconds = time.monotonic() - began
    api = wait_for_api(daemon.data, daemon.pid, API_LIMIT_S)
    if api is None:
        raise ReplayFailed(f"the daemon serves no API; it said:\n{daemon.words()}")
    _close(api)
    books = Books()
    books.take(read_journal(exchange.journal, 0))
    return Replayed(
        bars=bars,
        seconds=seconds,
        trades=_trades(read_log(daemon.store, Tail())),
        spans=[span for span in books.spans if span.closed_ms],
        first=first,
        last=_money(admin, "balances"),
        equity=_money(admin, "equity"),
    )


def _money(admin: Admin, name: str) -> dict[str, Decimal]:
    """One of the ledger's tables of money by currency."""
    table = admin.table("admin/ledger")[name]
    if not isinstance(table, dict):
        raise ReplayFailed(f"the exchange's ledger has no table {name}")
    return {str(currency): Decimal(str(amount)) for currency, amount in table.items()}


def _wait_for_end(admin: Admin, daemon: Daemon, progress: Callable[[str], None]) -> int:
    """Wait until the file is played; returns the number of bars."""
    bar, moved = -1, time.monotonic()
    while True:
        state = admin.table("admin/state")
        now = int(str(state["bar"]))
        if now != bar:
            bar, moved = now, time.monotonic()
            progress(f"bar {bar}")
        if state["ended"]:
            return bar
        if time.monotonic() - moved > STALL_LIMIT_S or not daemon.running:
            raise ReplayFailed(f"the market stands still at bar {bar}; {daemon.words()}")
        time.sleep(0.25)


def _close(api: Api) -> None:
    """Stop the strategy, close what is open, and wait until nothing is."""
    api.post("/api/strategy/stop", {"close": True})
    until = time.monotonic() + CLOSE_LIMIT_S
    while time.monotonic() < until:
        if api.get("/health").body.get("phase") == "IDLE":
            return
        time.sleep(0.05)
    raise ReplayFailed(f"the position was not closed within {CLOSE_LIMIT_S:g} s")


def _trades(rows: Iterable[LogRow]) -> list[Trade]:
    return [row.event.trade for row in rows if isinstance(row.event, TradeClosed)]


def tell(text: str) -> None:
    """Progress on one line of standard error."""
    print(f"\r{text}   ", end="", file=sys.stderr, flush=True)


def show(outcome: Replayed, console: Console) -> None:
    """The figures, and every difference."""
    table = Table("", "store", "exchange", title=f"{outcome.bars} bars, {outcome.seconds:.1f} s")
    table.add_row("trades", str(len(outcome.trades)), str(len(outcome.spans)))
    for currency in outcome.first:
        trades = [trade for trade in outcome.trades if trade.currency == currency]
        spans = [span for span in outcome.spans if span.currency == currency]
        if not trades and not spans:
            continue
        gross, fees = _sums(map(_of_trade, trades))
        there_gross, there_fees = _sums(map(_of_span, spans))
        table.add_row(f"profit before fees, {currency}", str(gross), str(there_gross))
        table.add_row(f"fees, {currency}", str(fees), str(there_fees))
        ours = outcome.first[currency] + gross - fees
        table.add_row(f"equity, {currency}", str(ours), str(outcome.equity[currency]))
    console.print(table)
    for difference in outcome.differences():
        console.print(difference, style="red")


def _sums(pairs: Iterable[tuple[Decimal, Decimal]]) -> tuple[Decimal, Decimal]:
    listed = list(pairs)
    return sum((a for a, _ in listed), Decimal(0)), sum((b for _, b in listed), Decimal(0))
