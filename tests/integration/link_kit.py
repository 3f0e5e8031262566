"""A scripted exchange behind a real WebSocket on an in-memory stream, so that time can be virtual.

It logs any client in by itself and hands every other call to the test, which answers when and how
it likes. ``gate`` holds back what the client writes, as a full TCP buffer would.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast, final

import msgspec
import trio
import trio.testing
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_server_stream,
)

from tradebaas.deribit.auth import Credentials, Endpoint
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import Link, open_link
from tradebaas.runtime.ports import Inline, Ports, SeededEntropy, TrioClock, system_ports

EPOCH_MS = 1_790_000_000_000
URL = "ws://exchange.test/ws/api/v2"
Body = dict[str, Any]
TEST_REQUEST = {"method": "heartbeat", "params": {"type": "test_request"}}
HEARTBEAT = {"method": "heartbeat", "params": {"type": "heartbeat"}}


class Asked(msgspec.Struct):
    """A call as the exchange sees it."""

    id: int
    method: str
    params: Body


@final
class TappedStream(trio.abc.Stream):
    """The client's byte stream: ``on_send`` sees each write, ``gate`` holds writes back."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.inner = inner
        self.gate = trio.Event()
        self.gate.set()
        self.on_send: Callable[[], None] = lambda: None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.on_send()
        await self.gate.wait()
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.inner.aclose()


@final
class Exchange:
    """One scripted exchange; ``calls`` are those that the test must answer."""

    def __init__(self) -> None:
        self.log: list[Asked] = []
        self.logins: dict[str, Callable[[Body], Body]] = {
            "public/hello": lambda _: {"result": {"version": "1.2.26"}},
            "public/auth": lambda _: {"result": self.tokens()},
            "public/set_heartbeat": lambda _: {"result": "ok"},
            "public/status": lambda _: {"result": {"locked": "false"}},
            "private/get_cancel_on_disconnect": lambda _: {"result": {"enabled": False}},
        }
        self.expires_in = 31_536_000
        self.reject_status = 0
        self.refuse: OSError | None = None
        self.mute = False
        self.silent_handshake = False
        self.hang_up = False
        self.targets: list[tuple[str, int, bool]] = []
        self.stream: TappedStream
        self.server_stream: trio.abc.Stream
        self.websocket: WebSocketConnection
        self._send, self.calls = trio.open_memory_channel[Asked](1000)
        self._nursery: trio.Nursery

    def tokens(self) -> Body:
        count = len(self.methods("public/auth"))
        return {"refresh_token": f"refresh-{count}", "expires_in": self.expires_in}

    def methods(self, method: str) -> list[Asked]:
        return [asked for asked in self.log if asked.method == method]

    async def connect(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        self.targets.append((host, port, tls))
        if self.refuse is not None:
            raise self.refuse
        client, self.server_stream = trio.testing.memory_stream_pair()
        self.stream = TappedStream(client)
        self._nursery.start_soon(self._serve, self.server_stream)
        return self.stream

    async def _serve(self, stream: trio.abc.Stream) -> None:
        if self.silent_handshake:
            return
        if self.hang_up:
            await stream.receive_some()
            await stream.aclose()
            return
        try:
            async with trio.open_nursery() as nursery:
                request = await wrap_server_stream(nursery, cast(trio.SocketStream, stream))
                if self.reject_status:
                    await request.reject(self.reject_status)
                else:
                    self.websocket = await request.accept()
                    await self._read(self.websocket)
                nursery.cancel_scope.cancel()
        except* (ConnectionClosed, ConnectionRejected, trio.BrokenResourceError):
            pass  # the client is gone, or was meant not to get in

    async def _read(self, websocket: WebSocketConnection) -> None:
        while True:
            asked = msgspec.json.decode(await websocket.get_message(), type=Asked)
            self.log.append(asked)
            script = self.logins.get(asked.method)
            if self.mute:
                continue
            if script is None:
                self._send.send_nowait(asked)
            else:
                await self.send({"id": asked.id, **script(asked.params), **stamps()})

    async def send(self, body: Body) -> None:
        await self.send_text(msgspec.json.encode({"jsonrpc": "2.0", **body}).decode())

    async def send_text(self, text: str) -> None:
        await self.websocket.send_message(text)

    async def answer(self, asked: Asked, result: object) -> None:
        await self.send({"id": asked.id, "result": result, **stamps()})

    async def fail(self, asked: Asked, code: int, message: str = "refused") -> None:
        await self.send({"id": asked.id, "error": {"code": code, "message": message}, **stamps()})

    async def notify(self, channel: str, data: object) -> None:
        await self.send({"method": "subscription", "params": {"channel": channel, "data": data}})

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame; nobody here waits for the other side's."""
        with trio.move_on_after(0.1):
            await self.websocket.aclose(code, reason)

    async def cut(self) -> None:
        """Break the connection without a word."""
        await self.server_stream.aclose()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Exchange"]:
        async with trio.open_nursery() as self._nursery:
            yield self
            self._nursery.cancel_scope.cancel()

    def ports(self) -> Ports:
        return replace(
            system_ports(),
            clock=TrioClock(EPOCH_MS),
            entropy=SeededEntropy(1),
            open_blocking=lambda _: Inline(),
            connect=self.connect,
        )

    def link(self, grant: str = "client_signature", scope: str = "", **limits: Any) -> Any:
        endpoint = Endpoint(URL, Credentials("id", "S3CRET"), grant, scope)
        return open_link(endpoint, self.ports(), Credits(), **{"inbox": 256, **limits})


def stamps() -> Body:
    now_us = int((EPOCH_MS + trio.current_time() * 1000) * 1000)
    return {"usIn": now_us, "usOut": now_us}


@asynccontextmanager
async def linked(**limits: Any) -> AsyncIterator[tuple[Link, Exchange]]:
    """A logged-in link and the exchange behind it."""
    async with Exchange().serving() as exchange, exchange.link(**limits) as link:
        yield link, exchange
