"""What a slow, broken or greedy HTTP client gets, byte by byte, and that it harms nobody else."""

import json
from pathlib import Path

import pytest
import trio
from exchange_socket_kit import connect, dialled, serving

from tradebaas.paper import connections, http, server
from tradebaas.paper.rpc import MAX_FRAME_BYTES
from tradebaas.paper.streams import MAX_HEAD_BYTES

GET = b"GET /api/v2/public/test HTTP/1.1\r\nHost: localhost\r\n"
CALL = GET + b"\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
POST = b"POST /api/v2 HTTP/1.1\r\nHost: localhost\r\n"
BODY = b'{"jsonrpc":"2.0","id":1,"method":"public/test"}'
SHORT_S = 0.3


async def read_all(stream: trio.SocketStream) -> bytes:
    """Everything until the exchange ends the connection."""
    with trio.fail_after(30):
        return b"".join([bytes(chunk) async for chunk in stream])


async def talk(url: str, sent: bytes) -> bytes:
    """What the exchange says to these bytes before it ends the connection."""
    async with dialled(url) as stream:
        await stream.send_all(sent)
        return await read_all(stream)


async def still_serves(url: str) -> bool:
    """Whether others are served, over both transports."""
    async with connect(url) as client:
        answer = await client.call("public/test")
    return (await talk(url, LAST)).startswith(b"HTTP/1.1 200 ") and "version" in answer


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"404"),
        (b"GET /api/v2/public/test HTTP/1.1\r\n\r\n", b"400"),
        (GET + b"X: " + b"x" * (MAX_HEAD_BYTES + 8192), b"431"),
        (POST + b"Content-Length: ten\r\n\r\n", b"400"),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"400"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET /api/v2/public/test?x=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
    ],
)
async def test_what_is_no_request_is_refused(tmp_path: Path, sent: bytes, status: bytes) -> None:
    async with serving(tmp_path) as url:
        answer = await talk(url, sent)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"Connection: close\r\n" in answer
        assert await still_serves(url)


@pytest.mark.parametrize(
    "sent",
    [
        LAST,
        GET.replace(b"GET /", b"GET http://localhost/") + b"Connection: close\r\n\r\n",
        b"GET /api/v2/public/test HTTP/1.0\r\n\r\n",
        GET + b"Upgrade: h2c\r\nConnection: upgrade, close\r\n\r\n",
        POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
        POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    ],
)
async def test_every_form_of_a_request_is_answered(tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path) as url:
        head, _, body = (await talk(url, sent)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Length: %d" % len(body) in head
        assert json.loads(body)["result"] == {"version": "paper-1"}


async def test_a_request_may_come_byte_by_byte(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, dialled(url) as stream:
        for byte in LAST:
            await stream.send_all(bytes([byte]))
        assert (await read_all(stream)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_body_that_is_announced_is_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, dialled(url) as stream:
        head = b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        await stream.send_all(POST + head % len(BODY))
        with trio.fail_after(30):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 100 ")
        await stream.send_all(BODY)
        assert (await read_all(stream)).startswith(b"HTTP/1.1 200 ")


async def test_requests_that_do_not_wait_are_answered_in_their_order(tmp_path: Path) -> None:
    async with serving(tmp_path, rate_limits=False) as url:
        calls = [
            b'{"id":%d,"method":"public/test","params":{"x":"%b"}}' % (number, b"y" * 1000)
            for number in range(60)
        ]
        sent = b"".join(POST + b"Content-Length: %d\r\n\r\n%b" % (len(c), c) for c in calls)
        answers = (await talk(url, sent + LAST)).split(b"HTTP/1.1 200 OK\r\n")
        found = [json.loads(answer.partition(b"\r\n\r\n")[2]) for answer in answers[1:]]
        assert [frame.get("id") for frame in found] == [*range(60), None]


async def test_a_body_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, dialled(url) as stream:
        await stream.send_all(POST + b"Content-Length: 999999999\r\n\r\n")
        await stream.send_all(b" " * (MAX_FRAME_BYTES + 1))
        answer = await read_all(stream)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Connection: close\r\n" in answer
        assert b'"code":-32600,"message":"request entity too large"' in answer


async def flood(stream: trio.SocketStream, sent: bytes) -> None:
    """Send without reading until the exchange ends the connection."""
    while True:
        await stream.send_all(sent)


async def test_who_takes_no_answers_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SEND_S", SHORT_S)
    async with serving(tmp_path, rate_limits=False) as url, dialled(url) as greedy:
        asked = GET.replace(b"test", b"get_instruments") + b"\r\n"
        with trio.fail_after(20), pytest.raises(trio.BrokenResourceError):
            await flood(greedy, asked * 100)
        assert await still_serves(url)


async def test_who_goes_before_the_answer_is_forgotten(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, connect(url) as driver:
        for sent in (b"", GET, CALL, POST + b"Content-Length: 9\r\n\r\n{"):
            async with dialled(url) as stream:
                await stream.send_all(sent)
        assert await still_serves(url)
        assert (await driver.call("admin/state"))["clients"] == 0


async def test_only_so_many_are_served_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    # A connection between two requests takes nobody's place; a WebSocket's does.
    async with serving(tmp_path) as url, dialled(url) as stream:
        await stream.send_all(CALL)
        with trio.fail_after(30):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")
        async with connect(url) as client:
            await client.call("public/test")
            await stream.send_all(LAST)
            assert (await read_all(stream)).startswith(b"HTTP/1.1 429 ")


async def test_a_call_that_waits_takes_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    hold = GET.replace(b"public/test", b"admin/hold?method=public/test")
    async with serving(tmp_path) as url, dialled(url) as waiting:
        assert b'"result":"ok"' in await talk(url, hold + b"Connection: close\r\n\r\n")
        await waiting.send_all(CALL)
        with trio.fail_after(30):
            while not (await talk(url, LAST)).startswith(b"HTTP/1.1 429 "):  # noqa: ASYNC110
                await trio.sleep(0.01)


async def test_the_longest_idle_connection_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_STREAMS", 2)
    async with serving(tmp_path) as url, dialled(url) as first, dialled(url) as second:
        for stream in (first, second):
            await stream.send_all(CALL)
            with trio.fail_after(30):
                await stream.receive_some()
        async with connect(url) as client:
            await client.call("public/test")
            assert await read_all(first) == b""
            # Now there are a WebSocket and one that is idle: that one goes, then nobody can.
            assert (await talk(url, LAST)).startswith(b"HTTP/1.1 200 ")
            assert await read_all(second) == b""
            async with dialled(url) as silent:
                await silent.send_all(GET)
                assert await shuts_the_door(url)
            assert await client.call("public/test")


async def shuts_the_door(url: str) -> bool:
    """Whether a new connection is ended without a word."""
    try:
        return not await talk(url, LAST)
    except trio.BrokenResourceError:
        return True
