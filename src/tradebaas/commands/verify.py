"""``verify``: is the store what was written, and does it fold to what its snapshots say?

Walks the digest chain, runs SQLite's own check, compares the end with ``data/head``, and folds the
events to every stored snapshot and to the end. Reads only; the daemon may be running.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from tradebaas.commands.common import (
    json_option,
    print_json,
    print_table,
    store_errors,
    with_config,
)
from tradebaas.commands.inspect import store_argument
from tradebaas.config import Config
from tradebaas.core.apply import apply
from tradebaas.core.state import FOLD_VERSION
from tradebaas.errors import StoreDamaged
from tradebaas.store.records import EMPTY, Head

if TYPE_CHECKING:
    from rich.progress import TaskID

    from tradebaas.store.place import Place
    from tradebaas.store.reader import Reader

REPORT_EVERY = 5000


class Verified(Struct, frozen=True):
    """What was found sound. The walks went from after ``chain_from`` and ``fold_from`` (0: from
    the first event) to the end; ``base`` is the backup that vouches for what is before, "" for
    none. ``digest`` and ``state_digest`` are hexadecimal.
    """

    store: str
    events: int
    chain_from: int
    base: str
    fold_from: int
    snapshots: int
    digest: str
    state_digest: str


@click.command()
@store_argument
@with_config
@click.option("--full", is_flag=True, help="Walk and fold from the very first event.")
@json_option
def verify(config: Config, store: Path | None, full: bool, as_json: bool) -> None:
    """Prove that the store is what was written, and folds to what its snapshots say.

    STORE is a data directory or a backup file; by default the daemon's own store. Without --full
    the chain is walked from the end of the newest verified backup, the fold from the oldest
    snapshot. Exits 75 and says what to do when anything differs.
    """
    path = store or config.data_dir
    with store_errors(), progress() as report:
        found = verify_store(path, full, report)
    if as_json:
        print_json(found)
        return
    rows = [
        ("store", found.store),
        ("events", str(found.events)),
        ("chain", f"holds from event {found.chain_from + 1} to {found.events}"),
        ("fold", f"agrees from event {found.fold_from + 1} on, with {found.snapshots} snapshots"),
        ("digest", found.digest),
        ("state digest", found.state_digest),
    ]
    print_table(("", ""), [*rows, ("verdict", _verdict(found))])


def _verdict(found: Verified) -> str:
    """What was proven, and no more than that."""
    if found.chain_from:
        return (
            f"sound from event {found.chain_from + 1} on; events before it were verified with "
            f"backup {found.base}; --full walks all"
        )
    if found.fold_from:
        return f"sound; folded from event {found.fold_from + 1} on, --full folds all"
    return "sound"


Report = Callable[[str, int, int], None]
"""Called now and then with (what is being done, how far, of how much)."""


def verify_store(path: Path, full: bool, report: Report) -> Verified:
    """Verify the store at ``path``; ``report`` is told how far it is.

    Raises:
        StoreDamaged: Something differs; the message says what, where, and what to do.
        Fatal: It cannot be read.
    """
    from tradebaas.store.head import read_head
    from tradebaas.store.reader import locate, open_reader, reading, reading_advice
    from tradebaas.store.verify import verify_reader

    place, file = locate(path)
    live = path.is_dir()
    with reading(place, file):
        stated = read_head(place) if live else None  # before the log: it may only be older
    with open_reader(place, file) as reader:
        since, base = _verified_before(reader, place) if live and not full else (EMPTY, "")
        walked = verify_reader(reader, since, stated, lambda n, of: report("chain", n, of))
        problem, folded = walked.problem, _Folded(0, 0, "", "")
        if not problem:
            folded = _fold(reader, walked.good.seq, full, report)
            problem = folded.problem
    if problem:
        raise StoreDamaged(
            f"{file} is not what was written: {problem}. {reading_advice(place, file)}"
        )
    return Verified(
        store=str(path),
        events=walked.good.seq,
        chain_from=walked.start.seq,
        base=base,
        fold_from=folded.start,
        snapshots=folded.snapshots,
        digest=walked.good.digest.hex(),
        state_digest=folded.digest,
    )


class _Folded(Struct, frozen=True):
    """``digest`` is that of the state at the end; ``problem`` names the first difference."""

    start: int
    snapshots: int
    digest: str
    problem: str = ""


def _fold(reader: "Reader", last: int, full: bool, report: Report) -> _Folded:
    """Fold up to ``last`` in one pass, comparing with every snapshot on the way."""
    from tradebaas.store.codec import decode
    from tradebaas.store.folding import state_digest, state_of

    snapshots = {s.seq: s for s in reversed(reader.snapshots(FOLD_VERSION)) if s.seq <= last}
    oldest = None if full else next(iter(snapshots.values()), None)
    state, start = state_of(oldest), oldest.seq if oldest else 0
    for record in reader.each(start):
        if record.seq > last:
            break
        state = apply(state, decode(record))
        stated = snapshots.get(record.seq)
        if stated is not None and state_digest(state) != stated.state_digest:
            problem = f"the events fold to another state than the snapshot at seq {record.seq}"
            return _Folded(start, len(snapshots), "", problem)
        if record.seq % REPORT_EVERY == 0 or record.seq == last:
            report("fold", record.seq - start, last - start)
    return _Folded(start, len(snapshots), state_digest(state).hex())


def _verified_before(reader: "Reader", place: "Place") -> tuple[Head, str]:
    """Where the newest verified backup of this very log ended, and its name.

    After a restore it is not the newest of all.
    """
    from tradebaas.store.catalogue import verified_backups

    for info in verified_backups(place):
        head = Head(info.seq, bytes.fromhex(info.chain))
        if reader.head_at(head.seq) == head:
            return head, info.name
    return EMPTY, ""


@contextmanager
def progress() -> Iterator[Report]:
    """A progress bar on stderr, when that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done)

        yield report
