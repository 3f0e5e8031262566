"""The log: what was appended is there, numbered, chained, and nothing else."""

from pathlib import Path

import apsw
import pytest
from store_kit import FOLD, NOW_MS, contents, fill, new, open_log, snapshot

from tradebaas.errors import StoreDamaged, StoreFault
from tradebaas.store import log as log_module
from tradebaas.store import schema
from tradebaas.store.disk import SYSTEM_DISK, SystemDisk
from tradebaas.store.faults import StoreLocked
from tradebaas.store.head import read_head
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader
from tradebaas.store.records import EMPTY, Head, number


def test_a_new_directory_gets_an_empty_store(tmp_path: Path) -> None:
    log = Log.open(Place(tmp_path / "deep" / "data"), now_ms=NOW_MS)
    recovered = log.recover(FOLD)
    assert (recovered.snapshot, list(recovered.tail), recovered.head) == (None, [], EMPTY)
    assert recovered.notes == ()
    log.close()


def test_appended_records_come_back_in_order_with_their_chain(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    head = log.append([new(1), new(2)])
    head = log.append([new(3)])
    log.close()

    log = Log.open(Place(tmp_path), now_ms=NOW_MS)
    recovered = log.recover(FOLD)
    records = list(recovered.tail)
    log.close()
    assert recovered.head == head == Head(3, records[-1].digest)
    assert [record.seq for record in records] == [1, 2, 3]
    at = EMPTY
    for given, found in zip([new(1), new(2), new(3)], records, strict=True):
        assert found == number(at, given)
        at = found.head


def test_an_abandoned_log_has_every_append_that_returned(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 10)
    log.abandon()
    assert contents(tmp_path) == (10, None, [new(n).body for n in range(1, 11)])


def test_a_snapshot_replaces_the_records_before_it(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append([new(1), new(2)], snapshot(2))
    log.append([new(3)])
    log.close()
    assert contents(tmp_path) == (3, b"state after 2", [new(3).body])


def test_only_the_two_newest_snapshots_are_kept(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for n in range(1, 6):
        log.append([new(n)], snapshot(n))
    log.close()
    with open_reader(Place(tmp_path)) as reader:
        assert [found.seq for found in reader.snapshots(FOLD)] == [5, 4]


def test_a_snapshot_can_be_made_without_records(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    before = fill(log, 1, 3)
    assert log.append([], snapshot(3)) == before
    log.close()
    assert contents(tmp_path) == (3, b"state after 3", [])


def test_nothing_to_append_writes_nothing(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 1)
    size = log.wal_bytes()
    assert log.append([]) == log.head
    assert log.wal_bytes() == size
    log.close()


def test_a_snapshot_of_another_fold_is_left_unused_and_noted(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append([new(1)], snapshot(1, fold_version=FOLD - 1))
    log.close()
    log = Log.open(Place(tmp_path), now_ms=NOW_MS)
    recovered = log.recover(FOLD)
    assert recovered.snapshot is None
    assert [record.body for record in recovered.tail] == [new(1).body]
    assert "fold version 6, not 7" in recovered.notes[0]
    log.close()


def test_appending_before_recovering_is_a_mistake_that_is_named(tmp_path: Path) -> None:
    log = Log.open(Place(tmp_path), now_ms=NOW_MS)
    with pytest.raises(RuntimeError, match="recover"):
        log.append([new(1)])
    log.close()


def test_recovering_again_in_the_same_process_gives_the_same(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 5)
    recovered = log.recover(FOLD)
    assert [record.body for record in recovered.tail] == [new(n).body for n in range(1, 6)]
    assert log.append([new(6)]).seq == 6
    log.close()


def test_reading_is_bounded_and_in_order(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 9)
    assert [record.seq for record in log.read(3, 4)] == [4, 5, 6, 7]
    assert log.read(9, 4) == []
    log.close()


def test_a_foreign_lock_ends_in_an_ordinary_error_and_nothing_is_stored(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 2)
    foreign = apsw.Connection(str(tmp_path / "tradebaas.db"))
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLocked, match="locked by another program"):
        log.append([new(3)])
    foreign.execute("ROLLBACK")
    foreign.close()
    assert log.append([new(3)]).seq == 3
    log.close()
    assert contents(tmp_path)[0] == 3


def test_a_second_writer_is_found_out_and_the_log_trusts_itself_no_more(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 2)
    foreign = apsw.Connection(str(tmp_path / "tradebaas.db"))
    foreign.execute("INSERT INTO events SELECT 3, 0, 0, '', 1, x'', x'' FROM events WHERE seq=1")
    with pytest.raises(StoreFault, match="another writer"):
        log.append([new(3)])
    foreign.execute("UPDATE events SET life = 1 WHERE seq = 3")  # no lock was left behind
    foreign.close()
    with pytest.raises(RuntimeError, match="recover"):
        log.append([new(4)])
    log.close()
    with pytest.raises(StoreDamaged, match="record 3 is missing or was changed"):
        contents(tmp_path)


def test_the_settings_that_decide_about_durability_are_in_force(tmp_path: Path) -> None:
    open_log(tmp_path).close()
    connection = schema.open_writer(SYSTEM_DISK, tmp_path / "tradebaas.db")
    answers = {
        pragma: connection.execute(f"PRAGMA {pragma}").get
        for pragma in ("journal_mode", "synchronous", "locking_mode", "wal_autocheckpoint")
    }
    connection.close()
    assert answers == {
        "journal_mode": "wal",
        "synchronous": 2,
        "locking_mode": "normal",
        "wal_autocheckpoint": 0,
    }


def test_a_journal_mode_that_sqlite_chose_itself_is_refused(tmp_path: Path) -> None:
    schema.create_database(SYSTEM_DISK, tmp_path / "a.db")

    class Bare(SystemDisk):
        writer_vfs = "no-shared-memory"

    bare = apsw.VFS("no-shared-memory", base="unix-none")
    connection = apsw.Connection(str(tmp_path / "b.db"))
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StoreFault, match="SQLite answered 'delete' to 'PRAGMA journal_mode=WAL'"):
        schema.open_writer(Bare(), tmp_path / "b.db")
    bare.unregister()


def test_the_write_ahead_log_is_emptied_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "CHECKPOINT_PAGES", 20)
    log = open_log(tmp_path)
    fill(log, 1, 400)
    assert log.wal_bytes() < 60 * 4120
    assert log.database_bytes() > 20 * 4096
    log.close()
    assert contents(tmp_path)[0] == 400


def test_the_head_follows_only_a_commit_since_only_that_syncs_the_log(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    older = fill(log, 1, 3)
    said = (tmp_path / "head").read_bytes()
    fill(log, 4, 5)
    log.abandon()
    (tmp_path / "head").write_bytes(said)  # as a death between the commit and the head leaves it
    log = open_log(tmp_path)
    assert log.head.seq == 5
    assert read_head(Place(tmp_path)) == older
    assert log.append([new(6)]) == read_head(Place(tmp_path))
    log.close()


def test_a_long_reader_delays_the_emptying_and_its_end_brings_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "CHECKPOINT_PAGES", 20)
    monkeypatch.setattr(schema, "WAL_LIMIT_BYTES", 50 * 4120)
    log = open_log(tmp_path)
    fill(log, 1, 10)
    with open_reader(Place(tmp_path)) as reader:
        reader.connection.execute("BEGIN")
        assert reader.last().seq == 10
        fill(log, 11, 110)
        assert log.wal_bytes() > 100 * 4120
        assert reader.last().seq == 10
    fill(log, 111, 200)
    assert log.wal_bytes() <= 50 * 4120
    log.close()
    assert contents(tmp_path)[0] == 200


def test_a_clean_close_leaves_one_file(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    fill(log, 1, 3)
    log.close()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"tradebaas.db", "head", "lock", "ballast", "backups"}
