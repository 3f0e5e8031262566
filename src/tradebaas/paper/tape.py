"""Where the market stands inside the running bar, and how the bars before it ran.

A bar runs through four turning points (``market.path``) at 0, 20, 40 and 60 seconds; in between
the price moves in a straight line of time. The tape only knows prices and times: what a move sets
off is the matching's business. An owner's price shock shifts every later price of the source, so
that the market goes on from there instead of jumping back.
"""

from bisect import bisect_right
from decimal import Decimal, localcontext
from operator import itemgetter
from typing import NamedTuple

import msgspec

from tradebaas.paper.basis import Basis
from tradebaas.paper.candles import MINUTE_MS, Candle
from tradebaas.paper.instruments import CONTEXT
from tradebaas.paper.market import Market, on_tick, path

LEG_MS = MINUTE_MS // 3
PRINTS_MS = (*range(0, MINUTE_MS, 5_000), MINUTE_MS - 1)
"""When in a bar the market trades; the last one is its close."""
NO_BASIS = Basis(Decimal(0), 0)
MAX_SHOCKS = 10_000
SHOCK_BARS = 20_000
"""How long the charts remember by how much a shock moved the market; before that, all bars are
shown moved by as much as the oldest one that is remembered."""
TICK = Decimal("0.5")


Points = tuple[Decimal, Decimal, Decimal, Decimal]


class Stand(NamedTuple):
    """Where a market stands, by index and mark."""

    price: Decimal
    mark: Decimal


class Turns(msgspec.Struct, frozen=True):
    """How a bar runs: its turning points, and what is traded in it.

    ``jumps`` are the shocks inside it: how long after the open, and how far from the points the
    market had run until then.
    """

    points: Points
    cost: Decimal
    jumps: tuple[tuple[int, Decimal], ...] = ()

    def price(self, inside_ms: int) -> Decimal:
        """Return the price that long after the bar opened; a shock comes after all of its time."""
        price = price_between(self.points, inside_ms)
        for jump_ms, off in self.jumps:
            if inside_ms <= jump_ms:
                return price + off
        return price


class TapeState(msgspec.Struct, kw_only=True):
    """What must survive a restart to go on at the same place."""

    start_ms: int
    now_ms: int
    bar: int
    leg: int
    moved_ms: int = 0
    """When the market last moved within the running bar."""
    price: Decimal
    settlement_price: Decimal | None = None
    """Of the last daily settlement, None before the first."""
    shocks: list[tuple[int, Decimal]] = []
    jumps: dict[int, list[tuple[int, Decimal]]] = {}
    """The shocks inside a bar: how long after the open, and the shift until then."""


