"""The candles of an instrument: what its public trades add up to.

The market's own trades are a function of the bar, the accounts' are those that are remembered, so
a candle is the same after a restart. A bar in which nothing was traded goes on at the price before
it. Only the candles of a file, once whole, are shown as they stand there, to the last digit: they
are a record, of which the market's trades are a likeness.

To add up a bar takes some tenths of a millisecond, and a chart may be of 11,000 of them. So a bar
that is over is kept, and who is about to draw many has them added up a few at a time (``ahead``).
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, localcontext
from typing import NamedTuple, final

from tradebaas.paper.candles import MINUTE_MS, Candle
from tradebaas.paper.desk import SEQ_PER_MS, Desk
from tradebaas.paper.instruments import CONTEXT, INSTRUMENTS, Instrument, Wire
from tradebaas.paper.market import on_tick
from tradebaas.paper.prints import prints
from tradebaas.paper.tape import Tape

RESOLUTIONS = {str(n): n for n in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)} | {"1D": 1440}
"""Deribit's names of the candles that are drawn, and how many minutes each is."""
MAX_CHART_BARS = 5_000
MAX_CHART_MINUTES = 11_000
"""What one chart may cover: fewer of the longer candles."""
KEPT_BARS = 2 * MAX_CHART_MINUTES
"""Of an instrument: the longest chart and what else is asked for by turns are added up once."""
BARS_AT_ONCE = 20
"""How many are added up before somebody else may run: some milliseconds."""
COIN_STEP = Decimal("1E-8")


