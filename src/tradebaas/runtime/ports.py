"""The only door to the outside: time, chance, threads, sockets and child processes.

Everything that a simulation must own comes through a ``Ports`` value that the daemon builds once
(``system_ports``) and hands down. No other module may import ``time``, ``random``, ``secrets``,
``socket`` or ``threading``; ``tests/test_architecture.py`` enforces it. Each port has its real
form and, where a simulation needs one, its deterministic form beside it:

    Clock      SystemClock    TrioClock (virtual under a ``trio.testing.MockClock``)
    Entropy    SystemEntropy  SeededEntropy
    Blocking   Worker         Inline

Two rules shape this file. A blocking call is never abandoned: an abandoned commit would be a
second writer that nobody waits for. And a port never decides: it has no retries, no defaults that
depend on trading, and no log.
"""

import functools
import queue
import random
import secrets
import socket
import ssl
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, TypeVarTuple, final

import outcome
import trio

from tradebaas.runtime.child import run_child
from tradebaas.runtime.usage import Measure, OwnUsage

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# --- time ----------------------------------------------------------------------------------------


class Clock(Protocol):
    """Tells the time. ``monotonic`` is for measuring, ``wall_ms`` only for what people read."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC; may jump in either direction."""
        ...


@final
class SystemClock:
    """The operating system's clocks (``monotonic`` is Linux's CLOCK_MONOTONIC)."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


@final
class TrioClock:
    """Trio's own clock, so that simulated time under a ``MockClock`` is the only time there is.

    ``epoch_ms`` is the wall time, in ms since the Unix epoch, at Trio's time zero.
    """

    def __init__(self, epoch_ms: int = 0) -> None:
        self._epoch_ms = epoch_ms

    def monotonic(self) -> float:
        return trio.current_time()

    def wall_ms(self) -> int:
        return self._epoch_ms + int(trio.current_time() * 1000)


# --- chance --------------------------------------------------------------------------------------


class Entropy(Protocol):
    """Gives unpredictable values."""

    def token(self, nbytes: int) -> str:
        """``nbytes`` random bytes as 2 * ``nbytes`` lower-case hexadecimal digits."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``."""
        ...


@final
class SystemEntropy:
    """The operating system's random numbers: fit for labels and secrets."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def token(self, nbytes: int) -> str:
        return secrets.token_hex(nbytes)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


@final
class SeededEntropy:
    """The same values for the same seed, in every process. Never for secrets."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def token(self, nbytes: int) -> str:
        return self._random.randbytes(nbytes).hex()

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


# --- blocking calls ------------------------------------------------------------------------------


