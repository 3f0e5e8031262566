"""The embedded exchange in virtual time: memory streams, a journal in memory, one raw client."""

import dataclasses
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, cast, final

import trio
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from chaos.sim.clock import EPOCH_MS, SkewedClock
from chaos.world.books import Books
from chaos.world.exchange import MemoryJournal
from chaos.world.faults import Scene, quiet, strike
from chaos.world.faults_mail import Mail
from chaos.world.skew import Skew
from tradebaas.deribit.auth import Credentials, Endpoint
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import open_link
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.connections import Connection, Post
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.ledger import restore
from tradebaas.paper.server import Server
from tradebaas.paper.websockets import PATH
from tradebaas.runtime.ports import Inline, SeededEntropy, TrioClock, system_ports

GRANT = "client_signature"
BTC = "BTC-PERPETUAL"
CHANGES = f"user.changes.{BTC}.raw"
Frame = dict[str, Any]


@final
class MemoryListener(trio.abc.Listener[trio.abc.Stream]):
    """Hands out the server's ends of memory streams."""

    def __init__(self) -> None:
        self._put, self._take = trio.open_memory_channel[trio.abc.Stream](32)

    def connect(self) -> trio.abc.Stream:
        client, server = trio.testing.memory_stream_pair()
        self._put.send_nowait(server)
        return client

    async def accept(self) -> trio.abc.Stream:
        return await self._take.receive()

    async def aclose(self) -> None:
        self._put.close()
        self._take.close()
        await trio.lowlevel.checkpoint()


class Client:
    """A raw client; what nobody asked for is kept in ``notes``."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.notes: list[Frame] = []
        self._ids = itertools.count(1)

    async def send(self, method: str, /, **params: Any) -> int:
        number = next(self._ids)
        frame = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        await self.socket.send_message(json.dumps(frame))
        return number

    async def next(self) -> Frame:
        """The next frame; fails after a virtual minute, and when the connection is cut."""
        with trio.fail_after(60):
            frame: Frame = json.loads(await self.socket.get_message())
            return frame

    async def answer(self, number: int) -> Frame:
        """The answer to a call that was sent."""
        while True:
            frame = await self.next()
            if frame.get("id") == number:
                return frame
            self.notes.append(frame)

    async def call(self, method: str, /, **params: Any) -> Any:
        """The result of a call, or its error."""
        frame = await self.answer(await self.send(method, **params))
        return frame["result"] if "result" in frame else frame["error"]

    async def login(self) -> None:
        secrets = {"client_id": "paper", "client_secret": "paper-secret"}
        await self.call("public/auth", grant_type="client_credentials", **secrets)

    async def stay(self) -> None:
        """Hear something, or the exchange cuts a connection that is idle for a minute."""
        await self.call("public/subscribe", channels=["announcements"])

    async def gone(self) -> bool:
        """Whether the connection is cut within a virtual minute; frames before are notes."""
        try:
            while True:
                self.notes.append(await self.next())
        except ConnectionClosed:
            return True
        except trio.TooSlowError:
            return False


class World:
    """One exchange that can be killed and started again, and the means to connect to it."""

    def __init__(self, post: Post = Connection.put, seed: int = 1, **settings: Any) -> None:
        settings = {"admin": True, "idle_exit_s": 0.0, "start_ms": EPOCH_MS, **settings}
        self.config = ExchangeConfig(directory=Path("/nowhere"), **settings)
        self.journal = MemoryJournal(self.config.remembered)
        self.server: Server
        self.rng = Random(seed)
        self.mail = Mail(self.rng, post)
        self.skew = Skew(trio.current_time)
        self.struck: list[str] = []
        """What has struck of what was only armed."""
        self._entropy = SeededEntropy(1)
        self._listener: MemoryListener

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        """Serve; leaving the context kills the exchange."""
        ports = dataclasses.replace(system_ports(), clock=SkewedClock(self.skew))
        new_token = partial(self._entropy.token, 24)
        exchange = restore(self.config, self.journal, new_token, ports.clock.wall_ms())
        self.server = Server(exchange, self.journal, Inline(), ports, self.mail.post)
        self._listener = MemoryListener()
        async with trio.open_nursery() as nursery:
            await nursery.start(self.server.run, [self._listener])
            yield self
            nursery.cancel_scope.cancel()

    async def connect(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        """A ``Connect`` for whoever wants to connect by ports."""
        assert (host, port, tls) == ("exchange", 80, False)
        await trio.lowlevel.checkpoint()
        return self._listener.connect()

    def link(self, **limits: Any) -> Any:
        """The daemon's own link, logged in."""
        ports = dataclasses.replace(
            system_ports(),
            clock=TrioClock(EPOCH_MS),
            entropy=self._entropy,
            connect=self.connect,
        )
        endpoint = Endpoint(f"ws://exchange{PATH}", Credentials("paper", "paper-secret"), GRANT, "")
        return open_link(endpoint, ports, Credits(), **{"inbox": 256, **limits})

    @asynccontextmanager
    async def client(self, *, login: bool = True) -> AsyncIterator[Client]:
        """A connection; leaving the context breaks it."""
        carrier = cast(trio.SocketStream, self._listener.connect())
        async with carrier, trio.open_nursery() as nursery:
            client = Client(await wrap_client_stream(nursery, carrier, "exchange", PATH))
            if login:
                await client.login()
            yield client
            nursery.cancel_scope.cancel()

    @property
    def exchange(self) -> Exchange:
        return self.server.exchange

    @property
    def size(self) -> Decimal:
        return self.exchange.desk.account.positions[BTC].size

    def scene(self) -> Scene:
        return Scene(self.exchange, self.server.front, self.mail, self.rng, skew=self.skew)

    async def strike(self, name: str) -> str:
        """Do a row of the table as a step of the exchange."""
        scene = self.scene()
        scene.struck = lambda: self.struck.append(name)
        return await self.server.act(lambda: strike(scene, name))

    async def quiet(self) -> None:
        await self.server.act(lambda: quiet(self.scene()))

    def books(self) -> Books:
        """The judge's fold of the journal."""
        books = Books()
        books.take(self.journal.rows(0))
        return books

    def kinds(self, kind: str) -> list[Frame]:
        """The journalled lines of a kind."""
        return [json.loads(line.body) for line in self.journal.lines if line.kind == kind]


def bracket(amount: int = 1000, **params: Any) -> Frame:
    """The parameters of a market entry of ours with a take and a stop two per cent away."""
    leg = {"direction": "sell", "amount": amount, "reduce_only": True}
    stop = {"type": "stop_market", "trigger": "mark_price", "trigger_price": 48_500}
    return buy(
        amount,
        label="tb1-aa-1-e",
        linked_order_type="one_triggers_one_cancels_other",
        trigger_fill_condition="incremental",
        otoco_config=[
            {**leg, "type": "limit", "price": 50_500, "label": "tb1-aa-1-t"},
            {**leg, **stop, "label": "tb1-aa-1-s"},
        ],
        **params,
    )


def buy(amount: int = 10, **params: Any) -> Frame:
    """The parameters of a market order."""
    return {"instrument_name": BTC, "amount": amount, "type": "market", **params}
