"""The running exchange without its clients' streams: steps, their commits, the market's pace.

One lock makes every step whole: change the books, commit the ledger, send the frames. Nothing is
answered and nobody is notified before the commit, so whatever a client was told is still true
after a SIGKILL.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from tradebaas.paper.ahead import ahead
from tradebaas.paper.connections import Connection, Post
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.ledger import Ledger
from tradebaas.paper.pace import Pace
from tradebaas.paper.rpc import Front
from tradebaas.paper.sessions import Proof
from tradebaas.runtime.ports import Blocking, Clock

CLOCK_ROW_S = 1.0
SHORTEST_PAUSE_S = 0.001
POLICY_VIOLATION = 1008
"""Of the codes that a WebSocket may close with, the one for who breaks the rules."""
ANSWER_S = 60.0
"""How long a call without a connection waits for an answer that a fault keeps back."""

T = TypeVar("T")


class Stopped(Exception):
    """An earlier step failed; its exception is on its way up and ends the exchange."""


class Steps:
    """Does one thing after the other, and keeps the clients' connections by session.

    ``post`` is handed each frame that a connection is to get, when it is true and durable; it may
    put it there later. A frame for a connection that has gone by then is dropped.
    """

    def __init__(
        self, exchange: Exchange, ledger: Ledger, blocking: Blocking, clock: Clock, post: Post
    ) -> None:
        self.exchange = exchange
        self.front = Front(exchange)
        self.post = post
        self._ledger = ledger
        self._blocking = blocking
        self._clock = clock
        self._lock = trio.Lock()
        self._connections: dict[int, Connection] = {}
        self._due = trio.Event()
        self._due_ms: int | None = None
        self._broken = False
        self._saved_at = -CLOCK_ROW_S
        self._saved_now = -1
        self._used_at = clock.monotonic()
        config, now_ms, wall_ms = exchange.config, exchange.now_ms, clock.wall_ms()
        if config.real_time:
            now_ms = max(now_ms, wall_ms)
        self._pace = Pace(config.speed, config.lockstep, now_ms, clock.monotonic(), wall_ms)
        self._follow()

    async def act(self, deed: Callable[[], T]) -> T:
        """Do something to the exchange as one step: alone, made durable, then told.

        Raises:
            Stopped: an earlier step failed.
        """
        async with self._step():
            return deed()

    # -- clients ------------------------------------------------------------------------------

    async def join(self, peer: str) -> Connection:
        """Take in a connection from an address."""
        async with self._step():
            return self._new_connection(self.exchange.connect(peer).number)

    def part(self, connection: Connection, nursery: trio.Nursery) -> None:
        """Forget a connection at once, and have a task of ``nursery`` tell the books.

        The caller may be cancelled already, and only the exchange's own death may keep the news
        from the books.
        """
        self._forget(connection)
        nursery.start_soon(self._tell_of_parting, connection.number)

    async def receive(self, number: int, text: str) -> str | None:
        """Answer a frame of a session; return its method, None if the session has ended."""
        await self._prepare(text)
        async with self._step():
            if number not in self.exchange.sessions:
                return None
            return self._receive(number, text)

    async def answer(self, text: str, proof: Proof, peer: str) -> bytes | None:
        """Answer a call that came without a connection; None when a fault withholds the answer."""
        await self._prepare(text)
        async with self._step():
            session = self.exchange.visit(proof, peer)
            connection = self._new_connection(session.number)
            self._receive(session.number, text)
            if not session.admin:
                self._used_at = self._clock.monotonic()
        try:
            with trio.move_on_after(ANSWER_S):
                async for frame in connection.frames:
                    return frame
            return None
        finally:
            self._forget(connection)
            self.exchange.leave(connection.number)

    async def _prepare(self, text: str) -> None:
        """Work out what a frame needs while others have their turns."""
        for _ in ahead(self.exchange, text):
            await trio.lowlevel.checkpoint()

    def idle_s(self) -> float:
        """Return for how many seconds there has been no client (drivers are none)."""
        now = self._clock.monotonic()
        if any(not session.admin for session in self.exchange.sessions.values()):
            self._used_at = now
        return now - self._used_at

    def _new_connection(self, number: int) -> Connection:
        connection = self._connections[number] = Connection(number)
        return connection

    def _forget(self, connection: Connection) -> None:
        connection.close()
        del self._connections[connection.number]

    async def _tell_of_parting(self, number: int) -> None:
        with contextlib.suppress(Stopped):
            await self.act(lambda: self.exchange.disconnect(number))

    def _receive(self, number: int, text: str) -> str:
        return self.front.receive(
            number, text, self._now_us(), self._clock.wall_ms(), self._pace.wire()
        )

    # -- the market ---------------------------------------------------------------------------

    async def run_market(
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Move the market and do what falls due, until a step fails; started once it has caught up
        with the wall clock, where it is to."""
        config = self.exchange.config
        with contextlib.suppress(Stopped):
            if config.real_time:
                await self.act(lambda: self.exchange.catch_up(self._now_us() // 1000))
            task_status.started()
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

    # -- steps --------------------------------------------------------------------------------

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
            told = step.records or step.orders or step.transactions
            if told or (moved and now - self._saved_at >= CLOCK_ROW_S):
                saved = self.exchange.saved
                # A client that is cut off during the commit must not take the step with it.
                with trio.CancelScope(shield=True):
                    await self._blocking.run(self._ledger.commit, step, saved)
                self._saved_at, self._saved_now = now, self.exchange.now_ms
            self._broken = False
            for number, frame in step.frames:
                if number in self._connections:
                    self.post(self._connections[number], frame)
            for number in step.drops:
                if number in self._connections:
                    self._connections[number].finish(self._close_code(number))

    def _close_code(self, number: int) -> int | None:
        """Return the code that a connection ends with which has called too often, if any."""
        session, terms = self.exchange.sessions.get(number), self.exchange.terms
        spoken = terms.readings.close == "coded" and session is not None and session.ends
        return POLICY_VIOLATION if spoken else None
