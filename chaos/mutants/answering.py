"""Mutants of the persister: what is said before it is true, and what is forgotten after."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas.actors import persister
from tradebaas.core.decide import decide
from tradebaas.core.events import Event
from tradebaas.core.messages import (
    Answer,
    Arm,
    ClosePosition,
    Committed,
    Disarm,
    Halt,
    Refused,
    Request,
    Resume,
)
from tradebaas.core.state import Day, State
from tradebaas.runtime.mailbox import Ask
from tradebaas.store.faults import DiskFull
from tradebaas.store.folding import fold
from tradebaas.store.place import Place
from tradebaas.store.records import Record, Snapshot

COMMANDS = (Arm, Disarm, ClosePosition, Halt, Resume)
Asks = list[Ask[Request, Answer]]


@mutant(
    "ack-first",
    breaks="an operator's command is answered when it is decided, and committed afterwards",
    costs="the operator was told that it halts, and the next life goes on trading",
    by="Durable",
    needs="a death between the answer and the end of the commit",
    profile="commands",
    seed=2,
)
def ack_first(patch: Patch) -> None:
    honest = persister._Scribe._serve_batch

    async def serve_batch(self: persister._Scribe, batch: Asks) -> None:
        candidate = self._state
        still: Asks = []
        for ask in batch:
            decision = decide(candidate, ask.request, self._ctx.limits)
            if isinstance(decision, Refused) or not isinstance(ask.request, COMMANDS):
                still.append(ask)
            else:
                ask.reply.answer(Committed(seq=decision.state.seq, events=decision.events))
                still.append(Ask(ask.request))  # what it is answered later, nobody hears
            if not isinstance(decision, Refused):
                candidate = decision.state
        await honest(self, still)

    patch.set(persister._Scribe, "_serve_batch", serve_batch)


@mutant(
    "publish-first",
    breaks="the new state is published before its commit",
    costs="the desk sends an order that no log knows: the next life cannot even ask for it",
    by="Durable, Once, Same",
    needs="a death inside a commit",
    profile="disk",
    seed=13,
)
def publish_first(patch: Patch) -> None:
    honest = persister._Scribe._append

    async def append(self: persister._Scribe, candidate: State, events: list[Event]) -> None:
        self._ctx.board.view.set(candidate)
        await honest(self, candidate, events)

    patch.set(persister._Scribe, "_append", append)


@mutant(
    "halt-in-memory",
    breaks="a halt is applied and answered, and neither committed nor written to data/HALT",
    costs="it lasts until the next death, which comes when things go wrong",
    by="Durable",
    needs="an operator who halts",
    profile="commands",
)
def halt_in_memory(patch: Patch) -> None:
    honest = persister._Scribe._serve_batch

    async def serve_batch(self: persister._Scribe, batch: Asks) -> None:
        for ask in batch:
            decision = decide(self._state, ask.request, self._ctx.limits)
            if isinstance(ask.request, Halt) and not isinstance(decision, Refused):
                self._state = replace(decision.state, seq=self._state.seq)
                self._ctx.board.view.set(self._state)
                ask.reply.answer(Committed(seq=decision.state.seq, events=decision.events))
        await honest(self, [ask for ask in batch if not isinstance(ask.request, Halt)])

    patch.set(persister._Scribe, "_serve_batch", serve_batch)


@mutant(
    "halt-file-ignored",
    breaks="a life does not read data/HALT",
    costs="who halts while the daemon is down finds it trading after its start",
    by="Gated",
    needs="an operator who halts while the daemon is down",
    profile="commands",
    seed=5,
)
def halt_file_ignored(patch: Patch) -> None:
    def read_halt(_place: Place) -> str:
        return ""

    patch.set(persister, "read_halt", read_halt)


@mutant(
    "halt-file-unheeded",
    breaks="data/HALT is read by a life that begins, and not by one that runs",
    costs="who leaves it, since the daemon does not answer, finds it trading on",
    by="Gated",
    needs="an operator who leaves data/HALT while the daemon runs",
    profile="commands",
    seed=3,
)
def halt_file_unheeded(patch: Patch) -> None:
    async def heed_halt_file(_self: persister._Scribe) -> None:
        return None

    patch.set(persister._Scribe, "_heed_halt_file", heed_halt_file)


@mutant(
    "disk-full-swallowed",
    breaks="a commit that finds no space is answered as if it had been stored",
    costs="fills and halts are acknowledged and gone",
    by="Durable",
    needs="a full disk, and an operator's command meanwhile",
    profile="full",
    seed=2,
)
def disk_full_swallowed(patch: Patch) -> None:
    async def commit(self: persister._Scribe, requests: Sequence[Request]) -> list[Answer]:
        try:
            return await self._commit(requests)
        except DiskFull:
            decisions = [decide(self._state, request, self._ctx.limits) for request in requests]
        return [
            d if isinstance(d, Refused) else Committed(seq=d.state.seq, events=d.events)
            for d in decisions
        ]

    patch.set(persister._Scribe, "_commit_or_make_room", commit)


@mutant(
    "limits-reset",
    breaks="a restart begins the day's limits anew",
    costs="a daemon that crashes often may lose its daily limit again and again",
    by="Bounded, Same",
    needs="a death on a day with entries",
)
def limits_reset(patch: Patch) -> None:
    def restart(snapshot: Snapshot | None, records: Iterable[Record]) -> State:
        return replace(fold(snapshot, records), day=Day())

    patch.set(persister, "fold", restart)
