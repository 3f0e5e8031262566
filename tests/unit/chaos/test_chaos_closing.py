"""Closing can fail: what an answered command ends must not stay open."""

import pytest
from chaos_kit import ENTRY, T, begun, booked, closed, closed_rows, entered, entered_rows, told

from chaos.sim.operator import _closes
from chaos.world.closing import owed
from chaos.world.oracle import Close, Witness
from tradebaas.core.events import Halted, LifeStarted, Resumed
from tradebaas.core.messages import ClosePosition, Disarm, Halt, Request, Resume

INTENDED, HALTED = 6, 11
"""Where the kit's entry was intended, and where a halt comes that follows on it."""


def keys(*closes: Close, rows: int | None = None) -> list[str]:
    events = [*entered(), Halted(by="operator", reason="a"), Resumed(by="operator")]
    violations = owed(booked(entered_rows()[:rows]), told(events), Witness(closes=list(closes)))
    assert all(violation.check == "alive" for violation in violations)
    return [violation.key for violation in violations]


def test_a_position_that_an_answered_command_ends_is_owed_until_it_is_closed() -> None:
    assert keys() == [], "nobody asked for anything"
    assert keys(Close("Halt", HALTED)) == [f"close {ENTRY}"]
    ended = Witness(closes=[Close("Halt", HALTED)])
    assert owed(booked(closed_rows()), told(closed()), ended) == []


def test_while_a_halt_lasts_nothing_of_ours_stays_open_whoever_knew_of_it() -> None:
    halted = told([*begun(), Halted(by="halt file", reason="restored")])
    (found,) = owed(booked(entered_rows()), halted, Witness())
    assert found.key == f"close {ENTRY}"
    assert owed(booked(closed_rows()), halted, Witness()) == []


def test_it_is_owed_by_the_lives_that_follow() -> None:
    events = [*entered(), LifeStarted(life=2, token="bb", wall_ms=T)]
    asked = Witness(closes=[Close("ClosePosition", 10)])
    assert owed(booked(entered_rows()), told(events), asked)


def test_an_entry_that_was_on_its_way_is_owed_and_a_later_one_is_not() -> None:
    assert keys(Close("Halt", INTENDED)) == [f"close {ENTRY}"]
    assert keys(Close("Halt", INTENDED - 1)) == []
    assert keys(Close("Halt", INTENDED - 1), Close("ClosePosition", HALTED)) == [f"close {ENTRY}"]


def test_a_position_that_is_not_open_yet_is_not_owed() -> None:
    assert keys(Close("Halt", HALTED), rows=2) == []


def test_when_a_log_is_restored_nothing_is_owed_any_more() -> None:
    witness = Witness(closes=[Close("Halt", HALTED)])
    witness.forget_starts(1)
    assert witness.closes == []


@pytest.mark.parametrize(
    ("request_", "closes"),
    [
        (Halt(by="operator", reason="a"), True),
        (ClosePosition(reason="a"), True),
        (Disarm(reason="a", close=True), True),
        (Disarm(reason="a"), False),
        (Resume(by="operator"), False),
    ],
)
def test_which_commands_end_a_position(request_: Request, closes: bool) -> None:
    assert _closes(request_) is closes
