"""How long a read of the account waits for trades that the exchange's store does not show yet."""

from decimal import Decimal

from tradebaas.actors.survey import MOST_READS, Patience

FLAT, HALF = Decimal(0), Decimal(50)


def test_it_waits_for_the_lag_from_the_second_read_that_says_the_same() -> None:
    patience = Patience(lag_ms=1_000)
    assert not patience.is_over(FLAT, 0)  # the trades may be as young as the end of this read
    assert not patience.is_over(FLAT, 5_000)
    assert not patience.is_over(FLAT, 6_000)
    assert patience.is_over(FLAT, 6_001)


def test_another_position_has_other_trades_and_is_waited_for_anew() -> None:
    patience = Patience(lag_ms=1_000)
    for said, read_ms in ((HALF, 0), (HALF, 100), (FLAT, 2_000), (FLAT, 2_100), (FLAT, 3_100)):
        assert not patience.is_over(said, read_ms)
    assert patience.is_over(FLAT, 3_101)


def test_a_position_that_always_changes_is_not_waited_for_for_ever() -> None:
    patience = Patience(lag_ms=1_000)
    over = [patience.is_over(Decimal(-number), number) for number in range(MOST_READS)]
    assert over == [False] * (MOST_READS - 1) + [True]
