"""Runs ccxt (REST) and ccxt.pro (WebSocket), unmodified, against an embedded exchange of its own.

    CLIENTS_PYTHON scripts/clients.py TRADEBAAS_PYTHON

Only the addresses are set, as the README says. Each line of the table is one call, and what is
looked at in its answer; a call that raises, or answers something else, fails. Exits 1 if any did.
Needs nothing of this project: the exchange is a process of another interpreter.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ccxt
import ccxt.pro

INVERSE, LINEAR = "BTC/USD:BTC", "BTC/USDC:USDC"
SPEED = "20"
START_S = 30.0
WATCH_S = 20.0
Rows = list[tuple[str, str, str, str]]


@contextmanager
def exchange(python: str) -> Iterator[str]:
    """An embedded exchange of its own; gives host and port."""
    with tempfile.TemporaryDirectory() as home:
        command = [python, "-m", "tradebaas", "exchange", "--data", home, "--speed", SPEED]
        with (Path(home) / "out").open("wb") as out:
            process = subprocess.Popen([*command, "--idle-exit", "0"], stdout=out, stderr=out)
        try:
            yield _host(Path(home), process)
        finally:
            process.terminate()
            process.wait(20)


def _host(home: Path, process: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + START_S
    while not (home / "address").exists():
        if process.poll() is not None or time.monotonic() > until:
            sys.exit(f"the exchange did not start: {(home / 'out').read_text()}")
        time.sleep(0.05)
    return str(json.loads((home / "address").read_text())["url"]).split("/")[2]


def told(client: Any, host: str) -> Any:
    """The client with the addresses of the README."""
    client.urls["api"]["rest"] = f"http://{host}"
    client.urls["api"]["ws"] = f"ws://{host}/ws/api/v2"
    return client


class Seen(Exception):
    """An answer is not what it should be."""


def rows(found: list[object]) -> str:
    return f"{len(found)} rows"


def must(good: object, answer: object) -> None:
    """Raise unless it is."""
    if not good:
        raise Seen(str(answer)[:300])


def noted(rows: Rows, client: str, what: str, call: Callable[[], str]) -> None:
    """One line of the table."""
    began = time.monotonic()
    try:
        detail, level = call(), "ok"
    except (ccxt.BaseError, Seen, KeyError, TypeError, ValueError, IndexError) as error:
        detail, level = f"{type(error).__name__}: {str(error)[:200]}", "FAIL"
    rows.append((client, what, level, f"{detail} ({(time.monotonic() - began) * 1000:.0f} ms)"))


# ------------------------------------------------------------------------------------------- REST


class Rest:
    """What a trader does with ccxt, in order."""

    def __init__(self, host: str) -> None:
        self.client = told(ccxt.deribit({"apiKey": "paper", "secret": "paper-secret"}), host)
        self.open: list[str] = []

    def calls(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "load_markets", self.markets
        yield "fetch_time, fetch_status", self.status
        for symbol in (INVERSE, LINEAR):
            yield f"fetch_ticker {symbol}", lambda s=symbol: self.ticker(s)
            yield f"fetch_order_book {symbol}", lambda s=symbol: self.book(s)
            for timeframe in ("1m", "5m", "1h", "1d"):
                yield (
                    f"fetch_ohlcv {symbol} {timeframe}",
                    lambda s=symbol, t=timeframe: self.candles(s, t),
                )
            yield f"fetch_trades {symbol}", lambda s=symbol: self.trades(s)
        yield "fetch_funding_rate", self.funding
        yield "fetch_funding_rate_history", self.funding_history
        yield "fetch_liquidations", lambda: rows(self.client.fetch_liquidations(INVERSE))
        yield "fetch_volatility_history", lambda: rows(self.client.fetch_volatility_history("BTC"))
        yield "fetch_balance (login)", self.balance
        yield "fetch_accounts", self.accounts
        for name in ("fetch_deposits", "fetch_withdrawals", "fetch_transfers"):
            yield name, lambda n=name: rows(getattr(self.client, n)("BTC"))
        yield "create_order limit", self.limit
        yield "fetch_order", self.fetch
        yield "fetch_open_orders", self.open_orders
        yield "edit_order", self.edit
        yield "cancel_order", self.cancel
        for name, kind, side, params in ORDERS:
            yield f"create_order {name}", lambda k=kind, s=side, p=params: self.order(k, s, p)
        yield "cancel_all_orders", self.cancel_all
        yield "create_order market", self.market
        yield "fetch_positions", self.positions
        yield "fetch_my_trades", self.my_trades
        yield "fetch_order_trades", self.order_trades
        yield "fetch_closed_orders", self.closed
        yield "get_transaction_log", self.log
        yield "create_order market, reduceOnly", self.close
        yield "an order that is refused", self.refused

    def markets(self) -> str:
        found = self.client.load_markets()
        must(INVERSE in found and LINEAR in found, list(found))
        inverse, linear = found[INVERSE], found[LINEAR]
        must(inverse["inverse"] and linear["linear"], (inverse, linear))
        return f"{len(found)} markets, {INVERSE} inverse, {LINEAR} linear"

    def status(self) -> str:
        now, status = self.client.fetch_time(), self.client.fetch_status()
        must(now > 0 and status["status"] == "ok", (now, status))
        return str(status["status"])

    def ticker(self, symbol: str) -> str:
        found = self.client.fetch_ticker(symbol)
        must(0 < found["bid"] < found["ask"], found)
        return f"{found['bid']} to {found['ask']}"

    def book(self, symbol: str) -> str:
        found = self.client.fetch_order_book(symbol, 10)
        must(len(found["bids"]) == len(found["asks"]) == 10, found)
        must(found["bids"][0][0] < found["asks"][0][0], found)
        return "10 levels a side"

    def candles(self, symbol: str, timeframe: str) -> str:
        bars = self.client.fetch_ohlcv(symbol, timeframe, limit=20)
        must(len(bars) >= (3 if timeframe == "1d" else 10), bars)
        must(all(low <= open_ <= high for _, open_, high, low, *_ in bars), bars)
        return f"{len(bars)} bars"

    def trades(self, symbol: str) -> str:
        found = self.client.fetch_trades(symbol, limit=20)
        must(found and all(t["price"] > 0 and t["amount"] > 0 for t in found), found)
        return f"{len(found)} trades"

    def funding(self) -> str:
        found = self.client.fetch_funding_rate(INVERSE)
        must(found["fundingRate"] is not None, found)
        return f"rate {found['fundingRate']}"

    def funding_history(self) -> str:
        found = self.client.fetch_funding_rate_history(INVERSE)
        return f"{len(found)} entries"

    def balance(self) -> str:
        found = self.client.fetch_balance({"code": "BTC"})
        must(found["BTC"]["total"] > 0, found)
        return f"{found['BTC']['total']} BTC"

    def accounts(self) -> str:
        (found,) = self.client.fetch_accounts()
        must(found["id"], found)
        return f"account {found['id']}"

    # ---------------------------------------------------------------------------------- orders

    def _price(self, factor: float) -> float:
        return float(
            self.client.price_to_precision(
                INVERSE, self.client.fetch_ticker(INVERSE)["bid"] * factor
            )
        )

    def limit(self) -> str:
        found = self.client.create_order(INVERSE, "limit", "buy", 10, self._price(0.993))
        must(found["status"] == "open", found)
        self.open.append(found["id"])
        return f"order {found['id']}"

    def fetch(self) -> str:
        found = self.client.fetch_order(self.open[0])
        must(found["status"] == "open" and found["amount"] == 10, found)
        return str(found["status"])

    def open_orders(self) -> str:
        found = self.client.fetch_open_orders(INVERSE)
        must([order["id"] for order in found] == self.open, found)
        return f"{len(found)} order"

    def edit(self) -> str:
        price = self._price(0.991)
        found = self.client.edit_order(self.open[0], INVERSE, "limit", "buy", 20, price)
        must(found["amount"] == 20 and found["id"] == self.open[0], found)
        return f"now {found['amount']:g} at {found['price']}"

    def cancel(self) -> str:
        found = self.client.cancel_order(self.open.pop(), INVERSE)
        must(found["status"] == "canceled", found)
        return str(found["status"])

    def order(self, kind: str, side: str, params: dict[str, Any]) -> str:
        """One order type: prices in ``params`` are multiples of the bid."""
        given = dict(params)
        price = self._price(given.pop("at")) if "at" in given else None
        wanted = given.pop("wanted", "open")
        for name in ("triggerPrice", "stopLossPrice", "takeProfitPrice"):
            if name in given:
                given[name] = self._price(given[name])
        if "trigger_price" in given:
            given["trigger_price"] = self._price(given["trigger_price"])
        found = self.client.create_order(INVERSE, kind, side, 10, price, given)
        must(found["status"] in wanted.split(), found)
        return f"order {found['id']} is {found['status']}"

    def cancel_all(self) -> str:
        self.client.cancel_all_orders(INVERSE)
        found = self.client.fetch_open_orders(INVERSE)
        must(not found, found)
        return "nothing is open"

    def market(self) -> str:
        found = self.client.create_order(INVERSE, "market", "buy", 100)
        must(found["status"] == "closed" and found["filled"] == 100, found)
        self.open.append(found["id"])
        return f"filled at {found['average']}"

    def positions(self) -> str:
        held = self._held()
        must(len(held) == 1 and held[0]["side"] == "long", held)
        return f"{held[0]['side']} {held[0]['notional']}"

    def _held(self) -> list[Any]:
        """Without what was closed, which Deribit goes on to list with size 0."""
        found = self.client.fetch_positions([INVERSE])
        return [position for position in found if float(position["info"]["size"])]

    def my_trades(self) -> str:
        found = self.client.fetch_my_trades(INVERSE)
        must(found and found[-1]["fee"]["cost"] is not None, found)
        return f"{len(found)} trades"

    def order_trades(self) -> str:
        found = self.client.fetch_order_trades(self.open[0])
        must(sum(t["amount"] for t in found) == 100, found)
        return f"{len(found)} trades of it"

    def closed(self) -> str:
        found = self.client.fetch_closed_orders(INVERSE)
        must(self.open[0] in {order["id"] for order in found}, found)
        return f"{len(found)} orders"

    def log(self) -> str:
        span = {"currency": "BTC", "start_timestamp": 0, "end_timestamp": 10**14}
        found = self.client.private_get_get_transaction_log(span)["result"]["logs"]
        balance = float(self.client.fetch_balance({"code": "BTC"})["info"]["balance"])
        changes = sum(float(row["change"]) for row in found)
        must(abs(changes - balance) < 1e-9, (changes, balance))
        return f"{len(found)} rows sum up to the balance"

    def close(self) -> str:
        (held,) = self._held()
        size = abs(float(held["info"]["size"]))
        found = self.client.create_order(
            INVERSE, "market", "sell", size, None, {"reduceOnly": True}
        )
        must(found["status"] == "closed", found)
        must(not self._held(), self._held())
        return f"flat after {size:g}"

    def refused(self) -> str:
        try:
            price = self._price(0.99)
            self.client.create_order(INVERSE, "limit", "buy", 10, price, {"amount": 15})
        except (ccxt.BadRequest, ccxt.InvalidOrder) as error:  # not a plain ExchangeError
            return f"{type(error).__name__}: {str(error)[-90:]}"
        raise Seen("15 is no multiple of 10 and was taken")


ORDERS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("limit, postOnly", "limit", "buy", {"at": 0.99, "postOnly": True}),
    ("limit, IOC", "limit", "buy", {"at": 0.99, "timeInForce": "IOC", "wanted": "canceled"}),
    ("limit, FOK", "limit", "buy", {"at": 0.99, "timeInForce": "FOK", "wanted": "canceled"}),
    ("limit, good til day", "limit", "buy", {"at": 0.99, "time_in_force": "good_til_day"}),
    ("stop market", "market", "sell", {"stopLossPrice": 0.99}),
    ("stop limit", "limit", "sell", {"stopLossPrice": 0.99, "at": 0.989}),
    ("take market", "market", "sell", {"takeProfitPrice": 1.01}),
    ("take limit", "limit", "sell", {"takeProfitPrice": 1.01, "at": 1.009}),
    ("trailing stop", "market", "sell", {"trailingAmount": 100}),
    ("market limit", "market_limit", "buy", {"wanted": "closed open"}),
)
"""Name, ccxt's type, side, and parameters; ``at`` and trigger prices are multiples of the bid."""


