"""The wrappers give the textbook numbers, and floats leave them in one way."""

from decimal import Decimal

import numpy as np
import pytest

from tradebaas.core.model import Candle
from tradebaas.strategies.indicators import atr, ema, series, sma, to_decimal

D = Decimal


def bar(high: int, low: int, close: int) -> Candle:
    return Candle(0, D(close), D(high), D(low), D(close), D(1))


def test_candles_become_arrays_in_their_order() -> None:
    data = series((bar(5, 1, 3), bar(6, 2, 4)))
    assert data.highs.tolist() == [5, 6]
    assert data.lows.tolist() == [1, 2]
    assert data.closes.tolist() == [3, 4]


def test_simple_average_by_hand() -> None:
    values = sma(np.array([1.0, 2.0, 6.0, 9.0]), 3)
    assert np.isnan(values[:2]).all()
    assert values[2:].tolist() == pytest.approx([3, 17 / 3])


def test_exponential_average_by_hand() -> None:
    values = ema(np.array([1.0, 2.0, 6.0, 9.0]), 3)
    assert np.isnan(values[:2]).all()
    assert values[2:].tolist() == pytest.approx([3, 6])  # (9 - 3) x 2/4 above the seed


def test_average_true_range_by_hand() -> None:
    data = series((bar(10, 8, 9), bar(11, 9, 10), bar(15, 11, 14), bar(14, 12, 13)))
    # True ranges from the second candle: 2, 5 (15 - 10), 2; Wilder over 2: 3.5, (3.5 + 2) / 2.
    values = atr(data, 2)
    assert np.isnan(values[:2]).all()
    assert values[2:].tolist() == pytest.approx([3.5, 2.75])


def test_too_few_values_give_nothing_and_no_error() -> None:
    assert ema(np.array([]), 9).size == 0
    assert np.isnan(ema(np.array([1.0, 2.0]), 9)).all()


def test_floats_leave_by_their_shortest_text() -> None:
    assert to_decimal(0.1) == D("0.1")
    assert to_decimal(np.float64(50_000.05)) == D("50000.05")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_does_not_leave(value: float) -> None:
    with pytest.raises(ValueError, match="not a number"):
        to_decimal(value)
