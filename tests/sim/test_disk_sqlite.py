"""The real SQLite on the simulated disk: it keeps what it promises, and what it does not, it loses.

The second half are negative controls: a disk on which careless settings lose nothing proves nothing
about careful ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import apsw
import pytest
from disk_kit import ROOT, Point, deaths, points
from store_kit import fill, new, open_log

from chaos.world.disk import SimDisk
from chaos.world.mount import MountedDisk
from tradebaas.errors import Fatal
from tradebaas.store import log as log_module
from tradebaas.store import schema
from tradebaas.store.disk import Disk
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader

FILE = ROOT / "plain.db"
COMMITS = 20


@pytest.fixture
def disk() -> Iterator[SimDisk]:
    disk = SimDisk(Random(1), "sqlite")
    disk.put(ROOT / "here", b"")
    yield disk
    disk.close()


# --- a reader beside the writer ------------------------------------------------------------------


def test_a_reader_sees_what_was_committed_when_it_opened(disk: SimDisk) -> None:
    place = Place(ROOT, disk.mount())
    log = open_log(ROOT, place.disk)
    fill(log, 1, 5)
    before = disk.operations
    with open_reader(place) as first, open_reader(Place(ROOT, disk.view())) as judge:
        fill(log, 6, 8)
        with open_reader(place) as second:
            assert [reader.last().seq for reader in (first, judge, second)] == [5, 5, 8]
            assert [record.body for record in second.each(0)] == [new(n).body for n in range(1, 9)]
            with pytest.raises(apsw.ReadOnlyError):
                second.connection.execute("DELETE FROM events")
    counted = disk.operations - before
    fill(log, 9, 11)
    assert disk.operations - before == 2 * counted  # three commits each: the readers cost none
    log.close()
    with open_reader(Place(ROOT, disk.view())) as judge:  # no write-ahead log any more
        assert judge.last().seq == 11


def test_a_reader_keeps_what_it_opened_whatever_the_writer_does(
    disk: SimDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "CHECKPOINT_PAGES", 5)
    place = Place(ROOT, disk.mount())
    log = open_log(ROOT, place.disk)
    fill(log, 1, 5)
    with open_reader(place) as reader:
        fill(log, 6, 60)  # the write-ahead log begins again from its start, several times
        log.close()
        assert [record.body for record in reader.each(0)] == [new(n).body for n in range(1, 6)]


def test_a_judge_is_struck_by_no_fault_and_outlives_every_death(disk: SimDisk) -> None:
    place, judged = Place(ROOT, disk.mount()), Place(ROOT, disk.view())
    fill(open_log(ROOT, place.disk), 1, 5)
    disk.arm("read", chance=1.0)
    with pytest.raises(Fatal), open_reader(place) as reader:
        reader.last()
    disk.power_cut()
    with open_reader(judged) as reader:
        assert reader.last().seq == 5
    with pytest.raises(OSError, match="Read-only"):
        judged.disk.unlink(judged.db)


def test_the_same_seed_gives_sqlite_the_same_bytes() -> None:
    def once(seed: int) -> bytes:
        disk = SimDisk(Random(seed), "bytes")
        fill(open_log(ROOT, disk.mount()), 1, 5)
        found = disk.view().read(Place(ROOT).wal)
        disk.close()
        return found

    assert once(1) == once(1)
    assert once(1) != once(2)  # the salt of the log comes from the seed as well


# --- what SQLite promises ------------------------------------------------------------------------


@dataclass
class Score:
    """How many deaths there were, how many lost an acknowledged commit, how many broke the file."""

    deaths: int = 0
    lost: int = 0
    broken: int = 0


def connect(disk: Disk, journal: str, synchronous: str) -> apsw.Connection:
    connection = apsw.Connection(str(FILE), vfs=disk.writer_vfs)
    if journal == "wal":
        connection.execute("PRAGMA locking_mode=exclusive")
    assert connection.execute(f"PRAGMA journal_mode={journal}").get == journal
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


def found(disk: Disk, journal: str) -> int | None:
    """How many commits are there; None if the database is not the one that was written."""
    try:
        connection = connect(disk, journal, "full")
        rows = list(connection.execute("SELECT id, text FROM t ORDER BY id"))
        total = connection.execute("SELECT n FROM total").get
        sound = connection.execute("PRAGMA integrity_check").get == "ok"
        connection.close()
    except apsw.Error:
        return None
    if not sound or total != len(rows) or rows != [(n, text(n)) for n in range(1, len(rows) + 1)]:
        return None
    return len(rows)


def text(number: int) -> str:
    return f"{number} " * 300


def score(disk: SimDisk, journal: str, synchronous: str, cuts: int) -> Score:
    """Commit, each time a row and the number of rows; die everywhere; count."""
    connection = connect(disk.mount(), "wal" if journal == "wal" else "delete", "full")
    with connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text)")
        connection.execute("CREATE TABLE total (n)")
        connection.execute("INSERT INTO total VALUES (0)")
    connection.close()
    disk.mounts[0].sync_directory(ROOT)
    done = 0

    def work(process: MountedDisk) -> None:
        nonlocal done
        connection = connect(process, journal, synchronous)
        for number in range(1, COMMITS + 1):
            with connection:
                connection.execute("INSERT INTO t VALUES (?, ?)", (number, text(number)))
                connection.execute("UPDATE total SET n = n + 1")
            done = number

    score = Score()
    for _, point, place in deaths(points(disk, work, lambda: done), cuts):
        there = found(place.disk, "wal" if journal == "wal" else "delete")
        score.deaths += 1
        score.broken += there is None
        score.lost += there is not None and there < point.promised
    return score


@pytest.mark.parametrize(
    "journal, synchronous", [("wal", "full"), ("truncate", "full"), ("delete", "extra")]
)
def test_careful_settings_lose_nothing(disk: SimDisk, journal: str, synchronous: str) -> None:
    result = score(disk, journal, synchronous, 2)
    assert result.deaths > 200
    assert (result.lost, result.broken) == (0, 0)


# --- negative controls ---------------------------------------------------------------------------


def test_a_write_ahead_log_that_is_not_synced_loses_commits(disk: SimDisk) -> None:
    result = score(disk, "wal", "normal", 4)
    assert result.lost > 50
    assert result.broken == 0


def test_a_journal_whose_removal_is_not_synced_takes_back_a_commit(disk: SimDisk) -> None:
    """SQLite has ``synchronous=EXTRA`` for this: the journal may be there again."""
    result = score(disk, "delete", "full", 2)
    assert result.lost > 5
    assert result.broken == 0


def test_no_journal_and_no_sync_break_the_database(disk: SimDisk) -> None:
    assert score(disk, "off", "off", 4).broken > 50


def test_a_lying_drive_loses_commits_under_the_best_settings(disk: SimDisk) -> None:
    disk.lying = True
    result = score(disk, "wal", "full", 4)
    assert result.lost > 50


# --- the same with the store ---------------------------------------------------------------------


def outcome_of_a_log(
    disk: SimDisk, before: Callable[[], None] = lambda: None
) -> Iterator[tuple[Point, int | Fatal]]:
    """Commits of the store, ended everywhere: how far a new process comes, or its refusal."""
    log = open_log(ROOT, disk.mount())
    log.append([new(1)])
    log.close()
    before()
    done = 1

    def work(process: MountedDisk) -> None:
        nonlocal done
        log = open_log(ROOT, process)
        for number in range(2, COMMITS):
            done = log.append([new(number)]).seq
        log.abandon()

    for _, point, place in deaths(points(disk, work, lambda: done), 4):
        try:
            log = open_log(ROOT, place.disk)
        except Fatal as refusal:
            yield point, refusal
            continue
        yield point, log.head.seq
        log.abandon()


def test_a_log_that_is_synced_loses_nothing_and_is_never_refused(disk: SimDisk) -> None:
    assert all(
        isinstance(end, int) and end >= point.promised for point, end in outcome_of_a_log(disk)
    )


def test_a_log_without_syncs_loses_commits(disk: SimDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = schema.open_writer

    def careless(disk: Disk, file: Path) -> apsw.Connection:
        connection = honest(disk, file)
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    monkeypatch.setattr(schema, "open_writer", careless)
    ends = list(outcome_of_a_log(disk))
    assert sum(isinstance(end, Fatal) or end < point.promised for point, end in ends) > 50


def test_a_log_on_a_lying_drive_is_cut_and_the_head_often_says_so(disk: SimDisk) -> None:
    def lie() -> None:
        disk.lying = True

    ends = list(outcome_of_a_log(disk, lie))
    assert sum(isinstance(end, int) and end < point.promised for point, end in ends) > 20
    assert sum(isinstance(end, Fatal) and "it was cut" in str(end) for _, end in ends) > 20
