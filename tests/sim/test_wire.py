"""The simulated network does to bytes what its prose says, and nothing else."""

import random
from collections.abc import Awaitable, Callable

import pytest
import trio

from chaos.sim import kernel
from chaos.sim.wire import CALM, CAPACITY, End, Host, Listener, Network, Weather

ROUGH = Weather(latency_s=0.001, tail=0.3, tail_s=0.1, split=0.5)


class Pair:
    """A connected client and server."""

    def __init__(self, weather: Weather = CALM, seed: int = 1) -> None:
        self.network = Network(random.Random(seed), weather)
        self.client, self.server = Host("client"), Host("server")
        self.listener = Listener()
        self.network.serve(self.server, self.listener)

    async def connect(self) -> tuple[End, End]:
        near = await self.network.connect(self.client)
        return near, await self.listener.accept()


def played(main: Callable[[], Awaitable[None]]) -> None:
    kernel.run(main, 1, 10_000.0)


async def drained(end: End) -> bytes:
    data = b""
    while chunk := await end.receive_some():
        data += chunk
    return data


@pytest.mark.parametrize("seed", range(10))
def test_bytes_arrive_whole_and_in_order_whatever_the_weather(seed: int) -> None:
    sent = random.Random(seed).randbytes(50_000)
    got: list[bytes] = []

    async def main() -> None:
        near, far = await Pair(ROUGH, seed).connect()

        async def send() -> None:
            for at in range(0, len(sent), 777):
                await near.send_all(sent[at : at + 777])
                await trio.sleep(0.001)
            await near.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            got.append(await drained(far))

    played(main)
    assert got == [sent]


def test_delays_have_a_heavy_tail() -> None:
    rng = random.Random(1)
    delays = sorted(ROUGH.latency(rng) for _ in range(10_000))
    assert delays[len(delays) // 2] < 0.01
    assert delays[-1] > 5.0
    assert max(delays) <= ROUGH.worst_s


def test_a_cut_breaks_both_ends_and_loses_what_is_on_its_way() -> None:
    async def main() -> None:
        near, far = await Pair().connect()
        await near.send_all(b"on its way")
        near.connection.cut()
        for end in (near, far):
            with pytest.raises(trio.BrokenResourceError):
                await end.receive_some()
            with pytest.raises(trio.BrokenResourceError):
                await end.send_all(b"x")

    played(main)


@pytest.mark.parametrize(("up", "down"), [(True, False), (False, True), (True, True)])
def test_a_silent_direction_swallows_everything_and_tells_nobody(up: bool, down: bool) -> None:
    async def main() -> None:
        near, far = await Pair().connect()
        near.connection.go_silent(up=up, down=down)
        for sender, receiver, silent in ((near, far, up), (far, near, down)):
            await sender.send_all(b"hello")
            with trio.move_on_after(60.0) as waited:
                assert await receiver.receive_some() == b"hello"
            assert waited.cancelled_caught == silent

    played(main)


def test_a_slow_reader_makes_the_writer_wait_and_loses_nothing() -> None:
    async def main() -> None:
        near, far = await Pair().connect()
        with trio.move_on_after(10.0) as waited:
            await near.send_all(bytes(CAPACITY))
        assert waited.cancelled_caught  # the pipe is full: all bytes are in it
        got = 0
        while got < CAPACITY:
            got += len(await far.receive_some())
        await near.send_all(b"again")

    played(main)


def test_a_killed_process_sends_what_it_had_written_and_no_more() -> None:
    async def main() -> None:
        pair = Pair()
        near, far = await pair.connect()
        await near.send_all(b"before")
        pair.client.die()
        await near.send_all(b"after")
        assert await drained(far) == b"before"
        with pytest.raises(trio.BrokenResourceError):
            await far.send_all(b"to nobody")

    played(main)


def test_a_machine_without_power_tells_nobody() -> None:
    async def main() -> None:
        pair = Pair()
        near, far = await pair.connect()
        pair.client.vanish()
        await near.send_all(b"after")
        with trio.move_on_after(3600.0) as waited:
            await far.receive_some()
        assert waited.cancelled_caught
        await far.send_all(b"into the void")

    played(main)


def test_nobody_listens_to_a_dead_server() -> None:
    async def main() -> None:
        pair = Pair()
        pair.server.die()
        with pytest.raises(ConnectionRefusedError):
            await pair.network.connect(pair.client)

    played(main)


def test_an_unreachable_network_gives_no_answer_at_all() -> None:
    async def main() -> None:
        pair = Pair()
        pair.network.reachable = False
        with trio.move_on_after(3600.0) as waited:
            await pair.network.connect(pair.client)
        assert waited.cancelled_caught

    played(main)
