"""Mutants of the lives: a death that is not let happen, of an actor or of the whole process, and a
process that lives on and does nothing.

Fail closed rests on the deaths: an actor whose state is half done, and a process whose page cache
nobody knows, must not be gone on with.
"""

import contextlib

import trio

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas.actors import persister
from tradebaas.actors.session import Session
from tradebaas.core.events import Event
from tradebaas.core.state import State
from tradebaas.errors import Fatal, StoreFault
from tradebaas.runtime import supervisor
from tradebaas.runtime.crew import _Member

PAUSE_S = 0.1


class _Once:
    """A task status that an actor may call each time that it is started."""

    def __init__(self, first: "trio.TaskStatus[None]") -> None:
        self._first: trio.TaskStatus[None] | None = first

    def started(self, value: None = None) -> None:
        first, self._first = self._first, None
        if first is not None:
            first.started(value)


@mutant(
    "actor-goes-on",
    breaks="an exception in an actor is logged, and the actor alone is started again",
    costs="it goes on beside others that know of what it has forgotten, or waits for them for ever",
    by="Once, Alive",
    needs="a death of a single actor",
    profile="crew",
)
def actor_goes_on(patch: Patch) -> None:
    honest = _Member.run

    async def run(self: _Member, *, task_status: "trio.TaskStatus[None]") -> None:
        once = _Once(task_status)
        while not self.finished.is_set():
            try:
                await honest(self, task_status=once)
            except* Fatal:
                raise
            except* Exception:  # noqa: BLE001 - the mistake itself
                self.kill = trio.Event()
                await trio.sleep(PAUSE_S)

    patch.set(_Member, "run", run)


@mutant(
    "fatal-is-ordinary",
    breaks="a store that fails ends the life; the next one starts in the same process",
    costs="it trusts a page cache of which the disk may have forgotten a part",
    by="Alive, Durable",
    needs="a disk that fails under a living process",
    profile="errors",
)
def fatal_is_ordinary(patch: Patch) -> None:
    patch.set(supervisor, "find_fatal", lambda _error: None)


@mutant(
    "failed-commit-goes-on",
    breaks="a commit that the disk refuses is logged, and acted on as if it had been stored",
    costs="entries go out of which no later life knows anything",
    by="Fail closed",
    needs="a candle while nothing can be written",
    profile="errors",
    seed=7,
)
def failed_commit_goes_on(patch: Patch) -> None:
    honest = persister._Scribe._append

    async def append(self: persister._Scribe, candidate: State, events: list[Event]) -> None:
        with contextlib.suppress(StoreFault):
            await honest(self, candidate, events)

    patch.set(persister._Scribe, "_append", append)


@mutant(
    "mute-after-reconnect",
    breaks="only the first connection of a life tells the strategy of the market",
    costs="one lost connection, and it trades nothing until somebody restarts it",
    by="Alive",
    needs="a connection that is lost in a quiet world, and nobody who dies after that",
    profile="owner",
)
def mute_after_reconnect(patch: Patch) -> None:
    honest = Session._publish_market

    def publish_market(self: Session) -> None:
        if self._connection == 1:
            honest(self)

    patch.set(Session, "_publish_market", publish_market)
