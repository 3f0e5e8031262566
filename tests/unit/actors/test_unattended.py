"""When a halt after an unattended restore may be lifted, and when nothing is restored by itself."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.actors.test_parts import POSITION
from tests.unit.cli.stores import WALL_MS, write_store
from tradebaas.core.decide import Decision, decide
from tradebaas.core.events import RecoveryReport
from tradebaas.core.messages import Halt, Refused, Resume
from tradebaas.core.model import Phase
from tradebaas.core.risk import Limits
from tradebaas.core.state import State
from tradebaas.store.backup import create_backup
from tradebaas.store.folding import STATE_FOLD
from tradebaas.store.halt import read_halt, write_halt
from tradebaas.store.place import Place
from tradebaas.unattended import ONCE_MS, _is_clean, restore_newest

REPORT = RecoveryReport(
    life=3, cause="", phase=Phase.IDLE, events_replayed=0, unresolved=(), findings=(), position="",
    naked_ms=0, store_notes=(), steps={}, recovered_seconds=0.1, settle_seconds=0.0,
)  # fmt: skip
CLEAN = State(life=3, life_open=True, connection=2, reconciled=2, last_recovery=REPORT)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"last_recovery": None},
        {"life": 4},
        {"reconciled": 1},
        {"connection": 0, "reconciled": 0},
        {"position": POSITION},
        {"elsewhere": {"ETH-PERPETUAL": POSITION}},
        {"foreign": {"order 5": "of the owner"}},
        {"protect": {"account unread": "x"}},
        {"lifting": ("account unread",)},
        {"closing": "halted: x"},
    ],
    ids=lambda spoilt: next(iter(spoilt)),
)
def test_only_what_the_exchange_has_answered_for_is_clean(spoilt: dict[str, object]) -> None:
    assert _is_clean(CLEAN)
    assert not _is_clean(replace(CLEAN, **spoilt))


def test_a_resume_of_one_halt_lifts_no_other() -> None:
    state = State()
    for by, reason in (("halt file", "restored unattended from x"), ("operator", "weekend")):
        decision = decide(state, Halt(by=by, reason=reason), Limits())
        assert isinstance(decision, Decision)
        state = decision.state
    refused = decide(state, Resume(by="x", only="restored unattended from x"), Limits())
    assert refused == Refused(reason="it is halted by operator as well: weekend")
    lifted = decide(state, Resume(by="x", only="weekend"), Limits())
    assert isinstance(lifted, Decision)
    assert lifted.state.halted is None


@pytest.fixture
def damaged(tmp_path: Path) -> Place:
    """A store with a backup, of which nothing else is left."""
    place = Place(tmp_path)
    write_store(tmp_path)
    create_backup(place, now_ms=WALL_MS, fold=STATE_FOLD)
    place.db.unlink()
    return place


def test_once_a_day_and_not_sooner(damaged: Place) -> None:
    assert restore_newest(damaged, WALL_MS) == ""
    assert read_halt(damaged).startswith("restored unattended from tradebaas-")
    again = restore_newest(damaged, WALL_MS + ONCE_MS - 1000)
    assert again.startswith("nothing is restored by itself twice a day")
    assert restore_newest(damaged, WALL_MS + ONCE_MS + 1000) == ""


def test_a_directory_that_does_not_say_when_counts_as_now(damaged: Place) -> None:
    (damaged.root / "damaged-by-me").mkdir()
    assert "twice a day" in restore_newest(damaged, WALL_MS)


def test_without_a_backup_nothing_is_done_and_a_halt_stays(damaged: Place) -> None:
    write_halt(damaged, "operator: weekend")
    assert restore_newest(damaged, WALL_MS) == ""
    assert read_halt(damaged) == "operator: weekend"
    for path in damaged.backups.iterdir():
        path.unlink()
    assert restore_newest(damaged, WALL_MS + 2 * ONCE_MS) == (
        "there is no verified backup to restore"
    )
