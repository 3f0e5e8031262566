"""A market that stands still until a script moves it."""

from decimal import Decimal
from typing import final

from chaos.sim.clock import EPOCH_MS
from tradebaas.paper.candles import MINUTE_MS, Candle
from tradebaas.paper.market import BASE_PRICE

HISTORY = 10
PERIOD_MS = 60 * MINUTE_MS
"""The first bar begins at a multiple of this, so that candles are numbered alike in every world."""
COST = Decimal(1_000_000)


@final
class StillMarket:
    """``paper.market.Market``: every bar is the same; a shock shifts all later ones."""

    name = "a market that stands still"
    start_ms = EPOCH_MS - EPOCH_MS % PERIOD_MS
    first = -HISTORY
    live = 0
    given = False

    def bar(self, number: int) -> Candle | None:
        """The bar, for any number from the first one on."""
        if number < self.first:
            return None
        return Candle(BASE_PRICE, BASE_PRICE, BASE_PRICE, BASE_PRICE, COST)
