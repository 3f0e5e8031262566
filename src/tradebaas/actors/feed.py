"""The market as one connection sees it: candles, ticker and account put together.

Pure bookkeeping for the reconciler: what came is absorbed, and ``market()`` gives the newest whole
picture once there is one. A bar counts as closed when the first frame of the next one arrives,
which is how the exchange tells it. A hole in the candles raises ``CandleGap``: the session is then
built anew, since indicators over a hole would be wrong in silence.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never, final

from msgspec.structs import replace

from tradebaas.core.model import Account, Candle, Instrument, Market, Ticker
from tradebaas.deribit.stream import AccountTick, BarTick, TickerTick

WINDOW = 600
"""Closed candles that are kept; strategies declare shorter warm-ups."""


class CandleGap(Exception):
    """Candles are missing between two that came."""


@final
class Feed:
    """Volatile; one per connection."""

    def __init__(
        self, connection: int, instrument: Instrument, timeframe_ms: int, rate: Decimal
    ) -> None:
        self.instrument = instrument
        self.timeframe_ms = timeframe_ms
        self._connection = connection
        self._rate = rate
        self._closed: deque[Candle] = deque(maxlen=WINDOW)
        self._running: Candle | None = None
        self._ticker: Ticker | None = None
        self._account: Account | None = None

    def load(self, closed: Iterable[Candle], ticker: Ticker, account: Account) -> None:
        """Start from closed candles, oldest first, and the present prices and equity."""
        self._closed.clear()
        self._closed.extend(closed)
        self._ticker = ticker
        self._account = account

    def bar(self, candle: Candle) -> bool:
        """Take a frame of the running bar; True when it closed the one before.

        Raises:
            CandleGap: when a bar between the two never came.
        """
        running = self._running
        if running is not None and candle.open_ms < running.open_ms:
            return False  # late: that bar is over
        self._running = candle
        if running is None:
            last = self._closed[-1] if self._closed else None
            if last is not None and candle.open_ms > last.open_ms + self.timeframe_ms:
                raise CandleGap(f"no candle between {last.open_ms} and {candle.open_ms}")
            return False
        if candle.open_ms == running.open_ms:
            return False
        if candle.open_ms != running.open_ms + self.timeframe_ms:
            raise CandleGap(f"no candle between {running.open_ms} and {candle.open_ms}")
        if self._closed and running.open_ms <= self._closed[-1].open_ms:
            return False
        self._closed.append(running)
        return True

    def take(self, item: TickerTick | BarTick | AccountTick) -> bool:
        """Absorb one notification; True when the picture is worth showing again."""
        match item:
            case TickerTick(ticker=ticker):
                self._ticker = ticker
                return True
            case BarTick(candle=candle):
                return self.bar(candle)
            case AccountTick(account=account):
                if account.currency == self.instrument.currency:
                    self._account = account
                return False
            case _:
                assert_never(item)

    def shows(self, ticker: Ticker) -> bool:
        """Whether these are the prices that are known, whatever their age."""
        known = self._ticker
        return known is not None and replace(ticker, at_ms=known.at_ms) == known

    @property
    def awaited_ms(self) -> int:
        """Open time of the bar before the running one: what a lockstep market waits for; or -1."""
        return self._running.open_ms - self.timeframe_ms if self._running else -1

    def market(self, at_ms: int) -> Market | None:
        """The whole picture, or None while a part of it is missing."""
        if self._ticker is None or self._account is None:
            return None
        return Market(
            connection=self._connection,
            at_ms=at_ms,
            instrument=self.instrument,
            timeframe_ms=self.timeframe_ms,
            candles=tuple(self._closed),
            ticker=self._ticker,
            account=self._account,
            rate=self._rate,
        )
