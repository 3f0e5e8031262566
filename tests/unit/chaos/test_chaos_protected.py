"""Protected can fail: what covers nothing, and naked time that adds up."""

from typing import Any

import pytest
from chaos_kit import (
    NAME,
    STOP,
    D,
    T,
    admin_row,
    begun,
    booked,
    cancel_row,
    entered,
    entered_rows,
    order_row,
    told,
    trade_row,
)

from chaos.world.books import Books
from chaos.world.ledger import Body, JournalRow, OrderRow, SessionRow
from chaos.world.mark import mark
from chaos.world.oracle import Violation
from chaos.world.protected import protected
from chaos.world.skew import Leap
from chaos.world.story import Story
from tradebaas.core.events import Event, Linked, LinkLost, Reconciled

LIMIT_MS = 1_000
Rows = list[tuple[int, Body]]
GONE = order_row("SL-1", STOP, "cancelled")
CLOSE = "tb1-aa-9-c"


def checks(found: list[Violation]) -> list[str]:
    return [violation.check for violation in found]


# ------------------------------------------------------------------------------------- what covers


def bare(*orders: OrderRow, after_ms: int = 0, fired_ms: int | None = None) -> int:
    """How much of 1000 is bare when the stop of the kit was replaced by these orders."""
    rows: Rows = [*entered_rows(), (T + 20, GONE), *((T + 21, order) for order in orders)]
    rows.append((T + 21 + after_ms, SessionRow(1, "ping")))
    books = Books(5_000, fired_ms)
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1))
    return int(books.uncovered(NAME))


def stop(**changes: Any) -> OrderRow:
    return order_row("SL-2", "tb1-aa-9-s", **changes)


