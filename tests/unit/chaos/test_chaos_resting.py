"""Bounded: an entry rests no longer than it is good, counted while a daemon could take it away."""

from collections.abc import Sequence

from chaos_kit import ENTRY, D, T, begun, booked, logged_in, order_row, told

from chaos.sim.judge import STARTED
from chaos.world.bounded import Bounds
from chaos.world.ledger import Body, OrderRow, SessionRow
from chaos.world.mark import START, Mark, mark
from chaos.world.resting import resting
from chaos.world.skew import Leap

GRACE_MS = 500
LIMIT_MS = 2_500
Rows = Sequence[tuple[int, Body]]


def entry(state: str, label: str = ENTRY) -> OrderRow:
    return order_row("e1", label, state, order_type="limit", direction="buy", reduce_only=False)


def judged(
    rows: Rows, now_ms: int, since: Mark = START, leaps: Sequence[Leap] = (), rate: int = 1
) -> list[str]:
    """Of a daemon that has read the account at T + 2 and is there until its session ends."""
    bounds = Bounds(STARTED, validity_ms=2_000, rate=D(rate))
    books = booked([*logged_in(), *rows])
    return [v.text for v in resting(books, told(begun()), bounds, now_ms, GRACE_MS, since, leaps)]


def rested(for_ms: int) -> Rows:
    return [(T + 10, entry("open")), (T + 10 + for_ms, entry("cancelled"))]


def test_an_entry_that_is_taken_away_in_time_is_left_alone() -> None:
    assert judged(rested(LIMIT_MS), T + 90_000) == []
    (text,) = judged(rested(LIMIT_MS + 1), T + 90_000)
    assert f"rested for {LIMIT_MS + 1} ms" in text
    assert f"the limit is {LIMIT_MS}" in text


def test_it_rests_from_when_it_was_first_there_however_often_it_is_described() -> None:
    rows = rested(LIMIT_MS + 1)
    assert len(judged([rows[0], (T + 2_000, entry("open")), rows[1]], T + 90_000)) == 1


def test_one_that_still_rests_is_found_before_it_ends() -> None:
    still = rested(0)[:1]
    assert judged(still, T + 10 + LIMIT_MS) == []
    assert len(judged(still, T + 11 + LIMIT_MS)) == 1


def test_only_the_time_with_a_daemon_there_counts() -> None:
    away: Rows = [(T + 10, entry("open")), (T + 1_000, SessionRow(1, "disconnect"))]
    assert judged(away, T + 90_000) == []
    later: Rows = [(T + 10, entry("open")), (T + 5_000, SessionRow(1, "disconnect"))]
    assert len(judged(later, T + 90_000)) == 1


def test_nobody_could_act_in_a_time_that_was_leapt_over() -> None:
    leap = Leap(T + 100, T + 60_100)
    assert judged(rested(60_000 + LIMIT_MS), T + 90_000, leaps=[leap]) == []
    assert len(judged(rested(60_001 + LIMIT_MS), T + 90_000, leaps=[leap])) == 1


def test_where_time_runs_fast_it_is_good_for_as_long_as_sending_takes() -> None:
    assert judged(rested(12_500), T + 90_000, rate=60) == []
    assert len(judged(rested(12_501), T + 90_000, rate=60)) == 1


def test_the_owners_orders_exits_and_what_never_rested_are_not_looked_at() -> None:
    hand = [(T + 10, entry("open", "hand"))]
    assert judged(hand, T + 90_000) == []
    exits = [(T + 10, order_row("t1", "tb1-aa-6-t", "open", order_type="limit"))]
    assert judged(exits, T + 90_000) == []
    books = booked([*logged_in(), (T + 10, entry("filled"))])
    assert books.rests.after(0) == []


def test_what_has_ended_is_judged_once_and_what_has_not_again() -> None:
    rows = rested(LIMIT_MS + 1)
    books, story = booked([*logged_in(), *rows]), told(begun())
    assert judged(rows, T + 90_000, mark(books, story)) == []
    books = booked([*logged_in(), rows[0]])
    assert len(judged(rows, T + 90_000, mark(books, story))) == 1
