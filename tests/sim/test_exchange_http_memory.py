"""How long the exchange waits for its HTTP clients, in virtual time and therefore to the second."""

import pytest
import trio
from exchange_kit import World
from trio.testing import MockClock

from tradebaas.paper.http import EXPIRES_S, IDLE_S, REQUEST_S
from tradebaas.paper.server import FIRST_REQUEST_S
from tradebaas.paper.steps import ANSWER_S

POST = b"POST /api/v2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"


def get(method: str, more: str = "") -> bytes:
    return f"GET /api/v2/{method} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode()


async def dial(world: World) -> trio.abc.Stream:
    return await world.connect("exchange", 80, False)


async def ask(stream: trio.abc.Stream, method: str) -> bytes:
    """The response to a GET, whole: it is short."""
    await stream.send_all(get(method))
    with trio.fail_after(30):
        return bytes(await stream.receive_some())


async def until_end(stream: trio.abc.Stream) -> tuple[bytes, float]:
    """What still comes before the exchange ends the connection, and after how many seconds."""
    began, heard = trio.current_time(), b""
    with trio.fail_after(2 * EXPIRES_S):
        while chunk := await stream.receive_some():
            heard += chunk
    return heard, round(trio.current_time() - began, 3)


@pytest.mark.parametrize("begun", [b"", b"GET /api/v2/public/test HTTP/1.1\r\nHost"])
async def test_who_asks_for_nothing_is_left(autojump_clock: MockClock, begun: bytes) -> None:
    world = World()
    async with world.running(), await dial(world) as stream:
        await stream.send_all(begun)
        assert await until_end(stream) == (b"", FIRST_REQUEST_S)


async def test_who_has_nothing_more_to_ask_is_left(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), await dial(world) as stream:
        for _ in range(3):
            assert (await ask(stream, "public/test")).startswith(b"HTTP/1.1 200 OK\r\n")
            await trio.sleep(IDLE_S - 1)
        assert await until_end(stream) == (b"", 1.0)


@pytest.mark.parametrize("begun", [b"GET /api/v2/public/test HTTP/1.1\r\nHost", POST])
async def test_a_request_that_does_not_end_is_given_up(
    autojump_clock: MockClock, begun: bytes
) -> None:
    world = World()
    async with world.running(), await dial(world) as stream:
        await ask(stream, "public/test")
        await stream.send_all(begun)
        began = trio.current_time()
        answer = await stream.receive_some()
        assert trio.current_time() - began == pytest.approx(REQUEST_S)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"Connection: close\r\n" in answer
        await stream.send_all(begun)  # too late
        assert await until_end(stream) == (b"", 1.0)


async def test_an_old_connection_gets_its_answer_and_is_closed(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), await dial(world) as stream:
        began = trio.current_time()
        answer = await ask(stream, "public/test")
        while b"Connection: close\r\n" not in answer:
            await trio.sleep(IDLE_S / 2)
            answer = await ask(stream, "public/test")
        assert trio.current_time() - began == pytest.approx(EXPIRES_S)
        assert await until_end(stream) == (b"", 0.0)


async def test_an_answer_that_is_held_back_is_waited_for(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running():
        async with await dial(world) as stream:
            await ask(stream, "admin/hold?method=public/test")
            await stream.send_all(get("public/test"))
            assert await until_end(stream) == (b"", ANSWER_S)
        async with await dial(world) as stream:
            assert b'"result":0,' in await ask(stream, "admin/release")


async def test_calls_keep_the_exchange_alive(autojump_clock: MockClock) -> None:
    world = World(idle_exit_s=10.0)
    async with world.running(), await dial(world) as stream:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(world.server.watch_idle, scope)
                for _ in range(5):
                    await ask(stream, "public/get_time")
                    await trio.sleep(8.0)
                last = trio.current_time() - 8.0
                while True:  # a driver is no client
                    await ask(stream, "admin/state")
                    await trio.sleep(1.0)
        assert scope.cancelled_caught
        assert trio.current_time() - last <= 11.5
