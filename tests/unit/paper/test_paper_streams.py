"""How a connection begins is looked at, and nothing of it is lost."""

import pytest
import trio
from trio.testing import memory_stream_pair

from tradebaas.paper.streams import Rewound, asks_for_websocket

HOST = b"Host: localhost\r\n"
UPGRADE = (
    b"GET /ws/api/v2 HTTP/1.1\r\n" + HOST + b"Upgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"
)
PLAIN = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_a_rewound_stream_is_read_from_its_begin() -> None:
    ours, theirs = memory_stream_pair()
    await theirs.send_all(b"and on")
    stream = Rewound(ours, b"from the begin ")
    assert await stream.receive_some(4) == b"from"
    assert await stream.receive_some() == b" the begin "
    assert await stream.receive_some() == b"and on"
    await stream.send_all(b"back")
    assert await theirs.receive_some() == b"back"
    await stream.aclose()
    assert await theirs.receive_some() == b""


@pytest.mark.parametrize(
    "sent, websocket",
    [
        (UPGRADE, True),
        (UPGRADE + b"a first frame", True),
        (UPGRADE.replace(b"WebSocket", b"h2c"), False),
        (PLAIN, False),
        (PLAIN + UPGRADE, False),
        (b"nonsense\r\n\r\n", False),
        (b"GET / HT", False),
        (b"", False),
    ],
)
async def test_the_first_request_decides(sent: bytes, websocket: bool) -> None:
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_say, theirs, sent)
        assert await asks_for_websocket(ours) == (websocket, sent)


async def _say(stream: trio.abc.HalfCloseableStream, sent: bytes) -> None:
    await stream.send_all(sent)
    await stream.send_eof()
