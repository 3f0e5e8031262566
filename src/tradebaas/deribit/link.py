"""The one connection to the exchange: logged in, watched, and honest about what became of a call.

Opened and closed as a context; inside it, any task may call. One task reads (answers go to whoever
asked, notifications into a bounded inbox, test requests are answered at once), one writes (by
priority), one watches for silence, one keeps the token alive. When the socket is gone, every call
that was written ends as ``LinkLost`` and every other one as ``NotSent``; nothing is ever written
again. A call's guard is asked synchronously, immediately before its bytes go to the socket. It
never reconnects and never repeats a call that could change anything.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import assert_never, cast, final
from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from tradebaas.deribit import rpc, stream
from tradebaas.deribit.auth import Endpoint
from tradebaas.deribit.broken import BROKEN, describe
from tradebaas.deribit.calls import Guard
from tradebaas.deribit.clock import ExchangeClock
from tradebaas.deribit.convert import Contracts
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.errors import (
    CallFailed,
    Garbled,
    Kind,
    LinkLost,
    LoginRefused,
    Unanswered,
    kind_of,
)
from tradebaas.deribit.inbox import Inbox
from tradebaas.deribit.login import HEARTBEAT_S, Login, hint
from tradebaas.deribit.pending import Call, Pending, Withheld
from tradebaas.deribit.rpc import Answer, Failure, Garbage, Params, Priority
from tradebaas.deribit.transcript import IN, OUT
from tradebaas.runtime.carrier import Carrier
from tradebaas.runtime.ports import Ports
from tradebaas.words import REFUSED_LOGIN

__all__ = ["CallFailed", "Endpoint", "Link", "LinkLost", "Unanswered", "open_link"]

CALL_S = 5.0
LOGIN_S = 10.0
SILENCE_S = 2.0 * HEARTBEAT_S
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
_READS = ("public/", "private/get_", "private/subscribe")


@asynccontextmanager
async def open_link(
    endpoint: Endpoint, ports: Ports, credits: Credits, *, inbox: int, call_s: float = CALL_S
) -> AsyncIterator["Link"]:
    """Connect and log in; leaving the context drops the connection.

    ``credits`` are the account's, ``call_s`` is how long a call may take, ``inbox`` how many
    notifications may wait. The body is not cancelled when the connection is lost: its calls and its
    inbox raise.

    Raises:
        LinkLost: no connection, or no login in time (``LoginRefused``: the exchange said no).
        ConfigError: the grant does not exist.
    """
    link = Link(endpoint, ports, credits, call_s, inbox)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.hold)
            try:
                await link.log_in()
                nursery.start_soon(link.keep_token)
                yield link
            finally:
                link.end("closed by this side")
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0]  # noqa: B904 (a group of one says nothing more)


@final
class Link:
    """One connection; made by ``open_link``, and logged in when it is handed out."""

    def __init__(
        self, endpoint: Endpoint, ports: Ports, credits: Credits, call_s: float, inbox: int
    ) -> None:
        self.url = endpoint.url
        self.credits = credits
        self.clock = ExchangeClock()
        self.contracts = Contracts()
        self.notifications = Inbox(inbox)
        self._ports = ports
        self._call_s = call_s
        self._lost = ""
        self._scope = trio.CancelScope()
        self._opened = trio.Event()
        self._heard_at = trio.current_time()
        self._pending = Pending()
        self._work = trio.Event()
        self._beat: Call | None = None
        self._login = Login(endpoint, self._stamp)

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return not self._lost

    @property
    def scope(self) -> str:
        """What the login was granted, in the exchange's words; "" when it does not say."""
        return self._login.scope

    @property
    def cancels_on_disconnect(self) -> str:
        """Why our stops would go with this connection; "" when they stay."""
        return self._login.cancels_on_disconnect

    def waiting(self) -> Iterator[stream.Item]:
        """The notifications that are there now, taken out of the inbox."""
        return self.notifications.take_waiting()

    async def call(
        self,
        method: str,
        params: Params,
        *,
        within: float | None = None,
        priority: Priority = Priority.NORMAL,
        guard: Guard | None = None,
    ) -> Answer:
        """Call a method and wait for its answer, at most ``within`` seconds.

        A call refused for lack of a login leads to a new login; only reads are then repeated.

        Raises:
            CallFailed: the exchange answered with an error.
            Garbled: it answered something that makes no sense.
            Unanswered: no answer in time, though the call was written.
            LinkLost: the connection went after the call was written.
            NotSent: the call was not written and never will be.
        """
        logins = self._login.count
        outcome = await self._outcome(method, params, within, priority, guard)
        unauthorized = isinstance(outcome, Failure) and kind_of(outcome.code) is Kind.REAUTH
        if unauthorized and method != "public/auth":
            if logins == self._login.count:
                await self._login.authenticate(self)
            if method.startswith(_READS):
                outcome = await self._outcome(method, params, within, priority, guard)
        match outcome:
            case Answer():
                return outcome
            case Failure(code=code, message=message, data=data):
                raise CallFailed(method, code, message, data)
            case Garbage(raw=raw, reason=reason):
                raise Garbled(method, raw, reason)
            case _:
                assert_never(outcome)

    async def _outcome(
        self, method: str, params: Params, within: float | None, priority: Priority,
        guard: Guard | None,
    ) -> Answer | Failure | Garbage:  # fmt: skip
        limit = self._call_s if within is None else within
        done = trio.Event()
        call = self._pending.add(method, params, priority, guard, done.set)
        self._work.set()
        try:
            with trio.move_on_after(limit):
                await done.wait()
            return call.result(limit)
        finally:
            self._pending.forget(call)

    # -------------------------------------------------------------------------------- the socket

    async def hold(self) -> None:
        """Hold the socket until the link ends; what ends it becomes the reason."""
        with self._scope:
            try:
                url = urlsplit(self.url)
                tls = url.scheme == "wss"
                port = url.port or (443 if tls else 80)
                self._ports.tap("connect", self.url)
                socket = await self._ports.connect(url.hostname or "", port, tls)
                try:
                    if isinstance(socket, trio.SSLStream):
                        await socket.do_handshake()
                    carrier = Carrier(socket, _nothing)
                    await self._converse(carrier, url.netloc, url.path or "/")
                finally:
                    await trio.aclose_forcefully(socket)
            except* BROKEN as group:
                self.end(f"{self.url}: {describe(group)}")

    async def _converse(self, carrier: Carrier, host: str, resource: str) -> None:
        async with trio.open_nursery() as nursery:
            # The library works on any stream, though its annotation names two.
            stream = cast(trio.SocketStream, carrier)
            websocket = await wrap_client_stream(
                nursery, stream, host, resource, max_message_size=MAX_MESSAGE_BYTES
            )
            carrier.established = True
            self._opened.set()
            nursery.start_soon(self._write, websocket, carrier)
            nursery.start_soon(self._watch)
            while True:
                self._receive(await websocket.get_message())

    async def _write(self, websocket: WebSocketConnection, carrier: Carrier) -> None:
        """Write what waits. A broken socket is left to the reader, which may have answers yet."""
        carrier.writer = trio.lowlevel.current_task()
        while True:
            self._work = trio.Event()
            call = self._pending.next_to_write(self._wait_s)
            if not isinstance(call, Call):
                with trio.move_on_after(call):
                    await self._work.wait()
                continue
            carrier.before = partial(self._begin, call)
            try:
                await websocket.send_message(call.frame)
            except Withheld:
                continue
            except ConnectionClosed:
                return

    def _wait_s(self, call: Call) -> float:
        if self.clock.lockstep:  # the exchange's time stands still, and it counts nothing
            return 0.0
        now, pace = self._ports.clock.monotonic(), float(self.clock.rate)
        return self.credits.wait_s(call.method, call.priority, now, pace)

    def _begin(self, call: Call) -> None:
        now = self._ports.clock.monotonic()
        call.begin(now)
        self.credits.take(call.method, now, float(self.clock.rate))
        self._ports.tap(OUT, call.frame)

    async def _watch(self) -> None:
        """End the link when nothing has come for too long, heartbeats included."""
        while self.alive:
            await trio.sleep_until(self._heard_at + SILENCE_S)
            if trio.current_time() >= self._heard_at + SILENCE_S:
                self.end(f"{self.url}: nothing received for {SILENCE_S:g} s")

    def end(self, reason: str) -> None:
        """End the link for good and tell everyone who waits; only the first reason counts."""
        if self._lost:
            return
        self._lost = reason
        self._ports.tap("closed", reason)
        self._pending.end(reason)
        self._opened.set()
        self.notifications.close(reason)
        self._scope.cancel()

    # --------------------------------------------------------------------------------- receiving

    def _receive(self, frame: str | bytes) -> None:
        if self._lost:  # by another task, after this frame was handed over
            return
        self._heard_at = trio.current_time()
        self._ports.tap(IN, rpc.text(frame))
        match rpc.decode(frame):
            case (Answer() | Failure()) as answer:
                self._answered(answer, frame)
            case rpc.Notification() as note:
                item = stream.decode(note, self.contracts)
                self.clock.learn_at_least(self._ports.clock.monotonic(), stream.stamp_ms(item))
                if item is not None:
                    self._deliver(item)
            case rpc.Heartbeat(wants_answer=wanted):
                if wanted:
                    self._answer_test_request()
            case Garbage(raw=raw, reason=reason, id=id_) as garbage:
                call = self._pending.take(id_) if id_ is not None else None
                if call is not None:
                    call.settle(garbage)
                self._deliver(stream.Unreadable(raw=raw, reason=reason))
            case other:
                assert_never(other)

    def _answered(self, answer: Answer | Failure, frame: str | bytes) -> None:
        if isinstance(answer, Failure) and kind_of(answer.code) is Kind.SESSION_ENDED:
            self.credits.spent(self._ports.clock.monotonic())
            self.end(f"the exchange ended the session: {answer.code} {answer.message}")
            return
        call = self._pending.take(answer.id)
        if call is not None and call.begun_at is not None:
            now = self._ports.clock.monotonic()
            self.clock.learn(call.begun_at, now, answer.us_in, answer.us_out)
            call.settle(answer)
        elif not self._pending.was_made(answer.id):  # else late: whoever asked has given up
            reason = "an answer to a call that was never made"
            self._deliver(stream.Unreadable(raw=rpc.text(frame), reason=reason))

    def _deliver(self, item: stream.Item) -> None:
        if not self.notifications.put(item):
            self.end("inbox full: notifications came faster than they were taken")

    def _answer_test_request(self) -> None:
        if self._beat is not None:
            self._pending.forget(self._beat)
        self._beat = self._pending.add("public/test", {}, Priority.HEARTBEAT, None, _nothing)
        self._work.set()

    # ------------------------------------------------------------------------------------- login

    async def log_in(self) -> None:
        """Wait for the socket, then introduce ourselves.

        Raises: as ``open_link``.
        """
        with trio.move_on_after(LOGIN_S):
            await self._opened.wait()
            if self._lost:
                raise LinkLost(self._lost)
            try:
                await self._login.introduce(self)
            except CallFailed as error:
                reason = f"{self.url} {REFUSED_LOGIN}: {error}{hint(error)}"
                raise LoginRefused(reason) from error
            except Unanswered as error:
                raise LinkLost(f"{self.url} did not complete the login: {error}") from error
            return
        raise LinkLost(f"{self.url}: no login within {LOGIN_S:g} s")

    async def keep_token(self) -> None:
        """Renew the token whenever most of its life has passed; end the link if that fails."""
        while self.alive:
            await trio.sleep(self._login.refresh_after_s)
            try:
                await self._login.refresh(self)
            except (CallFailed, Unanswered, LinkLost) as error:
                self.end(f"{self.url}: the token could not be renewed: {error}")

    def _stamp(self) -> tuple[int, str]:
        ours = self._ports.clock
        return self.clock.wall_ms(ours.monotonic()) or ours.wall_ms(), self._ports.entropy.token(8)


def _nothing() -> None:
    """For those who need not be told."""
