"""How late the exchange's clock can have been: what was read before it was killed was true."""

from chaos.real.judge import Horizon

RATE = 300


def test_it_is_what_the_exchange_says_while_that_goes_on() -> None:
    horizon = Horizon(RATE)
    horizon.see(1.0, 1.0, 5_000)
    assert horizon.latest_ms == 5_000
    horizon.see(2.0, 2.0, 5_000 + 1_000 * RATE)
    assert 0 <= horizon.latest_ms - (5_000 + 1_000 * RATE) <= 1


def test_an_exchange_that_goes_on_from_an_earlier_time_takes_nothing_back() -> None:
    """It may have been killed just before it was asked again."""
    horizon = Horizon(RATE)
    horizon.see(1.0, 1.0, 5_000)
    horizon.see(2.0, 2.0, 4_000)
    latest = horizon.latest_ms
    assert latest >= 5_000 + 1_000 * RATE
    horizon.see(2.001, 2.001, 4_300)
    assert horizon.latest_ms == latest


def test_the_time_that_a_question_takes_is_the_exchanges() -> None:
    """It may have answered at the start of the one and at the end of the other."""
    horizon = Horizon(RATE)
    horizon.see(1.0, 1.5, 5_000)
    horizon.see(2.0, 2.5, 5_000 + 1_500 * RATE)
    assert horizon.latest_ms >= 5_000 + 1_500 * RATE
