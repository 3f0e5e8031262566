"""Looks at how a connection begins, and hands it on as though nobody had looked."""

import re
from collections.abc import Iterable
from typing import final

import h11
import trio

from tradebaas.paper.sessions import LOOPBACK, is_near

CHUNK = 4_096
GONE = "0.0.0.0"
"""Where nobody comes from whose connection has ended already."""
_NUMBER = re.compile(r":\d*$")
"""The port behind a name."""
MAX_HEAD_BYTES = 32 * 1024
"""Of a request's first line and headers: as much as Deribit takes of a whole request."""


@final
class Rewound(trio.abc.Stream):
    """A stream whose first bytes, which were read already, are read once more."""

    def __init__(self, stream: trio.abc.Stream, head: bytes) -> None:
        self._stream = stream
        self._head = head

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if not self._head:
            return await self._stream.receive_some(max_bytes)
        await trio.lowlevel.checkpoint()
        part, self._head = self._head[:max_bytes], self._head[max_bytes or len(self._head) :]
        return part

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


def peer_of(stream: trio.abc.Stream) -> str:
    """Return the address that a stream comes from; one without a socket comes from inside."""
    if not isinstance(stream, trio.SocketStream):
        return LOOPBACK
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:
        return GONE


def wants_websocket(request: h11.Request) -> bool:
    """Return whether a request asks to go on as a WebSocket."""
    return (b"upgrade", b"websocket") in {(name, value.lower()) for name, value in request.headers}


def is_of_page(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a web page from elsewhere may have sent a request with these headers.

    A browser names the page in ``Origin``, or says by ``Sec-Fetch-Site`` that it is another one's;
    a name in ``Host`` that is none of this machine's may be a page's that points here.
    """
    found = {name.lower(): value.lower().decode("latin-1") for name, value in headers}
    named = [found[b"host"]] if b"host" in found else []
    if b"origin" in found:
        named.append(found[b"origin"].partition("://")[2])
    far = any(not is_near(_NUMBER.sub("", name).strip("[]")) for name in named)
    return far or found.get(b"sec-fetch-site") in ("cross-site", "same-site")


def head_of(request: h11.Request) -> bytes:
    """Return the first line and the headers of a request as they are sent."""
    first = b"%s %s HTTP/%s" % (request.method, request.target, request.http_version)
    lines = [b"%s: %s" % pair for pair in request.headers.raw_items()]
    return b"\r\n".join([first, *lines, b"", b""])


async def asks_for_websocket(stream: trio.abc.Stream) -> tuple[bool, bytes]:
    """Return whether the first request wants to become a WebSocket, and what was read for that.

    What is no request, or none that fits, asks for none: the HTTP side says what is wrong with it.

    Raises:
        trio.BrokenResourceError: the client is gone.
    """
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
    head = b""
    while True:
        data = bytes(await stream.receive_some(CHUNK))
        head += data
        try:
            reader.receive_data(data)
            event = reader.next_event()
        except h11.RemoteProtocolError:
            return False, head
        if isinstance(event, h11.Request):
            return wants_websocket(event), head
        if event is not h11.NEED_DATA:
            return False, head
