"""``tradebaas import``: what the predecessor's file says, against a real exchange."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from chaos.real.admin import Admin
from tests.unit.actors.process import Books, Run, exchange_process, tradebaas
from tests.unit.cli.stores import write_store
from tradebaas.commands.legacy import CHECKED, LEFT, TAKEN, Fate, Held, fates, read
from tradebaas.core.model import Phase
from tradebaas.errors import Unusable
from tradebaas.store.place import Place
from tradebaas.store.verify import verify

STATE: dict[str, object] = {
    "version": 1,
    "strategyName": "ma_cross",
    "instrument": "BTC-PERPETUAL",
    "state": "POSITION_OPEN",
    "startedAt": 1_700_000_000_000,
    "lastTransition": 1_700_000_000_500,
    "positionEntryPrice": 50_000,
    "positionSize": 100,
    "positionSide": "long",
    "metadata": {"iteration": 7},
}
FLAT = STATE | {
    "state": "ANALYZING", "positionEntryPrice": None, "positionSize": None, "positionSide": None,
    "metadata": {},
}  # fmt: skip
CONFIG = """\
[exchange]
url = "{url}"

[strategy]
name = "ma_cross"
instrument = "BTC-PERPETUAL"
"""


@dataclass
class Desk:
    """A place to import into, and the exchange that is asked."""

    home: Path
    url: str

    @property
    def data(self) -> Path:
        return self.home / "data"

    def owner_buys(self, amount: int) -> None:
        admin = Admin(self.url)
        admin.call(
            "admin/order", instrument_name="BTC-PERPETUAL", side="buy", amount=amount, type="market"
        )
        admin.close()

    def imports(self, state: object, *more: str) -> "tuple[int, str, str]":
        """Exit code, stdout and stderr."""
        file = self.home / "strategy-state.json"
        content = state if isinstance(state, bytes) else json.dumps(state, indent=2).encode()
        file.write_bytes(content)
        config = self.home / "tradebaas.toml"
        config.write_text(CONFIG.format(url=self.url), encoding="utf-8")
        words = ("--config", str(config), "--data", str(self.data), *more)
        done = tradebaas("import", str(file), *words, cwd=self.home)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with exchange_process(tmp_path / "exchange") as url:
        yield Desk(tmp_path, url)


def by_field(output: str) -> dict[str, str]:
    return {row["field"]: row["fate"] for row in json.loads(output)["fields"]}


def test_a_position_that_the_exchange_shows_is_taken_over_and_protected(
    desk: Desk, tmp_path: Path
) -> None:
    desk.owner_buys(100)
    code, out, err = desk.imports(STATE, "--json")
    assert code == 0, err
    assert by_field(out) == {
        "version": CHECKED, "strategyName": TAKEN, "instrument": TAKEN, "state": TAKEN,
        "positionSize": TAKEN, "positionSide": TAKEN, "positionEntryPrice": LEFT,
        "startedAt": LEFT, "lastTransition": LEFT, "metadata": LEFT,
    }  # fmt: skip
    assert verify(Place(desk.data)).problem == ""
    run = Run(tmp_path, desk.url)
    state = run.state()
    assert (state.armed, state.phase, state.life_open) == (True, Phase.POSITION_OPEN, False)
    assert state.position is not None
    assert (int(state.position.size), state.position.ours) == (100, True)
    run.start()
    try:
        state = run.covered()
        assert state.position is not None
        assert (int(state.position.size), state.life) == (100, 2)
        assert state.discrepancy is None
        assert state.foreign == {}
    finally:
        run.end()
    assert Books(tmp_path / "exchange" / "exchange.db").protected()


@pytest.mark.parametrize("bought, why", [
    (200, "the exchange has 200: not taken, since the file does not agree"),
    (0, "the exchange has none: it was closed meanwhile"),
])  # fmt: skip
def test_a_position_that_the_exchange_does_not_show_is_not_believed(
    desk: Desk, tmp_path: Path, bought: int, why: str
) -> None:
    if bought:
        desk.owner_buys(bought)
    code, out, err = desk.imports(STATE)
    assert code == 0, err
    assert out.count(why) == 2
    state = Run(tmp_path, desk.url).state()
    assert (state.position, state.phase, state.armed) == (None, Phase.ANALYZING, True)


def test_the_table_tells_and_a_dry_run_does_nothing(desk: Desk) -> None:
    code, out, err = desk.imports(FLAT | {"strategyName": "Razor", "colour": "red"}, "--dry-run")
    assert code == 0, err
    assert "nothing was done: --dry-run" in out
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "[strategy] has ma_cross on BTC-PERPETUAL" in rows["strategyName"]
    assert "no such field is known" in rows["colour"]
    assert not (desk.data / "tradebaas.db").exists()


def test_a_store_with_a_life_is_left_alone(desk: Desk, tmp_path: Path) -> None:
    assert desk.imports(FLAT)[0] == 0
    before = Run(tmp_path).state()
    code, _, err = desk.imports(FLAT)
    assert code == 78
    assert "has a life already, 6 events long: nothing is imported over it" in err
    assert Run(tmp_path).state() == before


def test_a_store_that_was_lost_is_not_begun_afresh(desk: Desk) -> None:
    write_store(desk.data)
    (desk.data / "tradebaas.db").unlink()
    code, _, err = desk.imports(FLAT)
    assert code == 75
    assert "it is missing, but there was a store" in err


def test_an_instrument_that_the_exchange_does_not_have_is_said(desk: Desk) -> None:
    for name in ("FOO-PERPETUAL", "BTC"):
        code, _, err = desk.imports(FLAT | {"instrument": name})
        assert code == 78, err
        assert f"the instrument {name!r} is not known at ws://" in err
    assert not (desk.data / "tradebaas.db").exists()


def test_without_the_exchange_nothing_is_believed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "ws://127.0.0.1:9/ws/api/v2")
    code, _, err = desk.imports(FLAT)
    assert code == 1
    assert "nothing of the file is believed without the exchange" in err
    assert f"check --broker deribit --config {tmp_path / 'tradebaas.toml'}` says more" in err
    assert not desk.data.exists()
    embedded = tradebaas("import", "strategy-state.json", "--data", "new", cwd=tmp_path)
    assert embedded.returncode == 1


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "is empty: the predecessor was ended while it wrote it"),
        (b'{"version": 1, "strategyN', "is not the predecessor's state"),
        (b"[]", "is not the predecessor's state"),
        (b'{"version": 1}', "missing required field"),
        (b'\xff{"version": 1}', "is not the predecessor's state"),
        (json.dumps(STATE | {"version": 99}).encode(), "has version 99; known are 0 and 1"),
        (json.dumps(STATE | {"state": "PAUSED"}).encode(), "has the state 'PAUSED'"),
        (json.dumps(STATE | {"positionSide": "up"}).encode(), "positionSide"),
        (json.dumps(STATE | {"positionSize": "x"}).encode(), "positionSize"),
        (json.dumps(STATE | {"positionSize": "NaN"}).encode(), "positionSize is NaN"),
        (json.dumps(STATE | {"positionSize": -100}).encode(), "positionSize is -100"),
        (json.dumps(STATE | {"positionSize": None}).encode(), "positionSide is 'long', but"),
        (json.dumps(STATE | {"positionSize": 0}).encode(), "positionSide is 'long', but"),
        (json.dumps(STATE | {"positionSide": None}).encode(), "positionSide does not say"),
        (json.dumps(STATE | {"instrument": " "}).encode(), "instrument is empty"),
    ],
)
def test_a_file_that_is_no_state_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(Unusable, match=r"f\.json") as refused:
        read(content, "f.json")
    assert says in str(refused.value)
    assert refused.value.exit_code == 78


def test_version_0_has_no_version_and_may_lack_what_is_null() -> None:
    content = {"strategyName": "Razor", "instrument": "BTC-PERPETUAL", "state": "IDLE"}
    legacy, more = read(json.dumps(content).encode(), "f.json")
    assert (legacy.version, int(legacy.size), legacy.running, len(more)) == (0, 0, False, 0)
    rows = fates(legacy, more, None, "Razor", "BTC-PERPETUAL")
    assert {row.field for row in rows} == set(STATE)
    assert Fate("strategyName", "Razor", LEFT, "it was stopped") in rows


@pytest.mark.parametrize("side, held, taken", [
    ("long", 100, True), ("short", -100, True), ("short", 100, False), ("long", 90, False),
])  # fmt: skip
def test_size_and_side_must_both_agree(side: str, held: int, taken: bool) -> None:
    legacy, more = read(json.dumps(STATE | {"positionSide": side}).encode(), "f.json")
    rows = fates(legacy, more, Held(Decimal(held), Decimal(1)), "ma_cross", "BTC-PERPETUAL")
    assert ("positionSize" in {row.field for row in rows if row.fate == TAKEN}) is taken