def test_a_stop_covers_as_much_as_it_would_close() -> None:
    assert bare() == 1000
    assert bare(stop()) == 0
    assert bare(stop(amount=D(400))) == 600
    assert bare(stop(amount=D(400)), order_row("SL-3", "tb1-aa-10-s", amount=D(600))) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"reduce_only": False},
        {"direction": "buy"},
        {"is_secondary_oto": True},
        {"order_type": "stop_limit", "trigger_price": D(49_000)},
        {"order_type": "take_market", "trigger_price": D(52_000)},
        {"instrument_name": "BTC_USDC-PERPETUAL"},
        {"label": ""},
        {"trigger_price": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_no_stop_of_this_position_covers_nothing(change: dict[str, Any]) -> None:
    label = change.pop("label", "tb1-aa-9-s")
    assert bare(order_row("SL-2", label, **change)) == 1000


def test_a_stop_covers_whatever_role_its_label_names() -> None:
    """A daemon that is broken on purpose may mix them up, and is judged all the same."""
    assert bare(order_row("SL-2", CLOSE, trigger_price=D(49_000))) == 0


def test_a_stop_must_be_no_looser_than_the_plan_which_a_tick_may_miss() -> None:
    """The plan of the kit is 49,000 of 50,000; one without a plan may be farther away."""
    assert bare(stop(trigger_price=D(49_500))) == 0
    assert bare(stop(trigger_price=D("48999.5"))) == 0
    assert bare(stop(trigger_price=D(48_999))) == 1000
    assert bare(stop(trigger_price=D(1))) == 1000


def unplanned(*, restored: bool) -> Books:
    """The kit's stop is gone, and one as far away as without a plan came; a log was lost or not."""
    books = booked([*entered_rows(), (T + 20, GONE)])
    if restored:
        books.forget_plans()
    late = order_row("SL-1", STOP, "cancelled")  # what is told of it yet brings no plan back
    for body in (late, stop(trigger_price=D(48_750))):
        books.take([JournalRow(books.n + 1, T + 21, body)])
    return books


def test_a_daemon_whose_log_was_restored_need_not_know_the_plan() -> None:
    assert int(unplanned(restored=True).uncovered(NAME)) == 0
    assert int(unplanned(restored=False).uncovered(NAME)) == 1000


@pytest.mark.parametrize("trigger, naked", [(48_750, 0), (48_749, 1000)])
def test_without_a_plan_a_stop_may_be_two_and_a_half_per_cent_away(
    trigger: int, naked: int
) -> None:
    """The exchange was never told of a stop of this entry's own."""
    rows: Rows = [row for row in entered_rows() if not isinstance(row[1], OrderRow)]
    rows.append((T + 21, stop(trigger_price=D(trigger))))
    assert int(booked(rows).uncovered(NAME)) == naked


def short(trigger: D | int, planned: int) -> int:
    """How much of a short of 1000 from 50,000 is bare with a stop there, planned elsewhere."""
    stops: dict[str, Any] = {"direction": "buy", "amount": D(1000)}
    rows: Rows = [
        (T, order_row("SL-1", STOP, **{**stops, "trigger_price": D(planned)})),
        (T, trade_row(1, "sell", "50000", "tb1-aa-6-e", T, "0")),
        (T + 1, order_row("SL-1", STOP, "cancelled", **{**stops, "trigger_price": D(planned)})),
        (T + 2, order_row("SL-2", "tb1-aa-9-s", **{**stops, "trigger_price": D(trigger)})),
    ]
    return int(booked(rows).uncovered(NAME))


def moved(*later: OrderRow) -> int:
    """How much of 1000 is bare after its stop was moved from 49,000 to 49,500, and then that."""
    rows: Rows = [*entered_rows()]
    rows.append((T + 20, order_row("SL-1", STOP, trigger_price=D(49_500))))
    rows += [(T + 30 + n, order) for n, order in enumerate(later)]
    return int(booked(rows).uncovered(NAME))


@pytest.mark.parametrize("trigger, bare_then", [(49_500, 0), (D("49499.5"), 0), (49_499, 1000)])
def test_what_comes_after_a_stop_was_moved_is_no_looser(trigger: D | int, bare_then: int) -> None:
    later = order_row("SL-2", "tb1-aa-9-s", trigger_price=D(trigger))
    assert moved(GONE, later) == bare_then


def test_a_stop_that_was_moved_closer_is_not_looser_again() -> None:
    assert moved() == 0
    assert moved(order_row("SL-1", STOP, trigger_price=D(49_400))) == 1000
    assert moved(order_row("SL-1", STOP, trigger_price=D(49_600))) == 0


def test_a_stop_that_was_there_before_the_other_moved_may_stay_where_it_is() -> None:
    """Several are moved one after the other."""
    rows: Rows = [*entered_rows(), (T + 11, stop(amount=D(600)))]
    rows.append((T + 12, order_row("SL-1", STOP, amount=D(400), trigger_price=D(49_500))))
    assert int(booked(rows).uncovered(NAME)) == 0


def test_what_the_last_position_had_moved_binds_the_next_one_to_nothing() -> None:
    out = trade_row(2, "sell", "49500", "tb1-aa-9-c", T + 30, "0")
    again = trade_row(3, "buy", "50000", "tb1-bb-6-e", T + 40, "0")
    legs = order_row("SL-9", "tb1-bb-6-s", trigger_price=D(49_000))
    rows: Rows = [*entered_rows(), (T + 20, order_row("SL-1", STOP, trigger_price=D(49_500)))]
    rows += [(T + 30, GONE), (T + 30, out), (T + 40, again), (T + 41, legs)]
    assert int(booked(rows).uncovered(NAME)) == 0


def test_a_restored_daemon_may_have_lost_where_it_was_moved() -> None:
    books = booked([*entered_rows(), (T + 20, order_row("SL-1", STOP, trigger_price=D(49_500)))])
    books.forget_plans()
    for body in (GONE, stop(trigger_price=D(49_000))):
        books.take([JournalRow(books.n + 1, T + 30, body)])
    assert int(books.uncovered(NAME)) == 0


def test_a_short_is_covered_from_above() -> None:
    assert short(51_000, 51_000) == 0
    assert short(D("51000.5"), 51_000) == 0
    assert short(51_001, 51_000) == 1000
    assert short(55_000, 55_000) == 0, "the owner allows it"
    assert short(55_001, 55_000) == 1000


# ------------------------------------------------------------------------------------------- exits


def exit_order(**changes: Any) -> OrderRow:
    return order_row("c1", CLOSE, "open", **{"order_type": "market", **changes})


def test_an_exit_covers_while_it_is_on_its_way_and_not_for_long() -> None:
    assert bare(exit_order(filled_amount=D(400))) == 400
    assert bare(exit_order(), after_ms=5_000) == 0
    assert bare(exit_order(), after_ms=5_001) == 1000
    fired = order_row("o1", STOP, "open", order_type="market", trigger_order_id="SL-1")
    assert bare(fired, after_ms=5_000) == 0
    assert bare(fired, after_ms=5_001) == 1000
    assert bare(fired, after_ms=200, fired_ms=200) == 0
    assert bare(fired, after_ms=201, fired_ms=200) == 1000
    assert bare(fired, exit_order(), after_ms=201, fired_ms=200) == 0
    assert bare(exit_order(reduce_only=False)) == 1000


THIN = {"order_state": "cancelled", "filled_amount": D(400)}


def test_a_close_that_found_too_few_covers_until_the_next_has_to_be_sent() -> None:
    assert bare(exit_order(**THIN), fired_ms=200) == 400
    assert bare(exit_order(**THIN), after_ms=200, fired_ms=200) == 400
    assert bare(exit_order(**THIN), after_ms=201, fired_ms=200) == 1000


@pytest.mark.parametrize(
    "change",
    [
        {"order_type": "limit", "price": 51_000.0},
        {"order_state": "filled"},
        {"order_state": "rejected"},
        {"reduce_only": False},
        {"direction": "buy"},
        {"label": STOP},
        {"instrument_name": "BTC_USDC-PERPETUAL"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_else_has_ended_covers_nothing(change: dict[str, Any]) -> None:
    ended = {"order_type": "market", **THIN, **change}
    assert bare(order_row("c1", ended.pop("label", CLOSE), **ended), fired_ms=200) == 1000


def test_a_close_that_was_in_the_book_and_is_cancelled_covers_nothing_any_more() -> None:
    assert bare(exit_order(), exit_order(order_state="cancelled")) == 1000


def test_closes_that_found_too_few_keep_nobody_from_counting_the_time_between_them() -> None:
    rows: Rows = [
        *entered_rows(),
        (T + 20, GONE),
        *((T + 20 + 300 * n, exit_order(order_state="cancelled")) for n in range(2)),
        (T + 700, SessionRow(1, "ping")),
    ]
    books = Books(5_000, 200)
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1))
    spans = [(naked.start_ms - T, naked.end_ms and naked.end_ms - T) for naked in books.naked_all()]
    assert spans == [(221, 320), (521, None)]


def test_a_fill_of_it_does_not_start_its_time_anew() -> None:
    rows: Rows = [
        *entered_rows(),
        (T + 20, GONE),
        (T + 20, exit_order()),
        (T + 4_000, exit_order(filled_amount=D(100))),
        (T + 4_000, trade_row(2, "sell", "49000", CLOSE, T + 4_000, "0", "100")),
        (T + 5_021, SessionRow(1, "ping")),
    ]
    books = Books(5_000)
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1))
    assert books.uncovered(NAME) == D(900)
    (naked,) = books.naked_all()
    assert (naked.start_ms, naked.amount, naked.sabotage) == (T + 5_021, D(900), False)


