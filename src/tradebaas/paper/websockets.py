"""The exchange's WebSocket side: handshake, frames in and out, heartbeats.

Everything that lasts for a connection lives here and nowhere else: subscriptions, heartbeats,
cancel-on-disconnect. A client that was armed to lose its connection is cut off.
"""

from typing import cast, final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from tradebaas.paper.connections import Connection, Seats
from tradebaas.paper.sessions import is_near
from tradebaas.paper.steps import Steps, Stopped
from tradebaas.paper.streams import is_of_page
from tradebaas.paper.terms import BAD_GATEWAY

PATH = "/ws/api/v2"
MAX_MESSAGE_BYTES = 256 * 1024
HANDSHAKE_S = 5.0
HEARTBEAT_ANSWER_S = 10.0
FIRST_BEAT = 1.2
"""How many intervals pass before the first sign of life is asked for, and between two while there
is other traffic."""
BEAT_LATE_S = 0.6
"""By how much longer than the interval a quiet connection is left alone."""
IDLE_S = 60.5
"""After so long a connection is cut that hears and says nothing and asked for no heartbeat."""
GOODBYE_S = 1.0
HEARTBEAT = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}'
NEWS = b'{"jsonrpc":"2.0","method":"subscription"'
TEST_REQUEST = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'


@final
class WebSockets:
    """Serves WebSockets; ``nursery`` outlives each of them."""

    def __init__(self, steps: Steps, seats: Seats, nursery: trio.Nursery) -> None:
        self._steps = steps
        self._seats = seats
        self._nursery = nursery

    async def serve(self, stream: trio.abc.Stream, peer: str) -> None:
        """Talk to one client, who is at an address, until it goes or is cut off."""
        # The library works on any stream, though its annotation names two.
        carrier = cast(trio.SocketStream, stream)
        exchange = self._steps.exchange
        steered = exchange.config.admin and is_near(peer)
        try:
            async with trio.open_nursery() as nursery:
                with trio.move_on_after(HANDSHAKE_S) as handshake:
                    request = await wrap_server_stream(
                        nursery, carrier, max_message_size=MAX_MESSAGE_BYTES
                    )
                    if request.path != PATH:
                        await request.reject(404)
                    elif steered and is_of_page(request.headers):
                        await request.reject(403)
                    elif exchange.terms.maintained(exchange.now_ms):
                        await request.reject(BAD_GATEWAY)
                    elif self._seats.full:
                        await request.reject(429)
                    else:
                        with self._seats.taken():
                            websocket = await request.accept()
                            handshake.deadline = float("inf")
                            await self._converse(websocket, peer)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, ConnectionClosed, Stopped):
            # The client went away, and the books were told in _converse; or the failed step,
            # wherever it was, is ending the exchange already.
            pass

    async def _converse(self, websocket: WebSocketConnection, peer: str) -> None:
        connection = await self._steps.join(peer)
        try:
            with connection.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, websocket, connection)
                    nursery.start_soon(self._beat, websocket, connection)
                    nursery.start_soon(self._watch_idle, connection)
                    await self._read(websocket, connection)
                    nursery.cancel_scope.cancel()
        finally:
            self._steps.part(connection, self._nursery)

    async def _read(self, websocket: WebSocketConnection, connection: Connection) -> None:
        while True:
            try:
                message = await websocket.get_message()
            except ConnectionClosed:
                return
            text = message if isinstance(message, str) else message.decode(errors="replace")
            method = await self._steps.receive(connection.number, text)
            if method is None:
                return
            if method == "public/test":
                connection.answered.set()
                continue
            connection.busy = True
            if method == "public/set_heartbeat":
                connection.beats.set()

    async def _write(self, websocket: WebSocketConnection, connection: Connection) -> None:
        async for frame in connection.frames:
            try:
                await websocket.send_message(frame.decode())
            except ConnectionClosed:
                break
            connection.used_at = trio.current_time()  # each call is answered
            connection.busy |= frame.startswith(NEWS)
        if connection.close_code is not None:
            with trio.move_on_after(GOODBYE_S):
                await websocket.aclose(connection.close_code, "too_many_requests")
        connection.scope.cancel()

    async def _watch_idle(self, connection: Connection) -> None:
        """Cut a connection that nobody uses, without a word; a driver may take its time."""
        while True:
            left_s = connection.used_at + IDLE_S - trio.current_time()
            if left_s > 0:
                await trio.sleep(left_s)
                continue
            session = self._steps.exchange.sessions.get(connection.number)
            if session is not None and not (
                session.channels or session.heartbeat_s or session.admin
            ):
                connection.scope.cancel()
            await trio.sleep(IDLE_S)

    async def _beat(self, websocket: WebSocketConnection, connection: Connection) -> None:
        """Ask for signs of life once the client has set a heartbeat; close 4000 without one.

        Where there is other traffic, only the question is sent.
        """
        quiet = False
        while True:
            session = self._steps.exchange.sessions.get(connection.number)
            interval = session.heartbeat_s if session is not None else 0
            if not interval:
                await connection.beats.wait()
                connection.beats = trio.Event()
                quiet = connection.busy = False
                continue
            await trio.sleep(interval + BEAT_LATE_S if quiet else FIRST_BEAT * interval)
            quiet, connection.busy = not connection.busy, False
            connection.answered = trio.Event()
            if quiet:
                self._steps.post(connection, HEARTBEAT)
            self._steps.post(connection, TEST_REQUEST)
            with trio.move_on_after(HEARTBEAT_ANSWER_S) as waiting:
                await connection.answered.wait()
            if waiting.cancelled_caught:
                with trio.move_on_after(GOODBYE_S):
                    await websocket.aclose(4000, "heartbeat close")
                connection.scope.cancel()
