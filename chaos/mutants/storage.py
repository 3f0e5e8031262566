"""Mutants of the store: what is durable, and what is found again after a death."""

from collections.abc import Iterator
from pathlib import Path

import apsw

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas.actors import persister
from tradebaas.core.events import Event
from tradebaas.core.state import State
from tradebaas.store import log, opening, rows, schema
from tradebaas.store.disk import Disk
from tradebaas.store.folding import snapshot_of
from tradebaas.store.log import Log
from tradebaas.store.opening import Opened
from tradebaas.store.records import Head, Record, Snapshot


def _synchronous(patch: Patch, level: str) -> None:
    honest = schema.open_writer

    def open_writer(disk: Disk, file: Path) -> apsw.Connection:
        connection = honest(disk, file)
        connection.execute(f"PRAGMA synchronous={level}")
        return connection

    patch.set(schema, "open_writer", open_writer)


@mutant(
    "no-sync",
    breaks="SQLite never syncs: a commit ends in the page cache",
    costs="after a power cut the log has forgotten orders that are at the exchange",
    by="Durable",
    needs="a power cut that loses what was not synced",
    profile="power",
)
def no_sync(patch: Patch) -> None:
    _synchronous(patch, "OFF")


@mutant(
    "normal-sync",
    breaks="SQLite syncs at checkpoints only (synchronous=NORMAL, as many advise for WAL)",
    costs="the database stays sound, and the last commits before a power cut are gone",
    by="Durable",
    needs="a power cut that loses what was not synced",
    profile="power",
)
def normal_sync(patch: Patch) -> None:
    _synchronous(patch, "NORMAL")


@mutant(
    "head-unchecked",
    breaks="the log is not compared with data/head",
    costs="a log that was cut is traded on: the newest orders and fills never happened",
    by="Durable",
    needs="a byte of the write-ahead log that flips while the daemon is down",
    profile="flips",
)
def head_unchecked(patch: Patch) -> None:
    def check_head(_opened: Opened, _last: Head) -> None:
        return

    patch.set(log, "check_head", check_head)
    patch.set(opening, "check_head", check_head)


@mutant(
    "head-first",
    breaks="data/head is written before the commit that it names",
    costs="a death in between condemns a sound store, and nobody minds the position",
    by="Durable, Alive",
    needs="a death between two operations on the disk",
    profile="disk",
)
def head_first(patch: Patch) -> None:
    honest = Log._commit

    def commit(self: Log, records: list[Record], snapshot: Snapshot | None) -> None:
        if records:
            self._guard(records[-1].head)
        honest(self, records, snapshot)

    patch.set(Log, "_commit", commit)


@mutant(
    "digest-unchecked",
    breaks="records and snapshots are taken as they are, whatever their digests say",
    costs="a flipped digit in an amount or a price becomes the truth",
    by="Durable",
    needs="a byte of a record that flips while the daemon is down",
    profile="flips",
    seed=4,
)
def digest_unchecked(patch: Patch) -> None:
    honest = rows.read_snapshots

    def follows(after: Head, record: Record) -> bool:
        return record.seq == after.seq + 1

    def read_snapshots(connection: apsw.Connection) -> list[tuple[Snapshot, bool]]:
        return [(snapshot, True) for snapshot, _sealed in honest(connection)]

    patch.set(log, "follows", follows)
    patch.set(rows, "read_snapshots", read_snapshots)


@mutant(
    "snapshot-without-tail",
    breaks="recovery ends at the newest snapshot",
    costs="every order and fill after it is forgotten; the exchange has them",
    by="Durable, Same",
    needs="a death with events after the newest snapshot",
    seed=3,
)
def snapshot_without_tail(patch: Patch) -> None:
    def tail(_self: Log, _start: Head, _last: Head) -> Iterator[Record]:
        return iter(())

    patch.set(Log, "_tail", tail)


@mutant(
    "snapshot-too-old",
    breaks="a snapshot holds the state from before the events that it is stored with",
    costs="after a restart those events have no effect: an intent, a fill, a halt",
    by="Same",
    needs="a snapshot",
)
def snapshot_too_old(patch: Patch) -> None:
    async def append(self: persister._Scribe, candidate: State, events: list[Event]) -> None:
        wall_ms = self._ctx.ports.clock.wall_ms()
        records = [persister._record(event, wall_ms, candidate.life) for event in events]
        due = self._since_snapshot + len(records) >= self._ctx.config.store.snapshot_every
        snapshot = snapshot_of(self._state) if due else None
        await self._worker.run(self._log.append, records, snapshot)
        self._since_snapshot = 0 if due else self._since_snapshot + len(records)

    patch.set(persister._Scribe, "_append", append)
