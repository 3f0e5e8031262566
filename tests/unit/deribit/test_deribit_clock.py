"""Exchange time from the stamps of answers: tight bounds, drift, jumps and standstills."""

from decimal import Decimal

import pytest

from tradebaas.deribit.clock import ExchangeClock

T0 = 1_790_000_000_000


def answer(clock: ExchangeClock, sent: float, received: float, us_in: float, us_out: float) -> None:
    """``us_in`` and ``us_out`` in ms after T0."""
    clock.learn(sent, received, int((T0 + us_in) * 1000), int((T0 + us_out) * 1000))


def test_zero_before_anything_is_known() -> None:
    assert ExchangeClock().now_ms(5.0) == 0


def test_the_network_is_shared_between_both_ways() -> None:
    clock = ExchangeClock()
    answer(clock, 10.0, 10.1, 0, 20)  # 100 ms, 20 of them inside the exchange
    assert clock.now_ms(10.1) == T0 + 60
    assert clock.now_ms(11.1) == T0 + 1060


def test_the_tightest_answer_counts() -> None:
    clock = ExchangeClock()
    answer(clock, 10.0, 10.002, 0, 0)
    answer(clock, 11.0, 11.4, 1200, 1200)  # slow, and its midpoint 200 ms off
    assert clock.now_ms(11.4) == T0 + 1399


def test_an_old_tight_answer_gives_way_to_a_new_one() -> None:
    clock = ExchangeClock()
    answer(clock, 0.0, 0.002, 0, 0)
    answer(clock, 100_000.0, 100_000.02, 100_000_004, 100_000_004)
    assert clock.now_ms(100_000.02) == T0 + 100_000_014


@pytest.mark.parametrize("jump_ms", [60_000, -60_000])
def test_a_clock_that_stepped_is_followed_at_once(jump_ms: int) -> None:
    clock = ExchangeClock()
    answer(clock, 10.0, 10.001, 0, 0)
    answer(clock, 11.0, 11.2, 1000 + jump_ms, 1000 + jump_ms)
    assert clock.now_ms(11.2) == T0 + 1000 + jump_ms + 100


def test_a_jump_inside_a_call_does_not_count_as_network() -> None:
    clock = ExchangeClock()
    answer(clock, 10.0, 10.002, 0, 60_000)
    assert clock.now_ms(10.002) == T0 + 60_000


def test_a_notification_can_only_move_it_forward() -> None:
    clock = ExchangeClock()
    answer(clock, 10.0, 10.0, 0, 0)
    clock.learn_at_least(11.0, T0 + 500)
    assert clock.now_ms(11.0) == T0 + 1000
    clock.learn_at_least(11.0, T0 + 61_000)
    assert clock.now_ms(12.0) == T0 + 62_000


def test_rate_is_how_fast_exchange_time_passes() -> None:
    clock = ExchangeClock()
    clock.configure(Decimal(60), False, None)
    answer(clock, 10.0, 10.01, 0, 0)
    assert clock.now_ms(10.01) == T0 + 300
    assert clock.now_ms(11.01) == T0 + 60_300


def test_deribit_says_nothing_and_runs_at_rate_one() -> None:
    clock = ExchangeClock()
    clock.configure(None, False, None)
    assert (clock.rate, clock.lockstep) == (Decimal(1), False)


def test_a_paused_market_never_gives_rate_zero() -> None:
    clock = ExchangeClock()
    clock.configure(Decimal(0), True, None)
    assert (clock.rate, clock.lockstep) == (Decimal(1), True)


@pytest.mark.parametrize("us_in, us_out", [(0, 0), (5_000_000, 4_000_000)])
def test_stamps_that_make_no_sense_are_ignored(us_in: int, us_out: int) -> None:
    clock = ExchangeClock()
    answer(clock, 10.0, 10.0, 0, 0)
    clock.learn(11.0, 11.0, us_in, us_out)
    assert clock.now_ms(11.0) == T0 + 1000


def test_wall_time_is_exchange_time() -> None:
    clock = ExchangeClock()
    assert clock.wall_ms(5.0) == 0
    answer(clock, 10.0, 10.0, 0, 0)
    assert clock.wall_ms(12.5) == T0 + 2500


def test_wall_time_runs_evenly_however_fast_the_market_does() -> None:
    clock = ExchangeClock()
    answer(clock, 10.0, 10.0, 0, 0)
    clock.configure(Decimal(300), False, T0 - 7)
    assert clock.wall_ms(12.5) == T0 - 7 + 2500
