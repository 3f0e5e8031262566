"""The calls that are on their way: which may be written, which wait, and how each one ends.

A call is made, begun (its bytes may have reached the socket from then on) and settled. Whatever
ends a connection ends every call here at once, and tells begun from never begun: the first may
have been executed, the second never will be. Pure: who waits for a call is woken by a function.
"""

import itertools
import math
from collections.abc import Callable
from typing import final

from tradebaas.deribit import rpc
from tradebaas.deribit.errors import LinkLost, NotSent, Unanswered
from tradebaas.deribit.rpc import Answer, Failure, Garbage, Params, Priority

MAX_UNWRITTEN = 256

Outcome = Answer | Failure | Garbage


class Withheld(Exception):
    """A frame was stopped in the last moment before it was written."""


@final
class Call:
    """One call; ``wake`` is called once, when ``outcome`` is there. Moments are monotonic s."""

    def __init__(
        self, id_: int, method: str, frame: str, priority: Priority,
        guard: Callable[[], bool] | None, wake: Callable[[], None],
    ) -> None:  # fmt: skip
        self.id = id_
        self.method = method
        self.frame = frame
        self.priority = priority
        self.begun_at: float | None = None
        self._guard = guard
        self._wake = wake
        self._outcome: Outcome | LinkLost | None = None

    def begin(self, now: float) -> None:
        """Ask the guard; from now on the call may have reached the exchange.

        Raises:
            Withheld: the guard forbids it, or nobody waits for it any more.
        """
        if self._outcome is None and self._guard is not None and not self._guard():
            self.settle(NotSent(f"{self.method}: its guard forbade it just before the write"))
        if self._outcome is not None:
            raise Withheld
        self.begun_at = now

    def settle(self, outcome: Outcome | LinkLost) -> None:
        """End the call; only the first outcome counts."""
        if self._outcome is None:
            self._outcome = outcome
            self._wake()

    def lose(self, reason: str) -> None:
        """End the call with the connection."""
        self.settle(NotSent(reason) if self.begun_at is None else LinkLost(reason))

    def result(self, waited: float) -> Outcome:
        """The outcome, after waiting for ``waited`` seconds at most.

        Raises:
            NotSent, LinkLost: as it ended.
            Unanswered: it was written and there is no outcome yet.
        """
        if self._outcome is None and self.begun_at is not None:
            raise Unanswered(f"{self.method}: no answer within {waited:g} s")
        if self._outcome is None:
            raise NotSent(f"{self.method}: not written within {waited:g} s")
        if isinstance(self._outcome, LinkLost):
            raise self._outcome
        return self._outcome


@final
class Pending:
    """All calls of one connection that are not settled, by id, and those to be written."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._newest = 0
        self._open: dict[int, Call] = {}
        self._outbox: rpc.Outbox[Call] = rpc.Outbox()
        self._ended = ""

    def __len__(self) -> int:
        return len(self._open)

    def add(
        self,
        method: str,
        params: Params,
        priority: Priority,
        guard: Callable[[], bool] | None,
        wake: Callable[[], None],
    ) -> Call:
        """A new call, queued for writing. Heartbeats are always taken in.

        Raises:
            NotSent: the connection has ended, or too many calls wait to be written.
        """
        if self._ended:
            raise NotSent(self._ended)
        if len(self._outbox) >= MAX_UNWRITTEN and priority is not Priority.HEARTBEAT:
            raise NotSent(f"{method}: {MAX_UNWRITTEN} calls wait to be written already")
        self._newest = next(self._ids)
        frame = rpc.encode(self._newest, method, params)
        call = Call(self._newest, method, frame, priority, guard, wake)
        self._open[call.id] = call
        self._outbox.push(priority, call)
        return call

    def next_to_write(self, wait_s: Callable[[Call], float]) -> Call | float:
        """Take the next call that may go, or the seconds until the first one may (inf: none waits).

        ``wait_s`` says how long a call must wait for rate credits; it holds up none behind it.
        """
        while self._outbox.take(lambda call: call.id not in self._open) is not None:
            pass  # nobody waits for that one any more
        call = self._outbox.take(lambda call: wait_s(call) <= 0)
        return call if call is not None else min(map(wait_s, self._outbox), default=math.inf)

    def forget(self, call: Call) -> None:
        """Nobody waits for the call any more; unwritten, it never will be written."""
        self._open.pop(call.id, None)
        call.settle(NotSent("given up"))

    def take(self, id_: int) -> Call | None:
        """The written call that an answer with ``id_`` belongs to, no longer pending."""
        call = self._open.get(id_)
        if call is None or call.begun_at is None:
            return None
        return self._open.pop(id_)

    def was_made(self, id_: int) -> bool:
        """Whether a call ever had this id."""
        return 0 < id_ <= self._newest

    def end(self, reason: str) -> None:
        """End all calls, and all that will come."""
        self._ended = reason
        calls, self._open = self._open, {}
        for call in calls.values():
            call.lose(reason)