def test_cover_that_ends_by_time_ends_then_and_not_with_the_next_line() -> None:
    fired = order_row("o1", STOP, "open", order_type="market", trigger_order_id="SL-1")
    rows: Rows = [
        *entered_rows(),
        (T + 20, GONE),
        (T + 20, fired),
        (T + 900, SessionRow(1, "ping")),
    ]
    books = Books(5_000, 200)
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1))
    (naked,) = books.naked_all()
    assert (naked.start_ms, naked.amount, naked.lapsed) == (T + 221, D(1000), True)


# ------------------------------------------------------------------------------------- naked time


def test_a_position_whose_stop_is_gone_is_found_when_it_lasts() -> None:
    books, story = booked([*entered_rows(), (T + 20, GONE)]), told(entered())
    assert protected(books, story, T + 20 + LIMIT_MS, LIMIT_MS) == []
    assert checks(protected(books, story, T + 21 + LIMIT_MS, LIMIT_MS)) == ["protected"]


BACK = order_row("SL-2", "tb1-aa-9-s")
REPLACED: Rows = [(T + 20, GONE), (T + 20, cancel_row("SL-1")), (T + 20, BACK)]


def test_a_stop_that_the_daemon_cancels_is_found_however_short_that_was() -> None:
    books = booked([*entered_rows(), *REPLACED])
    (found,) = protected(books, told(entered()), T + 30, LIMIT_MS)
    assert "the daemon itself cancelled the stop of 1000" in found.text