class Tape:
    """The running bar: ``leg`` 0, 1, 2 leads to the next turning point; 3 means it is complete."""

    def __init__(
        self, market: Market, state: TapeState | None = None, basis: Basis = NO_BASIS
    ) -> None:
        self.market = market
        self._basis = basis
        self.state = state if state is not None else _first_state(market)
        self._points = self._turning_points()

    @property
    def price(self) -> Decimal:
        """Return the index price, at which the market trades."""
        return self.state.price

    @property
    def mark(self) -> Decimal:
        """Return the mark price."""
        return self.mark_of(self.price, self.reached_ms)

    @property
    def stand(self) -> Stand:
        """Return index and mark."""
        return Stand(self.price, self.mark)

    def mark_of(self, price: Decimal, at_ms: int) -> Decimal:
        """Return the mark price while the index is at ``price``."""
        return self._basis.mark(price, at_ms - self.state.start_ms)

    @property
    def bid(self) -> Decimal:
        """Return the best bid."""
        return on_tick(self.state.price)

    @property
    def ask(self) -> Decimal:
        """Return the best ask, one tick above the bid."""
        return self.bid + TICK

    @property
    def open_ms(self) -> int:
        """Return when the running bar opened."""
        return self.state.start_ms + self.state.bar * MINUTE_MS

    @property
    def reached_ms(self) -> int:
        """Return how far the market has come on its path; time may have passed since."""
        reached_ms = max(self.state.moved_ms, self.open_ms + self.state.leg * LEG_MS)
        return min(reached_ms, self.open_ms + MINUTE_MS - 1)

    @property
    def ended(self) -> bool:
        """Return whether the source has no bar left: the market stands still for ever."""
        return self._points is None

    def leg_end(self) -> tuple[Decimal, int]:
        """Return the price and time of the next turning point of the running bar."""
        assert self._points is not None
        assert self.state.leg < 3
        leg = self.state.leg + 1
        return self._points[leg], self.open_ms + leg * LEG_MS

    def price_at(self, at_ms: int) -> Decimal:
        """Return the price of the running leg at a time on it."""
        assert self._points is not None
        state = self.state
        start, end = self._points[state.leg], self._points[state.leg + 1]
        inside = at_ms - (self.open_ms + state.leg * LEG_MS)
        return _on_leg(start, end, inside)

    def last_print(self) -> tuple[Decimal, int]:
        """Return the price and time of what the market traded last."""
        turns = self.turns(self.state.bar)
        if turns is None:
            return on_tick(self.price), self.open_ms
        inside_ms = self.reached_ms - self.open_ms
        inside_ms = PRINTS_MS[bisect_right(PRINTS_MS, inside_ms) - 1]
        return on_tick(turns.price(inside_ms)), self.open_ms + inside_ms

    def next_print_ms(self) -> int:
        """Return when the market trades next; it does so within every leg."""
        inside_ms = self.reached_ms - self.open_ms
        later = bisect_right(PRINTS_MS, inside_ms)
        return self.open_ms + (PRINTS_MS[later] if later < len(PRINTS_MS) else MINUTE_MS)

    def price_before(self, at_ms: int) -> Decimal:
        """Return where the bar before a moment closed; where the market began, or has got to, if it
        has none so early or late."""
        number = self.number(at_ms) - 1
        if number >= self.state.bar:
            return self.price
        bar = self.candle(number)
        if bar is not None:
            return bar.close
        oldest = self.candle(self.market.first)
        assert oldest is not None, "a market has at least one bar"
        return oldest.open

    def turns(self, number: int) -> Turns | None:
        """Return how a bar runs, or None where there is none."""
        source = self.market.bar(number)
        if source is None:
            return None
        shift = self._shift(number)
        first, second, third, last = (price + shift for price in path(source))
        jumps = tuple((at, before - shift) for at, before in self.state.jumps.get(number, ()))
        return Turns((first, second, third, last), source.cost, jumps)

    def number(self, at_ms: int) -> int:
        """Return the number of the bar that a time lies in."""
        return (at_ms - self.state.start_ms) // MINUTE_MS

    def tick(self, number: int) -> int:
        """Return when a bar opens."""
        return self.state.start_ms + number * MINUTE_MS

    def move(self, price: Decimal, at_ms: int) -> None:
        """Put the market at ``price`` within the running bar, where it is at ``at_ms``."""
        state = self.state
        state.moved_ms = max(state.moved_ms, at_ms)
        state.price = price

    def end_leg(self) -> None:
        """Count the running leg as done."""
        self.state.leg += 1

    def next_open(self) -> Decimal:
        """Return the price that the bar after this one opens at (its own close, after the last)."""
        following = self.candle(self.state.bar + 1)
        return self.state.price if following is None else following.open

    def open_next(self) -> None:
        """Start the next bar where the market now stands (the gap has been moved already)."""
        state = self.state
        state.bar += 1
        state.leg = 0
        self._points = self._turning_points()

    def skip(self, to_ms: int) -> None:
        """Go along the path until ``to_ms`` while nobody trades."""
        while not self.ended:
            price, end_ms = self.leg_end()
            if end_ms > to_ms:
                self.move(self.price_at(to_ms), to_ms)
                return
            self.move(price, end_ms)
            self.end_leg()
            if self.state.leg == 3:
                self._leap(to_ms)
                self.state.price = self.next_open()
                self.open_next()

    def _leap(self, to_ms: int) -> None:
        """Pass over the bars that are whole by ``to_ms``, if the market goes on beyond them."""
        last = self.number(to_ms) - 1
        if last > self.state.bar and self.market.bar(last + 1) is not None:
            self.state.bar = last

    def shock(self, price: Decimal) -> None:
        """Jump to ``price`` and shift every later price of the source by as much, to the tick.

        What was traded before it in the running bar stays as it was.
        """
        state = self.state
        if len(state.shocks) >= MAX_SHOCKS:
            raise ValueError(f"more than {MAX_SHOCKS} price shocks")
        before = self._shift(state.bar)
        jumps = state.jumps.setdefault(state.bar, [])
        jumps.append((self.reached_ms - self.open_ms, before))
        state.shocks.append((state.bar, on_tick(before + price - state.price)))
        self._forget_old_shocks()
        self.move(price, self.reached_ms)
        self._points = self._turning_points()

    def _shift(self, number: int) -> Decimal:
        shocks = self.state.shocks
        reached = bisect_right(shocks, number, key=itemgetter(0))
        return shocks[reached - 1][1] if reached else Decimal(0)

    def _forget_old_shocks(self) -> None:
        """Keep the last of the old ones, from the first bar on."""
        state, oldest = self.state, self.state.bar - SHOCK_BARS
        old = bisect_right(state.shocks, oldest, key=itemgetter(0))
        if old > 1:
            state.shocks[:old] = [(self.market.first, state.shocks[old - 1][1])]
        while state.jumps and (first := next(iter(state.jumps))) <= oldest:
            del state.jumps[first]

    def candle(self, number: int) -> Candle | None:
        """Return a whole bar of the source, shifted by as much as it was at its end."""
        source = self.market.bar(number)
        shift = self._shift(number) if source is not None and self.state.shocks else Decimal(0)
        if source is None or not shift:
            return source
        return Candle(
            source.open + shift,
            source.high + shift,
            source.low + shift,
            source.close + shift,
            source.cost,
        )

    def _turning_points(self) -> Points | None:
        turns = self.turns(self.state.bar)
        return None if turns is None else turns.points


def price_between(points: Points, inside_ms: int) -> Decimal:
    """Return the price of a bar with these turning points that long after it opened."""
    if inside_ms >= MINUTE_MS - 1:
        return points[3]
    leg, inside_ms = divmod(inside_ms, LEG_MS)
    return _on_leg(points[leg], points[leg + 1], inside_ms)


def _on_leg(start: Decimal, end: Decimal, inside_ms: int) -> Decimal:
    with localcontext(CONTEXT):
        moved = (end - start) * inside_ms / LEG_MS
        return (start + moved).quantize(Decimal("0.01"))


def _first_state(market: Market) -> TapeState:
    first = market.bar(market.live)
    assert first is not None, "a market has at least one bar"
    return TapeState(
        start_ms=market.start_ms,
        now_ms=market.start_ms + market.live * MINUTE_MS,
        bar=market.live,
        leg=0,
        price=first.open,
    )
