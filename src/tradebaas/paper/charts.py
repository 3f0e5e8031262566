"""The candles of an instrument: what its public trades add up to.

The market's own trades are a function of the bar, the accounts' are those that are remembered, so
a candle needs no memory of its own and is the same after a restart. A bar in which nothing was
traded goes on at the price before it. Only the candles of a file, once whole, are shown as they
stand there, to the last digit: they are a record, of which the market's trades are a likeness.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple, final

from tradebaas.paper.candles import MINUTE_MS, Candle
from tradebaas.paper.desk import SEQ_PER_MS, Desk
from tradebaas.paper.instruments import CONTEXT, INSTRUMENTS, Instrument, Wire
from tradebaas.paper.market import on_tick
from tradebaas.paper.prints import Print, prints
from tradebaas.paper.tape import Tape, Turns

RESOLUTIONS = {str(n): n for n in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)} | {"1D": 1440}
"""Deribit's names of the candles that are drawn, and how many minutes each is."""
MAX_CHART_BARS = 5_000
MAX_CHART_MINUTES = 11_000
"""What one chart may cover: fewer of the longer candles."""
REMEMBERED_BARS = len(INSTRUMENTS) * MAX_CHART_MINUTES
"""So that charts of every instrument, asked for by turns, are worked out once."""
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

    def bar(self, number: int) -> Bar:
        """Return a bar of the market, the running one as far as it has come."""
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
        if whole and not fills:
            bar = _whole(self._item.name, turns)
        else:
            made = (row for row in prints(self._item.name, turns) if row.offset_ms <= inside_ms)
            own = {(tape.tick(number) + row.offset_ms) * SEQ_PER_MS: row for row in made}
            both = {seq: (row.price, row.amount) for seq, row in own.items()} | fills
            bar = _added(self._item, [both[seq] for seq in sorted(both)])
        return bar if bar is not None else _still(on_tick(tape.price_before(tape.tick(number))))

    def frame(self, minutes: int) -> Wire:
        """Return the running candle of a resolution as ``chart.trades`` sends it."""
        first = self._bucket(self.tape.state.bar, minutes)
        return _wire(self.tape.tick(first), self._merged(first, self.tape.state.bar))

    def columns(self, minutes: int, start_ms: int, end_ms: int) -> Wire:
        """Return the candles that open within start..end, the running one included."""
        tape = self.tape
        base, first, running = tape.state.start_ms, tape.market.first, tape.state.bar
        lowest = self._bucket(max(first, (start_ms - base) // MINUTE_MS), minutes)
        if tape.tick(lowest) < start_ms or lowest < first:
            lowest += minutes
        highest = min(running, (end_ms - base) // MINUTE_MS)
        most = min(MAX_CHART_BARS, MAX_CHART_MINUTES // minutes)
        lowest = max(lowest, self._bucket(highest, minutes) - (most - 1) * minutes)
        rows = [
            _wire(tape.tick(n), self._merged(n, min(n + minutes - 1, running)))
            for n in range(lowest, highest + 1, minutes)
        ]
        columns: Wire = {"status": "ok" if rows else "no_data"}
        names = {"tick": "ticks"}
        for name in ("tick", "open", "high", "low", "close", "volume", "cost"):
            columns[names.get(name, name)] = [row[name] for row in rows]
        return columns

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
        bars = [self.bar(number) for number in range(max(first, self.tape.market.first), last + 1)]
        if len(bars) == 1:
            return bars[0]
        return Bar(
            bars[0].open,
            max(bar.high for bar in bars),
            min(bar.low for bar in bars),
            bars[-1].close,
            sum((bar.cost for bar in bars), Decimal(0)),
            sum((bar.coins for bar in bars), Decimal(0)),
        )


def charts(tape: Tape, desks: Mapping[int, Desk]) -> dict[str, Chart]:
    """Return the chart of each instrument."""
    return {name: Chart(tape, desks, item) for name, item in INSTRUMENTS.items()}


@lru_cache(REMEMBERED_BARS)
def _whole(name: str, turns: Turns) -> Bar | None:
    """Return what the market's own trades of a bar add up to, which many ask for again."""
    rows: Iterator[Print] = iter(prints(name, turns))
    return _added(INSTRUMENTS[name], [(row.price, row.amount) for row in rows])


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
