"""One trial: a file of a copy is spoilt, and a start is judged.

It must be unaffected, or refused with a message that names a file of the store and ends with the
command that restores; that command is then carried out and must lead to the newest backup that is
intact. A wrong state, a store begun afresh, a lost halt or any other exception is a violation.
Files of the embedded exchange are judged by what ``books`` asks of them.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from chaos.corrupt.books import FOLDER, REFUSED, UNAFFECTED, Unworthy, judge_books
from chaos.corrupt.sample import HALT, HOUR_MS, NOW_MS, RESUME, Sample, decided, started
from tradebaas.core.state import State
from tradebaas.errors import Fatal, StoreDamaged
from tradebaas.store import catalogue
from tradebaas.store.backup import BackupFailed
from tradebaas.store.faults import DiskFull, StoreLocked
from tradebaas.store.folding import snapshot_of, state_digest
from tradebaas.store.halt import read_halt
from tradebaas.store.place import Place
from tradebaas.store.restore import restore

PAGE = 4096
RESTORE = re.compile(r"backup restore --data (\S+) (\S+)$")
STORE = ("tradebaas.db", "tradebaas.db-wal")
"""Only these hold what can be lost; the others guard them, or copy them."""


class Violation(Exception):
    """What must never follow from one spoilt file."""


@final
@dataclass(frozen=True, slots=True)
class Spoiling:
    """What is done to a file: a byte is flipped, it is cut, or it is gone."""

    file: str
    kind: str
    offset: int = 0
    mask: int = 0

    def __str__(self) -> str:
        how = {"flip": f"byte {self.offset} ^ {self.mask:#04x}", "cut": f"to {self.offset} bytes"}
        return f"{self.file}: {self.kind} {how.get(self.kind, '')}".rstrip()

    def strike(self, root: Path) -> None:
        path = root / self.file
        if self.kind == "gone":
            path.unlink()
            return
        content = bytearray(path.read_bytes())
        if self.kind == "cut":
            del content[self.offset :]
        else:
            content[self.offset] ^= self.mask
        path.write_bytes(content)


def spoilings(sample: Sample, per_page: int, rng: random.Random) -> Iterator[Spoiling]:
    """For each file: gone; for each of its pages, ``per_page`` flips and as many cuts."""
    for file in sample.files():
        yield Spoiling(file, "gone")
        size = (sample.root / file).stat().st_size
        for page in range(0, size, PAGE):
            end = min(page + PAGE, size)
            yield Spoiling(file, "cut", page)
            for _ in range(per_page):
                mask = rng.choice((0xFF, 1 << rng.randrange(8)))
                yield Spoiling(file, "flip", rng.randrange(page, end), mask)
                yield Spoiling(file, "cut", rng.randrange(page, end))


def judge(sample: Sample, place: Place, spoiling: Spoiling) -> str:
    """``UNAFFECTED`` or ``REFUSED``; ``OTHERWISE`` of the exchange, where it knows another truth.

    Raises:
        Violation: neither.
    """
    spoiling.strike(place.root)
    try:
        if spoiling.file.startswith(f"{FOLDER}/"):
            return judge_books(place.root, sample.books, NOW_MS)
        return _judge(sample, place, spoiling)
    except (Unworthy, Fatal, BackupFailed, DiskFull, StoreLocked, ValueError, OSError) as error:
        raise Violation(f"{spoiling}: {type(error).__name__}: {error}") from error


def _judge(sample: Sample, place: Place, spoiling: Spoiling) -> str:
    try:
        log, state = started(place)
    except StoreDamaged as refusal:
        if spoiling.file not in STORE:
            raise Violation(f"{spoiling}: the store is sound, but: {refusal}") from refusal
        _restore(sample, place, str(refusal))
        return REFUSED
    log.abandon()
    _is_the_truth(sample, state, str(spoiling))
    _is_halted(place, state, str(spoiling))
    return UNAFFECTED if _goes_on(place, state, str(spoiling)) else REFUSED


def _is_the_truth(sample: Sample, state: State, case: str) -> None:
    if (state.seq, state_digest(state)) != (sample.seq, sample.digest):
        raise Violation(f"{case}: started with another state, at seq {state.seq}")


def _is_halted(place: Place, state: State, case: str) -> None:
    if not read_halt(place) and state.halted is None:
        raise Violation(f"{case}: the halt is lost")


def _goes_on(place: Place, state: State, case: str) -> bool:
    """Whether it trades on; damage that the start did not touch may be refused later."""
    try:
        log, _ = started(place)
        for request in (RESUME, HALT):
            state, records = decided(state, request)
            log.append(records, snapshot_of(state))
        log.close()
        log, found = started(place)
        log.abandon()
    except StoreDamaged:
        return False
    if state_digest(found) != state_digest(state):
        raise Violation(f"{case}: another state after it had gone on")
    return True


def _restore(sample: Sample, place: Place, refusal: str) -> None:
    """Do what the refusal says."""
    told = RESTORE.search(refusal)
    named = any(str(path) in refusal for path in (place.db, place.head))
    if told is None or not named or told[1] != str(place.root):
        raise Violation(f"a refusal without file or command: {refusal}")
    name = catalogue.newest_intact(place)
    if told[2] != name:
        raise Violation(f"told to restore {told[2]}, {name} is intact")
    restore(place, told[2], now_ms=NOW_MS + 2 * HOUR_MS)
    log, state = started(place)
    log.abandon()
    if state_digest(state) != sample.backups[told[2]]:
        raise Violation(f"restored {told[2]}, but got another state")
    _is_halted(place, state, refusal)
