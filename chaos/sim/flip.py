"""A bit of the store that changes by itself while the daemon is down.

Only a bit that matters is flipped: one with which the log, as the judge's own reader sees it, ends
earlier than before (SQLite drops a frame of its write-ahead log whose checksum is wrong, and all
that follow) or holds another record than was written. A start must refuse such a store. The bit is
turned back before the daemon is started once more, as a restored backup would.

After a power cut ``data/head`` may be older than the log, which is normal; then nothing says where
the log ended, so there no bit is flipped.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, final

import apsw
import trio

from chaos.sim.machine import Process
from chaos.world.disk import SimDisk
from chaos.world.ledger import LedgerBroken, Tail, head_of, log_rows
from chaos.world.oracle import Violation
from tradebaas.errors import Fatal, StoreDamaged
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader

if TYPE_CHECKING:
    from chaos.sim.world import World

TRIES = 12
START_S = 30.0
"""A start that finds no space waits inside, and decides nothing before."""


@final
class Flip:
    """One bit, flipped until ``undo``. ``what`` says which, for a person."""

    def __init__(self, disk: SimDisk, path: Path, at: int, bit: int) -> None:
        self.what = f"bit {bit:#04x} of byte {at} of {path.name}"
        self._disk, self._path, self._at, self._bit = disk, path, at, bit
        self._turn()

    def undo(self) -> None:
        """Turn it back."""
        self._turn()

    def _turn(self) -> None:
        self._disk.tree.file(self._path).flip(self._at, self._bit)


def strike(world: "World") -> Flip | None:
    """Sometimes flip a bit, as often as the seed says, while the daemon is down."""
    rng = world.flips
    if world.nemesis.calmed.is_set() or rng.random() >= world.swarm.flips:
        return None
    flip = flip_a_bit(rng, world.disk, Place(world.machine.root, world.disk.view()))
    if flip is not None:
        world.nemesis.deeds["disk: flipped bit"] += 1
        world.timeline.tell("disk", f"flipped {flip.what}")
    return flip


async def must_refuse(world: "World", process: Process, flip: Flip) -> None:
    """A life that begins on a store which is not as it was written is a violation."""
    view = process.lives.board.view
    with trio.move_on_after(START_S):
        while process.alive:
            if view.value is not None:
                break
            await trio.sleep(0.001)
    world.flip = None
    if view.value is not None:
        text = f"process {process.number} began a life though {flip.what} had been changed"
        world.find(Violation("durable", f"flip {process.number}", text))
        return
    flip.undo()
    if process.exit == StoreDamaged.exit_code:
        world.machine.marks["refused a flipped bit"] += 1
        world.refused.add(process.number)


def flip_a_bit(rng: random.Random, disk: SimDisk, place: Place) -> Flip | None:
    """Flip a bit that matters; None when none was found."""
    sound = _tail(place)
    if sound is None or not place.disk.exists(place.head):
        return None
    if sound.seq == 0 or head_of(place.disk.read(place.head)) != sound:
        return None
    for path, at in _places(rng, place):
        flip = Flip(disk, path, at, 1 << rng.randrange(8))
        if _tail(place) != sound:
            return flip
        flip.undo()
    return None


def _places(rng: random.Random, place: Place) -> Iterator[tuple[Path, int]]:
    """Where to try: in the database within the newest records, in the write-ahead log anywhere."""
    files = [path for path in (place.db, place.wal) if place.disk.exists(path)]
    for _ in range(TRIES):
        path = rng.choice(files)
        size = place.disk.size(path)
        if path == place.db:
            yield from _in_a_record(rng, place)
        elif size:
            yield path, rng.randrange(size)


def _in_a_record(rng: random.Random, place: Place) -> Iterator[tuple[Path, int]]:
    """Within the body of one of the records that the next start reads.

    A body that another record has as well may be found as that of an old one, which a start does
    not read.
    """
    with open_reader(place) as reader:
        once = reader.connection.execute(
            "SELECT body FROM events GROUP BY body HAVING count(*) = 1 AND min(seq) > ("
            "SELECT coalesce(max(seq), 0) FROM snapshots) ORDER BY min(seq)"
        )
        bodies = [bytes(body) for (body,) in once]
    database = place.disk.read(place.db)
    for body in rng.sample(bodies, len(bodies)):
        at = database.find(body)
        if at >= 0 and database.find(body, at + 1) < 0:
            yield place.db, at + rng.randrange(len(body))
            return


def _tail(place: Place) -> Tail | None:
    """Where the log ends if all of it is as it was written, None if not or if there is none."""
    try:
        with open_reader(place) as reader:
            rows = log_rows(reader.connection, Tail(), place.db)
    except (LedgerBroken, Fatal, apsw.Error):
        return None
    return Tail(rows[-1].seq, rows[-1].digest) if rows else Tail()
