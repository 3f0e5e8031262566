"""A small data directory with everything that a daemon keeps in one, as a crash leaves it."""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from chaos.corrupt.books import FOLDER, make_books, picture
from tradebaas.core.decide import Decision, decide
from tradebaas.core.messages import Arm, Halt, Link, Request, Resume, StartLife
from tradebaas.core.model import Assignment
from tradebaas.core.risk import Limits
from tradebaas.core.state import FOLD_VERSION, State
from tradebaas.store import ballast
from tradebaas.store.backup import create_backup
from tradebaas.store.codec import encode
from tradebaas.store.folding import STATE_FOLD, fold, snapshot_of, state_digest
from tradebaas.store.halt import write_halt
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
START = StartLife(token="t", wall_ms=NOW_MS, cause="", poisoned=False, halt_file="")
ARM = Arm(assignment=Assignment(
    strategy="ma_cross", parameters={"fast": "3"}, instrument="BTC-PERPETUAL", timeframe="1m"
))  # fmt: skip
HALT = Halt(by="operator", reason="lunch " * 40)
RESUME = Resume(by="operator")


@final
@dataclass(frozen=True, slots=True)
class Sample:
    """The directory, what its store folds to, what each of its backups does, newest first, and what
    its embedded exchange knows.
    """

    root: Path
    seq: int
    digest: bytes
    backups: dict[str, bytes]
    books: bytes

    def files(self) -> list[str]:
        """The names of its files, below the directory."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.root)) for path in found)

    def copy_to(self, target: Path) -> Place:
        """A fresh copy to spoil."""
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.root, target)
        return Place(target)


def make(root: Path, rounds: int = 6) -> Sample:
    """Two lives: the first is in the database, much of the second in the write-ahead log."""
    place = Place(root)
    lunches: list[Request] = [HALT, RESUME] * rounds
    story: list[Request] = [START, Link(connection=1, up=True, account="paper"), ARM]
    state = _play(place, State(), [*story, *lunches], close=True)
    first = create_backup(place, now_ms=NOW_MS, fold=STATE_FOLD)
    backups = {first.name: state_digest(state)}
    state = _play(place, state, [START, *lunches], close=True)
    second = create_backup(place, now_ms=NOW_MS + HOUR_MS, fold=STATE_FOLD)
    backups = {second.name: state_digest(state), **backups}
    state = _play(place, state, [*lunches, HALT], close=False)
    write_halt(place, "operator: lunch")
    (root / "token").write_text("5eed" * 16 + "\n", encoding="ascii")
    make_books(root / FOLDER, NOW_MS)
    with tempfile.TemporaryDirectory(dir=memory()) as folder:  # a start changes the files
        home = Path(shutil.copytree(root / FOLDER, Path(folder) / FOLDER))
        books = picture(home, NOW_MS)
    return Sample(root, state.seq, state_digest(state), backups, books)


def _play(place: Place, state: State, story: Iterable[Request], *, close: bool) -> State:
    """Append what ``story`` leads to, with a snapshot in the middle of it."""
    log = Log.open(place, now_ms=NOW_MS)
    list(log.recover(FOLD_VERSION).tail)
    for number, request in enumerate(story):
        state, records = decided(state, request)
        log.append(records, snapshot_of(state) if number == 6 else None)
    log.close() if close else log.abandon()
    return state


def decided(state: State, request: Request) -> tuple[State, list[NewRecord]]:
    """What the core makes of a request, as records."""
    decision = decide(state, request, Limits())
    assert isinstance(decision, Decision), decision
    records = []
    for event in decision.events:
        kind, version, body = encode(event)
        life = decision.state.life
        records.append(NewRecord(at_ms=NOW_MS, life=life, kind=kind, version=version, body=body))
    return decision.state, records


def started(place: Place) -> tuple[Log, State]:
    """Open, recover and fold, as a start does; the caller abandons the log.

    Raises:
        Fatal: The start is refused.
    """
    log = Log.open(place, now_ms=NOW_MS)
    try:
        recovered = log.recover(FOLD_VERSION)
        return log, fold(recovered.snapshot, recovered.tail)
    except BaseException:
        log.abandon()
        raise


def memory() -> Path | None:
    """A directory in memory, where a sync costs nothing; None where there is none."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None


def small_ballast() -> None:
    """So that a trial copies kilobytes; for the process of a campaign or a test."""
    ballast.BALLAST_BYTES = 4096
