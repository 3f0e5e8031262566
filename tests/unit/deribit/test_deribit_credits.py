"""Our own account of the rate credits: never more calls than the exchange would allow."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebaas.deribit import convert, wire
from tradebaas.deribit.credits import Allowed, Credits, Pool, pool_of
from tradebaas.deribit.rpc import Priority

ORDER, READ = "private/buy", "private/get_positions"


def burst(credits: Credits, method: str, priority: Priority, now: float = 0.0) -> int:
    """How many calls go at once before one has to wait."""
    count = 0
    while credits.wait_s(method, priority, now, 1.0) <= 0 and count < 1_000:
        credits.take(method, now, 1.0)
        count += 1
    return count


def test_entries_leave_a_reserve_to_what_protects() -> None:
    credits = Credits()
    assert burst(credits, ORDER, Priority.NORMAL) == 12
    assert burst(credits, ORDER, Priority.PROTECT) == 4
    assert credits.wait_s("private/cancel", Priority.PROTECT, 0.0, 1.0) == pytest.approx(0.25)


def test_pools_are_apart() -> None:
    credits = Credits()
    burst(credits, ORDER, Priority.PROTECT)
    assert credits.wait_s(READ, Priority.NORMAL, 0.0, 1.0) == 0
    assert {pool_of(method) for method in ("public/auth", READ)} == {Pool.GENERAL}
    assert pool_of("private/subscribe") is Pool.SUBSCRIBE


def test_they_refill_in_exchange_time() -> None:
    credits = Credits()
    burst(credits, ORDER, Priority.PROTECT)
    assert credits.wait_s(ORDER, Priority.PROTECT, 0.1, 1.0) > 0
    assert credits.wait_s(ORDER, Priority.PROTECT, 0.2, 60.0) == 0


@pytest.mark.parametrize("started", [0.0, 815_724.674_891_129_8])
def test_whoever_waits_as_long_as_told_may_go_then(started: float) -> None:
    """Else rounding would leave a wait that is too short to move the clock, again and again."""
    credits, now = Credits(), started
    for _ in range(500):
        waits = 0
        while (wait_s := credits.wait_s("private/subscribe", Priority.NORMAL, now, 1.0)) > 0:
            assert now + wait_s > now
            now, waits = now + wait_s, waits + 1
        assert waits <= 2
        credits.take("private/subscribe", now, 1.0)


def test_after_the_exchange_ended_a_session_for_it_nothing_is_left() -> None:
    credits = Credits()
    credits.spent(5.0)
    assert credits.wait_s(READ, Priority.HEARTBEAT, 5.0, 1.0) > 0
    assert credits.wait_s(READ, Priority.NORMAL, 5.0, 1.0) == pytest.approx(20.75 / 16)
    assert credits.wait_s(READ, Priority.NORMAL, 6.3, 1.0) == 0


def test_what_was_spent_stays_spent_when_the_exchange_says_other_figures() -> None:
    credits = Credits()
    burst(credits, ORDER, Priority.PROTECT)
    credits.allow({Pool.MATCHING: Allowed(Decimal(30), Decimal(100))})
    assert burst(credits, ORDER, Priority.PROTECT) == 80 - 16
    assert credits.wait_s(ORDER, Priority.PROTECT, 0.0, 1.0) == pytest.approx(1 / 24)


@given(st.lists(st.tuples(st.floats(0, 2), st.sampled_from([ORDER, READ])), max_size=200))
def test_the_exchange_would_never_have_counted_one_too_many(calls: list[tuple[float, str]]) -> None:
    """As it counts: a full bucket at first, refilled at the whole rate."""
    credits, now = Credits(), 0.0
    rates, full = {ORDER: 5.0, READ: 20.0}, {ORDER: 20.0, READ: 100.0}
    levels = dict(full)
    for pause, method in calls:
        waited = credits.wait_s(method, Priority.PROTECT, now + pause, 1.0)
        passed = pause + waited
        levels = {m: min(full[m], level + passed * rates[m]) for m, level in levels.items()}
        now += passed
        credits.take(method, now, 1.0)
        levels[method] -= 1
        assert levels[method] >= 0


# ------------------------------------------------------------------------- what the account says


def allowed(limits: str) -> dict[Pool, Allowed]:
    raw = f'{{"currency":"BTC","limits":{limits}}}'
    return convert.allowed(msgspec.json.decode(raw, type=wire.Summary))


def test_the_limits_of_the_account_are_taken_over() -> None:
    said = '{"rate":10.0,"burst":30}'
    limits = f'{{"non_matching_engine":{said},"matching_engine":{{"trading":{{"total":{said}}}}}}}'
    expected = Allowed(Decimal(10), Decimal(30))
    assert allowed(limits) == {Pool.GENERAL: expected, Pool.MATCHING: expected}


def test_limits_in_credits_are_limits_in_calls() -> None:
    """Both units are told of: 20 calls, or 10,000 credits at 500 a call."""
    limits = allowed('{"non_matching_engine":{"rate":10000,"burst":50000}}')
    assert limits == {Pool.GENERAL: Allowed(Decimal(20), Decimal(100))}


@pytest.mark.parametrize(
    "limits",
    [
        "null",
        "[]",
        "7",
        "{}",
        '{"matching_engine":{"trading":null}}',
        '{"non_matching_engine":{}}',
        '{"non_matching_engine":{"rate":0,"burst":0}}',
    ],
)
def test_limits_of_another_form_leave_the_usual_ones(limits: str) -> None:
    assert allowed(limits) == {}