def test_a_stop_that_the_daemon_replaces_is_found_where_a_part_was_bare_already() -> None:
    added = (T + 15, trade_row(2, "buy", "50000", "", T + 15, "0", "500"))
    act = (T + 15, admin_row("admin/order"))
    books, story = booked([*entered_rows(), added, act, *REPLACED]), told(entered())
    (found,) = protected(books, story, T + 30, LIMIT_MS)
    assert "the daemon itself cancelled the stop of 1000" in found.text
    assert protected(books, story, T + 30, LIMIT_MS, mark(books, story)) == []
    honest = booked([*entered_rows(), added, act, (T + 20, BACK)])
    assert protected(honest, story, T + 30, LIMIT_MS) == []


def test_what_the_exchange_leapt_over_is_no_time_in_which_it_was_naked() -> None:
    books, story = booked([*entered_rows(), (T + 20, GONE)]), told(entered())
    leap = Leap(T + 300, T + 300 + 5 * LIMIT_MS)
    now_ms = T + 20 + 6 * LIMIT_MS
    assert protected(books, story, now_ms, LIMIT_MS, leaps=[leap]) == []
    (late,) = protected(books, story, now_ms + 1, LIMIT_MS, leaps=[leap])
    assert f"naked for {LIMIT_MS + 1} ms" in late.text


def test_sabotage_counts_only_while_a_reconciled_daemon_was_there() -> None:
    dead: Rows = [*entered_rows(), (T + 15, SessionRow(1, "disconnect"))]
    cut: Rows = [*dead, (T + 20, GONE), (T + 20, admin_row("admin/cancel"))]
    assert protected(booked(cut), told(entered()), T + 90_000, LIMIT_MS) == []
    # By itself it would be too long.
    alone = protected(booked(cut[:-1]), told(entered()), T + 90_000, LIMIT_MS)
    assert checks(alone) == ["protected"]
    # And with a daemon connected through it all as well.
    there = [
        row for row in cut if not isinstance(row[1], SessionRow) or row[1].event != "disconnect"
    ]
    assert checks(protected(booked(there), told(entered()), T + 90_000, LIMIT_MS))


def piecewise(pieces: int, each_ms: int) -> list[Violation]:
    """What is found after sabotage when the daemon is there in so many pieces of so many ms."""
    rows: Rows = [
        *entered_rows(),
        (T + 15, SessionRow(1, "disconnect")),
        (T + 20, GONE),
        (T + 20, admin_row("admin/cancel")),
    ]
    events: list[Event] = entered()
    for number in range(2, pieces + 2):
        at = T + number * 10_000
        rows += [
            (at, SessionRow(number, "login")),
            (at + 1 + each_ms, SessionRow(number, "disconnect")),
        ]
        events += [
            LinkLost(connection=number - 1, reason="x"),
            Linked(connection=number, account="me"),
            Reconciled(connection=number, read_ms=at + 1),
            Reconciled(connection=number, read_ms=at + 2),  # a second full read counts no twice
        ]
    return protected(booked(rows), told(events), T + 90_000, LIMIT_MS)


def test_naked_time_after_sabotage_adds_up_over_connections() -> None:
    assert piecewise(1, 900) == []
    assert checks(piecewise(2, 900)) == ["protected"]
    assert "1800 ms" in piecewise(2, 900)[0].text
    assert piecewise(2, 500) == []
    assert piecewise(0, 0) == []


