"""The embedded exchange in the test's own loop, its admin methods, and a network that may fail.

The market is a calm replay at 300 times real speed, so that no stop fires by itself.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import apsw
import msgspec
import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.process import serve
from tradebaas.runtime.ports import Ports, connect_tcp, system_ports

SPEED = 300.0
HISTORY = 60
FUTURE = 2_000
"""Minutes of market before and after the start; the future lasts 400 s."""
INSTRUMENT = "BTC-PERPETUAL"
BRACKET = {"linked_order_type": "one_triggers_one_cancels_other"}
REDUCE = {"reduce_only": True}
NONE = Decimal(0)
LIMIT_S = 10.0

Json = dict[str, object]


@dataclass
class Admin:
    """The exchange's admin methods over one WebSocket; one call at a time."""

    socket: WebSocketConnection
    last_id: int = 0

    async def call(self, method: str, /, **params: object) -> object:
        self.last_id += 1
        asked = {
            "jsonrpc": "2.0", "id": self.last_id, "method": f"admin/{method}", "params": params
        }  # fmt: skip
        encode = msgspec.json.Encoder(decimal_format="number").encode
        with trio.fail_after(LIMIT_S):
            await self.socket.send_message(encode(asked).decode())
            while True:
                answer = json.loads(await self.socket.get_message(), parse_float=Decimal)
                if answer.get("id", self.last_id) == self.last_id and "method" not in answer:
                    break
        assert "error" not in answer, f"admin/{method}({params}): {answer['error']}"
        return answer["result"]

    async def table(self, method: str, /, **params: object) -> Json:
        result = await self.call(method, **params)
        assert isinstance(result, dict)
        return result


@dataclass
class Exchange:
    """A running exchange: where it is, its admin methods, and its journal."""

    url: str
    directory: Path
    admin: Admin

    def journal(self, kind: str) -> list[Json]:
        """The bodies of all lines of a kind, in order."""
        query = "SELECT body FROM journal WHERE kind = ? ORDER BY n"
        connection = apsw.Connection(str(self.directory / "exchange.db"), apsw.SQLITE_OPEN_READONLY)
        try:
            return [json.loads(str(body)) for (body,) in connection.execute(query, (kind,))]
        finally:
            connection.close()

    def entries(self) -> list[str]:
        """The label of every request to the exchange that could open a position of ours."""
        return [
            str(line["label"])
            for line in self.journal("request")
            if line["method"] in ("private/buy", "private/sell")
            and isinstance(line["params"], dict)
            and not line["params"].get("reduce_only")
            and str(line["label"]).startswith("tb1-")
        ]

    async def ledger(self) -> Json:
        return await self.admin.table("ledger")

    async def position(self) -> Decimal:
        """The signed size of the position in the one instrument of the tests."""
        positions = (await self.ledger())["positions"]
        assert isinstance(positions, list)
        found = (p["size"] for p in positions if p["instrument_name"] == INSTRUMENT)
        return Decimal(str(next(found, 0)))

    async def live_stop(self) -> Decimal:
        amounts = (await self.ledger())["live_stop_amount"]
        assert isinstance(amounts, dict)
        return Decimal(str(amounts[INSTRUMENT]))

    async def orders(self) -> dict[str, Json]:
        """Open orders by id."""
        orders = (await self.ledger())["orders"]
        assert isinstance(orders, list)
        return {order["order_id"]: order for order in orders}


@contextmanager
def plainly() -> Iterator[None]:
    """A single exception leaves nested nurseries as itself, so that a failed test is readable."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None


@cache
def _calm_market() -> str:
    """A market that goes up and down by less than a thousandth, two minutes per turn."""
    lines = ["timestamp,open,high,low,close,volume"]
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for minute in range(HISTORY + FUTURE):
        closed = start + timedelta(minutes=minute + 1)
        here, there = (50_000, 50_010) if minute % 2 == 0 else (50_010, 50_000)
        lines.append(f"{closed:%Y-%m-%d %H:%M:%S},{here},50012,49998,{there},100000")
    return "\n".join(lines)


@asynccontextmanager
async def exchange_on(
    directory: Path, *, port: int = 0, funding: Decimal = NONE
) -> AsyncIterator[Exchange]:
    """An exchange for as long as the block runs; ``funding`` is the premium that it takes."""
    candles = directory.with_suffix(".csv")
    candles.write_text(_calm_market(), encoding="ascii")
    config = ExchangeConfig(
        directory=directory,
        port=port,
        candles=candles,
        history=HISTORY,
        speed=SPEED,
        idle_exit_s=0,
        admin=True,
        funding=funding,
    )
    with plainly():
        async with trio.open_nursery() as nursery:

            async def start(*, task_status: trio.TaskStatus[str]) -> None:
                await serve(config, task_status=task_status)

            url = str(await nursery.start(start))
            async with _admin(url) as admin:
                yield Exchange(url, directory, admin)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def _admin(url: str) -> AsyncIterator[Admin]:
    """On a stream of its own, which is closed whoever ended the conversation."""
    host, path = url.removeprefix("ws://").split("/", 1)
    port = int(host.rpartition(":")[2])
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream, trio.open_nursery() as n:
        yield Admin(await wrap_client_stream(n, stream, host, f"/{path}"))
        n.cancel_scope.cancel()


class Meddler(trio.abc.Stream):
    """A byte stream on which ``Wires.corrupt`` is replaced, once, in what comes in."""

    def __init__(self, inner: trio.abc.Stream, wires: "Wires") -> None:
        self._inner, self._wires = inner, wires

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._inner.receive_some(max_bytes)
        wanted, instead = self._wires.corrupt
        if wanted and wanted in data:
            self._wires.corrupt = (b"", b"")
            return bytes(data).replace(wanted, instead, 1)
        return data

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Wires:
    """The network: may be down, and may corrupt what comes in (both texts of one length)."""

    up: bool = True
    corrupt: tuple[bytes, bytes] = (b"", b"")

    async def connect(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        if not self.up:
            raise ConnectionRefusedError("the network is down")
        return Meddler(await connect_tcp(host, port, tls), self)

    def ports(self) -> Ports:
        return replace(system_ports(), connect=self.connect)
