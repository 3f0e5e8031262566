"""Once can fail: labels and signals that reach the exchange twice, and calls that may never be."""

from typing import Any

import pytest
from chaos_kit import (
    ASSIGNMENT,
    ENTRY,
    NAME,
    SIGNAL,
    STOP,
    T,
    begun,
    booked,
    closed,
    closed_rows,
    entered,
    entered_rows,
    intent,
    order_row,
    request_row,
    told,
)
from msgspec.structs import replace

from chaos.world.ledger import Body, RequestRow
from chaos.world.once import once
from chaos.world.oracle import Violation
from tradebaas.core.events import (
    Armed,
    Event,
    OrderIntended,
    SignalDetected,
    SignalDropped,
)
from tradebaas.core.model import Direction

SECOND = "tb1-aa-9-e"


def judged(events: list[Event], *rows: Body) -> list[Violation]:
    """What is found when ``rows`` follow the entry of the kit."""
    return once(booked([*entered_rows(), *((T + 11, row) for row in rows)]), told(events))


def keys(found: list[Violation]) -> list[str]:
    assert {violation.check for violation in found} <= {"once"}
    return [violation.key for violation in found]


def test_sound_ledgers_are_left_alone() -> None:
    assert judged(entered()) == []
    assert once(booked(closed_rows()), told(closed())) == []


# ------------------------------------------------------------------------------------------ labels


def test_a_label_that_is_sent_twice_is_found() -> None:
    found = keys(judged(entered(), request_row()))
    assert f"label {ENTRY}" in found
    assert any(key.startswith("signal ") for key in found)


@pytest.mark.parametrize("label", ["tb1-zz-1-e", "tb1-aa-6-x"])
def test_a_label_without_a_committed_intent_is_found(label: str) -> None:
    assert f"unintended {label}" in keys(judged(entered(), request_row(label)))
    row = order_row("x", label, "cancelled")
    assert f"unintended {label}" in keys(judged(entered(), row))


def test_a_label_of_a_leg_that_is_used_again_is_found() -> None:
    again = RequestRow(1, "private/sell", STOP, [], {"amount": 1000, "reduce_only": True}, {})
    assert keys(judged(entered(), again)) == [f"label {STOP}"]
    other = replace(intent(SECOND, "next"), legs=intent().legs)
    events = [*entered(), *new_signal(candle_ms=T + 60_000), OrderIntended(intent=other)]
    legs = RequestRow(1, "private/buy", SECOND, [STOP, "tb1-aa-9-t"], {"amount": 1000}, {})
    assert f"label {STOP}" in keys(judged(events, legs))


# ----------------------------------------------------------------------------------------- signals


def new_signal(**changes: Any) -> list[Event]:
    """A signal with an id of its own, whatever else it is."""
    return [SignalDetected(signal=replace(SIGNAL, signal_id="next", **changes))]


def second_entry(*between: Event, side: Direction = Direction.BUY) -> list[str]:
    """What is found when a second entry, with another label and signal id, follows ``between``."""
    other = replace(intent(SECOND, "next"), direction=side)
    events = [*entered(), *between, OrderIntended(intent=other)]
    method = "private/buy" if side is Direction.BUY else "private/sell"
    row = request_row(SECOND)
    return keys(judged(events, RequestRow(1, method, SECOND, row.leg_labels, row.params, {})))


def test_a_second_entry_for_one_signal_is_found_whatever_its_id() -> None:
    assert len(second_entry()) == 1
    (same,) = second_entry(*new_signal())
    assert same.startswith("signal ")
    assert str(SIGNAL.candle_ms) in same
    (again,) = second_entry(Armed(assignment=ASSIGNMENT), *new_signal())
    assert again == same


def test_another_candle_another_side_or_another_assignment_is_another_signal() -> None:
    assert second_entry(*new_signal(candle_ms=T + 60_000)) == []
    sell = new_signal(direction=Direction.SELL)
    assert second_entry(*sell, side=Direction.SELL) == []
    slower = replace(ASSIGNMENT, parameters={"fast": "5"})
    assert second_entry(Armed(assignment=slower), *new_signal()) == []


def test_an_entry_without_its_signal_is_found() -> None:
    dropped = SignalDropped(signal_id="next", reason="stale")
    fresh = new_signal(candle_ms=T + 60_000)
    assert second_entry(*fresh, dropped) == [f"stray {SECOND}"]
    assert second_entry(*fresh, side=Direction.SELL) == [f"stray {SECOND}"]
    other = new_signal(candle_ms=T + 60_000, instrument="BTC_USDC-PERPETUAL")
    assert second_entry(*other) == [f"stray {SECOND}"]
    events = [*begun(), OrderIntended(intent=intent())]
    assert keys(once(booked(entered_rows()), told(events))) == [f"stray {ENTRY}"]


# ------------------------------------------------------------------------- what may never be asked


@pytest.mark.parametrize(
    "method",
    [
        "private/cancel_all",
        "private/cancel_all_by_instrument",
        "private/cancel_by_label",
        "private/close_position",
    ],
)
def test_a_call_that_concerns_more_than_one_order_of_ours_is_found(method: str) -> None:
    (found,) = judged(entered(), RequestRow(1, method, "", [], {"instrument_name": NAME}, {}))
    assert found.key.startswith("improper ")
    assert method in found.text


@pytest.mark.parametrize("method", ["private/buy", "private/sell"])
def test_an_order_without_a_label_of_ours_is_found(method: str) -> None:
    for label in ("", "mine"):
        asked = RequestRow(1, method, label, [], {"amount": 10, "reduce_only": True}, {})
        (found,) = judged(entered(), asked)
        assert found.key.startswith("improper ")
    bare_leg = request_row(SECOND)
    asked = RequestRow(1, method, SECOND, ["", "tb1-aa-9-t"], bare_leg.params, {})
    assert any(key.startswith("improper ") for key in keys(judged(entered(), asked)))


def test_a_cancel_of_the_owners_order_is_found_and_one_of_ours_is_not() -> None:
    def cancel(order_id: str) -> RequestRow:
        return RequestRow(1, "private/cancel", "", [], {"order_id": order_id}, {})

    assert judged(entered(), cancel("SL-1")) == []
    assert judged(entered(), cancel("nobody's")) == []
    (found,) = judged(entered(), order_row("f1", ""), cancel("f1"))
    assert "is the owner's" in found.text