# -------------------------------------------------------------------------------------- WebSocket


async def watched(client: Any, what: str, wait: Callable[[], Awaitable[str]]) -> tuple[str, str]:
    """Level and detail of one stream."""
    try:
        return "ok", await asyncio.wait_for(wait(), WATCH_S)
    except (ccxt.BaseError, Seen, KeyError, TypeError, ValueError, IndexError) as error:
        return "FAIL", f"{type(error).__name__}: {str(error)[:200]}"
    except TimeoutError:
        return "FAIL", f"nothing within {WATCH_S:g} s"


async def streams(host: str, rows: Rows) -> None:
    """All that ccxt.pro can follow."""
    client = told(ccxt.pro.deribit({"apiKey": "paper", "secret": "paper-secret"}), host)
    try:
        await client.load_markets()
        for what, wait in _streams(client):
            began = time.monotonic()
            level, detail = await watched(client, what, wait)
            rows.append(
                ("ccxt.pro", what, level, f"{detail} ({(time.monotonic() - began) * 1000:.0f} ms)")
            )
    finally:
        await client.close()


def _streams(client: Any) -> Iterator[tuple[str, Callable[[], Awaitable[str]]]]:
    async def ticker() -> str:
        found = await client.watch_ticker(INVERSE)
        must(0 < found["bid"] < found["ask"], found)
        return f"{found['bid']} to {found['ask']}"

    async def book() -> str:
        found = await client.watch_order_book(INVERSE)
        must(found["bids"][0][0] < found["asks"][0][0], found)
        return f"{len(found['bids'])} bids"

    async def trades() -> str:
        return f"{len(await client.watch_trades(INVERSE))} trades"

    async def candles() -> str:
        bars = await client.watch_ohlcv(INVERSE, "1m")
        must(bars and len(bars[-1]) == 6, bars)
        return f"{len(bars)} bars"

    async def beside(watch: Callable[[], Awaitable[Any]]) -> Any:
        """What is watched while an order is placed and filled."""
        waiting = asyncio.ensure_future(watch())
        await asyncio.sleep(1.0)
        await client.create_order(INVERSE, "market", "buy", 10)
        return await waiting

    async def orders() -> str:
        found = await beside(lambda: client.watch_orders(INVERSE))
        must(found and found[-1]["symbol"] == INVERSE, found)
        return f"order {found[-1]['id']} is {found[-1]['status']}"

    async def my_trades() -> str:
        found = await beside(lambda: client.watch_my_trades(INVERSE))
        must(found and found[-1]["amount"] == 10, found)
        return f"{found[-1]['amount']:g} at {found[-1]['price']}"

    async def balance() -> str:
        found = (await beside(client.watch_balance))["BTC"]  # a whole balance, in ccxt's way
        must(found["BTC"]["total"] > 0, found)
        return f"{found['BTC']['total']} BTC"

    yield f"watch_ticker {INVERSE}", ticker
    yield f"watch_order_book {INVERSE}", book
    yield f"watch_trades {INVERSE}", trades
    yield f"watch_ohlcv {INVERSE} 1m", candles
    yield "watch_orders (login)", orders
    yield "watch_my_trades (login)", my_trades
    yield "watch_balance (login)", balance


def main(python: str) -> int:
    """The table, and 1 if a line of it failed."""
    rows: Rows = []
    with exchange(python) as host:
        for what, call in Rest(host).calls():
            noted(rows, "ccxt", what, call)
        asyncio.run(streams(host, rows))
    width = max(len(what) for _, what, _, _ in rows)
    for client, what, level, detail in rows:
        print(f"{client:9} {what:{width}} {level:4}  {detail}")
    failed = sum(level == "FAIL" for _, _, level, _ in rows)
    print(
        f"\nccxt {ccxt.__version__}: {len(rows) - failed} of {len(rows)} calls did as they should"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
