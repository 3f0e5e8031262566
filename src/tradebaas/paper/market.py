"""Where prices come from: a generated market or a replayed candle file.

A source is a function of the bar number and nothing else: bar ``n`` opens at ``start_ms`` +
``n`` minutes. That makes a restart cheap (nothing to replay) and two runs equal. The generated
market is value noise in several octaves: hashed lattice points joined by straight lines, so any
bar can be computed alone, and it wanders enough for a fast moving-average cross to trade.
"""

from collections import OrderedDict
from decimal import ROUND_FLOOR, Decimal
from hashlib import blake2b
from typing import Protocol

from tradebaas.paper.candles import MINUTE_MS, Candle

TICK = Decimal("0.5")
BASE_PRICE = Decimal(50_000)
MAX_POINTS = 10_000
GENERATED_HISTORY = 5_000
"""Minutes of past that a generated market has at its first start, unless it is told."""

# (period in minutes, amplitude as a share of the base price); the short ones make the crosses,
# the long ones the trends.
OCTAVES = (
    (3, Decimal("0.0022")),
    (5, Decimal("0.0025")),
    (13, Decimal("0.0018")),
    (61, Decimal("0.004")),
    (307, Decimal("0.010")),
    (1511, Decimal("0.03")),
)


class Market(Protocol):
    """A source of one-minute candles, by bar number."""

    name: str
    """What it is, so that a restart on another market is noticed."""
    start_ms: int
    """Open time of bar 0 in exchange ms."""
    first: int
    """Number of the oldest bar."""
    live: int
    """Number of the bar that is the first to run when the exchange starts for the first time."""
    given: bool
    """Whether its candles are somebody's record, which is shown as it is."""

    def bar(self, number: int) -> Candle | None:
        """Return bar ``number``, or None before the first or after the last."""
        ...


class GeneratedMarket:
    """An endless market drawn from a seed."""

    def __init__(self, seed: int, start_ms: int, past: int = GENERATED_HISTORY) -> None:
        self.name = f"generated from seed {seed}"
        self.start_ms = start_ms - start_ms % MINUTE_MS
        self.first = -past
        self.live = 0
        self.given = False
        self._seed = seed
        self._remembered: OrderedDict[int, Candle] = OrderedDict()
        self._points: dict[tuple[int, int], Decimal] = {}

    def bar(self, number: int) -> Candle | None:
        """Return bar ``number``; the same for the same seed, for ever."""
        if number < self.first:
            return None
        if number not in self._remembered:
            self._remembered[number] = self._draw(number)
            if len(self._remembered) > 2 * GENERATED_HISTORY:
                self._remembered.popitem(last=False)
        return self._remembered[number]

    def _draw(self, number: int) -> Candle:
        # One bar in sixteen opens a few ticks away from the last close: a gap.
        jump = self._unit("gap", number)
        gap = jump * 100 - 94 if jump > Decimal("0.9375") else Decimal(0)
        opened = on_tick(self._level(number) + gap)
        closed = on_tick(self._level(number + 1))
        high = on_tick(max(opened, closed) + BASE_PRICE * self._unit("high", number) / 2500)
        low = on_tick(min(opened, closed) - BASE_PRICE * self._unit("low", number) / 2500)
        cost = 200_000 + int(self._unit("cost", number) * 200_000) * 10  # in whole contracts
        return Candle(opened, high, low, closed, Decimal(cost))

    def _level(self, number: int) -> Decimal:
        share = sum((self._noise(period, number) * size for period, size in OCTAVES), Decimal(0))
        return on_tick(BASE_PRICE * (1 + share))

    def _noise(self, period: int, number: int) -> Decimal:
        """Return a value in -1..1 that moves in straight lines between lattice points."""
        cell, inside = divmod(number, period)
        left, right = self._point(period, cell), self._point(period, cell + 1)
        return left + (right - left) * inside / period

    def _point(self, period: int, cell: int) -> Decimal:
        """Return a lattice point; neighbours share them, so the last ones are kept."""
        if (period, cell) not in self._points:
            if len(self._points) >= MAX_POINTS:
                self._points.clear()
            self._points[period, cell] = self._unit(f"noise{period}", cell) * 2 - 1
        return self._points[period, cell]

    def _unit(self, what: str, number: int) -> Decimal:
        """Return a value in 0..1 drawn by hash."""
        digest = blake2b(f"{self._seed}:{what}:{number}".encode(), digest_size=4).digest()
        return Decimal(int.from_bytes(digest)) / Decimal(2**32)


class ReplayMarket:
    """The candles of a file; the first ``history`` of them are past at the start."""

    def __init__(self, first_open_ms: int, candles: tuple[Candle, ...], history: int) -> None:
        self.name = f"replay of {len(candles)} candles from {first_open_ms}, history {history}"
        self.start_ms = first_open_ms
        self.first = 0
        self.live = min(history, len(candles) - 1)
        self.given = True
        self._candles = candles

    def bar(self, number: int) -> Candle | None:
        """Return row ``number`` of the file (0 is the first), or None outside it."""
        return self._candles[number] if 0 <= number < len(self._candles) else None


def on_tick(price: Decimal) -> Decimal:
    """Return ``price`` rounded down to the tick."""
    return (price / TICK).to_integral_value(ROUND_FLOOR) * TICK


def path(candle: Candle) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Return the turning points inside a bar: an up bar dips first, a down bar rises first."""
    if candle.close >= candle.open:
        return candle.open, candle.low, candle.high, candle.close
    return candle.open, candle.high, candle.low, candle.close
