"""The exchange's HTTP side: one request after the other on a connection, each answered or refused.

A call runs through the same steps as a frame of a WebSocket (``http_calls`` makes it one); nothing
of it outlives its answer. Every wait has an end: for a request to begin, to come in whole, to be
answered, and for the client to take the answer. Requests that come without waiting for answers are
served in their order; no more of them is read than the one under way.
"""

from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple, final

import h11
import trio

from tradebaas.paper.connections import Seats
from tradebaas.paper.http_calls import TurnedAway, Visit, is_steering, status_of, visit_of
from tradebaas.paper.rpc import MAX_FRAME_BYTES
from tradebaas.paper.sessions import is_near
from tradebaas.paper.steps import Steps, Stopped
from tradebaas.paper.streams import CHUNK, MAX_HEAD_BYTES, head_of, is_of_page, wants_websocket
from tradebaas.paper.terms import BAD_GATEWAY
from tradebaas.runtime.ports import Clock

IDLE_S = 60.0
REQUEST_S = 10.0
SEND_S = 10.0
LINGER_S = 1.0
EXPIRES_S = 15 * 60.0
"""A connection that is older gets its answer and is closed, as at Deribit."""

JSON, TEXT = "application/json", "text/plain; charset=utf-8"
BUSY = 429, "too many clients are being served already: close connections, or wait"
SHUT = BAD_GATEWAY, "maintenance is going on: come back later"
NO_PAGES = "an exchange that is steered (--admin) answers to no web page of another origin"
SLOW = 408, f"the request did not come in whole within {REQUEST_S:g} s"


class Asked(NamedTuple):
    """A request as it came in; ``body`` is cut off where it is longer than any may be."""

    verb: str
    target: str
    authorization: str
    body: bytes
    of_page: bool


@final
class Client:
    """One client's connection: requests come in, responses go out."""

    def __init__(self, stream: trio.abc.Stream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._expires = trio.current_time() + EXPIRES_S
        self._verb = ""
        self._whole = False
        """Whether the last request came in to its end."""
        self.upgrade = b""
        """What a client sent that wants to go on as a WebSocket, from that request on."""

    async def wait(self) -> None:
        """Wait until the next request begins, or the client ends the connection.

        Raises:
            trio.BrokenResourceError: the client is gone.
        """
        self._verb, self._whole = "", False
        if not self._h11.trailing_data[0]:
            await self._receive()

    async def read(self) -> Asked | None:
        """Return the request that has begun; None when the client ends or upgrades the connection.

        Raises:
            TurnedAway: it comes too slowly.
            h11.RemoteProtocolError: it is none.
            trio.BrokenResourceError: the client is gone.
        """
        with trio.move_on_after(REQUEST_S):
            return await self._request()
        raise TurnedAway(*SLOW)

    async def respond(self, status: int, kind: str, body: bytes, allow: str = "") -> bool:
        """Send a response; return whether another request may follow on this connection.

        Raises:
            trio.BrokenResourceError: the client is gone.
            trio.TooSlowError: it does not take the response.
        """
        headers = [
            ("Date", formatdate(self._clock.wall_ms() / 1000, usegmt=True)),
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            *([("Allow", allow)] if allow else []),
            *([("Connection", "close")] if not self._whole or self._expired else []),
        ]
        reason = HTTPStatus(status).phrase.encode()
        events = [
            h11.Response(status_code=status, headers=headers, reason=reason),
            *([h11.Data(data=body)] if self._verb != "HEAD" else []),
            h11.EndOfMessage(),
        ]
        out = b"".join(self._h11.send(event) or b"" for event in events)
        with trio.fail_after(SEND_S):
            await self._stream.send_all(out)
        if not self._whole:
            await self._linger()
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    @property
    def _expired(self) -> bool:
        return trio.current_time() >= self._expires

    async def _request(self) -> Asked | None:
        request = await self._next_event()
        if not isinstance(request, h11.Request):
            return None
        if wants_websocket(request):
            self.upgrade = head_of(request) + self._h11.trailing_data[0]
            return None
        self._verb = request.method.decode()
        body = b""
        while len(body) <= MAX_FRAME_BYTES:
            event = await self._next_event()
            if not isinstance(event, h11.Data):
                self._whole = True
                break
            body += event.data
        authorization = dict(request.headers).get(b"authorization", b"").decode("latin-1")
        of_page = is_of_page(request.headers)
        return Asked(self._verb, request.target.decode(), authorization, body, of_page)

    async def _next_event(self) -> h11.Event:
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Event):
                return event
            if self._h11.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self._stream.send_all(self._h11.send(go_on) or b"")
            await self._receive()

    async def _receive(self) -> None:
        self._h11.receive_data(bytes(await self._stream.receive_some(CHUNK)))

    async def _linger(self) -> None:
        """Let the client read why before what it still sends makes the system cut it off."""
        with trio.move_on_after(LINGER_S):
            while await self._stream.receive_some(CHUNK):
                pass


@final
class Http:
    """Serves HTTP connections; one takes a seat only while a request of it is answered."""

    def __init__(self, steps: Steps, seats: Seats, clock: Clock) -> None:
        self._steps = steps
        self._seats = seats
        self._clock = clock
        self._idle: dict[trio.CancelScope, None] = {}
        """The connections without a request, the longest idle one first."""

    async def serve(self, stream: trio.abc.Stream, peer: str) -> bytes:
        """Answer a client's requests, who is at an address, until it goes or is cut off.

        Return what it has sent if it wants to go on as a WebSocket, else nothing.
        """
        client = Client(stream, self._clock)
        try:
            while await self._begins(client) and await self._serve_one(client, peer):
                pass
        except (trio.BrokenResourceError, trio.TooSlowError, Stopped):
            # The client is gone or takes no answer, or the exchange is ending.
            return b""
        return client.upgrade

    def make_room(self) -> bool:
        """End the connection that has been idle longest; return whether there was one."""
        longest = next(iter(self._idle), None)
        if longest is not None:
            del self._idle[longest]
            longest.cancel()
        return longest is not None

    def _steers(self, visit: Visit, peer: str) -> bool:
        """Return whether a driver calls, who alone can end a maintenance before its time."""
        return self._steps.exchange.config.admin and is_near(peer) and is_steering(visit.text)

    async def _begins(self, client: Client) -> bool:
        with trio.move_on_after(IDLE_S) as patience:
            self._idle[patience] = None
            try:
                await client.wait()
            finally:
                self._idle.pop(patience, None)
        return not patience.cancelled_caught

    async def _serve_one(self, client: Client, peer: str) -> bool:
        exchange = self._steps.exchange
        try:
            asked = await client.read()
            if asked is None:
                return False
            if asked.of_page and exchange.config.admin and is_near(peer):
                raise TurnedAway(403, NO_PAGES)
            visit = visit_of(asked.verb, asked.target, asked.authorization, asked.body)
            if exchange.terms.maintained(exchange.now_ms) and not self._steers(visit, peer):
                raise TurnedAway(*SHUT)
            if self._seats.full:
                raise TurnedAway(*BUSY)
            with self._seats.taken():
                frame = await self._steps.answer(visit.text, visit.proof, peer)
        except TurnedAway as refusal:
            return await client.respond(refusal.status, TEXT, refusal.body, refusal.allow)
        except h11.RemoteProtocolError as error:
            return await client.respond(error.error_status_hint, TEXT, f"{error}\n".encode())
        return frame is not None and await client.respond(status_of(frame), JSON, frame)
