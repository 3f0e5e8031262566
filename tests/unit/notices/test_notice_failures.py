"""What is told of a failed unit, in whose words and how often."""

from pathlib import Path

import pytest

from tradebaas.audit.account import CouldNotLook
from tradebaas.commands.notify import MEMORY
from tradebaas.notices.failures import ROW, ROWS, TURNS, failure
from tradebaas.notices.repeats import (
    AT_MOST,
    WITHIN_MS,
    Repeats,
    after,
    is_due,
    load,
    save,
    with_held,
)
from tradebaas.notices.window import Window
from tradebaas.store.audited import FOLDER, Audited, write_audited
from tradebaas.store.place import Place

AUDIT = "tradebaas-audit.service"
UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
DAEMON = "tradebaas.service"
NOW = 1_700_000_000_000


def test_an_audit_that_found_something_tells_what(tmp_path: Path) -> None:
    rows = (
        "protection BTC-PERPETUAL: the exchange says +10, and stops for 0, the daemon says +10",
    )
    write_audited(Place(tmp_path), Audited(NOW, rows))
    notice = failure(AUDIT, "exit-code", "1", tmp_path)
    assert rows[0] in notice.happened
    assert "given up" not in notice.happened
    assert "NOT" in notice.title
    assert "Look at the account now" in notice.todo


def test_an_instance_has_its_own_words_and_its_own_note(tmp_path: Path) -> None:
    data = tmp_path / "tradebaas"
    own = tmp_path / "tradebaas-one"
    own.mkdir()
    write_audited(Place(own), Audited(NOW, ("position X: one, two",)))
    assert "position X" in failure("tradebaas-audit@one.service", "exit-code", "1", data).happened
    assert "trades on" in failure("tradebaas-drill@one.service", "exit-code", "1", data).did
    assert "is down" in failure("tradebaas@one.service", "exit-code", "1", data).did


def test_what_an_audit_found_is_bounded(tmp_path: Path) -> None:
    write_audited(Place(tmp_path), Audited(NOW, ("x" * 1000,) * 100))
    happened = failure(AUDIT, "exit-code", "1", tmp_path).happened
    assert "and 90 more" in happened
    assert happened.count("x" * ROW) == ROWS
    assert len(happened) < ROWS * (ROW + 2) + 100


def test_an_audit_whose_note_is_gone_leads_to_the_journal(tmp_path: Path) -> None:
    assert "journalctl -u tradebaas-audit" in failure(AUDIT, "exit-code", "1", tmp_path).happened


@pytest.mark.parametrize(
    ("unit", "status", "word"),
    [
        (AUDIT, "78", "not compared"),
        ("tradebaas-drill.service", "1", "not restored"),
        ("tradebaas-verify.service", "75", "did not pass"),
    ],
)
def test_each_timers_unit_has_its_own_words(
    unit: str, status: str, word: str, tmp_path: Path
) -> None:
    notice = failure(unit, "exit-code", status, tmp_path)
    assert word in notice.happened
    assert f"exit status {status}" in notice.happened
    assert "given up" not in notice.happened
    assert "trades on" in notice.did


def test_the_daemon_that_is_down_is_told_as_such_and_each_time(tmp_path: Path) -> None:
    notice = failure(DAEMON, "exit-code", "70", tmp_path)
    assert "given up" in notice.happened
    assert "is down" in notice.did
    told = Repeats(Window((NOW,) * AT_MOST), notice.happened)
    assert is_due(DAEMON, notice, told, NOW + 1)


def test_the_same_words_are_told_once_an_hour_and_the_rest_is_counted(tmp_path: Path) -> None:
    notice, told, sent = failure(AUDIT, "exit-code", "78", tmp_path), Repeats(), 0
    for turn in range(24):  # two hours of a turn each five minutes
        now_ms = NOW + turn * 300_000
        due = is_due(AUDIT, notice, told, now_ms)
        sent += due
        told = after(told, notice, now_ms, sent=due)
    assert sent == 2
    assert f"{told.held} notices" in with_held(notice, told).happened
    assert told.held == 11
    assert is_due(AUDIT, notice, told, NOW + 2 * WITHIN_MS)


def test_other_words_are_told_at_once_but_not_without_end(tmp_path: Path) -> None:
    told, sent = Repeats(), 0
    for turn in range(10):
        write_audited(Place(tmp_path), Audited(NOW, (f"position X: {turn}",)))
        notice = failure(AUDIT, "exit-code", "1", tmp_path)
        due = is_due(AUDIT, notice, told, NOW + turn)
        sent += due
        told = after(told, notice, NOW + turn, sent=due)
    assert sent == AT_MOST


def test_the_units_agree_with_what_is_told() -> None:
    """An audit that could not look is no failure; both units may write where they remember."""
    audit = (UNITS / AUDIT).read_text(encoding="utf-8").splitlines()
    assert f"SuccessExitStatus={CouldNotLook.exit_code}" in audit
    assert f"StateDirectory=tradebaas/{FOLDER}" in audit
    teller = (UNITS / "tradebaas-failed@.service").read_text(encoding="utf-8")
    assert "\nStateDirectory=" in teller
    assert MEMORY == "STATE_DIRECTORY"
    timers = {path.stem.rstrip("@") for path in UNITS.glob("*.timer")}
    assert timers == TURNS.keys()


def test_a_memory_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff")
    assert load(tmp_path / "x.json") == Repeats()
    assert load(tmp_path / "none.json") == Repeats()


def test_what_was_told_is_known_to_the_next_process(tmp_path: Path) -> None:
    repeats = after(Repeats(), failure(AUDIT, "exit-code", "78", tmp_path), NOW, sent=True)
    save(tmp_path / "x.json", repeats)
    assert load(tmp_path / "x.json") == repeats


def test_a_clock_that_was_set_back_silences_nobody(tmp_path: Path) -> None:
    notice = failure(AUDIT, "exit-code", "78", tmp_path)
    repeats = after(Repeats(), notice, NOW, sent=True)
    assert not is_due(AUDIT, notice, repeats, NOW + 1)
    assert is_due(AUDIT, notice, repeats, NOW - 1)
