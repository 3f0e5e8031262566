"""What the last 24 hours of an instrument were like (``stats`` of a ticker, protocol section 7.2).

A day is 1,440 bars, the running one included. The whole ones are counted once, when they have
closed, and leave when they are too old, so a ticker costs the same whatever the day was like. Its
highest and lowest price are kept as in any sliding window: a bar is dropped as soon as a later one
has outdone it. Nothing is saved: after a restart the chart is read again, by the first who asks.
"""

from collections import deque
from decimal import Decimal, localcontext
from typing import NamedTuple, final

from tradebaas.paper.charts import Bar, Chart
from tradebaas.paper.instruments import CONTEXT, Wire
from tradebaas.paper.tape import Tape

DAY_BARS = 24 * 60
PERCENT_STEP = Decimal("0.0001")


class _Closed(NamedTuple):
    number: int
    bar: Bar


class Day(NamedTuple):
    """``opened`` is the price a day ago, or the oldest; no price is known if nothing traded."""

    opened: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    cost: Decimal
    coins: Decimal

    def wire(self) -> Wire:
        """Return ``stats``."""
        traded = self.cost > 0
        with localcontext(CONTEXT):
            change = (100 * (self.close - self.opened) / self.opened).quantize(PERCENT_STEP)
        return {
            "high": self.high if traded else None,
            "low": self.low if traded else None,
            "price_change": change if traded else None,
            "volume": self.coins,
            "volume_usd": self.cost,
            "volume_notional": self.cost,
        }


def day_bars(tape: Tape) -> range:
    """Return the bars of the day that have closed."""
    return range(max(tape.market.first, tape.state.bar - DAY_BARS + 1), tape.state.bar)


@final
class LastDay:
    """The day that ends with the running bar of a chart."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._next = chart.tape.market.first
        self._bars: deque[_Closed] = deque()
        self._highs: deque[tuple[int, Decimal]] = deque()
        self._lows: deque[tuple[int, Decimal]] = deque()
        self._cost = self._coins = Decimal(0)

    def now(self) -> Day:
        """Return the day as it is now."""
        self._follow()
        running = self._chart.bar(self._chart.tape.state.bar)
        with localcontext(CONTEXT):
            return Day(
                opened=self._bars[0].bar.open if self._bars else running.open,
                high=max(running.high, self._highs[0][1] if self._highs else running.high),
                low=min(running.low, self._lows[0][1] if self._lows else running.low),
                close=running.close,
                cost=self._cost + running.cost,
                coins=self._coins + running.coins,
            )

    def _follow(self) -> None:
        """Take in the bars that have closed, and let those go that are no longer of this day."""
        bars = day_bars(self._chart.tape)
        for number in bars[max(self._next - bars.start, 0) :]:
            self._add(_Closed(number, self._chart.bar(number)))
        self._next = bars.stop
        self._forget(bars.start)

    def _add(self, closed: _Closed) -> None:
        high, low = closed.bar.high, closed.bar.low
        while self._highs and self._highs[-1][1] <= high:
            self._highs.pop()
        while self._lows and self._lows[-1][1] >= low:
            self._lows.pop()
        self._highs.append((closed.number, high))
        self._lows.append((closed.number, low))
        self._bars.append(closed)
        with localcontext(CONTEXT):
            self._cost += closed.bar.cost
            self._coins += closed.bar.coins

    def _forget(self, oldest: int) -> None:
        while self._bars and self._bars[0].number < oldest:
            gone = self._bars.popleft()
            with localcontext(CONTEXT):
                self._cost -= gone.bar.cost
                self._coins -= gone.bar.coins
        for extremes in (self._highs, self._lows):
            while extremes and extremes[0][0] < oldest:
                extremes.popleft()
