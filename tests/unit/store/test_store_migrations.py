"""An old store file, as it was really written, becomes a store of today."""

import shutil
from hashlib import sha256
from pathlib import Path

import apsw
import pytest
from store_kit import FOLD, NOW_MS, contents, fill, new

from tradebaas.core.state import FOLD_VERSION
from tradebaas.errors import StoreDamaged
from tradebaas.store import migrations, schema
from tradebaas.store.catalogue import advice, list_backups
from tradebaas.store.folding import fold
from tradebaas.store.head import HeadFile, read_head
from tradebaas.store.log import Log, Recovered
from tradebaas.store.place import Place
from tradebaas.store.records import GENESIS, Head
from tradebaas.store.verify import verify

FIXTURES = Path(__file__).parents[2] / "fixtures"
FIXTURE = FIXTURES / "store-schema1.db"
KINDS = ["LifeStarted", "Linked", "Reconciled", "Halted", "Resumed", "LifeEnded"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A data directory that holds the old file and nothing else."""
    shutil.copy(FIXTURE, tmp_path / "tradebaas.db")
    return tmp_path


def _rows(file: Path) -> list[tuple[int, int, int, str, bytes]]:
    connection = apsw.Connection(str(file), apsw.SQLITE_OPEN_READONLY)
    found = list(connection.execute("SELECT seq, at_ms, life, kind, body FROM events"))
    connection.close()
    return found


def _old_digest() -> bytes:
    connection = apsw.Connection(str(FIXTURE), apsw.SQLITE_OPEN_READONLY)
    digest = connection.execute("SELECT digest FROM events WHERE seq = 6").get
    connection.close()
    assert isinstance(digest, bytes)
    return digest


def _migrated(data_dir: Path) -> tuple[Log, Recovered]:
    log = Log.open(Place(data_dir), now_ms=NOW_MS)
    return log, log.recover(FOLD)


def test_every_event_survives_with_a_version_and_a_new_chain(old: Path) -> None:
    before = _rows(FIXTURE)
    log, recovered = _migrated(old)
    records = list(recovered.tail)
    log.close()
    assert [record.kind for record in records] == KINDS
    assert [(r.seq, r.at_ms, r.life, r.kind, r.body) for r in records] == before
    assert {record.version for record in records} == {1}
    assert recovered.snapshot is None  # what an old fold came to is folded again
    assert verify(Place(old), stated=read_head(Place(old))).problem == ""


def test_the_migration_is_told_and_the_old_file_is_kept(old: Path) -> None:
    log, recovered = _migrated(old)
    kept = old / "backups" / "before-schema-2-6.db"
    assert f"migrated from schema 1 to 2; a copy of the old one is {kept}" in recovered.notes[0]
    log.close()
    assert _rows(kept) == _rows(FIXTURE)
    assert [backup.problem for backup in list_backups(Place(old))] == [""]


def test_a_migrated_store_is_not_migrated_again_and_goes_on(old: Path) -> None:
    log, _ = _migrated(old)
    fill(log, 7, 8)
    log.close()
    log, recovered = _migrated(old)
    assert recovered.notes == ()
    log.close()
    assert contents(old)[0] == 8


def test_a_head_of_the_old_store_is_honoured_and_then_replaced(old: Path) -> None:
    HeadFile.create(Place(old), Head(6, _old_digest())).close()
    log, recovered = _migrated(old)
    log.close()
    assert read_head(Place(old)) == recovered.head != Head(6, _old_digest())


def test_an_old_store_that_was_cut_is_refused_before_it_is_touched(old: Path) -> None:
    HeadFile.create(Place(old), Head(9, bytes(32))).close()
    before = (old / "tradebaas.db").read_bytes()
    with pytest.raises(StoreDamaged, match=r"the log ends at seq 6 but .* says 9"):
        _migrated(old)
    assert (old / "tradebaas.db").read_bytes() == before


def test_an_old_record_that_was_changed_is_refused_and_stays_as_it_is(old: Path) -> None:
    connection = apsw.Connection(str(old / "tradebaas.db"))
    connection.execute("UPDATE events SET body = x'00' WHERE seq = 4")
    connection.close()
    with pytest.raises(StoreDamaged, match="record 4 is missing or was changed"):
        _migrated(old)
    assert _rows(old / "tradebaas.db")[3][4] == b"\0"
    connection = apsw.Connection(str(old / "tradebaas.db"))
    assert connection.execute("PRAGMA user_version").get == 1
    connection.close()


@pytest.mark.parametrize("moment", ["in the step", "after the step"])
def test_a_death_during_the_migration_is_made_good_by_the_next_start(
    old: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    class Death(BaseException):
        pass

    HeadFile.create(Place(old), Head(6, _old_digest())).close()

    def die(*_: object) -> None:
        raise Death

    with monkeypatch.context() as patch:
        if moment == "in the step":
            patch.setattr(migrations, "_chained_anew", die)
        else:
            patch.setattr(HeadFile, "create", die)
        with pytest.raises(Death):
            _migrated(old)
    log, recovered = _migrated(old)
    assert [record.kind for record in recovered.tail] == KINDS
    log.close()


@pytest.mark.parametrize("version", range(1, schema.SCHEMA_VERSION + 1))
def test_a_store_of_each_schema_that_ever_was_is_read_by_this_program(
    version: int, tmp_path: Path
) -> None:
    """The present schema's too: whoever changes tables or bodies without a new version is found."""
    shutil.copy(FIXTURES / f"store-schema{version}.db", tmp_path / "tradebaas.db")
    before = _rows(tmp_path / "tradebaas.db")
    log = Log.open(Place(tmp_path), now_ms=NOW_MS)
    recovered = log.recover(FOLD_VERSION)
    state = fold(recovered.snapshot, recovered.tail)
    log.close()
    assert (state.seq, state.life) == (len(before), before[-1][2])
    assert _rows(tmp_path / "tradebaas.db") == before
    assert verify(Place(tmp_path), stated=read_head(Place(tmp_path))).problem == ""
    migrated = "migrated from schema" in " ".join(recovered.notes)
    assert migrated is (version < schema.SCHEMA_VERSION)
    kept = [backup.path.name for backup in list_backups(Place(tmp_path))]
    assert kept == ([f"before-schema-{version + 1}-{state.seq}.db"] if migrated else [])


def test_the_steps_lead_from_every_old_schema_to_the_present_one() -> None:
    assert sorted(migrations.STEPS) == list(range(1, schema.SCHEMA_VERSION))
    assert sorted(schema.TABLES) == list(range(1, schema.SCHEMA_VERSION + 1))


def test_the_digest_of_schema_1_is_the_one_in_the_old_file() -> None:
    digest = GENESIS
    connection = apsw.Connection(str(FIXTURE), apsw.SQLITE_OPEN_READONLY)
    for seq, kind, body, stated in connection.execute("SELECT seq, kind, body, digest FROM events"):
        text = digest + seq.to_bytes(8, "big") + kind.encode() + b"\0" + body
        digest = migrations.digest_1(digest, seq, kind, body)
        assert digest == stated == sha256(text).digest()
    connection.close()


def test_a_copy_from_before_a_migration_is_no_verified_backup(old: Path) -> None:
    log, _ = _migrated(old)
    log.append([new(7)])
    log.close()
    assert "There is no verified backup" in advice(Place(old))
