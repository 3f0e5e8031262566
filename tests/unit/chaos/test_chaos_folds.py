"""Books and story: what the two folds keep for the oracle."""

import pytest
from chaos_kit import (
    ENTRY,
    NAME,
    SIGNAL,
    STOP,
    TAKE,
    D,
    T,
    admin_row,
    begun,
    booked,
    cancel_row,
    closed,
    closed_rows,
    entered,
    entered_rows,
    intent,
    order_row,
    request_row,
    told,
    trade_row,
)
from msgspec.structs import replace

from chaos.world.ledger import Body, RequestRow
from chaos.world.oracle import Witness, gated
from tradebaas.core.events import (
    Event,
    LifeEnded,
    LifeStarted,
    Linked,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    PhaseChanged,
    SignalDetected,
)
from tradebaas.core.model import Absence, Phase

# --------------------------------------------------------------------------------------- the books


def test_a_position_from_flat_to_flat_has_the_exchanges_own_profit() -> None:
    (span,) = booked(closed_rows()).spans
    assert (span.ours, span.entered, span.size) == (True, D(1000), D(0))
    assert (span.gross, span.fees) == (D("-0.000408163265"), D("0.000014"))
    assert (span.opened_ms, span.closed_ms) == (T + 10, T + 20)


def test_a_fill_that_crosses_zero_leaves_its_fee_with_the_closing_part() -> None:
    rows = [*entered_rows(), (T + 20, trade_row(2, "sell", "49000", "", T + 20, "-0.1", "1500"))]
    books = booked(rows)
    (span,), rest = books.spans, books.open_spans[NAME]
    assert (span.gross, span.fees, span.size) == (D("-0.1"), D("0.000014"), D(0))
    assert (rest.size, rest.fees, rest.entered, rest.ours) == (D(-500), D(0), D(500), False)


def test_an_entry_that_closes_the_owners_position_does_not_make_that_ours() -> None:
    rows = [
        (T + 9, trade_row(9, "sell", "50000", "", T + 9, "0", "300")),
        (T + 10, trade_row(1, "buy", "50000", ENTRY, T + 10, "0")),
    ]
    books = booked(rows)
    (span,), rest = books.spans, books.open_spans[NAME]
    assert (span.ours, span.entered, span.fees) == (False, D(300), D("0.000014"))
    assert (rest.ours, rest.entered, rest.fees) == (True, D(700), D(0))
    assert books.our_spans == []


def test_adding_and_reducing_count_the_entered_amount_once() -> None:
    rows = [
        *entered_rows(),
        (T + 11, trade_row(2, "buy", "50000", "", T + 11, "0", "500")),
        (T + 12, trade_row(3, "sell", "50000", "", T + 12, "0", "700")),
    ]
    span = booked(rows).open_spans[NAME]
    assert (span.size, span.entered) == (D(800), D(1500))


def test_a_waiting_leg_and_a_take_profit_cover_nothing() -> None:
    books = booked(entered_rows())
    assert books.uncovered(NAME) == 0
    only_take = [row for row in entered_rows() if "SL-1" not in repr(row)]
    assert booked(only_take).uncovered(NAME) == D(1000)
    waiting = [*only_take, (T + 11, order_row("SL-1", STOP, is_secondary_oto=True))]
    assert booked(waiting).uncovered(NAME) == D(1000)


def test_an_exit_under_way_covers_and_a_position_of_the_owner_needs_none() -> None:
    gone = [*entered_rows(), (T + 20, order_row("SL-1", STOP, "cancelled"))]
    closing = order_row("c1", "tb1-aa-9-c", "open", order_type="market", filled_amount=D(400))
    assert booked([*gone, (T + 21, closing)]).uncovered(NAME) == D(400)
    owners = [(T, trade_row(1, "buy", "50000", "", T, "0"))]
    assert booked(owners).uncovered(NAME) == 0


def test_a_naked_stretch_is_timed_by_the_exchange_and_its_cause_is_known() -> None:
    gone = order_row("SL-1", STOP, "cancelled")
    back = (T + 900, order_row("SL-2", "tb1-aa-9-s"))
    (by_itself,) = booked([*entered_rows(), (T + 20, gone), back]).naked_all()
    assert (by_itself.start_ms, by_itself.end_ms, by_itself.sabotage) == (T + 20, T + 900, False)
    act = (T + 20, admin_row("admin/cancel"))
    (sabotage,) = booked([*entered_rows(), (T + 20, gone), act, back]).naked_all()
    assert sabotage.sabotage
    # An act that comes later is not the cause, be it the very next line.
    next_line = (T + 21, admin_row("admin/hold"))
    assert not booked([*entered_rows(), (T + 20, gone), next_line]).naked_all()[0].sabotage
    later = [*entered_rows(), (T + 20, gone), (T + 21, entered_rows()[-1][1]), act]
    assert not booked(later).naked_all()[0].sabotage


def bared(*rows: tuple[int, Body]) -> list[tuple[int, int]]:
    """(line, amount) of what the daemon itself laid bare, after the kit's entry."""
    return [(c.n, int(c.amount)) for c in booked([*entered_rows(), *rows]).bared]


