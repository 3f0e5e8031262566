"""One life of the crew: starts its actors in order, ends them in reverse, lets none die alone.

All actors run in one nursery. An exception in one cancels the others and leaves ``Crew.run`` as
one group, in which each actor's exceptions are named (``supervisor.ActorDied``). An actor that
returns without having been asked to is a bug and dies of ``ActorReturned``.

An orderly end is asked for through a ``Drain``, which belongs to the shell and outlives lives. The
actors are then asked one by one, the last started first, each after the one before has finished,
so that nobody loses the actor that it depends on. All together have ``Drain.timeout`` seconds;
what still runs then, or at a second signal, is cancelled: being killed must be safe at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

import trio

from tradebaas.runtime.supervisor import named


class ActorReturned(Exception):
    """An actor ended without an exception though nobody had asked it to: a bug in it."""


class Killed(Exception):
    """Somebody killed this actor on purpose (``Crew.kill``), to see the crew recover."""


class RunActor(Protocol):
    """The ``run`` of an actor, everything that it needs already bound to it."""

    async def __call__(self, drain: trio.Event, /, *, task_status: trio.TaskStatus[None]) -> None:
        """Call ``task_status.started()`` when ready; finish and return once ``drain`` is set."""
        ...


@final
@dataclass(frozen=True, slots=True)
class ActorSpec:
    """An actor to start: its name (also in logs, metrics and task lists) and its ``run``."""

    name: str
    run: RunActor


@final
class Drain:
    """The wish to end: asked once, in order; asked twice, at once. Never taken back."""

    def __init__(self, timeout: float = 20.0) -> None:
        self.timeout = timeout
        self.asked = trio.Event()
        self.at_once = trio.Event()

    def ask(self) -> None:
        """Take a signal: the first starts the orderly end, any further one cuts it short."""
        if self.asked.is_set():
            self.at_once.set()
        self.asked.set()


@final
class _Member:
    """One actor of a running crew."""

    def __init__(self, spec: ActorSpec) -> None:
        self.name = spec.name
        self.drain = trio.Event()
        self.kill = trio.Event()
        self.finished = trio.Event()
        self._run_actor = spec.run

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run the actor under its name, together with the task that may have to kill it."""
        with named(self.name):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._killer, name=f"{self.name}/killer")
                await self._run_actor(self.drain, task_status=task_status)
                if not self.drain.is_set():
                    raise ActorReturned(f"{self.name} returned without being asked to")
                nursery.cancel_scope.cancel()
        self.finished.set()

    async def _killer(self) -> None:
        await self.kill.wait()
        raise Killed(f"{self.name} was killed on purpose")


@final
class Crew:
    """The actors of one life, in the order in which they start."""

    def __init__(self, actors: Sequence[ActorSpec], drain: Drain) -> None:
        self._members = {spec.name: _Member(spec) for spec in actors}
        if len(self._members) != len(actors):
            raise ValueError(f"two actors of one name: {[spec.name for spec in actors]}")
        self._drain = drain
        self._started: list[_Member] = []
        self._starting = trio.CancelScope()
        self._start_over = trio.Event()
        self._whole = trio.CancelScope()

    async def run(self) -> tuple[str, ...]:
        """Run until the drain is over; return the names of the actors that had to be cancelled.

        Raises:
            ExceptionGroup: An actor died; every exception of all actors is in it, named.
        """
        with self._whole:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_in_order)
                nursery.start_soon(self._end_at_once)
                with self._starting:
                    for member in self._members.values():
                        await nursery.start(member.run, name=member.name)
                        self._started.append(member)
                self._start_over.set()
        return tuple(member.name for member in self._started if not member.finished.is_set())

    def kill(self, actor: str) -> None:
        """Make exactly this actor die of ``Killed``, at once or as soon as it is started.

        Raises:
            LookupError: The crew has no actor of this name.
        """
        if actor not in self._members:
            names = ", ".join(self._members)
            raise LookupError(f"the crew has no actor named {actor!r}; it has: {names}")
        self._members[actor].kill.set()

    async def _end_in_order(self) -> None:
        await self._drain.asked.wait()
        self._starting.cancel()
        with trio.move_on_after(self._drain.timeout):
            await self._start_over.wait()  # one may have become ready in this very instant
            for member in reversed(self._started):
                member.drain.set()
                await member.finished.wait()
        self._whole.cancel()

    async def _end_at_once(self) -> None:
        await self._drain.at_once.wait()
        self._whole.cancel()
