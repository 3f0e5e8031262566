"""Whatever happens to a file of a store: the true state, or a refusal. Never a wrong state.

One small store, abandoned as by a crash with records both in the database and in the write-ahead
log, is damaged in every way that fits in seconds, each on a fresh copy.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import apsw
import pytest
from store_kit import FOLD, NOW_MS, contents, fill, new, open_log, outcome, snapshot

from tradebaas.errors import Fatal, StoreDamaged, StoreNewer
from tradebaas.store import ballast, log, rows
from tradebaas.store.place import Place
from tradebaas.store.records import NewSnapshot

LAST = 30
TRUTH = (LAST, b"state after 20", [new(n).body for n in range(21, LAST + 1)])


@pytest.fixture(autouse=True)
def _small_ballast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast, "BALLAST_BYTES", 4096)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The undamaged store: records 1-12 and more in the database, the rest in the log."""
    data_dir = tmp_path_factory.mktemp("sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "CHECKPOINT_PAGES", 12)
        patch.setattr(ballast, "BALLAST_BYTES", 4096)
        store = open_log(data_dir)
        fill(store, 1, 9)
        store.append([new(10)], snapshot(10))
        fill(store, 11, 19)
        store.append([new(20)], snapshot(20))
        patch.setattr(log, "CHECKPOINT_PAGES", 1000)
        fill(store, 21, LAST)
        store.abandon()
    assert (data_dir / "tradebaas.db").stat().st_size > 3 * 4096
    assert (data_dir / "tradebaas.db-wal").stat().st_size > 10 * 4096
    return data_dir


@pytest.fixture
def copy(sample: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes one fresh copy after another."""

    def make() -> Path:
        target = tmp_path / "data"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(sample, target)
        return target

    return make


def _offsets(size: int) -> Iterator[int]:
    """Both ends of every page and points between; every byte of the first 120."""
    yield from range(min(120, size))
    for page in range(0, size, 4096):
        yield from (o for o in range(page, page + 4096, 1021) if o < size)
        yield from (o for o in (page + 3, page + 5, page + 8, page + 4090) if o < size)


def _flip(path: Path, offset: int, mask: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        byte = stream.read(1)[0]
        stream.seek(offset)
        stream.write(bytes([byte ^ mask]))


def _judge(data_dir: Path, case: str) -> bool:
    """Whether the store was refused; if not it must be the truth, and go on being so."""
    found = outcome(data_dir)
    if isinstance(found, Fatal):
        assert str(data_dir) in str(found), case
        return True
    assert found == TRUTH, case
    return False


def _goes_on(data_dir: Path, case: str) -> None:
    """Damage that recovery did not touch may show later, but then as a refusal as well."""
    with suppress(Fatal):
        store = open_log(data_dir)
        fill(store, LAST + 1, LAST + 3)
        store.append([new(LAST + 4)], snapshot(LAST + 4))
        store.close()
        assert contents(data_dir) == (LAST + 4, b"state after 34", []), case


@pytest.mark.parametrize("mask", [0xFF, 0x01])
@pytest.mark.parametrize("name", ["tradebaas.db", "tradebaas.db-wal", "tradebaas.db-shm", "head"])
def test_a_flipped_byte_never_makes_a_wrong_state(
    copy: Callable[[], Path], name: str, mask: int
) -> None:
    refused = tried = 0
    size = (copy() / name).stat().st_size
    for offset in sorted(set(_offsets(size))):
        data_dir = copy()
        _flip(data_dir / name, offset, mask)
        case = f"{name} byte {offset} ^ {mask:#x}"
        tried += 1
        if _judge(data_dir, case):
            refused += 1
        else:
            _goes_on(data_dir, case)
    if name in ("tradebaas.db", "tradebaas.db-wal"):
        assert refused > tried / 10  # the flips hit something
    else:
        assert refused == 0  # these two only guard: the store itself is whole


def test_a_flip_in_an_early_frame_is_found_though_sqlite_says_ok(copy: Callable[[], Path]) -> None:
    data_dir = copy()
    (data_dir / "head").unlink()
    _flip(data_dir / "tradebaas.db-wal", 32 + 24 + 4000, 0x01)
    assert (
        apsw.Connection(str(data_dir / "tradebaas.db")).execute("PRAGMA integrity_check").get
        == "ok"
    )
    unguarded = outcome(data_dir)
    assert not isinstance(unguarded, Fatal)
    assert unguarded[0] < LAST  # without the head, committed records are lost in silence
    data_dir = copy()
    _flip(data_dir / "tradebaas.db-wal", 32 + 24 + 4000, 0x01)
    with pytest.raises(StoreDamaged, match=f"head says {LAST}: it was cut or corrupted"):
        contents(data_dir)


@pytest.mark.parametrize("name", ["tradebaas.db", "tradebaas.db-wal", "tradebaas.db-shm", "head"])
def test_a_file_cut_short_never_makes_a_wrong_state(copy: Callable[[], Path], name: str) -> None:
    size = (copy() / name).stat().st_size
    lengths = {0, 1, 31, 32, 50, 99, 100, size - 1, size - 100}
    lengths |= {n for page in range(0, size, 4096) for n in (page, page + 1, page + 2000)}
    lengths |= {n for frame in range(32, size, 4120) for n in (frame, frame + 24)}
    for length in sorted(n for n in lengths if 0 <= n < size):
        data_dir = copy()
        with (data_dir / name).open("r+b") as stream:
            stream.truncate(length)
        case = f"{name} cut to {length}"
        if not _judge(data_dir, case):
            _goes_on(data_dir, case)


def test_a_database_that_ends_in_the_middle_of_a_page_is_damaged(tmp_path: Path) -> None:
    """Of a large state SQLite calls it an I/O error; but the disk is sound: a restore mends it."""
    large = NewSnapshot(fold_version=FOLD, body=b"x" * 30_000, state_digest=bytes(32))
    store = open_log(tmp_path)
    store.append([new(1)], large)
    store.close()
    store = open_log(tmp_path)
    fill(store, 2, 3)
    store.abandon()
    size = (tmp_path / "tradebaas.db").stat().st_size
    os.truncate(tmp_path / "tradebaas.db", size - 2 * 4096 - 100)
    with pytest.raises(StoreDamaged, match="ends in the middle of a page"):
        contents(tmp_path)


@pytest.mark.parametrize(
    "name, refusal",
    [
        ("tradebaas.db", "it is missing, but there was a store"),
        ("tradebaas.db-wal", "the log ends at seq .* but .*head says 30"),
    ],
)
def test_a_missing_file_that_matters_is_refused(
    copy: Callable[[], Path], name: str, refusal: str
) -> None:
    data_dir = copy()
    (data_dir / name).unlink()
    with pytest.raises(StoreDamaged, match=refusal):
        contents(data_dir)
    assert not (data_dir / "tradebaas.db.new").exists()


@pytest.mark.parametrize("name", ["tradebaas.db-shm", "lock", "ballast"])
def test_a_missing_file_that_can_be_made_anew_costs_nothing(
    copy: Callable[[], Path], name: str
) -> None:
    data_dir = copy()
    (data_dir / name).unlink()
    assert contents(data_dir) == TRUTH


@pytest.mark.parametrize("cut", [None, 0, 60])
def test_a_missing_or_unreadable_head_is_rebuilt_and_noted(
    copy: Callable[[], Path], cut: int | None
) -> None:
    data_dir = copy()
    if cut is None:
        (data_dir / "head").unlink()
    else:
        (data_dir / "head").write_bytes(b"x" * cut)
    store = log.Log.open(Place(data_dir), now_ms=NOW_MS)
    note = f"{data_dir / 'head'} is missing or unreadable; the next commit makes it"
    assert store.recover(FOLD).notes == (note,)
    fill(store, 31, 32)
    assert store.recover(FOLD).notes == ()
    store.abandon()
    (data_dir / "tradebaas.db-wal").unlink()
    with pytest.raises(StoreDamaged, match="head says 32"):
        contents(data_dir)


@pytest.mark.parametrize(
    "gone, alone",
    [
        (("head",), False),
        (("tradebaas.db-wal",), None),
        (("head", "tradebaas.db-wal", "tradebaas.db-shm"), True),
        (("head", "tradebaas.db-wal", "tradebaas.db-shm", "lock"), True),
    ],
)
def test_a_database_that_was_moved_alone_is_told(
    copy: Callable[[], Path], gone: tuple[str, ...], alone: bool | None
) -> None:
    """None: that is refused, since the head says what is missing."""
    data_dir = copy()
    for name in gone:
        (data_dir / name).unlink(missing_ok=True)
    if alone is None:
        with pytest.raises(StoreDamaged, match="head says"):
            contents(data_dir)
        return
    for expected in (alone, False):  # the first commit makes a head
        store = log.Log.open(Place(data_dir), now_ms=NOW_MS)
        recovered = store.recover(FOLD)
        assert recovered.alone is expected
        fill(store, recovered.head.seq + 1, recovered.head.seq + 2)
        store.abandon()


def test_a_new_store_is_not_one_that_was_moved(tmp_path: Path) -> None:
    for _ in range(2):
        store = log.Log.open(Place(tmp_path), now_ms=NOW_MS)
        assert not store.recover(FOLD).alone
        store.abandon()


@pytest.mark.parametrize("sign", ["head", "tradebaas.db-wal", "tradebaas.db-shm", "lock", "backup"])
def test_each_sign_alone_forbids_a_fresh_start(sample: Path, tmp_path: Path, sign: str) -> None:
    if sign == "backup":
        (tmp_path / "backups").mkdir()
        (tmp_path / "backups" / "tradebaas-20220115T000000Z-000000000030.db").write_bytes(b"x")
    else:
        shutil.copy(sample / sign, tmp_path / sign)
    with pytest.raises(StoreDamaged, match="it is missing, but there was a store"):
        open_log(tmp_path)
    assert not (tmp_path / "tradebaas.db").exists()


def test_a_death_while_making_the_store_leaves_no_sign(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fresh.write_bytes(b"half a database")
    (tmp_path / "tradebaas.db.new-journal").write_bytes(b"x")
    place.lock.write_bytes(b'{"pid":1,"started_ms":0,"command":"x","store":false}\n')
    place.backups.mkdir()
    open_log(tmp_path).close()
    assert contents(tmp_path) == (0, None, [])


def test_a_death_between_the_store_and_its_head_is_harmless(tmp_path: Path) -> None:
    open_log(tmp_path).close()
    (tmp_path / "head").unlink()
    assert contents(tmp_path) == (0, None, [])


@pytest.mark.parametrize(
    "content, what",
    [
        (b"", "it is empty"),
        (b"hello", "it is not a SQLite database"),
        (b"hello" * 5000, "it is not a SQLite database"),
    ],
)
def test_what_is_no_database_is_named(copy: Callable[[], Path], content: bytes, what: str) -> None:
    data_dir = copy()
    (data_dir / "tradebaas.db").write_bytes(content)
    with pytest.raises(StoreDamaged, match=what):
        contents(data_dir)


def test_a_foreign_database_is_not_touched(tmp_path: Path) -> None:
    foreign = apsw.Connection(str(tmp_path / "tradebaas.db"))
    foreign.execute("CREATE TABLE t (x)")
    foreign.close()
    before = (tmp_path / "tradebaas.db").read_bytes()
    with pytest.raises(StoreDamaged, match="it is not a TradeBaas store"):
        open_log(tmp_path)
    assert (tmp_path / "tradebaas.db").read_bytes() == before


def test_a_newer_schema_is_refused_as_such(copy: Callable[[], Path]) -> None:
    data_dir = copy()
    connection = apsw.Connection(str(data_dir / "tradebaas.db"))
    connection.execute("PRAGMA user_version=3")
    connection.close()
    with pytest.raises(StoreNewer, match="has schema 3, this program knows 2") as caught:
        contents(data_dir)
    assert caught.value.exit_code == 78


def test_other_tables_than_those_of_the_version_are_refused(copy: Callable[[], Path]) -> None:
    data_dir = copy()
    connection = apsw.Connection(str(data_dir / "tradebaas.db"))
    connection.execute("CREATE TABLE more (x)")
    connection.close()
    with pytest.raises(StoreDamaged, match="its tables are not those of schema 2"):
        contents(data_dir)


@pytest.mark.parametrize(
    "statement, what",
    [
        ("UPDATE events SET body = x'00' WHERE seq = 25", "record 25 is missing or was changed"),
        ("UPDATE events SET at_ms = at_ms + 1 WHERE seq = 25", "record 25 is missing or was"),
        ("UPDATE events SET kind = 'Other' WHERE seq = 25", "record 25 is missing or was"),
        ("DELETE FROM events WHERE seq = 25", "record 25 is missing or was changed"),
        ("DELETE FROM events WHERE seq > 28", "the log ends at seq 28 but .* says 30"),
        ("UPDATE events SET digest = x'00' WHERE seq = 30", "record 30 is not the one"),
        ("UPDATE snapshots SET body = x'00' WHERE seq = 20", "snapshot at seq 20 was changed"),
        ("UPDATE snapshots SET fold_version = 8", "the snapshot at seq 20 was changed"),
        ("UPDATE events SET digest = x'00' WHERE seq = 20", "snapshot at seq 20 was changed"),
    ],
)
def test_a_change_by_hand_is_found(copy: Callable[[], Path], statement: str, what: str) -> None:
    data_dir = copy()
    connection = apsw.Connection(str(data_dir / "tradebaas.db"))
    connection.execute(statement)
    connection.close()
    with pytest.raises(StoreDamaged, match=what):
        contents(data_dir)


def test_a_database_that_left_its_journal_mode_is_refused_with_its_log_intact(
    copy: Callable[[], Path],
) -> None:
    data_dir = copy()
    with (data_dir / "tradebaas.db").open("r+b") as stream:
        stream.seek(18)
        stream.write(b"\x01\x01")
    size = (data_dir / "tradebaas.db-wal").stat().st_size
    with pytest.raises(StoreDamaged, match="its journal mode bytes are 0101"):
        contents(data_dir)
    assert (data_dir / "tradebaas.db-wal").stat().st_size == size


def test_a_tail_that_cannot_be_read_to_its_end_is_refused(
    copy: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = copy()
    whole = rows.each_record
    monkeypatch.setattr(rows, "each_record", lambda *args: islice(whole(*args), 5))
    with pytest.raises(StoreDamaged, match="the log ends at seq 25, not 30"):
        contents(data_dir)


def test_a_refused_store_is_left_as_it_was(copy: Callable[[], Path]) -> None:
    data_dir = copy()
    _flip(data_dir / "tradebaas.db-wal", 32 + 24 + 4000, 0x01)
    names = ("tradebaas.db", "tradebaas.db-wal", "head")
    before = [(data_dir / name).read_bytes() for name in names]
    store = log.Log.open(Place(data_dir), now_ms=NOW_MS)
    with pytest.raises(StoreDamaged):
        store.recover(FOLD)
    store.close()
    assert [(data_dir / name).read_bytes() for name in names] == before


def test_without_a_backup_the_refusal_says_what_can_be_done(copy: Callable[[], Path]) -> None:
    data_dir = copy()
    (data_dir / "tradebaas.db").unlink()
    with pytest.raises(StoreDamaged, match=r"There is no verified backup in ") as no:
        contents(data_dir)
    assert no.value.exit_code == 75


@pytest.mark.parametrize("damage", ["gone", "cut", "twice"])
def test_following_the_advice_without_a_backup_allows_a_fresh_start(
    copy: Callable[[], Path], damage: str
) -> None:
    data_dir = copy()
    (data_dir / "HALT").write_text("weekend")
    (data_dir / "exchange").mkdir()
    (data_dir / "damaged-20220101T000000Z").mkdir()
    (data_dir / "backups" / "never-verified.db").write_bytes(b"")
    for _ in range(2 if damage == "twice" else 1):
        if damage == "cut":
            (data_dir / "tradebaas.db").write_bytes(b"")
        else:
            (data_dir / "tradebaas.db").unlink()
        refused = outcome(data_dir)
        assert isinstance(refused, StoreDamaged)
        line = str(refused).partition("if it still runs, then: ")[2]
        subprocess.run(["/bin/sh", "-ec", line], check=True, cwd="/")
        assert contents(data_dir) == (0, None, [])
        assert (data_dir / "HALT").read_text() == "weekend"
        assert (data_dir / "exchange").is_dir()
    assert (data_dir / "set-aside" / "head").exists()
    assert (data_dir / "set-aside-2").exists() is (damage == "twice")
