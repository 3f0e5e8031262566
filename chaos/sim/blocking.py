"""Blocking calls in the simulated world: they run in the loop, and cost virtual time.

A call begins after a while and its result comes after a while, as from a busy thread; in between
it happens at one instant. A death can so fall before the call, inside it (the disk counts its
operations) and between the call and its answer. Like the real worker it is never abandoned.
"""

import random
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TypeVar, TypeVarTuple, final

import trio

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


CallTap = Callable[[Callable[..., object], tuple[object, ...], bool], None]
"""Sees a call and its arguments just before it happens (False), and again when it has happened and
nobody knows of it yet (True)."""


def unseen(_fn: Callable[..., object], _args: tuple[object, ...], _done: bool) -> None:
    """See nothing."""


class Owes(Protocol):
    """A disk that tells how long its operations would have taken."""

    owed_seconds: float


@final
class SimWorker:
    """``ports.Blocking``. ``hand_over_s`` is about what a hand-over to a thread costs."""

    def __init__(
        self, rng: random.Random, hand_over_s: float, disk: Owes, tap: CallTap = unseen
    ) -> None:
        self._tap = tap
        self._rng = rng
        self._hand_over_s = hand_over_s
        self._disk = disk
        self._count = 0
        self._queue: dict[int, None] = {}
        self._moved = trio.Event()

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
        """See ``ports.Blocking.run``."""
        await trio.lowlevel.checkpoint_if_cancelled()
        with trio.CancelScope(shield=True):
            result = await self._in_turn(fn, *args)
        await trio.lowlevel.checkpoint_if_cancelled()
        return result

    async def _in_turn(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """One call after another. Whatever ends a call, even while it waits, lets the next in."""
        self._count += 1
        number = self._count
        self._queue[number] = None
        try:
            await self._pass(self._hand_over_s)
            while next(iter(self._queue)) != number:
                await self._moved.wait()
            try:
                self._tap(fn, args, False)
                result = fn(*args)
                self._tap(fn, args, True)
                return result
            finally:
                await self._hand_back()
        finally:
            del self._queue[number]
            moved, self._moved = self._moved, trio.Event()
            moved.set()

    async def _hand_back(self) -> None:
        """The way back from the thread; whatever came of the call arrives (``kernel.SAFE``)."""
        await self._pass(self._hand_over_s + self._owed())

    def _owed(self) -> float:
        """The seconds that the disk owes, once."""
        owed, self._disk.owed_seconds = self._disk.owed_seconds, 0.0
        return owed

    async def _pass(self, seconds: float) -> None:
        await trio.sleep(seconds * self._rng.uniform(0.2, 2.0))
