"""A relay of TCP connections that can hurt them: ``python -m chaos.real.relay HOST PORT SEED``.

It stands between daemon and exchange, as a process of its own. Orders come as JSON lines on its
standard input, and each is answered by a line. Bytes go up (to the exchange) and down:

    pass      as they come
    hold      not before the shape changes; then all of them, in order
    lose      never; the connection is reset when the shape changes, since a hole cannot be healed
    delay     late by a time with a heavy tail, in order
    trickle   in small pieces with pauses

It can also cut all connections (reset), cut one inside a chunk, leave all present ones half open
(nothing goes through them any more and neither side is told), and refuse new ones. It ends with
its standard input. It knows nothing of what the bytes mean.
"""

import os
import random
import socket
import struct
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec
import trio
from msgspec import Struct

CHUNK = 65_536
PIECE = 16
PIECE_PAUSE_S = 0.004
TAIL = 1.2
"""The shape of the delays' Pareto distribution: its mean is finite, its variance is not."""
LONGEST_DELAYS = 40.0
"""No delay is longer than so many typical ones."""

Way: TypeAlias = Literal["up", "down"]


class Shape(Struct, frozen=True, forbid_unknown_fields=True):
    """How bytes travel in one direction; ``seconds`` is the shortest delay, which is the usual."""

    mode: Literal["pass", "hold", "lose", "delay", "trickle"] = "pass"
    seconds: float = 0.0


class Order(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do. ``after``: bytes of the next chunk that still pass before the cut inside it."""

    do: Literal["shape", "cut", "cut inside", "half open", "refuse", "accept", "tell"]
    up: Shape = Shape()
    down: Shape = Shape()
    way: Way = "up"
    after: int = 0


class Told(Struct, frozen=True):
    """The answer: how many connections are open, and how many were cut so far."""

    port: int
    open: int = 0
    cuts: int = 0


@dataclass(eq=False, slots=True)
class Pair:
    """A connection of a client and the one to the exchange that belongs to it."""

    client: trio.SocketStream
    server: trio.SocketStream
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    lost: bool = False
    doomed: bool = False

    def streams(self, way: Way) -> tuple[trio.SocketStream, trio.SocketStream]:
        return (self.client, self.server) if way == "up" else (self.server, self.client)


class Relay:
    """All connections, and how bytes travel now."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        self.cuts = 0
        self._upstream = (host, port)
        self._random = random.Random(seed)
        self._pairs: set[Pair] = set()
        self._shapes: dict[Way, Shape] = {"up": Shape(), "down": Shape()}
        self._changed = trio.Event()
        self._armed: dict[Way, int] = {}
        self._refuses = False

    def obey(self, order: Order) -> None:
        """Do what an order says."""
        match order.do:
            case "shape":
                self._shape(order.up, order.down)
            case "cut":
                self._cut(self._pairs)
            case "cut inside":
                self._armed[order.way] = order.after
            case "half open":
                for pair in self._pairs:
                    pair.lost = True
            case "refuse" | "accept":
                self._refuses = order.do == "refuse"
            case "tell":
                pass

    def told(self, port: int) -> Told:
        """What there is to tell."""
        return Told(port, len(self._pairs), self.cuts)

    def _shape(self, up: Shape, down: Shape) -> None:
        self._shapes = {"up": up, "down": down}
        self._armed.clear()
        self._changed.set()
        self._changed = trio.Event()
        if "lose" not in (up.mode, down.mode):
            self._cut({pair for pair in self._pairs if pair.doomed})

    def _cut(self, pairs: set[Pair]) -> None:
        for pair in pairs:
            self.cuts += 1
            pair.scope.cancel()

    # ------------------------------------------------------------------------------- connections

    async def serve(self, client: trio.SocketStream) -> None:
        """Relay one connection until either side ends it, or an order does."""
        if self._refuses:
            _reset(client)
            return
        try:
            server = await trio.open_tcp_stream(*self._upstream)
        except OSError:
            _reset(client)
            return
        pair = Pair(client, server)
        self._pairs.add(pair)
        try:
            with pair.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._pump, pair, "up")
                    nursery.start_soon(self._pump, pair, "down")
        finally:
            self._pairs.discard(pair)
            _reset(client)
            _reset(server)

    async def _pump(self, pair: Pair, way: Way) -> None:
        source, sink = pair.streams(way)
        put, take = trio.open_memory_channel[tuple[float, bytes]](float("inf"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read, source, put)
            try:
                await self._write(pair, way, sink, take)
                if not pair.lost:
                    await sink.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                if not pair.lost:
                    pair.scope.cancel()

    async def _write(
        self,
        pair: Pair,
        way: Way,
        sink: trio.SocketStream,
        chunks: trio.MemoryReceiveChannel[tuple[float, bytes]],
    ) -> None:
        async for came_at, chunk in chunks:
            while self._shapes[way].mode == "hold" and not pair.lost:
                await self._changed.wait()
            shape = self._shapes[way]
            if pair.lost or shape.mode == "lose":
                pair.doomed = True
                continue
            if way in self._armed:
                await sink.send_all(chunk[: self._armed.pop(way)])
                self._cut({pair})
            elif shape.mode == "trickle":
                await _trickle(sink, chunk)
            else:
                await trio.sleep_until(came_at + self._latency(shape))
                await sink.send_all(chunk)

    def _latency(self, shape: Shape) -> float:
        if shape.mode != "delay":
            return 0.0
        return shape.seconds * min(self._random.paretovariate(TAIL), LONGEST_DELAYS)


async def _read(
    source: trio.SocketStream, put: trio.MemorySendChannel[tuple[float, bytes]]
) -> None:
    with put:
        try:
            while chunk := await source.receive_some(CHUNK):
                put.send_nowait((trio.current_time(), chunk))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


async def _trickle(sink: trio.SocketStream, chunk: bytes) -> None:
    for at in range(0, len(chunk), PIECE):
        await sink.send_all(chunk[at : at + PIECE])
        await trio.sleep(PIECE_PAUSE_S)


def _reset(stream: trio.SocketStream) -> None:
    """Close with a reset instead of an orderly end."""
    if stream.socket.fileno() >= 0:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()


# ----------------------------------------------------------------------------------- the process


async def run(host: str, port: int, seed: int) -> None:
    """Listen on a free port of loopback, say which, and obey until the orders end."""
    relay = Relay(host, port, seed)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    own_port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, relay.serve, listeners)
        _say(relay.told(own_port))
        async for line in _lines(trio.lowlevel.FdStream(os.dup(0))):
            relay.obey(msgspec.json.decode(line, type=Order))
            _say(relay.told(own_port))
        nursery.cancel_scope.cancel()


async def _lines(stream: trio.lowlevel.FdStream) -> AsyncIterator[bytes]:
    rest = b""
    async with stream:
        async for chunk in stream:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line


def _say(told: Told) -> None:
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    trio.run(run, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
