"""Every page of everything in a data directory, spoilt: each start is right, or refused with the
command that restores. ``python -m chaos corrupt`` does the same for as long as one likes."""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner

from chaos.corrupt.books import FOLDER, OTHERWISE, REFUSED, UNAFFECTED, picture
from chaos.corrupt.command import corrupt_command
from chaos.corrupt.sample import NOW_MS, Sample, make, memory
from chaos.corrupt.trial import STORE, Spoiling, Violation, judge, spoilings
from tradebaas import embedded
from tradebaas.config import Config
from tradebaas.errors import StoreBusy, StoreFault
from tradebaas.paper.directory import JOURNAL, locked
from tradebaas.paper.journal import Journal
from tradebaas.store import ballast, catalogue, halt, opening
from tradebaas.store.place import Place


@pytest.fixture(autouse=True)
def _small_ballast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast, "BALLAST_BYTES", 4096)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="corrupt-", dir=memory()) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def sample(folder: Path) -> Sample:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ballast, "BALLAST_BYTES", 4096)
        return make(folder / "sample", rounds=20)


def test_no_spoilt_page_of_any_file_makes_a_wrong_start(sample: Sample, folder: Path) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for spoiling in spoilings(sample, 2, random.Random(1)):
        place = sample.copy_to(folder / "data")
        counts[spoiling.file, judge(sample, place, spoiling)] += 1
    files = set(sample.files())
    assert {file for file, _ in counts} == files
    assert files >= {"HALT", "ballast", "head", "lock", "token", "tradebaas.db",
                     "tradebaas.db-shm", "tradebaas.db-wal", "exchange/lock",
                     "exchange/exchange.db", "exchange/exchange.db-wal"}  # fmt: skip
    for file in STORE:
        assert counts[file, REFUSED] > 10, file
    for file in files - set(STORE) - {"exchange/exchange.db-wal"}:
        assert counts[file, UNAFFECTED] > 0, file
    assert counts["exchange/exchange.db", REFUSED] > 10
    assert {file for file, end in counts if end == OTHERWISE} <= {
        f"{FOLDER}/{name}" for name in ("exchange.db", "exchange.db-wal")
    }


@pytest.mark.parametrize("tables", [False, True])
def test_an_exchange_is_not_begun_anew_where_its_log_is_lost_before_it_was_copied(
    sample: Sample, folder: Path, tables: bool
) -> None:
    """The write-ahead log of a young exchange holds everything, and an empty database opens."""
    home = sample.copy_to(folder / "data").root / FOLDER
    for file in home.glob("exchange.db*"):
        file.unlink()
    if tables:
        Journal(home / JOURNAL).close()
    else:
        database = apsw.Connection(str(home / JOURNAL))
        database.pragma("journal_mode", "wal")
        database.close()
    with pytest.raises(StoreFault, match=r"db holds no account, .* begin afresh with: mv"):
        picture(home, NOW_MS)


@pytest.mark.parametrize("held", [False, True])
def test_a_lock_of_the_exchange_that_is_no_text_harms_nobody(
    sample: Sample, folder: Path, held: bool
) -> None:
    place = sample.copy_to(folder / "data")
    lock = place.root / FOLDER / "lock"
    with ExitStack() as stack:
        if held:
            stack.enter_context(locked(lock.parent))
        lock.write_bytes(b"\xf512")
        assert embedded.find(Config(data=str(place.root))) is None
        if held:
            with pytest.raises(StoreBusy, match="in use by another exchange"):
                picture(lock.parent, NOW_MS)
    if not held:
        assert picture(lock.parent, NOW_MS) == sample.books


def test_where_the_newest_backup_is_spoilt_too_the_one_before_is_named(
    sample: Sample, folder: Path
) -> None:
    place = sample.copy_to(folder / "data")
    newest, older = sample.backups
    Spoiling(f"backups/{newest}", "flip", 5000, 1).strike(place.root)
    assert catalogue.newest_intact(place) == older
    assert judge(sample, place, Spoiling("tradebaas.db", "gone")) == REFUSED


@pytest.mark.parametrize("blinded", ["head", "chain", "advice"])
def test_a_start_that_looks_away_is_found(
    sample: Sample, folder: Path, blinded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not look at its head or its chain, or that gives no advice."""
    spoilt = Spoiling("tradebaas.db-wal", "gone")
    if blinded == "head":
        monkeypatch.setattr("tradebaas.store.log.check_head", lambda *_: None)
    elif blinded == "chain":
        monkeypatch.setattr("tradebaas.store.log.check_head", lambda *_: None)
        monkeypatch.setattr("tradebaas.store.log.follows", lambda *_: True)
        spoilt = Spoiling("tradebaas.db-wal", "cut", 4096 * 8)
    else:
        monkeypatch.setattr(opening, "advice", lambda _: "Good luck")
    with pytest.raises(Violation):
        judge(sample, sample.copy_to(folder / "data"), spoilt)


def test_a_halt_whose_reason_is_spoilt_still_halts(tmp_path: Path) -> None:
    (tmp_path / "HALT").write_bytes(b"oper\x9e" + b"tor")
    assert halt.read_halt(Place(tmp_path)) == "oper�tor"


@pytest.mark.parametrize("file", ["lock", "backups/{newest}.json", "backups/second.json"])
def test_bytes_that_are_no_text_in_a_file_beside_the_store_harm_nothing(
    sample: Sample, folder: Path, file: str
) -> None:
    place = sample.copy_to(folder / "data")
    newest, older = sample.backups
    path = place.root / file.format(newest=newest)
    path.write_bytes(path.read_bytes().replace(b"a", b"\xee") if path.exists() else b'{"\xee"}')
    assert catalogue.read_note(place, catalogue.SECOND) is None
    names = [info.name for info in catalogue.verified_backups(place)]
    assert names == ([older] if "newest" in file else [newest, older])
    assert judge(sample, place, Spoiling("tradebaas.db-shm", "gone")) == UNAFFECTED


def test_the_campaign_counts_and_ends_well() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ballast, "BALLAST_BYTES", 4096)
        done = CliRunner().invoke(corrupt_command, ["--per-page", "1", "--rounds", "1"])
    assert done.exit_code == 0, done.output
    assert "trials of seed 1, 0 violations" in done.output
    assert "exchange/ is the embedded exchange's: play money" in done.output
