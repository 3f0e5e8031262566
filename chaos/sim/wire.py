"""The network between the daemon and the exchange: byte streams in memory, with a network's faults.

A connection is two pipes. What is written into one comes out after a latency with a heavy tail, in
order, in pieces that need not be those that were written. A pipe holds a bounded amount: a reader
that is slow, or gone, makes the writer wait. A connection can be cut at any byte, so between frames
as well as inside one; it can go silent without ending (half-open), in either direction; and a
machine that is dead writes nothing more, whatever its dying code does, while what it wrote before
is still delivered.

Nothing here knows what the bytes mean.
"""

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import trio

CAPACITY = 256 * 1024
"""Bytes on their way in one direction, as socket buffers would hold."""
CONNECT_S = 0.0005


@dataclass(frozen=True, slots=True)
class Weather:
    """How the network behaves; drawn from the seed. ``tail`` is the chance of a long delay."""

    latency_s: float = 0.001
    tail: float = 0.02
    tail_s: float = 0.25
    worst_s: float = 20.0
    split: float = 0.1
    """The chance that a read gives only a part of what is there."""

    def latency(self, rng: random.Random) -> float:
        """Seconds that the next piece takes."""
        if rng.random() < self.tail:
            return min(self.tail_s * rng.paretovariate(1.2), self.worst_s)
        return self.latency_s * rng.uniform(0.5, 1.5)


CALM = Weather(tail=0.0, split=0.0)


@final
class Pipe:
    """One direction of a connection."""

    def __init__(self, network: "Network", number: int) -> None:
        self._network = network
        self.number = number
        self.silent = False
        self.written = 0
        self._stalled = False
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._ended = False
        self._reset = False
        self._news = trio.Event()
        self._alarm = trio.CancelScope()

    def write(self, data: bytes) -> None:
        """Send bytes on their way; they are lost when the direction is silent."""
        self.written += len(data)
        if self.silent or self._ended or not data:
            return
        network = self._network
        due = trio.current_time() + network.weather.latency(network.rng)
        if self._chunks:
            due = max(due, self._chunks[-1][0])
        self._chunks.append((due, data))
        self._held += len(data)
        self._tell()

    async def wait_for_room(self) -> None:
        """Wait until the pipe can take more; a broken one can take anything."""
        while self._held >= (1 if self._stalled else CAPACITY) and not self._reset:
            await self._news.wait()

    async def read(self, most: int) -> bytes:
        """The next bytes; b"" after the last ones. There is one reader; it wakes when they are due.

        Raises:
            trio.BrokenResourceError: The connection was cut.
        """
        while True:
            if self._reset:
                raise trio.BrokenResourceError("connection reset")
            if self._due() <= trio.current_time():
                return self._take(most) if self._chunks else b""
            self._alarm = trio.CancelScope(deadline=self._due())
            with self._alarm:
                await trio.sleep_forever()

    def end(self) -> None:
        """No more will be written; what is on its way arrives, unless the direction is silent."""
        if not self.silent:
            self._ended = True
            self._tell()

    def stall(self) -> None:
        """Have the reader read nothing: the pipe is full as soon as anything is in it."""
        self._stalled = True

    def flow(self) -> None:
        """The reader reads again."""
        self._stalled = False
        self._tell()

    def reset(self) -> None:
        """Lose what is on its way, and break."""
        self._reset = True
        self._chunks.clear()
        self._held = 0
        self._tell()

    @property
    def broken(self) -> bool:
        return self._reset

    @property
    def under_way(self) -> tuple[bytes, ...]:
        """What was written and has not come out yet, in the pieces in which it was written."""
        return tuple(data for _, data in self._chunks)

    def _take(self, most: int) -> bytes:
        due, data = self._chunks.popleft()
        if self._network.rng.random() < self._network.weather.split:
            most = min(most, self._network.rng.randint(1, len(data)))
        if len(data) > most:
            self._chunks.appendleft((due, data[most:]))
            data = data[:most]
        self._held -= len(data)
        self._tell()
        return data

    def _due(self) -> float:
        """When there is something to read: bytes, the end, or that it broke."""
        if self._reset or (self._ended and not self._chunks):
            return -math.inf
        return self._chunks[0][0] if self._chunks and not self._stalled else math.inf

    def _tell(self) -> None:
        self._alarm.deadline = self._due()
        news, self._news = self._news, trio.Event()
        news.set()


@final
@dataclass(slots=True)
class Connection:
    """Two pipes and the two ends that use them."""

    number: int
    up: Pipe
    down: Pipe

    def cut(self) -> None:
        """Break both directions at once; both ends notice."""
        self.up.reset()
        self.down.reset()

    def go_silent(self, *, up: bool, down: bool) -> None:
        """Let a direction swallow everything without a word."""
        self.up.silent = self.up.silent or up
        self.down.silent = self.down.silent or down


