"""Serves the embedded exchange over WebSockets, on whatever streams it is given.

One lock makes every step whole: change the books, commit the ledger, send the frames. Nothing is
answered and nobody is notified before the commit, so whatever a client was told is still true
after a SIGKILL. A client that reads too slowly, or that was armed to lose its connection, is cut
off; no client can hold up another one or the market.

There is no socket, no file and no real time in here: ``process`` gives it the real ones, and a
simulation gives it its own. Cancelling it is the death of the exchange: nothing is told or
committed any more, and whoever starts it again begins from the ledger.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar, cast

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from tradebaas.paper.exchange import Exchange
from tradebaas.paper.ledger import Ledger
from tradebaas.paper.pace import Pace
from tradebaas.paper.rpc import Front
from tradebaas.paper.terms import BAD_GATEWAY
from tradebaas.runtime.ports import Blocking, Ports

PATH = "/ws/api/v2"
MAX_QUEUED_FRAMES = 4_096
MAX_CONNECTIONS = 32
MAX_MESSAGE_BYTES = 256 * 1024
HANDSHAKE_S = 5.0
HEARTBEAT_ANSWER_S = 10.0
CLOCK_ROW_S = 1.0
SHORTEST_PAUSE_S = 0.001
HEARTBEAT = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}'
TEST_REQUEST = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'

T = TypeVar("T")


class Stopped(Exception):
    """An earlier step failed; its exception is on its way up and ends the exchange."""


class Connection:
    """One client: a bounded queue of outgoing frames and the scope that cuts it off."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.scope = trio.CancelScope()
        self.answered = trio.Event()
        self.beats = trio.Event()
        self._send, self.frames = trio.open_memory_channel[bytes](MAX_QUEUED_FRAMES)

    def put(self, frame: bytes) -> None:
        """Queue a frame; a client that has let the queue fill up is cut off.

        Nothing is queued for one that has gone or is being dropped: its writer may still be at
        work.
        """
        try:
            self._send.send_nowait(frame)
        except trio.WouldBlock:
            self.scope.cancel()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def finish(self) -> None:
        """Queue nothing more: the writer cuts the connection when it has sent what is queued."""
        self._send.close()

    def close(self) -> None:
        """Forget what is queued; whatever is put from now on is dropped."""
        self._send.close()
        self.frames.close()


Post = Callable[[Connection, bytes], None]
"""Takes a frame for a connection and puts it there, sooner or later, or never."""


