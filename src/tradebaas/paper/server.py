"""Serves the embedded exchange over WebSocket and HTTP, on whatever streams it is given.

Both come in by the same door: how a connection begins decides. No client can hold up another one
or the market (``connections``), and what a client was told is still true after a SIGKILL
(``steps``).

There is no socket, no file and no real time in here: ``process`` gives it the real ones, and a
simulation gives it its own. Cancelling it is the death of the exchange: nothing is told or
committed any more, and whoever starts it again begins from the ledger.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, final

import trio

from tradebaas.paper.connections import MAX_CONNECTIONS, Connection, Post, Seats
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.http import Http
from tradebaas.paper.ledger import Ledger
from tradebaas.paper.steps import Steps
from tradebaas.paper.streams import Rewound, asks_for_websocket, peer_of
from tradebaas.paper.websockets import WebSockets
from tradebaas.runtime.ports import Blocking, Ports

FIRST_REQUEST_S = 5.0
"""How long a client may take to say what it wants."""
MAX_STREAMS = 4 * MAX_CONNECTIONS
"""Open at once, those included that have not said what they want and those that are idle."""

T = TypeVar("T")


@final
class Server:
    """The running exchange: market, connections, ledger. For one ``run``.

    ``post`` is handed each frame that a connection is to get (see ``Steps``).
    """

    def __init__(
        self, exchange: Exchange, ledger: Ledger, blocking: Blocking, ports: Ports,
        post: Post = Connection.put,
    ) -> None:  # fmt: skip
        self._steps = Steps(exchange, ledger, blocking, ports.clock, post)
        self.exchange = exchange
        self.front = self._steps.front
        self._clock = ports.clock
        self._streams = 0
        self._websockets: WebSockets
        self._http: Http

    async def run(
        self,
        listeners: Sequence[trio.abc.Listener[trio.abc.Stream]],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve clients on the listeners' streams until cancelled; started once it listens.

        Raises:
            StoreFault: the ledger does not take a step.
        """
        async with trio.open_nursery() as nursery:
            seats = Seats()
            self._websockets = WebSockets(self._steps, seats, nursery)
            self._http = Http(self._steps, seats, self._clock)
            await nursery.start(self._steps.run_market)
            await nursery.start(trio.serve_listeners, self._serve_stream, listeners)
            task_status.started()

    async def act(self, deed: Callable[[], T]) -> T:
        """Do something to the exchange as one step: alone, made durable, then told.

        Raises:
            Stopped: an earlier step failed.
        """
        return await self._steps.act(deed)

    async def watch_idle(self, scope: trio.CancelScope) -> None:
        """Cancel ``scope`` when no client has been here for ``idle_exit_s``."""
        limit = self.exchange.config.idle_exit_s
        if not limit:
            return
        while True:
            if self._steps.idle_s() >= limit:
                scope.cancel()
                return
            await trio.sleep(min(1.0, limit / 4))

    async def _serve_stream(self, stream: trio.abc.Stream) -> None:
        self._streams += 1
        try:
            if self._streams <= MAX_STREAMS or self._http.make_room():
                await self._serve_client(stream)
        finally:
            self._streams -= 1
            await trio.aclose_forcefully(stream)

    async def _serve_client(self, stream: trio.abc.Stream) -> None:
        with trio.move_on_after(FIRST_REQUEST_S) as patience:
            try:
                websocket, head = await asks_for_websocket(stream)
            except trio.BrokenResourceError:
                return
            patience.deadline = float("inf")
            carrier, peer = Rewound(stream, head), peer_of(stream)
            if not websocket:
                # A client may open its WebSocket on the connection of its last HTTP request.
                upgrade = await self._http.serve(carrier, peer)
                if not upgrade:
                    return
                carrier = Rewound(carrier, upgrade)
            await self._websockets.serve(carrier, peer)
