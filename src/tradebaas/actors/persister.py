"""The persister: the only writer and the sequencer. Everything durable passes here, in order.

Takes waiting requests, decides them one after another on a candidate state, commits all their
events in one transaction (group commit), and only then adopts the candidate, publishes it and
answers. If the commit raises, nothing was answered and nothing was shown: the life ends and the
next one starts from the log. It waits for nobody but the disk.

A full disk does not end the process: the ballast is released, the daemon goes protect-only, and
the same requests are decided again; started without any space, it waits and says so.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar, TypeVarTuple, final

import msgspec
import trio

from tradebaas.actors.restarts import LOOKED, RESTART_LOOP, restarted_too_often
from tradebaas.board import Context, StoreStatus
from tradebaas.core.decide import decide
from tradebaas.core.events import Event
from tradebaas.core.messages import (
    Answer,
    Committed,
    EndLife,
    Guard,
    Halt,
    Ping,
    Refused,
    Request,
    Resume,
    StartLife,
)
from tradebaas.core.state import FOLD_VERSION, State, stands
from tradebaas.runtime.mailbox import Ask, Asks
from tradebaas.runtime.ports import Blocking
from tradebaas.store import codec, faults
from tradebaas.store.ballast import ballast_held, release_ballast, restore_ballast
from tradebaas.store.catalogue import advice
from tradebaas.store.faults import DiskFull
from tradebaas.store.folding import fold, snapshot_of
from tradebaas.store.halt import clear_halt, read_halt, write_halt
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord

MOVED_ALONE = (
    "{} came without {} and without its write-ahead log: it may be older than what it has traded, "
    "and a halt may be missing in it"
)
DISK_FULL = "disk full"
SPACE_CHECK_S = 5.0
SPACE_WAIT_S = 1.0
CLOSE_LIMIT_S = 10.0

Asked: TypeAlias = Ask[Request, Answer]
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def run(
    ctx: Context,
    asks: Asks[Request, Answer],
    drain: trio.Event,
    *,
    task_status: trio.TaskStatus[None],
) -> None:
    """Recover the state from the log, then sequence requests until ``drain``."""
    async with ctx.ports.open_blocking("store") as worker:
        began = ctx.ports.clock.monotonic()
        held: list[Log] = []
        try:
            await _open(ctx, worker, held)
            scribe = await _recover(ctx, worker, held[0], began)
            await scribe.start_life()
            task_status.started()
            await scribe.serve(asks, drain)
        finally:
            with trio.move_on_after(CLOSE_LIMIT_S, shield=True):
                for log in held:
                    try:
                        await worker.run(log.close)
                    finally:
                        log.abandon()


async def _open(ctx: Context, worker: Blocking, held: list[Log]) -> None:
    """Open the log, with the ballast's space if there is no other; without any, wait for some.

    It goes straight into ``held``: an exception on its way here must not lose an open log, since
    the next life could not lock it.
    """
    place = ctx.place
    while not held:
        try:
            await worker.run(_open_log, ctx, held)
        except DiskFull as full:
            if await worker.run(_on_disk, ballast_held, place):
                await worker.run(_on_disk, release_ballast, place)
                continue
            now = ctx.ports.clock.monotonic()
            ctx.board.store.set(StoreStatus(fault=str(full), at=now))
            await trio.sleep(SPACE_WAIT_S)


def _open_log(ctx: Context, held: list[Log]) -> None:
    held.append(Log.open(ctx.place, now_ms=ctx.ports.clock.wall_ms()))


async def _recover(ctx: Context, worker: Blocking, log: Log, began: float) -> "_Scribe":
    """Open the log, fold it and show how long it took."""
    recovered = await worker.run(log.recover, FOLD_VERSION)
    state = await worker.run(fold, recovered.snapshot, recovered.tail)
    replayed = state.seq - (recovered.snapshot.seq if recovered.snapshot else 0)
    ctx.board.store.set(
        StoreStatus(
            opened_seconds=ctx.ports.clock.monotonic() - began,
            events_replayed=replayed,
            notes=recovered.notes,
        )
    )
    return _Scribe(ctx, worker, log, state, replayed, alone=recovered.alone)


@final
class _Scribe:
    """The state of one life, and the way it gets to disk."""

    def __init__(
        self, ctx: Context, worker: Blocking, log: Log, state: State, replayed: int, *, alone: bool
    ) -> None:
        self._ctx = ctx
        self._worker = worker
        self._log = log
        self._state = state
        self._since_snapshot = replayed
        self._alone = alone
        self._place = ctx.place
        self._space_checked = 0.0

    async def start_life(self) -> None:
        """Commit that this life began; wait for space if there is none.

        Without the ballast there is no reserve to close a position with: no new risk then.
        """
        ctx = self._ctx
        start = StartLife(
            token=ctx.ports.entropy.token(4),
            wall_ms=ctx.ports.clock.wall_ms(),
            cause=ctx.cause,
            poisoned=ctx.poisoned,
            halt_file=await self._on_disk(read_halt) or ctx.board.halt or self._doubt(),
        )
        detail = f"the disk is too full to hold the ballast {self._place.ballast}"
        guard = Guard(cause=DISK_FULL, active=True, detail=detail)
        requests: list[Request] = [start]
        looping = await self._restarted_too_often()
        if looping:
            requests.append(Guard(cause=RESTART_LOOP, active=True, detail=looping))
        if not await self._on_disk(ballast_held):
            requests.append(guard)
        while True:
            try:
                await self._commit_or_make_room(requests)
                return
            except DiskFull as full:
                self._publish_store(fault=str(full))
                await trio.sleep(SPACE_WAIT_S)

    def _doubt(self) -> str:
        """Why this store is not to be traded on before a person has looked, as after a restore."""
        return MOVED_ALONE.format(self._place.db, self._place.head) if self._alone else ""

    async def _restarted_too_often(self) -> str:
        """Why this life only protects at first; only lives without an end are looked for."""
        if not self._state.life_open:
            return ""
        after = max(0, self._state.seq - LOOKED)
        newest = await self._worker.run(self._log.read, after, LOOKED)
        now_ms = self._ctx.ports.clock.wall_ms()
        return restarted_too_often(newest, now_ms, self._ctx.config.supervisor)

    async def serve(self, asks: Asks[Request, Answer], drain: trio.Event) -> None:
        """Decide, commit and answer until the last request after ``drain``; then end the life."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._close_on, drain)
            with asks:
                while batch := await _next(asks, self._ctx.capacities.batch):
                    await self._serve_batch(batch)
            nursery.cancel_scope.cancel()
        self._since_snapshot = self._ctx.config.store.snapshot_every
        await self._commit_or_make_room([EndLife(wall_ms=self._ctx.ports.clock.wall_ms())])

    async def _close_on(self, drain: trio.Event) -> None:
        await drain.wait()
        self._ctx.asker.close()

    async def _serve_batch(self, batch: list[Asked]) -> None:
        requests = [ask.request for ask in batch]
        halts = [request for request in requests if isinstance(request, Halt)]
        for halt in halts:  # before the commit: it must hold even if that fails
            self._ctx.board.halt = f"{halt.by}: {halt.reason}"
            await self._write_halt(self._ctx.board.halt)
        before = self._state.halted
        answers = await self._commit_or_make_room(requests)
        now = self._state.halted
        if now is None and any(isinstance(request, Resume) for request in requests):
            self._ctx.board.halt = ""
            await self._on_disk(clear_halt)
        elif now is not None and before is None and not halts:  # by the daemon itself
            await self._write_halt(f"{now.by}: {now.reason}")
        for ask, answer in zip(batch, answers, strict=True):
            ask.reply.answer(answer)
        if any(isinstance(request, Ping) for request in requests):
            await self._take_space_back()
            await self._heed_halt_file()

    # ------------------------------------------------------------------------------ commits

    async def _commit(self, requests: Sequence[Request]) -> list[Answer]:
        """Decide all requests on a candidate, commit in one transaction, adopt and publish.

        Raises:
            DiskFull, StoreLocked, StoreFault: nothing was stored, adopted or shown.
        """
        clock, timings = self._ctx.ports.clock, self._ctx.board.timings
        began = clock.monotonic()
        candidate, answers, events = self._state, list[Answer](), list[Event]()
        for request in requests:
            decision = decide(candidate, request, self._ctx.limits)
            if isinstance(decision, Refused):
                answers.append(decision)
                continue
            candidate = decision.state
            events.extend(decision.events)
            answers.append(Committed(seq=candidate.seq, events=decision.events))
        decided = clock.monotonic()
        timings.decision.note(decided - began)
        if events:
            await self._append(candidate, events)
            timings.commit.note(clock.monotonic() - decided)
            first = self._state.seq + 1
            self._state = candidate
            self._publish(first, events)
        return answers

    async def _append(self, candidate: State, events: list[Event]) -> None:
        wall_ms = self._ctx.ports.clock.wall_ms()
        records = [_record(event, wall_ms, candidate.life) for event in events]
        due = self._since_snapshot + len(records) >= self._ctx.config.store.snapshot_every
        snapshot = snapshot_of(candidate) if due else None
        await self._worker.run(self._log.append, records, snapshot)
        self._since_snapshot = 0 if due else self._since_snapshot + len(records)

    def _publish(self, first: int, events: list[Event]) -> None:
        board = self._ctx.board
        board.view.set(self._state)
        for seq, event in enumerate(events, start=first):
            board.events.publish((seq, event))
        self._publish_store()

    def _publish_store(self, fault: str = "") -> None:
        board, now = self._ctx.board, self._ctx.ports.clock.monotonic()
        known = board.store.value or StoreStatus()
        board.store.set(
            msgspec.structs.replace(
                known,
                at=now,
                commits=known.commits + (not fault),
                last_commit_at=now,
                fault=fault,
            )
        )

    # ----------------------------------------------------------------------------- a full disk

    async def _commit_or_make_room(self, requests: Sequence[Request]) -> list[Answer]:
        """Commit; with a full disk give up the ballast and go protect-only first."""
        try:
            return await self._commit(requests)
        except DiskFull as full:
            await self._on_disk(release_ballast)
            guard = Guard(cause=DISK_FULL, active=True, detail=str(full))
            return (await self._commit([guard, *requests]))[1:]

    async def _write_halt(self, reason: str) -> None:
        """Write the halt file, with the ballast's space if there is no other.

        Then the reserve is gone and the disk is full, as after any other write.
        """
        try:
            await self._on_disk(write_halt, reason)
        except DiskFull as full:
            await self._on_disk(release_ballast)
            await self._on_disk(write_halt, reason)
            await self._commit([Guard(cause=DISK_FULL, active=True, detail=str(full))])

    async def _heed_halt_file(self) -> None:
        """A halt may be left there while this life runs: by hand, or by who got no answer."""
        if self._state.halted is None and (reason := await self._on_disk(read_halt)):
            halt = Halt(by="halt file", reason=reason)
            self._ctx.board.halt = f"{halt.by}: {halt.reason}"
            await self._commit_or_make_room([halt])

    async def _take_space_back(self) -> None:
        """Once there is room for the ballast again, leave protect-only."""
        now = self._ctx.ports.clock.monotonic()
        if not stands(self._state, DISK_FULL) or now - self._space_checked < SPACE_CHECK_S:
            return
        self._space_checked = now
        if await self._on_disk(restore_ballast):
            await self._commit([Guard(cause=DISK_FULL, active=False)])

    async def _on_disk(self, fn: Callable[[Place, *Ts], T], *args: *Ts) -> T:
        """Have the writer call ``fn`` with the place of the store.

        Raises:
            StoreFault, Unusable, DiskFull: what an error of the system means.
        """
        return await self._worker.run(_on_disk, fn, self._place, *args)


def _on_disk(fn: Callable[[Place, *Ts], T], place: Place, *args: *Ts) -> T:
    with faults.mapped(place.disk, place.db, lambda: advice(place)):
        return fn(place, *args)


async def _next(asks: Asks[Request, Answer], limit: int) -> list[Asked]:
    """The waiting requests, at most ``limit``, or none when no more can come."""
    try:
        return await asks.receive_batch(limit)
    except trio.EndOfChannel:
        return []


def _record(event: Event, wall_ms: int, life: int) -> NewRecord:
    kind, version, body = codec.encode(event)
    return NewRecord(at_ms=wall_ms, life=life, kind=kind, version=version, body=body)
