"""The task in the shell that tells: reads what was committed, fills the queues, has it sent.

It lives in the shell because it has to tell of the deaths of the crew, and it shares the crew's
fate in nothing: it reads the feed of events, which drops what a slow reader misses, and fetches
what it missed from the log. Each notice is sent by a child process, so neither a service that
hangs nor apprise's imports cost the trading loop anything.

At least once: where has been told up to is remembered after the delivery, so a process that dies in
between sends some notices again, and a service may get again what another one has not got yet.
"""

import os
from collections.abc import Callable, Sequence
from typing import final

import msgspec
import trio
from msgspec.structs import replace

from tradebaas.board import Board, NoticeStatus
from tradebaas.config import Config
from tradebaas.core.events import Event
from tradebaas.errors import Fatal
from tradebaas.notices.conditions import Conditions, summary
from tradebaas.notices.gate import Gate
from tradebaas.notices.memory import Told, load, save
from tradebaas.notices.model import Notice, Outcome, Parcel, Post
from tradebaas.notices.queues import Queues, Waiting, waiting
from tradebaas.notices.words import NAMES, Teller
from tradebaas.output import say
from tradebaas.redact import Redactor, secrets_of
from tradebaas.runtime.mailbox import Fanout
from tradebaas.runtime.ports import Blocking, ChildFailed, Ports
from tradebaas.store.codec import decode
from tradebaas.store.faults import DiskFull, StoreLocked
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader

FEED = 1000
LOOK_EVERY_S = 1.0
CHILD_LIMIT_S = 60.0
BACKOFF_S = (2.0, 5.0, 15.0, 60.0, 300.0)
"""How long to wait after the first, second, ... failed attempt; then the last."""
BATCH = 10
"""How many one child process sends; so many may come twice after a death."""
AT_ONCE = 2
"""How many child processes may send at the same time."""
CHUNK = 500
FURTHEST = 20_000
"""So many events are read again at most; before those nothing is told."""
OLDEST_MS = 24 * 3_600_000
"""What is older is not worth a notice any more; it is counted."""