def test_a_later_login_shows_that_a_daemon_is_gone_whose_connection_still_seems_open() -> None:
    """After a power cut the exchange finds out late."""
    rows: Rows = [
        *entered_rows(),
        (T + 20, GONE),
        (T + 20, admin_row("admin/cancel")),
        (T + 820, SessionRow(2, "login")),
    ]
    now_ms = T + 90_000
    assert protected(booked(rows), told(entered()), now_ms, LIMIT_MS) == []
    assert "89980 ms" in protected(booked(rows[:-1]), told(entered()), now_ms, LIMIT_MS)[0].text


def test_after_sabotage_another_limit_may_hold() -> None:
    rows: Rows = [*entered_rows(), (T + 20, GONE), (T + 20, admin_row("admin/cancel"))]
    books, story = booked(rows), told(entered())
    assert protected(books, story, T + 3_000, LIMIT_MS)
    assert protected(books, story, T + 3_000, LIMIT_MS, sabotage_ms=5_000) == []
    assert protected(books, story, T + 5_021, LIMIT_MS, sabotage_ms=5_000)


def test_a_daemon_that_never_read_the_account_owes_nothing() -> None:
    rows: Rows = [*entered_rows(), (T + 20, GONE), (T + 20, admin_row("admin/cancel"))]
    assert protected(booked(rows), told(begun()[:2]), T + 90_000, LIMIT_MS) == []


def test_cover_that_ends_by_time_counts_only_while_a_daemon_is_there() -> None:
    """A stop fires, nobody trades with it, and the daemon is dead meanwhile."""
    fired = order_row("o1", STOP, "open", order_type="market", trigger_order_id="SL-1")
    rows: Rows = [*entered_rows(), (T + 20, GONE), (T + 20, fired), (T + 9_000, GONE)]
    books = Books(5_000, 200)
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1))
    assert protected(books, Story(), T + 9_000, 1_000) == []


def test_news_of_cover_that_ends_by_time_may_be_as_late_as_that_of_sabotage() -> None:
    fired = order_row("o1", STOP, "open", order_type="market", trigger_order_id="SL-1")
    rows: Rows = [*entered_rows(), (T + 20, GONE), (T + 20, fired), (T + 9_000, GONE)]
    books = Books(5_000, 200)
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1))
    assert protected(books, told(entered()), T + 5_221, LIMIT_MS, sabotage_ms=5_000) == []
    (found,) = protected(books, told(entered()), T + 5_222, LIMIT_MS, sabotage_ms=5_000)
    assert found.text.endswith("(with a daemon there), the limit is 5000")
    assert protected(books, told(entered()), T + 1_222, LIMIT_MS)


def test_a_stop_that_fires_and_is_refused_counts_only_while_a_daemon_is_there() -> None:
    """It met the owner's order, say; what the daemon cancels counts whoever is there."""
    states = ("triggered", "cancelled")
    for state, found in zip(states, ([], ["protected"]), strict=True):
        rows: Rows = [*entered_rows(), (T + 20, order_row("SL-1", STOP, state))]
        rows.append((T + 9_000, SessionRow(1, "ping")))
        assert checks(protected(booked(rows), Story(), T + 9_000, 1_000)) == found
    there: Rows = [*entered_rows(), (T + 20, order_row("SL-1", STOP, "triggered"))]
    (late,) = protected(booked(there), told(entered()), T + 9_000, LIMIT_MS)
    assert "with a daemon there" in late.text


@pytest.mark.parametrize("trigger, bare_then", [(50_500, 0), (D("50500.5"), 0), (50_501, 1000)])
def test_a_short_whose_stop_was_moved_is_covered_from_there(
    trigger: D | int, bare_then: int
) -> None:
    stops: dict[str, Any] = {"direction": "buy", "amount": D(1000)}
    rows: Rows = [
        (T, order_row("SL-1", STOP, **{**stops, "trigger_price": D(51_000)})),
        (T, trade_row(1, "sell", "50000", "tb1-aa-6-e", T, "0")),
        (T + 1, order_row("SL-1", STOP, **{**stops, "trigger_price": D(50_500)})),
        (T + 2, order_row("SL-1", STOP, "cancelled", **{**stops, "trigger_price": D(50_500)})),
        (T + 3, order_row("SL-2", "tb1-aa-9-s", **{**stops, "trigger_price": D(trigger)})),
    ]
    assert int(booked(rows).uncovered(NAME)) == bare_then