@final
class End(trio.abc.Stream):
    """One end of a connection, as a process holds it."""

    def __init__(
        self, host: "Host", connection: Connection, outgoing: Pipe, incoming: Pipe
    ) -> None:
        self.connection = connection
        self._host = host
        self._out = outgoing
        self._in = incoming
        self._closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._host.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError
        if self._out.broken:
            raise trio.BrokenResourceError("connection reset")
        if self._host.alive:
            self._host.sends(self, bytes(data))
        await self._out.wait_for_room()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await self._host.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError
        data = await self._in.read(max_bytes or 65_536)
        return self._host.received(self, data)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            if self._host.alive:
                self.finish()
        await trio.lowlevel.checkpoint()

    def finish(self) -> None:
        """Nothing more is written, and nobody reads any more: whoever writes to us is refused."""
        self._out.end()
        self._in.reset()

    def put(self, data: bytes) -> None:
        """Hand bytes to the pipe: what ``Host.sends`` does unless something intervenes."""
        self._out.write(data)


Send = Callable[[End, bytes], None]
"""Carries out a write at an end."""
Receive = Callable[[End, bytes], bytes]
"""Is told what an end has read, and returns what of it is handed over; b"" is the end of all."""


def _put(end: End, data: bytes) -> None:
    end.put(data)


def _hand_over(_end: End, data: bytes) -> bytes:
    return data


@final
@dataclass(slots=True)
class Host:
    """One process on the network. ``sends`` carries out a write and may do something else instead;
    ``received`` is told what was read and may hand over less. One that is not alive sends nothing.

    A host that is ``brisk`` gives nobody else a turn where it need not wait. A real socket does,
    but at the exchange that shows nothing, and every fourth step of a world would be such a turn.
    """

    name: str
    brisk: bool = False
    alive: bool = True
    sends: Send = _put
    received: Receive = _hand_over
    ends: list[End] = field(default_factory=list)

    async def checkpoint(self) -> None:
        """Let others run, and notice a cancellation."""
        if self.brisk:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()

    def die(self) -> None:
        """The process is gone: its kernel sends what was written and ends its connections."""
        self.alive = False
        for end in self.ends:
            end.finish()

    def vanish(self) -> None:
        """The whole machine is gone: nobody is told."""
        self.alive = False
        for end in self.ends:
            end.connection.go_silent(up=True, down=True)

    def take(self, end: End) -> None:
        """Hold one more end; those of broken connections are let go."""
        self.ends = [held for held in self.ends if not held.connection.up.broken]
        self.ends.append(end)


@final
class Listener(trio.abc.Listener[End]):
    """Where the exchange accepts connections."""

    def __init__(self) -> None:
        self._put, self._take = trio.open_memory_channel[End](64)

    async def accept(self) -> End:
        return await self._take.receive()

    async def aclose(self) -> None:
        self._take.close()
        await trio.lowlevel.checkpoint()

    def offer(self, end: End) -> bool:
        """Hand an end to the acceptor; False when nobody listens."""
        try:
            self._put.send_nowait(end)
        except (trio.BrokenResourceError, trio.WouldBlock):
            return False
        return True


@final
class Network:
    """All connections. ``reachable`` False: a connect gets no answer at all."""

    def __init__(self, rng: random.Random, weather: Weather = CALM) -> None:
        self.rng = rng
        self.weather = weather
        self.reachable = True
        self.connections: list[Connection] = []
        self._server: tuple[Host, Listener] | None = None
        self._count = 0

    def serve(self, host: Host, listener: Listener) -> None:
        """From now on connects reach ``listener``."""
        self._server = (host, listener)

    async def connect(self, client: Host) -> End:
        """Connect ``client`` to whoever listens.

        Raises:
            OSError: Nobody does.
        """
        if not self.reachable:
            await trio.sleep_forever()
        await trio.sleep(CONNECT_S + self.weather.latency(self.rng))
        server = self._server
        if server is None or not server[0].alive or not client.alive:
            raise ConnectionRefusedError("nobody listens there")
        connection = self._new_connection()
        host, listener = server
        far = End(host, connection, connection.down, connection.up)
        near = End(client, connection, connection.up, connection.down)
        if not listener.offer(far):
            raise ConnectionRefusedError("nobody listens there any more")
        host.take(far)
        client.take(near)
        self.connections = [c for c in self.connections if not c.up.broken]
        self.connections.append(connection)
        return near

    def _new_connection(self) -> Connection:
        self._count += 1
        number = self._count
        return Connection(number, Pipe(self, 2 * number), Pipe(self, 2 * number + 1))
