"""How well the exchange's time must be known for orders that are valid for two seconds."""

from decimal import Decimal

import pytest

from tradebaas.core.risk import Limits
from tradebaas.deribit.clock import ExchangeClock

VALIDITY_MS = Limits().validity_ms


@pytest.mark.parametrize(("trip_s", "known_ms"), [(0.1, 50), (3.0, 1_500), (5.0, 2_500)])
def test_half_the_way_to_the_exchange_and_back_is_not_known(trip_s: float, known_ms: int) -> None:
    clock = ExchangeClock()
    assert clock.error_ms(0.0) == float("inf")
    clock.learn(0.0, trip_s, 1_000_000, 1_000_000)
    assert clock.error_ms(trip_s) == pytest.approx(known_ms)
    assert (clock.error_ms(trip_s) > VALIDITY_MS) is (known_ms > VALIDITY_MS)


def test_what_is_known_grows_old_at_the_pace_of_the_market() -> None:
    clock = ExchangeClock()
    clock.configure(Decimal(60), lockstep=False, wall_ms=None)
    clock.learn(0.0, 0.0, 1_000_000, 1_000_000)
    assert clock.error_ms(1_000.0) == pytest.approx(60 * 200)