@final
class Watch:
    """Of one process. ``config`` gives the present settings, which a reload may change."""

    def __init__(
        self, config: Callable[[], Config], board: Board, ports: Ports, addresses: tuple[str, ...]
    ) -> None:
        self._config = config
        self._board = board
        self._ports = ports
        self._addresses = addresses
        self._secrets = Redactor(word for address in addresses for word in secrets_of(address))
        self._queues = Queues(len(addresses))
        self._gate = Gate(config().data_dir)
        self._teller = Teller(config().data_dir)
        self._status = NoticeStatus()
        self._told = load(config().data_dir) or Told()
        self._origin = f"{os.uname().nodename}, {config().data_dir.absolute()}"
        self._sending = trio.CapacityLimiter(AT_ONCE)
        self._changed = trio.Event()

    async def run(self) -> None:
        """Tell until cancelled."""
        async with (
            self._ports.open_blocking("notices") as worker,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._look, worker)
            for address in range(len(self._addresses)):
                nursery.start_soon(self._send_all, address, worker)
            await self._read(self._board.events, worker)

    async def drain(self, within: float) -> None:
        """Wait until all that is committed was told; what is not is told by the next process."""
        view = self._board.view.value
        with trio.move_on_after(within):
            while self._queues.count or (view is not None and self._queues.read < view.seq):
                await self._changed.wait()

    # ------------------------------------------------------------------------ reading

    async def _read(self, events: Fanout[tuple[int, Event]], worker: Blocking) -> None:
        with events.subscribe(FEED) as feed:
            async for seq, event in feed:
                if self._queues.read + 1 != seq:
                    await self._catch_up(seq, worker)
                self._take(seq, event, self._ports.clock.wall_ms())

    async def _catch_up(self, seq: int, worker: Blocking) -> None:
        """Take what lies in the log between what was read, or told, and event ``seq``."""
        after = self._queues.read or self._told.seq
        if not 0 < after < seq:  # nothing is remembered, or of a store that was restored since
            after = seq - 1
            self._told = replace(self._told, seq=after)
        self._queues.read = max(after, seq - FURTHEST)
        while self._queues.read < seq - 1:
            after = self._queues.read
            try:
                found = await worker.run(self._fetch, after, min(CHUNK, seq - 1 - after))
            except (Fatal, DiskFull, StoreLocked) as error:
                text = f"notices: events {after + 1} to {seq - 1} are not told: {error}"
                await say(text, "error", actor="notices")
                break
            for number, at_ms, event in found:
                self._take(number, event, at_ms)
            self._queues.read = min(after + CHUNK, seq - 1)

    def _fetch(self, after: int, limit: int) -> list[tuple[int, int, Event]]:
        with open_reader(Place(self._config().data_dir)) as reader:
            records = reader.read(after, limit)
        return [(r.seq, r.at_ms, decode(r)) for r in records if r.kind in NAMES]

    def _take(self, seq: int, event: Event, at_ms: int) -> None:
        notice = self._teller.tell(event)
        self._queues.read = seq
        if notice is not None and self._ports.clock.wall_ms() - at_ms > OLDEST_MS:
            self._gate.hold(notice)
        elif notice is not None:
            self._put(notice, seq, at_ms)
        self._wake()

    def _put(self, notice: Notice, seq: int, at_ms: int) -> None:
        now, settings = self._ports.clock.monotonic(), self._config().notices
        if self._gate.passes(notice, settings, now):
            self._queue(notice, seq, at_ms)

    def _queue(self, notice: Notice, seq: int, at_ms: int) -> None:
        for dropped in self._queues.put(waiting(notice, seq, at_ms, self._origin)):
            self._gate.hold(dropped)
        self._publish()

    # ------------------------------------------------------------------------ looking

    async def _look(self, worker: Blocking) -> None:
        """Tell of what lasts, of days that are over, and of what was held back.

        Long quiet stretches are remembered as well, so that a start has little to read again.
        """
        conditions = Conditions(self._config(), self._board)
        while True:
            now, wall_ms = self._ports.clock.monotonic(), self._ports.clock.wall_ms()
            for notice in conditions.look(now):
                self._put(notice, 0, wall_ms)
            daily, self._told = summary(self._told, self._board, wall_ms)
            if daily is not None:
                self._put(daily, 0, wall_ms)
            digest = self._gate.digest(self._config().notices, now)
            if digest is not None:
                self._queue(digest, 0, wall_ms)
            if self._queues.told - self._told.seq >= CHUNK:
                await self._remember(worker)
            await trio.sleep(LOOK_EVERY_S)

    # ------------------------------------------------------------------------ sending

    async def _send_all(self, address: int, worker: Blocking) -> None:
        failures, since = 0, 0.0
        while True:
            items = self._queues.first(address, BATCH)
            if not items:
                await self._changed.wait()
                continue
            sent, reason = await self._try(address, items)
            failures = failures + 1 if reason and not sent else bool(reason)
            since = self._now() if failures == 1 else since
            lost = bool(reason) and self._now() - since >= self._config().notices.give_up_seconds
            self._queues.done(address, sent + lost)
            if sent or lost:
                await self._remember(worker)
            self._note(sent, lost, reason)
            if failures == 1 or lost:
                words = _complaint(items[sent], address, reason, lost=lost)
                await say(words, "error" if lost else "warning", actor="notices")
            if lost:
                failures = 0
            elif failures:
                await trio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1])

    async def _try(self, address: int, items: Sequence[Waiting]) -> tuple[int, str]:
        """One attempt with one child: how many were delivered, and why no more; "" if all were."""
        parcels = tuple(Parcel(i.title, i.body, i.notice.urgent) for i in items)
        given = msgspec.json.encode(Post(address, parcels)).decode()
        async with self._sending:
            try:
                said = await self._ports.run_self(("notify", "--post"), CHILD_LIMIT_S, given)
                outcome = msgspec.json.decode(said, type=Outcome)
            except (ChildFailed, msgspec.DecodeError) as failed:
                outcome = Outcome(0, str(failed))
        return outcome.sent, self._secrets.clean(outcome.reason)

    async def _remember(self, worker: Blocking) -> None:
        self._told = replace(self._told, seq=max(self._told.seq, self._queues.told))
        try:
            await worker.run(save, self._config().data_dir, self._told)
        except OSError as error:
            text = f"notices: what was told cannot be remembered: {error}"
            await say(text, "error", actor="notices")

    # ------------------------------------------------------------------------ the figures

    def _now(self) -> float:
        return self._ports.clock.monotonic()

    def _note(self, sent: int, lost: int, failure: str) -> None:
        was = self._status
        self._status = replace(was, sent=was.sent + sent, lost=was.lost + lost, failure=failure)
        self._publish()

    def _publish(self) -> None:
        self._status = replace(self._status, waiting=self._queues.count, held=self._gate.held_total)
        self._board.notices.set(self._status)
        self._wake()

    def _wake(self) -> None:
        """Whoever waits looks again."""
        changed, self._changed = self._changed, trio.Event()
        changed.set()


def _complaint(item: Waiting, address: int, reason: str, *, lost: bool) -> str:
    fate = "is given up" if lost else "was not delivered and is tried again"
    return f"notice {item.notice.title!r} to address {address + 1} {fate}: {reason}"
