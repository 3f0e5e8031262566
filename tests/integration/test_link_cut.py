"""A frame that is cut off on a real socket, at each of its bytes: half of it is as good as none.

Between the daemon's link and the embedded exchange's own server, both on loopback, lies a relay
that lets so many bytes of one direction through and then ends both connections. Whatever it cuts,
the link must say that it is lost, and neither side may act on what it has of the frame.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import final

import pytest
import trio

from tradebaas.deribit import reads
from tradebaas.deribit.auth import Credentials, Endpoint
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import Link, LinkLost, open_link
from tradebaas.deribit.rpc import Answer, Params
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.process import serve
from tradebaas.runtime.ports import system_ports

BTC = "BTC-PERPETUAL"
PORTS = system_ports()
SOON_S = 2.0
"""Less than a call may take, and much less than silence."""


class Way(StrEnum):
    """A direction: to the exchange, or from it."""

    UP = "up"
    DOWN = "down"


@final
class Relay:
    """Passes bytes on; ``left`` says how many more of a direction before all of it ends."""

    def __init__(self, port: int) -> None:
        self.left: dict[Way, int] = {}
        self.passed = Counter[Way]()
        self._port = port

    async def carry(self, near: trio.SocketStream) -> None:
        """One connection, for ``trio.serve_tcp``."""
        far = await trio.open_tcp_stream("127.0.0.1", self._port)
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, Way.UP, near, far, nursery.cancel_scope)
            nursery.start_soon(self._pump, Way.DOWN, far, near, nursery.cancel_scope)

    async def _pump(
        self, way: Way, source: trio.SocketStream, target: trio.SocketStream,
        scope: trio.CancelScope,
    ) -> None:  # fmt: skip
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                part = data[: self.left.get(way, len(data))]
                await target.send_all(part)
                self.passed[way] += len(part)
                if way in self.left:
                    self.left[way] -= len(part)
                    if not self.left[way]:
                        break
        scope.cancel()


@final
class Line:
    """The exchange, and the relay in front of it."""

    def __init__(self, relay: Relay, direct: str, relayed: str) -> None:
        self.relay = relay
        self.direct = direct
        self.relayed = relayed

    async def cut(self, way: Way, size: int, method: str, params: Params) -> Answer | LinkLost:
        """Log in, call, and be cut off after ``size`` bytes of the frame; what came of the call."""
        async with linked(self.relayed) as link:
            self.relay.left[way] = size
            with trio.fail_after(SOON_S):
                came = await answer_or_loss(link, method, params)
            self.relay.left.clear()
            assert list(link.waiting()) == []
            return came

    async def size_of(self, way: Way, method: str, params: Params) -> int:
        """How long the frame of such a call, or of its answer, is."""
        async with linked(self.relayed) as link:
            before = self.relay.passed[way]
            await link.call(method, params)
            return self.relay.passed[way] - before


async def answer_or_loss(link: Link, method: str, params: Params) -> Answer | LinkLost:
    try:
        return await link.call(method, params)
    except LinkLost as lost:
        assert not link.alive
        return lost


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[Link]:
    credentials = Credentials("paper", "paper-secret")
    async with open_link(
        Endpoint(url, credentials, "client_signature", ""), PORTS, Credits(), inbox=16
    ) as link:
        yield link


@pytest.fixture
async def line(tmp_path: Path, nursery: trio.Nursery) -> Line:
    config = ExchangeConfig(directory=tmp_path, lockstep=True)  # nothing is said unasked
    direct = await nursery.start(lambda task_status: serve(config, task_status=task_status))
    port = int(direct.split(":")[2].split("/")[0])
    relay = Relay(port)
    (listener,) = await nursery.start(partial(trio.serve_tcp, relay.carry, 0, host="127.0.0.1"))
    return Line(relay, direct, direct.replace(str(port), str(listener.socket.getsockname()[1])))


def order(label: str) -> Params:
    return {"instrument_name": BTC, "amount": 10, "type": "market", "label": label}


async def labels(url: str) -> set[str]:
    """The labels of all orders that the exchange has filled."""
    async with linked(url) as link:
        instrument = await reads.instrument(link, BTC)
        return {fill.label for fill in await reads.trades(link, instrument, 0)}


async def test_the_exchange_does_not_act_on_half_an_order(line: Line) -> None:
    size = await line.size_of(Way.UP, "private/buy", order("whole"))
    for part in range(1, size):
        came = await line.cut(Way.UP, part, "private/buy", order(f"h{part:04}"))
        assert type(came) is LinkLost, part
    assert await labels(line.direct) == {"whole"}
    assert type(await line.cut(Way.UP, size, "private/buy", order("every"))) is LinkLost
    assert await labels(line.direct) == {"whole", "every"}


async def test_half_an_answer_is_never_handed_over(line: Line) -> None:
    size = await line.size_of(Way.DOWN, "public/get_time", {})
    for part in range(1, size):
        assert type(await line.cut(Way.DOWN, part, "public/get_time", {})) is LinkLost, part
    assert isinstance(await line.cut(Way.DOWN, size, "public/get_time", {}), Answer)
