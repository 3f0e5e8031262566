"""Verifying and reading: what is wrong is found and named; what is right is read as it is."""

from hashlib import blake2b
from pathlib import Path

import apsw
import pytest
from store_kit import FOLD, contents, fill, new, open_log, snapshot

from tradebaas.errors import StoreDamaged, StoreNewer, Unusable
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader
from tradebaas.store.records import EMPTY, Head, NewRecord, chain_digest, number
from tradebaas.store.verify import verify


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Twenty records, a snapshot at 20, closed."""
    log = open_log(tmp_path)
    fill(log, 1, 19)
    log.append([new(20)], snapshot(20))
    log.close()
    return tmp_path


def _execute(data_dir: Path, statement: str) -> None:
    connection = apsw.Connection(str(data_dir / "tradebaas.db"))
    connection.execute(statement)
    connection.close()


def test_a_sound_store_is_walked_to_its_end(store: Path) -> None:
    seen: list[tuple[int, int]] = []
    with open_reader(Place(store)) as reader:
        last = reader.last()
    result = verify(Place(store), progress=lambda done, total: seen.append((done, total)))
    assert (result.problem, result.bad_seq, result.good) == ("", None, last)
    assert seen == [(20, 20)]


def test_a_walk_can_begin_where_the_last_one_ended(store: Path) -> None:
    with open_reader(Place(store)) as reader:
        middle = reader.head_at(15)
    assert middle is not None
    seen: list[tuple[int, int]] = []
    result = verify(Place(store), middle, progress=lambda *step: seen.append(step))
    assert (result.problem, result.good.seq, seen) == ("", 20, [(5, 5)])
    _execute(store, "UPDATE events SET body = x'00' WHERE seq = 10")
    assert verify(Place(store), middle).problem == ""
    assert verify(Place(store)).bad_seq == 10


@pytest.mark.parametrize(
    "statement, bad_seq, problem",
    [
        ("UPDATE events SET body = x'00' WHERE seq = 1", 1, "record 1 is missing or was changed"),
        ("UPDATE events SET life = 9 WHERE seq = 7", 7, "record 7 is missing or was changed"),
        ("DELETE FROM events WHERE seq = 7", 7, "record 7 is missing or was changed"),
        ("UPDATE events SET seq = 70 WHERE seq = 20", 20, "record 20 is missing or was changed"),
        ("UPDATE snapshots SET body = x'00'", None, "the snapshot at seq 20 was changed"),
    ],
)
def test_the_first_bad_record_is_named(
    store: Path, statement: str, bad_seq: int | None, problem: str
) -> None:
    _execute(store, statement)
    result = verify(Place(store))
    assert (result.bad_seq, result.problem) == (bad_seq, problem)
    assert result.good.seq == (bad_seq - 1 if bad_seq else 20)


def test_a_forged_record_with_a_fitting_digest_breaks_the_one_after_it(store: Path) -> None:
    with open_reader(Place(store)) as reader:
        before = reader.head_at(6)
    assert before is not None
    forged = number(before, new(1000))
    connection = apsw.Connection(str(store / "tradebaas.db"))
    connection.execute(
        "UPDATE events SET at_ms = ?, body = ?, digest = ? WHERE seq = 7",
        (forged.at_ms, forged.body, forged.digest),
    )
    connection.close()
    result = verify(Place(store))
    assert (result.bad_seq, result.good) == (8, forged.head)


def test_the_digest_is_the_one_that_stored_logs_have() -> None:
    """Computed by hand from the description: it may never change without a migration."""
    record = NewRecord(at_ms=-5, life=3, kind="Kénd", version=2, body=b"body")
    kind = "Kénd".encode()
    fields = [(7, 8), (-5, 8), (3, 8), (2, 8), (len(kind), 4), (4, 4)]
    text = b"".join(value.to_bytes(size, "big", signed=True) for value, size in fields)
    expected = blake2b(b"p" * 32 + text + kind + b"body", digest_size=32).digest()
    assert chain_digest(b"p" * 32, 7, record) == expected


def test_a_log_that_lacks_its_head_was_cut(store: Path) -> None:
    result = verify(Place(store), stated=Head(21, bytes(32)))
    assert (result.bad_seq, result.good.seq) == (21, 20)
    assert "it was cut" in result.problem


def test_another_record_where_the_last_walk_ended_is_found(store: Path) -> None:
    result = verify(Place(store), Head(15, bytes(32)))
    assert (result.bad_seq, result.good) == (15, EMPTY)


def test_a_page_that_was_overwritten_is_a_result_and_not_a_crash(store: Path) -> None:
    raw = bytearray((store / "tradebaas.db").read_bytes())
    for at in range(4096, len(raw), 4096):
        changed = raw[:at] + bytes(4096) + raw[at + 4096 :]
        (store / "tradebaas.db").write_bytes(changed)
        result = verify(Place(store))
        assert result.problem
        assert result.good.seq < 20 or result.bad_seq is None


def test_what_is_no_store_is_a_problem_too(tmp_path: Path) -> None:
    (tmp_path / "tradebaas.db").write_bytes(b"hello")
    assert "it is not a SQLite database" in verify(Place(tmp_path)).problem


# --- reading ---


def test_a_reader_sees_what_a_running_daemon_commits(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 3)
    with open_reader(Place(tmp_path)) as reader:
        assert [record.seq for record in reader.each(0)] == [1, 2, 3]
        fill(log, 4, 4)
        assert [record.body for record in reader.read(3, 10)] == [new(4).body]
        assert reader.last() == log.head
    log.close()


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 3)
    log.abandon()
    before = {path.name: path.stat().st_size for path in tmp_path.glob("tradebaas.db*")}
    with open_reader(Place(tmp_path)) as reader, pytest.raises(apsw.ReadOnlyError):
        reader.connection.execute("DELETE FROM events")
    assert {path.name: path.stat().st_size for path in tmp_path.glob("tradebaas.db*")} == before
    assert contents(tmp_path)[0] == 3


def test_a_missing_store_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="there is no store at"), open_reader(Place(tmp_path)):
        pass


def test_a_damaged_backup_sends_the_reader_to_another_one(tmp_path: Path) -> None:
    file = tmp_path / "backups" / "tradebaas-x.db"
    file.parent.mkdir()
    file.write_bytes(b"hello")
    with (
        pytest.raises(StoreDamaged, match=f"tradebaas backup list --data {tmp_path}"),
        open_reader(Place(tmp_path), file),
    ):
        pass


@pytest.mark.parametrize(
    "version, refusal, what",
    [(3, StoreNewer, "newer TradeBaas"), (0, StoreDamaged, "not those of schema 0")],
)
def test_another_schema_is_refused(
    store: Path, version: int, refusal: type[Exception], what: str
) -> None:
    _execute(store, f"PRAGMA user_version={version}")
    with pytest.raises(refusal, match=what), open_reader(Place(store)):
        pass


def test_snapshots_that_were_changed_are_not_offered(store: Path) -> None:
    with open_reader(Place(store)) as reader:
        assert [found.seq for found in reader.snapshots(FOLD)] == [20]
        assert reader.snapshots(FOLD + 1) == []
    _execute(store, "UPDATE snapshots SET body = x'00'")
    with open_reader(Place(store)) as reader:
        assert reader.snapshots(FOLD) == []
