"""How tasks talk: one kind of mailbox for each kind of talk, all bounded.

    Reply        one answer to one question; answering never blocks
    open_asks    many askers, one answerer: a bounded queue of (request, Reply), with back-pressure
    Door         how the shell asks into a life: with a deadline, and an error when the life ends
    Latest       the newest value only; setting overwrites, readers skip what they missed
    Fanout       a feed for many readers; a slow reader loses values and knows how many

Asking is the only way to wait for another task, and everybody asks the same one (the persister),
so a deadlock is excluded by shape. Nothing here outlives a life except a ``Door`` and the
``Latest`` and ``Fanout`` values that the shell owns, and nothing here is durable. Everything is
closed synchronously: a plain ``with``, since closing with ``async with`` is a checkpoint at which a
pending cancellation would replace the exception that caused it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, Self, TypeVar, final

import trio

T = TypeVar("T")
Req = TypeVar("Req")
Resp = TypeVar("Resp")


class LifeEnded(Exception):
    """Nobody will answer: the answering side has ended, or is not up yet.

    A consequence of another failure, never a cause; the supervisor's death count leaves it out
    when there is a real cause beside it. What became of the request is unknown.
    """


class AskTimeout(Exception):
    """No answer within the deadline. What became of the request is unknown."""


@final
class Reply(Generic[T]):
    """One answer to one question. Used once by one asker and one answerer."""

    __slots__ = ("_answers", "_ended", "_settled")

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._answers: list[T] = []  # none or one: a slot whose T may itself be None
        self._ended = False

    def answer(self, value: T) -> None:
        """Hand the answer over; never blocks, also when the asker has gone away.

        Raises:
            RuntimeError: It was answered before: a bug in the answerer.
        """
        if self._answers:
            raise RuntimeError(f"answered twice: first {self._answers[0]!r}, now {value!r}")
        self._answers.append(value)
        self._settled.set()

    def abandon(self) -> None:
        """Say that no answer will come; an answer already given stands."""
        self._ended = not self._answers
        self._settled.set()

    async def wait(self) -> T:
        """Wait for the answer.

        Raises:
            LifeEnded: No answer will come.
        """
        await self._settled.wait()
        if self._ended:
            raise LifeEnded("the answering side ended before it took the request")
        return self._answers[0]


@final
class Ask(Generic[Req, Resp]):
    """A request and the place for its answer, as the answerer receives it."""

    __slots__ = ("reply", "request")

    def __init__(self, request: Req) -> None:
        self.request = request
        self.reply: Reply[Resp] = Reply()


@final
class Asker(Generic[Req, Resp]):
    """The asking end of ``open_asks``; shared by all askers of a life."""

    def __init__(self, channel: trio.MemorySendChannel[Ask[Req, Resp]]) -> None:
        self._channel = channel

    async def ask(self, request: Req) -> Resp:
        """Put the request in the queue (waiting while it is full) and wait for the answer.

        Cancelled while it waits for room: the request was not queued. Cancelled later: it may yet
        be carried out.

        Raises:
            LifeEnded: The answering side is gone or takes no more requests.
        """
        ask: Ask[Req, Resp] = Ask(request)
        try:
            await self._channel.send(ask)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as gone:
            raise LifeEnded("the answering side takes no more requests") from gone
        return await ask.reply.wait()

    def close(self) -> None:
        """Take no more requests; the answerer sees the end after those already queued."""
        self._channel.close()

    @property
    def depth(self) -> int:
        """How many requests are queued, the askers waiting for room included."""
        stats = self._channel.statistics()
        return stats.current_buffer_used + stats.tasks_waiting_send


@final
class Asks(Generic[Req, Resp]):
    """The answering end of ``open_asks``; belongs to one task. ``with asks: ...`` closes it."""

    def __init__(self, channel: trio.MemoryReceiveChannel[Ask[Req, Resp]]) -> None:
        self._channel = channel

    async def receive_batch(self, limit: int) -> list[Ask[Req, Resp]]:
        """Wait for a request, then take it and those queued behind it, at most ``limit``, in order.

        Raises:
            trio.EndOfChannel: The asker was closed and the queue is empty.
        """
        batch = [await self._channel.receive()]
        while len(batch) < limit:
            try:
                batch.append(self._channel.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        return batch

    def close(self) -> None:
        """Refuse what is still queued (``LifeEnded`` for its askers) and everything later."""
        while True:
            try:
                self._channel.receive_nowait().reply.abandon()
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                break
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def open_asks(capacity: int) -> tuple[Asker[Req, Resp], Asks[Req, Resp]]:
    """Open a queue of at most ``capacity`` requests: its asking and its answering end.

    The types come from the annotation of what it is assigned to:

        ends: tuple[Asker[Request, Outcome], Asks[Request, Outcome]] = open_asks(64)
    """
    channels = trio.open_memory_channel[Ask[Req, Resp]](capacity)
    return Asker(channels[0]), Asks(channels[1])


@final
class Door(Generic[Req, Resp]):
    """How the shell asks into the life that is up, if one is. Outlives lives; has no queue.

    A life opens it once it can answer and closes it when it ends, however it ends: that fails
    every ask under way, so that nobody in the shell waits for a life that is gone.
    """

    def __init__(self) -> None:
        self._asker: Asker[Req, Resp] | None = None
        self._under_way: dict[trio.CancelScope, None] = {}  # a dict keeps the order; sets do not

    @property
    def is_open(self) -> bool:
        """Whether a life is up and answers."""
        return self._asker is not None

    @contextmanager
    def opened(self, asker: Asker[Req, Resp]) -> Iterator[None]:
        """Open the door to ``asker`` for as long as the block runs.

        Raises:
            RuntimeError: Another life holds it open: a bug, since lives never overlap.
        """
        if self._asker is not None:
            raise RuntimeError("the door is already held open by another life")
        self._asker = asker
        try:
            yield
        finally:
            self._asker = None
            under_way, self._under_way = self._under_way, {}
            for scope in under_way:
                scope.cancel()

    async def ask(self, request: Req, within: float) -> Resp:
        """Ask the life that is up, and wait at most ``within`` seconds for the answer.

        Raises:
            AskTimeout: No answer in time; the request may yet be carried out.
            LifeEnded: No life is up, or it ended first; the request may have been carried out.
        """
        asker = self._asker
        if asker is None:
            await trio.lowlevel.checkpoint()
            raise LifeEnded("no life is up: the crew is starting again")
        with trio.move_on_after(within) as scope:
            self._under_way[scope] = None
            try:
                return await asker.ask(request)
            finally:
                still_up = self._under_way.pop(scope, "gone") is None
        if still_up:
            raise AskTimeout(f"no answer to {type(request).__name__} within {within:g} s")
        raise LifeEnded(f"the life ended before it answered {type(request).__name__}")


@final
class Latest(Generic[T]):
    """The newest value: ``set`` overwrites, any number of readers wait for a newer one.

    ``version`` counts the values set, an initial one included; 0 means that there was none yet,
    and ``value`` is then None.
    """

    def __init__(self, initial: T | None = None) -> None:
        self._values: list[T] = [] if initial is None else [initial]  # none or one
        self._version = len(self._values)
        self._changed = trio.Event()

    @property
    def value(self) -> T | None:
        """The newest value, or None before the first."""
        return self._values[0] if self._values else None

    @property
    def version(self) -> int:
        """How many values there have been."""
        return self._version

    def set(self, value: T) -> None:
        """Replace the value and wake every reader; never blocks."""
        self._values = [value]
        self._version += 1
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def wait_newer(self, version: int) -> tuple[T, int]:
        """Wait until there is a value newer than ``version``; return it and its own version.

        Values that were overwritten meanwhile are skipped: only the newest is returned.
        """
        await trio.lowlevel.checkpoint()
        while self._version <= version:
            await self._changed.wait()
        return self._values[0], self._version


@final
class Subscription(Generic[T]):
    """One reader's bounded share of a ``Fanout``: ``async for value in subscription``."""

    def __init__(self, capacity: int) -> None:
        self._sender, self._receiver = trio.open_memory_channel[T](capacity)
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """How many values this reader has lost because it was too slow."""
        return self._dropped

    def push(self, value: T) -> bool:
        """Queue the value, or drop and count it when the queue is full; True if it was queued."""
        try:
            self._sender.send_nowait(value)
        except trio.WouldBlock:
            self._dropped += 1
            return False
        return True

    def close(self) -> None:
        """End the feed: the reader gets what is queued, then its loop ends."""
        self._sender.close()

    async def receive(self) -> T:
        """Wait for the next value.

        Raises:
            trio.EndOfChannel: The feed has ended.
        """
        return await self._receiver.receive()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self._receiver.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


@final
class Fanout(Generic[T]):
    """A feed to many readers. Publishing never blocks: a reader that is full loses the value."""

    def __init__(self) -> None:
        self._readers: dict[Subscription[T], None] = {}
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """How many values all readers together have lost so far."""
        return self._dropped

    @property
    def readers(self) -> int:
        """How many readers are subscribed."""
        return len(self._readers)

    @contextmanager
    def subscribe(self, capacity: int) -> Iterator[Subscription[T]]:
        """Read from now on, with room for ``capacity`` unread values; ends with the block."""
        reader: Subscription[T] = Subscription(capacity)
        self._readers[reader] = None
        try:
            yield reader
        finally:
            del self._readers[reader]
            reader.close()

    def publish(self, value: T) -> None:
        """Give the value to every reader that has room."""
        for reader in self._readers:
            if not reader.push(value):
                self._dropped += 1