class Server:
    """The running exchange: market, connections, ledger. For one ``run``.

    ``post`` is handed each frame that a connection is to get, when it is true and durable; it may
    put it there later. A frame for a connection that has gone by then is dropped.
    """

    def __init__(
        self, exchange: Exchange, ledger: Ledger, blocking: Blocking, ports: Ports,
        post: Post = Connection.put,
    ) -> None:  # fmt: skip
        self.exchange = exchange
        self.front = Front(exchange)
        self._ledger = ledger
        self._blocking = blocking
        self._post = post
        self._clock = ports.clock
        self._lock = trio.Lock()
        self._connections: dict[int, Connection] = {}
        self._nursery: trio.Nursery
        self._due = trio.Event()
        self._due_ms: int | None = None
        self._broken = False
        self._saved_at = -CLOCK_ROW_S
        self._saved_now = -1
        self._used_at = self._clock.monotonic()
        config = exchange.config
        self._pace = Pace(
            config.speed,
            config.lockstep,
            exchange.now_ms,
            self._clock.monotonic(),
            self._clock.wall_ms(),
        )
        self._follow()

    async def run(
        self,
        listeners: Sequence[trio.abc.Listener[trio.abc.Stream]],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve WebSockets on the listeners' streams until cancelled; started once it listens.

        Raises:
            StoreFault: the ledger does not take a step.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._run_market)
            await nursery.start(trio.serve_listeners, self._serve_stream, listeners)
            task_status.started()

    async def act(self, deed: Callable[[], T]) -> T:
        """Do something to the exchange as one step: alone, made durable, then told.

        Raises:
            Stopped: an earlier step failed.
        """
        async with self._step():
            return deed()

    # -- the market ---------------------------------------------------------------------------

    async def _run_market(self) -> None:
        config = self.exchange.config
        with contextlib.suppress(Stopped):
            while True:
                async with self._step():
                    now_us = self._now_us()
                    self.front.run_due(now_us, self._clock.wall_ms(), self._pace.wire())
                    if config.lockstep or self.exchange.paused:
                        self.exchange.set_now(now_us // 1000)
                    else:
                        self.exchange.advance(now_us // 1000)
                self._due = trio.Event()
                with trio.move_on_after(self._pause_s()):
                    await self._due.wait()

    def _pause_s(self) -> float:
        """Return how long the market may stand: until its next step or what else is due."""
        pause_s, self._due_ms = self.exchange.config.market_pause_s, self.front.next_due_ms
        if self._due_ms is not None:
            until_s = self._pace.seconds_until(self._due_ms, self._clock.monotonic())
            pause_s = min(pause_s, max(until_s, SHORTEST_PAUSE_S))
        return pause_s

    def _now_us(self) -> int:
        return self._pace.now_us(self._clock.monotonic())

    def _follow(self) -> None:
        exchange = self.exchange
        stands = exchange.config.lockstep and not exchange.tape.ended
        close_ms = exchange.tape.open_ms + 60_000 if stands else None
        self._pace.follow(
            exchange.now_ms,
            close_ms,
            exchange.paused,
            self._clock.monotonic(),
            self._clock.wall_ms(),
        )

    @asynccontextmanager
    async def _step(self) -> AsyncIterator[None]:
        """Run the body as one step: alone, then durable, then told.

        A step that fails leaves the books half changed, so nothing may be committed after it.
        """
        async with self._lock:
            if self._broken:
                raise Stopped
            self._broken = True
            yield
            self._follow()
            if self.front.next_due_ms not in {None, self._due_ms}:
                self._due.set()
            step = self.exchange.take_step()
            now = self._clock.monotonic()
            moved = self.exchange.now_ms != self._saved_now
            if step.records or step.orders or (moved and now - self._saved_at >= CLOCK_ROW_S):
                saved = self.exchange.saved
                # A client that is cut off during the commit must not take the step with it.
                with trio.CancelScope(shield=True):
                    await self._blocking.run(
                        self._ledger.commit, step.records, step.orders, step.trades, saved
                    )
                self._saved_at, self._saved_now = now, self.exchange.now_ms
            self._broken = False
            for number, frame in step.frames:
                if number in self._connections:
                    self._post(self._connections[number], frame)
            for number in step.drops:
                if number in self._connections:
                    self._connections[number].finish()

    # -- connections --------------------------------------------------------------------------

    async def _serve_stream(self, stream: trio.abc.Stream) -> None:
        try:
            await self._serve_websocket(stream)
        finally:
            await trio.aclose_forcefully(stream)

    async def _serve_websocket(self, stream: trio.abc.Stream) -> None:
        # The library works on any stream, though its annotation names two.
        carrier = cast(trio.SocketStream, stream)
        try:
            async with trio.open_nursery() as nursery:
                with trio.move_on_after(HANDSHAKE_S) as handshake:
                    request = await wrap_server_stream(
                        nursery, carrier, max_message_size=MAX_MESSAGE_BYTES
                    )
                    if request.path != PATH:
                        await request.reject(404)
                    elif self.exchange.terms.maintained(self.exchange.now_ms):
                        await request.reject(BAD_GATEWAY)
                    elif len(self._connections) >= MAX_CONNECTIONS:
                        await request.reject(429)
                    else:
                        websocket = await request.accept()
                        handshake.deadline = float("inf")
                        await self._converse(websocket)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, ConnectionClosed, Stopped):
            # The client went away, and the books were told in _converse; or the failed step,
            # wherever it was, is ending the exchange already.
            pass

    async def _converse(self, websocket: WebSocketConnection) -> None:
        async with self._step():
            connection = Connection(self.exchange.connect().number)
            self._connections[connection.number] = connection
        try:
            with connection.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, websocket, connection)
                    nursery.start_soon(self._beat, websocket, connection)
                    await self._read(websocket, connection)
                    nursery.cancel_scope.cancel()
        finally:
            connection.close()
            del self._connections[connection.number]
            # Not by this task, which may be cancelled already: only the exchange's own death may
            # keep the news from the books.
            self._nursery.start_soon(self._part, connection.number)

    async def _part(self, number: int) -> None:
        with contextlib.suppress(Stopped):
            await self.act(lambda: self.exchange.disconnect(number))

    async def _read(self, websocket: WebSocketConnection, connection: Connection) -> None:
        while True:
            try:
                message = await websocket.get_message()
            except ConnectionClosed:
                return
            text = message if isinstance(message, str) else message.decode(errors="replace")
            number = connection.number
            async with self._step():
                if number not in self.exchange.sessions:
                    return
                method = self.front.receive(
                    number, text, self._now_us(), self._clock.wall_ms(), self._pace.wire()
                )
            if method == "public/test":
                connection.answered.set()
            elif method == "public/set_heartbeat":
                connection.beats.set()

    async def _write(self, websocket: WebSocketConnection, connection: Connection) -> None:
        async for frame in connection.frames:
            try:
                await websocket.send_message(frame.decode())
            except ConnectionClosed:
                break
        connection.scope.cancel()

    async def _beat(self, websocket: WebSocketConnection, connection: Connection) -> None:
        """Ask for signs of life once the client has set a heartbeat; close 4000 without one."""
        while True:
            session = self.exchange.sessions.get(connection.number)
            interval = session.heartbeat_s if session is not None else 0
            if not interval:
                await connection.beats.wait()
                connection.beats = trio.Event()
                continue
            await trio.sleep(interval)
            connection.answered = trio.Event()
            self._post(connection, HEARTBEAT)
            self._post(connection, TEST_REQUEST)
            with trio.move_on_after(HEARTBEAT_ANSWER_S) as waiting:
                await connection.answered.wait()
            if waiting.cancelled_caught:
                with trio.move_on_after(1.0):
                    await websocket.aclose(4000, "heartbeat close")
                connection.scope.cancel()

    async def watch_idle(self, scope: trio.CancelScope) -> None:
        """Cancel ``scope`` when no client has been here for ``idle_exit_s``."""
        limit = self.exchange.config.idle_exit_s
        if not limit:
            return
        while True:
            now = self._clock.monotonic()
            if any(not session.admin for session in self.exchange.sessions.values()):
                self._used_at = now
            elif now - self._used_at >= limit:
                scope.cancel()
                return
            await trio.sleep(min(1.0, limit / 4))