AT_MS = T + 20
TAKEN = (AT_MS, order_row("SL-1", STOP, "cancelled"))
CANCEL = (AT_MS, cancel_row("SL-1"))


def test_a_cancel_by_the_daemon_that_takes_cover_away_is_noted() -> None:
    assert bared(TAKEN, CANCEL) == [(10, 1000)]
    # However short it was, and beside what was bare before.
    assert bared(TAKEN, CANCEL, (AT_MS, order_row("SL-2", "tb1-aa-9-s"))) == [(10, 1000)]
    added = (T + 15, trade_row(2, "buy", "50000", "", T + 15, "0", "500"))
    assert bared(added, (T + 15, admin_row("admin/order")), TAKEN, CANCEL) == [(12, 1000)]


def test_a_cancel_that_takes_no_cover_away_is_left_alone() -> None:
    # It went by itself, by an act of the owner's, or the call was another one or refused.
    assert bared(TAKEN, (T + 21, CANCEL[1])) == []
    assert bared(TAKEN, (AT_MS, admin_row("admin/cancel")), CANCEL) == []
    assert bared(TAKEN, (AT_MS, request_row())) == []
    refused = RequestRow(1, "private/cancel", "", [], {"order_id": "SL-1"}, {"error": {}})
    assert bared(TAKEN, (AT_MS, refused)) == []
    # Another stop covers all of it, or only a take profit went.
    assert bared((T + 15, order_row("SL-2", "tb1-aa-9-s")), TAKEN, CANCEL) == []
    take = order_row("t1", TAKE, "cancelled", order_type="limit")
    assert bared((AT_MS, take), (AT_MS, cancel_row("t1"))) == []
    # The position was closed in the same instant, before the stop went or after it.
    close = (AT_MS, trade_row(2, "sell", "49000", "tb1-aa-9-c", AT_MS, "0"))
    assert bared(close, TAKEN, CANCEL) == []
    assert bared(TAKEN, close, CANCEL) == []


# --------------------------------------------------------------------------------------- the story


def test_a_death_keeps_its_phase_and_whether_it_came_during_recovery() -> None:
    moved = PhaseChanged(source=Phase.IDLE, target=Phase.ANALYZING, cause="armed")
    again = LifeStarted(life=2, token="bb", wall_ms=T)
    (death,) = told([*begun(), moved, again]).deaths
    assert (death.life, death.phase, death.recovering) == (1, Phase.ANALYZING, True)
    clean = [*begun(), LifeEnded(life=1, wall_ms=T), again]
    assert told(clean).deaths == []


def test_an_unknown_outcome_is_followed_to_its_end() -> None:
    evidence = Absence(label=ENTRY, read_ms=T, sources=())
    ends: dict[str, Event] = {
        "adopted": OrderAdopted(label=ENTRY, order_id="o", how="x"),
        "abandoned": OrderAbandoned(label=ENTRY, evidence=evidence),
        "rejected": OrderRejected(label=ENTRY, code=1, message="x"),
        "not sent": OrderNotSent(label=ENTRY, reason="x"),
    }
    sent = [*begun(), OrderIntended(intent=intent())]
    for outcome, end in ends.items():
        asked = told([*sent, OrderUnknown(label=ENTRY, reason="x"), end])
        assert asked.unknowns[ENTRY].outcome == outcome
    killed = told([*sent, LifeStarted(life=2, token="bb", wall_ms=T)])
    assert killed.unknowns[ENTRY].outcome == ""
    assert told([*sent, ends["rejected"]]).unknowns == {}


def test_the_labels_of_legs_lead_to_their_intent() -> None:
    story = told(entered())
    assert story.intent_of(STOP) == story.intent_of(ENTRY) == intent()
    assert story.intent_of("tb1-aa-6-x") is None


def test_a_sound_story_has_nothing_ungated_and_one_trade() -> None:
    story = told(closed())
    assert story.ungated == []
    assert [trade.number for trade in story.trades] == [1]


def test_an_entry_of_another_life_or_connection_is_ungated() -> None:
    other = told([*begun(), OrderIntended(intent=intent(life=7))])
    assert "life 1 is not its own, 7" in other.ungated[0][2]
    stale = told([*begun(), Linked(connection=2, account="me"), OrderIntended(intent=intent())])
    assert "the account was not read since the connect" in stale.ungated[0][2]


@pytest.mark.parametrize("late_ms, found", [(-1, 0), (0, 1), (1, 1)])
def test_an_entry_after_the_end_of_its_signal_is_ungated(late_ms: int, found: int) -> None:
    """It is good until the candle after its own has closed, by the exchange's time."""
    intended_ms = SIGNAL.candle_ms + 2 * SIGNAL.timeframe_ms + late_ms
    entry = replace(intent(), intended_ms=intended_ms, valid_until_ms=intended_ms + 2_000)
    story = told([*begun(), SignalDetected(signal=SIGNAL), OrderIntended(intent=entry)])
    late = gated(booked([]), story, Witness())
    assert len(late) == found
    assert all(f"its signal was good until {T + 120_000}" in violation.text for violation in late)