class Blocking(Protocol):
    """Runs blocking calls one after another, in the order in which they were asked for."""

    async def run(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call ``fn(*args)`` and return its result or raise its exception.

        Cancelled before the call: ``fn`` is not run. Cancelled during it: waits until ``fn`` has
        finished all the same; then an exception of ``fn`` is raised, since losing it would hide a
        fault, and otherwise the cancellation.
        """
        ...


@final
class Worker:
    """One long-lived thread: the single writer. ``async with Worker() as worker: ...``

    Cheaper than ``trio.to_thread``, which pays for a limiter and a thread cache on every call.
    Leaving the block waits for every call that was asked for, then joins the thread. The queue
    needs no bound of its own: it holds at most one call for each task that waits here.
    """

    def __init__(self, name: str = "worker") -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], trio.lowlevel.Task] | None]
        self._jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._open = False

    async def __aenter__(self) -> Self:
        if self._thread is not None:
            raise RuntimeError("a Worker is for one use: build a new one")
        token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._work, args=(token,), name=self._name)
        self._thread.start()
        self._open = True
        await trio.lowlevel.cancel_shielded_checkpoint()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = False
        await self._hand_over(lambda: None)  # after all calls already queued: the drain
        self._jobs.put(None)
        assert self._thread is not None
        self._thread.join()  # the thread has only its last `get` left: no wait worth the name

    async def run(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """See ``Blocking.run``.

        Raises:
            RuntimeError: The worker has not been entered, or is closing.
        """
        if not self._open:
            raise RuntimeError("this Worker is not running: use it inside `async with`")
        await trio.lowlevel.checkpoint_if_cancelled()
        result: T = await self._hand_over(functools.partial(fn, *args))
        await trio.lowlevel.checkpoint_if_cancelled()
        return result

    async def _hand_over(self, call: Callable[[], Any]) -> Any:
        """Queue the call and sleep until the thread wakes this task with the outcome."""
        self._jobs.put((call, trio.lowlevel.current_task()))
        return await trio.lowlevel.wait_task_rescheduled(_refuse_abort)

    def _work(self, token: trio.lowlevel.TrioToken) -> None:
        for call, task in iter(self._jobs.get, None):
            token.run_sync_soon(trio.lowlevel.reschedule, task, outcome.capture(call))


def _refuse_abort(_raise_cancel: object) -> trio.lowlevel.Abort:
    """A cancellation never takes a task away from a call that is running."""
    return trio.lowlevel.Abort.FAILED


@final
class Inline:
    """Runs the call in the loop itself: for simulations, where a thread would be chaos."""

    async def __aenter__(self) -> Self:
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def run(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """See ``Blocking.run``."""
        await trio.lowlevel.checkpoint()
        result = fn(*args)
        await trio.lowlevel.checkpoint_if_cancelled()
        return result


# --- the terminal --------------------------------------------------------------------------------


async def print_line(text: str) -> None:
    """Print one line for a person. A terminal that stalls holds up the caller, never the loop.

    Cancelled: the line may still appear; nobody waits for it.
    """
    await trio.to_thread.run_sync(
        functools.partial(print, text, flush=True), abandon_on_cancel=True
    )


# --- sockets -------------------------------------------------------------------------------------


Locate = Callable[[], Awaitable[str]]
"""Gives where a server is now, its URL, "" while there is none."""


def always(url: str) -> Locate:
    """A ``Locate`` of a server that never moves."""

    async def locate() -> str:
        return url

    return locate


class Connect(Protocol):
    """Opens a byte stream to a server."""

    async def __call__(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        """Connect to ``host``:``port``, with TLS and a verified certificate if ``tls``.

        The caller owns the stream and the deadline. The TLS handshake runs with the first bytes.

        Raises:
            OSError: Nobody answers there, or the name cannot be resolved.
        """
        ...


async def connect_tcp(host: str, port: int, tls: bool) -> trio.abc.Stream:
    """The real ``Connect``."""
    if not tls:
        return await trio.open_tcp_stream(host, port)
    return await trio.open_ssl_over_tcp_stream(
        host, port, https_compatible=True, ssl_context=_tls_context()
    )


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Built once: reading the certificate store takes tens of milliseconds of the loop."""
    return ssl.create_default_context()


Tap = Callable[[str, str], None]
"""Told of all that is said on a connection to the exchange: ``out`` and ``in`` with the frame,
``connect`` with the URL, ``closed`` with the reason."""


def unheard(_way: str, _text: str) -> None:
    """A ``Tap`` that keeps nothing."""


SendDatagram = Callable[[str, bytes], None]
"""Sends bytes to a Unix datagram socket, named by path or, with a leading '@', abstractly."""


def send_datagram(address: str, payload: bytes) -> None:
    """The real ``SendDatagram``; never blocks.

    Raises:
        OSError: Nobody listens there, or its queue is full.
    """
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)
        sock.connect(target)
        sock.send(payload)


# --- this process and its children ---------------------------------------------------------------


class ChildFailed(Exception):
    """A child process did not do what it was started for; the message says why."""


class RunSelf(Protocol):
    """Runs this program again, as a child process."""

    async def __call__(self, arguments: Sequence[str], within: float, given: str = "") -> str:
        """Run ``tradebaas ARGUMENTS`` to its end and return what it printed.

        It reads ``given`` on its standard input and is stopped after ``within`` seconds.

        Raises:
            ChildFailed: It could not be started, took too long, or did not exit with 0.
        """
        ...


async def run_self(arguments: Sequence[str], within: float, given: str = "") -> str:
    """The real ``RunSelf``."""
    command = [sys.executable, "-m", "tradebaas", *arguments]
    try:
        done = await run_child(command, given.encode(), within)
    except OSError as error:
        raise ChildFailed(f"it could not be started: {error}") from error
    if done is None:
        raise ChildFailed(f"it took longer than {within:g} s and was stopped")
    code, said = done
    text = said.decode(errors="replace").strip()
    if code != 0:
        raise ChildFailed(f"it exited {code}: {text[-500:]}")
    return text


# --- the bundle ----------------------------------------------------------------------------------


class OpenBlocking(Protocol):
    """Opens the place where blocking calls run; ``name`` is for people (thread lists)."""

    def __call__(self, name: str) -> AbstractAsyncContextManager[Blocking]: ...


@final
@dataclass(frozen=True, slots=True)
class Ports:
    """All doors together; built once per process and passed down."""

    clock: Clock
    entropy: Entropy
    open_blocking: OpenBlocking
    connect: Connect
    send_datagram: SendDatagram
    run_self: RunSelf
    measure: Measure
    tap: Tap = unheard


def system_ports() -> Ports:
    """The real world."""
    return Ports(
        SystemClock(),
        SystemEntropy(),
        Worker,
        connect_tcp,
        send_datagram,
        run_self,
        OwnUsage().measure,
    )
