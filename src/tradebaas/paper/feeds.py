"""The public channels of a market, each told what has changed since it was last told.

What nobody hears is not worked out. A channel that carries changes (``book``,
``incremental_ticker``) begins with the state that the next change follows on, so nothing is lost
in between.
"""

from collections.abc import Collection
from itertools import islice
from typing import final

from tradebaas.paper import books
from tradebaas.paper.books import Book
from tradebaas.paper.charts import charts
from tradebaas.paper.day import LastDay
from tradebaas.paper.desk import SEQ_PER_MS, Trade
from tradebaas.paper.instruments import INSTRUMENTS, Wire
from tradebaas.paper.matching import Matching
from tradebaas.paper.outbox import Outbox
from tradebaas.paper.prints import account_trade, last_price, market_trades
from tradebaas.paper.shown import sides
from tradebaas.paper.terms import Terms
from tradebaas.paper.views import Trading, index_wire, open_interest, quote_wire, ticker_wire

MAX_PRINTS = 1_000
"""How many trades a channel is told at once of a market that went on unseen."""
REPEATED = ("ticker.", "chart.", "index.", "perpetual.")
"""What is told at each move of the market, changed or not; the others are told after these."""
UNTOLD = frozenset({"timestamp", "change_id"})
"""What differs between two frames that say the same."""
STATE_NEWS = {"open": "started", "settlement": "settled", "locked": "deactivated"}
"""How ``instrument.state`` names what the books have become."""


def _turn(topic: str) -> tuple[int, str]:
    """Prices are told before the candles that they are in: who acts on a candle knows them."""
    places = [n for n, kind in enumerate(REPEATED) if topic.startswith(kind)]
    return places[0] if places else len(REPEATED), topic


@final
class Feeds:
    """The market channels of one exchange, and what each was last told."""

    def __init__(self, matching: Matching, terms: Terms, outbox: Outbox) -> None:
        self._matching = matching
        self._tape = matching.tape
        self._terms = terms
        self._outbox = outbox
        self.charts = charts(self._tape, matching.desks)
        self.days = {name: LastDay(chart) for name, chart in self.charts.items()}
        self._books = {name: Book(0, {}, {}) for name in INSTRUMENTS}
        self._last: dict[str, Wire] = {}
        self._printed = self._tape.reached_ms * SEQ_PER_MS
        self._books_are = terms.state(self._tape.state.now_ms)

    def ticker(self, name: str) -> Wire:
        """Return the ticker of an instrument."""
        item = INSTRUMENTS[name]
        best = sides(item, self._matching)
        desks = self._matching.desks.values()
        last = last_price(self._tape, desks, name)
        trading = Trading(self.days[name].now(), open_interest(desks, name), last)
        return ticker_wire(item, self._tape, best, self._terms, trading)

    def book(self, name: str) -> Book:
        """Return the book of an instrument as it is now, which all who hear it are told first."""
        before = self._books[name]
        bids, asks = sides(INSTRUMENTS[name], self._matching)
        if (bids, asks) == before[1:]:
            return before
        number = max(before.change_id + 1, self._tape.state.now_ms)
        after = self._books[name] = Book(number, bids, asks)
        topic = f"book.{name}"
        if before.change_id and topic in self._outbox.heard():
            self._outbox.tell(topic, self._stamped(name) | books.changes(before, after))
        return after

    def tell(self) -> None:
        """Tell everybody what the market has done."""
        heard = self._outbox.heard()
        self.tell_state()
        self._tell_prints(heard)
        for topic in sorted(heard, key=_turn):
            self._tell_topic(topic)

    def tell_state(self) -> None:
        """Tell whether the books have opened or closed since the last time."""
        now_ms = self._tape.state.now_ms
        before, self._books_are = self._books_are, self._terms.state(now_ms)
        if before == self._books_are:
            return
        news: Wire = {"state": STATE_NEWS[self._books_are]}
        for name in INSTRUMENTS:
            self._outbox.tell(f"state.{name}", self._stamped(name) | news)

    def tell_orders(self, name: str, trades: list[Trade]) -> None:
        """Tell what the account did in a market: its trades, and its orders in the book."""
        heard = self._outbox.heard()
        if trades and f"prints.{name}" in heard:
            self._tell_prints(heard)
            self._outbox.tell(f"prints.{name}", [account_trade(trade) for trade in trades])
        for topic in sorted(heard):
            if topic.startswith((f"book.{name}", f"grouped.{name}.", f"quote.{name}")):
                self._tell_topic(topic)

    def first(self, topic: str) -> Wire | None:
        """Return what a new subscriber is told at once; None when a topic has no state."""
        match topic.split("."):
            case ["book", name]:
                return self._stamped(name) | books.snapshot(self.book(name))
            case ["incremental", name]:
                self._tell_topic(topic)
                return {"type": "snapshot"} | self._last.setdefault(topic, self.ticker(name))
            case _:
                return self._state_of(topic)

    def _tell_prints(self, heard: Collection[str]) -> None:
        span = range(self._printed + 1, self._tape.reached_ms * SEQ_PER_MS + 1)
        self._printed = max(self._printed, span.stop - 1)
        for name, item in INSTRUMENTS.items() if span else ():
            if f"prints.{name}" in heard:
                found = market_trades(self._tape, item, span, newest_first=True)
                if trades := list(islice(found, MAX_PRINTS)):
                    self._outbox.tell(f"prints.{name}", trades[::-1])

    def _tell_topic(self, topic: str) -> None:
        """Tell a topic what is new, if anything is."""
        kind, _, name = topic.partition(".")
        if kind == "book":
            self.book(name)
        elif kind == "incremental":
            self._tell_increment(topic, name)
        elif (wire := self._state_of(topic)) is not None:
            unstamped = {key: value for key, value in wire.items() if key not in UNTOLD}
            if topic.startswith(REPEATED) or self._last.get(topic) != unstamped:
                self._last[topic] = unstamped
                self._outbox.tell(topic, wire)

    def _tell_increment(self, topic: str, name: str) -> None:
        before, after = self._last.get(topic), self.ticker(name)
        self._last[topic] = after
        changed = {key: v for key, v in after.items() if before and before[key] != v}
        if changed.keys() - {"timestamp"}:
            self._outbox.tell(topic, {"type": "change"} | self._stamped(name) | changed)

    def _state_of(self, topic: str) -> Wire | None:
        match topic.split("."):
            case ["ticker", name]:
                return self.ticker(name)
            case ["chart", name, minutes]:
                return self.charts[name].frame(int(minutes))
            case ["index", index]:
                return index_wire(index, self._tape, self._tape.state.now_ms)
            case ["quote", name]:
                return self._stamped(name) | quote_wire(self.book(name))
            case ["grouped", name, group, depth]:
                return self._stamped(name) | books.grouped(self.book(name), group, int(depth))
            case ["perpetual", _]:
                now_ms = self._tape.state.now_ms
                rate = self._terms.funding.rate(now_ms)
                return {"timestamp": now_ms, "index_price": self._tape.price, "interest": rate}
            case _:
                return None

    def _stamped(self, name: str) -> Wire:
        return {"timestamp": self._tape.state.now_ms, "instrument_name": name}
