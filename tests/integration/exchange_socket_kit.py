"""The embedded exchange over real sockets, served inside the test's own event loop."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.process import serve

BTC = "BTC-PERPETUAL"
CHART, CHANGES = f"chart.trades.{BTC}.1", f"user.changes.{BTC}.raw"
BUY: dict[str, Any] = {"instrument_name": BTC, "amount": 10, "type": "market"}


class Client:
    """A raw client: calls by id, everything else is kept in ``notes``."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.notes: list[dict[str, Any]] = []
        self._id = 0

    async def send(self, method: str, params: dict[str, Any]) -> int:
        self._id += 1
        frame = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        await self.socket.send_message(json.dumps(frame))
        return self._id

    async def next(self) -> dict[str, Any]:
        with trio.fail_after(30):
            frame: dict[str, Any] = json.loads(await self.socket.get_message())
            return frame

    async def call(self, method: str, /, **params: Any) -> Any:
        number = await self.send(method, params)
        while True:
            frame = await self.next()
            if frame.get("id") == number:
                return frame["result"] if "result" in frame else frame["error"]
            self.notes.append(frame)

    async def login(self) -> None:
        result = await self.call(
            "public/auth",
            grant_type="client_credentials",
            client_id="paper",
            client_secret="paper-secret",
        )
        assert result["token_type"] == "bearer"


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Client]:
    # With a stream of its own, which is closed whatever way the conversation ends.
    server_part, path = url.removeprefix("ws://").split("/", 1)
    port = int(server_part.split(":")[1])
    async with (
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
        trio.open_nursery() as tasks,
    ):
        yield Client(await wrap_client_stream(tasks, stream, server_part, f"/{path}"))
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def dialled(url: str) -> AsyncIterator[trio.SocketStream]:
    """A bare stream to the exchange that listens at a WebSocket's ``url``."""
    port = int(url.split(":")[2].split("/")[0])
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        yield stream


async def drained(client: Client) -> None:
    """Read until the exchange cuts the connection."""
    with trio.fail_after(10), suppress(ConnectionClosed):
        while True:
            await client.socket.get_message()


@asynccontextmanager
async def serving(directory: Path, **settings: Any) -> AsyncIterator[str]:
    settings.setdefault("admin", True)
    config = ExchangeConfig(directory=directory, **settings)
    async with trio.open_nursery() as nursery:
        yield await nursery.start(lambda task_status: serve(config, task_status=task_status))
        nursery.cancel_scope.cancel()
