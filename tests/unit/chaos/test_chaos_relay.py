"""The relay before the exchange, byte by byte: what passes, what waits, what is cut."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest
import trio

from chaos.real.relay import Order, Relay, Shape

SOON_S = 5.0
MOMENT_S = 0.03


async def echo(stream: trio.SocketStream) -> None:
    try:
        async for chunk in stream:
            await stream.send_all(chunk)
    except trio.BrokenResourceError:
        return


class Through:
    """Connects through a relay, and closes whatever it opened."""

    def __init__(self, relay: Relay, port: int) -> None:
        self.relay, self.port = relay, port
        self._open: list[trio.SocketStream] = []

    async def connect(self) -> trio.SocketStream:
        client = await trio.open_tcp_stream("127.0.0.1", self.port)
        self._open.append(client)
        return client

    def close(self) -> None:
        for client in self._open:
            client.socket.close()


@asynccontextmanager
async def relayed(port: int = 0) -> AsyncIterator[Through]:
    """A relay before ``port``, or before an echo."""
    async with trio.open_nursery() as nursery:
        if not port:
            (server,) = await nursery.start(partial(trio.serve_tcp, echo, 0, host="127.0.0.1"))
            port = server.socket.getsockname()[1]
        relay = Relay("127.0.0.1", port, 1)
        serve = partial(trio.serve_tcp, relay.serve, 0, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        through = Through(relay, listener.socket.getsockname()[1])
        try:
            with trio.fail_after(SOON_S):
                yield through
        finally:
            through.close()
            nursery.cancel_scope.cancel()


async def works(client: trio.SocketStream) -> bool:
    await client.send_all(b"hello")
    return await read(client, 5) == b"hello"


async def nothing_comes(client: trio.SocketStream) -> None:
    with trio.move_on_after(MOMENT_S):
        pytest.fail(f"{await client.receive_some()!r} came")


async def is_reset(client: trio.SocketStream) -> bool:
    try:
        return await client.receive_some() == b""
    except trio.BrokenResourceError:
        return True


@pytest.mark.parametrize("way", ["up", "down"])
async def test_what_is_held_comes_later_and_in_order(way: str) -> None:
    async with relayed() as through:
        relay, client = through.relay, await through.connect()
        assert await works(client)
        relay.obey(msgspec.convert({"do": "shape", way: {"mode": "hold"}}, Order))
        await client.send_all(b"one ")
        await nothing_comes(client)
        await client.send_all(b"two")
        relay.obey(Order("shape"))
        assert await read(client, 7) == b"one two"


async def read(client: trio.SocketStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await client.receive_some()
    return data


@pytest.mark.parametrize("way", ["up", "down"])
async def test_what_is_lost_never_comes_and_costs_the_connection(way: str) -> None:
    async with relayed() as through:
        relay, client = through.relay, await through.connect()
        assert await works(client)
        relay.obey(msgspec.convert({"do": "shape", way: {"mode": "lose"}}, Order))
        await client.send_all(b"gone")
        await nothing_comes(client)
        relay.obey(Order("shape"))
        assert await is_reset(client)
        assert await works(await through.connect())


async def test_a_loss_that_lost_nothing_costs_nothing() -> None:
    async with relayed() as through:
        relay, client = through.relay, await through.connect()
        assert await works(client)
        relay.obey(Order("shape", up=Shape("lose"), down=Shape("lose")))
        relay.obey(Order("shape"))
        await client.send_all(b"still here")
        assert await read(client, 10) == b"still here"


async def test_a_cut_resets_every_connection() -> None:
    async with relayed() as through:
        relay, client = through.relay, await through.connect()
        assert await works(client)
        relay.obey(Order("cut"))
        assert await is_reset(client)
        assert (relay.told(0).cuts, relay.cuts) == (1, 1)


async def test_a_cut_inside_lets_so_many_bytes_pass() -> None:
    async with relayed() as through:
        relay, client = through.relay, await through.connect()
        assert await works(client)
        relay.obey(Order("cut inside", way="down", after=3))
        await client.send_all(b"abcdef")
        assert await read(client, 3) == b"abc"
        assert await is_reset(client)


async def test_half_open_is_told_to_nobody_and_new_ones_work() -> None:
    async with relayed() as through:
        relay, client = through.relay, await through.connect()
        assert await works(client)
        relay.obey(Order("half open"))
        await client.send_all(b"into the void")
        await nothing_comes(client)
        assert await works(await through.connect())


async def test_refused_until_accepted_again() -> None:
    async with relayed() as through:
        relay, client = through.relay, await through.connect()
        assert await works(client)
        relay.obey(Order("refuse"))
        assert await is_reset(await through.connect())
        assert await works(client)
        relay.obey(Order("accept"))
        assert await works(await through.connect())


@pytest.mark.parametrize("mode", ["trickle", "delay"])
async def test_slow_bytes_arrive_whole(mode: str) -> None:
    async with relayed() as through:
        relay, client = through.relay, await through.connect()
        assert await works(client)
        shape = {"mode": mode, "seconds": 0.001}
        relay.obey(msgspec.convert({"do": "shape", "up": shape, "down": shape}, Order))
        text = bytes(range(200))
        await client.send_all(text)
        assert await read(client, 200) == text


async def test_an_exchange_that_is_gone_resets_the_client() -> None:
    async with relayed(port=1) as through:
        assert await is_reset(await through.connect())