class Bar(NamedTuple):
    """A candle: prices, and what was traded, in the quote currency and in coins."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    cost: Decimal
    coins: Decimal


@final
class Chart:
    """The candles of one instrument, in minutes by number and in any resolution."""

    def __init__(self, tape: Tape, desks: Mapping[int, Desk], item: Instrument) -> None:
        self.tape = tape
        self._desks = desks
        self._item = item
        self._kept: dict[int, Bar] = {}
        self._shocks: object = None

    def bar(self, number: int) -> Bar:
        """Return a bar of the market, the running one as far as it has come."""
        self._doubt_kept()
        return self._bar(number)

    def _bar(self, number: int) -> Bar:
        bar = self._kept.get(number)
        if bar is None:
            bar = self._add_up(number)
            if number < self.tape.state.bar:
                self._kept[number] = bar
                if len(self._kept) > KEPT_BARS:
                    del self._kept[next(iter(self._kept))]
        return bar

    def ahead(self, bars: Iterable[int]) -> Iterator[None]:
        """Add up those of ``bars`` that are over and not kept yet, a few before each step."""
        self._doubt_kept()
        due = [n for n in bars if n < self.tape.state.bar and n not in self._kept]
        for place in range(0, len(due), BARS_AT_ONCE):
            for number in due[place : place + BARS_AT_ONCE]:
                self._bar(number)
            yield

    def _doubt_kept(self) -> None:
        """Forget what is kept when old shocks are forgotten, which moves the bars before them."""
        state = self.tape.state
        shocks = state.shocks[:1], next(iter(state.jumps), None)
        if shocks != self._shocks:
            self._kept.clear()
            self._shocks = shocks

    def _add_up(self, number: int) -> Bar:
        tape = self.tape
        turns = tape.turns(number)
        if turns is None:
            return _still(tape.price)
        running = number == tape.state.bar
        inside_ms = tape.reached_ms - tape.open_ms if running else MINUTE_MS - 1
        whole = inside_ms == MINUTE_MS - 1
        if tape.market.given and whole and not turns.jumps:
            candle = tape.candle(number)
            assert candle is not None, "a bar that runs has a candle"
            return _given(candle)
        fills = {} if tape.market.given else self._fills(number)
        made = (row for row in prints(self._item.name, turns) if row.offset_ms <= inside_ms)
        own = {(tape.tick(number) + row.offset_ms) * SEQ_PER_MS: row for row in made}
        both = {seq: (row.price, row.amount) for seq, row in own.items()} | fills
        bar = _added(self._item, [both[seq] for seq in sorted(both)])
        return bar if bar is not None else _still(on_tick(tape.price_before(tape.tick(number))))

    def frame(self, minutes: int) -> Wire:
        """Return the running candle of a resolution as ``chart.trades`` sends it."""
        self._doubt_kept()
        first = self._bucket(self.tape.state.bar, minutes)
        return _wire(self.tape.tick(first), self._merged(first, self.tape.state.bar))

    def columns(self, minutes: int, start_ms: int, end_ms: int) -> Wire:
        """Return the candles that open within start..end, the running one included."""
        self._doubt_kept()
        opens, running = self.opens(minutes, start_ms, end_ms), self.tape.state.bar
        rows = [self._merged(n, min(n + minutes - 1, running)) for n in opens]
        return {
            "status": "ok" if rows else "no_data",
            "ticks": [self.tape.tick(n) for n in opens],
            "open": [bar.open for bar in rows],
            "high": [bar.high for bar in rows],
            "low": [bar.low for bar in rows],
            "close": [bar.close for bar in rows],
            "volume": [bar.coins for bar in rows],
            "cost": [bar.cost for bar in rows],
        }

    def opens(self, minutes: int, start_ms: int, end_ms: int) -> range:
        """Return the first bars of the candles that ``columns`` shows: the newest, if too many."""
        tape = self.tape
        base, first, running = tape.state.start_ms, tape.market.first, tape.state.bar
        lowest = self._bucket(max(first, (start_ms - base) // MINUTE_MS), minutes)
        if tape.tick(lowest) < start_ms or lowest < first:
            lowest += minutes
        highest = min(running, (end_ms - base) // MINUTE_MS)
        most = min(MAX_CHART_BARS, MAX_CHART_MINUTES // minutes)
        lowest = max(lowest, self._bucket(highest, minutes) - (most - 1) * minutes)
        return range(lowest, highest + 1, minutes)

    def _fills(self, number: int) -> dict[int, tuple[Decimal, Decimal]]:
        """Return price and amount of what accounts traded in a bar, by sequence number."""
        open_ms = self.tape.tick(number)
        return {
            trade.trade_seq: (trade.price, trade.amount)
            for desk in self._desks.values()
            for trade in desk.trades_between(open_ms, open_ms + MINUTE_MS - 1)
            if trade.instrument_name == self._item.name
        }

    def _bucket(self, number: int, minutes: int) -> int:
        """Return the first bar of the clock-aligned candle that holds bar ``number``."""
        return number - (self.tape.state.start_ms // MINUTE_MS + number) % minutes

    def _merged(self, first: int, last: int) -> Bar:
        if first == last:
            return self._bar(first)
        bars = [self._bar(number) for number in range(max(first, self.tape.market.first), last + 1)]
        _, highs, lows, _, costs, coins = zip(*bars, strict=True)
        return Bar(
            bars[0].open, max(highs), min(lows), bars[-1].close,
            sum(costs, Decimal(0)), sum(coins, Decimal(0)),
        )  # fmt: skip


def charts(tape: Tape, desks: Mapping[int, Desk]) -> dict[str, Chart]:
    """Return the chart of each instrument."""
    return {name: Chart(tape, desks, item) for name, item in INSTRUMENTS.items()}


def _added(item: Instrument, trades: list[tuple[Decimal, Decimal]]) -> Bar | None:
    """Return the candle of (price, amount) in the order of time, or None of nothing."""
    if not trades:
        return None
    prices = [price for price, _ in trades]
    with localcontext(CONTEXT):
        amounts = sum((amount for _, amount in trades), Decimal(0))
        weights = sum((item.weight(amount, price) for price, amount in trades), Decimal(0))
        cost, coins = (amounts, weights) if item.inverse else (weights, amounts)
        coins = coins.quantize(COIN_STEP)
    return Bar(prices[0], max(prices), min(prices), prices[-1], cost, coins)


def _given(candle: Candle) -> Bar:
    with localcontext(CONTEXT):
        coins = (candle.cost / candle.close).quantize(COIN_STEP)
    return Bar(candle.open, candle.high, candle.low, candle.close, candle.cost, coins)


def _still(price: Decimal) -> Bar:
    return Bar(price, price, price, price, Decimal(0), Decimal(0))


def _wire(tick: int, bar: Bar) -> Wire:
    return {
        "tick": tick,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.coins,
        "cost": bar.cost,
    }
