"""Indicators on arrays of floats, computed by TA-Lib: the only float arithmetic in the program.

Candles become float arrays once per evaluation (``series``); a result leaves as a Decimal through
``to_decimal`` and is rounded to the tick before it is used as a price. Each function returns an
array as long as its input with NaN where there are too few values.

Moving averages and ATR start from a plain mean of their first values (TA-Lib's classic seed), so
their numbers depend on where the array begins: give them a window of fixed length. Importing this
module loads numpy and TA-Lib; import it late.
"""

import math
from decimal import Decimal

import numpy as np
import talib
from msgspec import Struct
from numpy.typing import NDArray

from tradebaas.core.model import Candle

Array = NDArray[np.float64]


class Series(Struct, frozen=True):
    """High, low and close prices of candles, oldest first."""

    highs: Array
    lows: Array
    closes: Array


def series(candles: tuple[Candle, ...]) -> Series:
    """Candles as float arrays."""
    return Series(
        np.array([float(candle.high) for candle in candles], dtype=np.float64),
        np.array([float(candle.low) for candle in candles], dtype=np.float64),
        np.array([float(candle.close) for candle in candles], dtype=np.float64),
    )


def sma(values: Array, length: int) -> Array:
    """Simple moving average: the mean of the last ``length`` values."""
    return talib.SMA(values, length)


def ema(values: Array, length: int) -> Array:
    """Exponential moving average with smoothing 2 / (length + 1), seeded with the SMA."""
    return talib.EMA(values, length)


def atr(data: Series, length: int) -> Array:
    """Average true range, Wilder's: (previous x (length - 1) + true range) / length."""
    return talib.ATR(data.highs, data.lows, data.closes, length)


def to_decimal(value: float) -> Decimal:
    """The shortest decimal that reads back as this float (its repr).

    Raises:
        ValueError: for NaN and infinity, which are no price; check before.
    """
    if not math.isfinite(value):
        raise ValueError(f"an indicator gave {value}, which is not a number")
    return Decimal(repr(float(value)))
