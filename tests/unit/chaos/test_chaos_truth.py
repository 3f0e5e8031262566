"""What the log says of an order is held against the exchange for good, however it ends."""

import pytest
from chaos_kit import (
    ENTRY,
    NAME,
    SIGNAL,
    STOP,
    D,
    T,
    begun,
    booked,
    closed,
    closed_rows,
    entered,
    entered_rows,
    intent,
    log,
    logged_in,
    order,
    order_row,
    told,
)
from msgspec.structs import replace

from chaos.world.books import Books
from chaos.world.ledger import Body, LedgerBroken
from chaos.world.oracle import Violation
from chaos.world.story import Story
from chaos.world.truth import truthful
from tradebaas.core.events import (
    Event,
    LifeStarted,
    Linked,
    LinkLost,
    OrderAbandoned,
    OrderIntended,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    PositionCorrected,
    Reconciled,
    Recovered,
    RecoveryReport,
    SignalDetected,
)
from tradebaas.core.model import ZERO, Absence, Phase, Position
from tradebaas.core.proof import PLACES

INTENDED: list[Event] = [
    *begun(), SignalDetected(signal=SIGNAL), OrderIntended(intent=intent())
]  # fmt: skip
NOW = 10_000


def absent(read_ms: int) -> Event:
    evidence = Absence(label=ENTRY, read_ms=read_ms, sources=tuple(PLACES), position=ZERO)
    return OrderAbandoned(label=ENTRY, evidence=evidence)


SAID: dict[str, Event] = {
    "rejected": OrderRejected(label=ENTRY, code=10009, message="no"),
    "not sent": OrderNotSent(label=ENTRY, reason="connection lost"),
    "abandoned": absent(T + 9_000),
}
TAKEN = order_row("e1", ENTRY, "filled", direction="buy", order_type="limit", reduce_only=False)


def closed_position(size: str) -> Position:
    position = told(entered()).state.position
    assert position is not None
    return replace(position, size=D(size))


def found(rows: list[tuple[int, Body]], events: list[Event]) -> list[Violation]:
    return truthful(booked(rows), told(events), T + NOW)


def test_sound_ledgers_are_left_alone() -> None:
    assert found(logged_in(), begun()) == []
    assert found(entered_rows(), entered()) == []
    assert found(closed_rows(), closed()) == []


@pytest.mark.parametrize("how", SAID)
def test_an_order_that_never_was_may_not_be_at_the_exchange(how: str) -> None:
    events = [*INTENDED, SAID[how]]
    assert found(logged_in(), events) == []
    (violation,) = found([*logged_in(), (T + 9, TAKEN)], events)
    assert violation.check == "known"
    assert how in violation.text


@pytest.mark.parametrize("read_ms", [2_000, 2_005 + 5_000, NOW + 1])
def test_absence_is_not_proven_too_early_nor_in_the_exchanges_future(read_ms: int) -> None:
    (violation,) = found(logged_in(), [*INTENDED, absent(T + read_ms)])
    assert violation.check == "known"
    assert "called absent" in violation.text


def report(*unresolved: str) -> Event:
    return Recovered(
        report=RecoveryReport(
            life=2, cause="killed", phase=Phase.ENTERING_POSITION, events_replayed=0,
            unresolved=unresolved, findings=(), position="flat", naked_ms=0, store_notes=(),
            steps={}, recovered_seconds=0.1, settle_seconds=0.0,
        )
    )  # fmt: skip


AGAIN: list[Event] = [
    LifeStarted(life=2, token="bb", wall_ms=T),
    Linked(connection=1, account="me"),
    Reconciled(connection=1, read_ms=T + 9_000),
]
GONE: Event = OrderUpdated(order=order("SL-1", STOP, "cancelled"))
BACK: Event = OrderUpdated(order=order("SL-2", STOP))
LOST: Event = LinkLost(connection=1, reason="lost")


@pytest.mark.parametrize(
    ("events", "lacking"),
    [
        ([*INTENDED, *AGAIN], ENTRY),
        ([*begun(), *AGAIN[:-1]], "not read"),
        ([*begun(), AGAIN[0]], "not read"),
        ([*entered(), GONE, *AGAIN], "1000 of the position"),
    ],
    ids=["unproven", "unread", "unlinked", "naked"],
)
def test_a_recovery_may_not_be_reported_before_all_is_settled(
    events: list[Event], lacking: str
) -> None:
    (violation,) = found(logged_in(), [*events, report(ENTRY)])
    assert violation.check == "known"
    assert lacking in violation.text


@pytest.mark.parametrize(
    "events",
    [
        [*INTENDED, *AGAIN, SAID["abandoned"]],
        [*entered(), GONE, *AGAIN, BACK],
        [*entered(), *AGAIN, GONE],
        [*begun(), *AGAIN, LOST],
    ],
    ids=["proven", "covered", "naked after it", "lost after it"],
)
def test_a_recovery_may_be_reported_once_all_was_settled_at_one_time(events: list[Event]) -> None:
    """What has changed until the report is written makes no lie of it."""
    assert found(logged_in(), [*events, report(ENTRY)]) == []


def test_no_entry_may_be_taken_beside_a_position_of_ours() -> None:
    second = order_row("e2", "tb1-bb-9-e", "filled", direction="buy", reduce_only=False)
    assert found([*closed_rows(), (T + 30, second)], closed()) == []
    (violation,) = found([*entered_rows(), (T + 15, second)], entered())
    assert violation.check == "gated"
    assert "1000" in violation.text


def test_a_stop_that_is_taken_beside_the_position_is_in_order() -> None:
    assert found([*entered_rows(), (T + 15, order_row("SL-2", STOP))], entered()) == []


@pytest.mark.parametrize(
    "at_ms, size, lie",
    [(T + 9, None, False), (T + 10, "1000", False), (T + 15, None, False), (T + 20, "1000", False),
     (T + 21, "1000", True), (T + 15, "600", True)],
)  # fmt: skip
def test_a_position_is_corrected_only_to_what_it_was_since_the_read(
    at_ms: int, size: str | None, lie: bool
) -> None:
    """Flat until T + 10, 1000 until T + 20, and flat from then on; a moment has both its sides."""
    held = closed_position(size) if size else None
    events = [
        *closed(),
        PositionCorrected(instrument=NAME, position=held, reason="?", at_ms=at_ms, awaits=True),
    ]
    violations = found(closed_rows(), events)
    assert [v.key for v in violations] == ([f"misread {len(events)}"] if lie else [])


def test_an_event_that_cannot_follow_breaks_the_ledger() -> None:
    with pytest.raises(LedgerBroken, match="does not follow"):
        Story().take(log([OrderUnknown(label=ENTRY, reason="lost")]))


def test_a_position_is_judged_by_all_that_it_was_within_a_millisecond() -> None:
    """Several fills of one moment: a read may have met any of them."""
    books = Books()
    books.held[NAME] = [(10, D(510)), (20, D(260)), (20, D(40)), (20, D(0)), (30, D(7))]
    assert books.held_since(NAME, 20) == {D(510), D(260), D(40), D(0), D(7)}
    assert books.held_since(NAME, 25) == {D(0), D(7)}
