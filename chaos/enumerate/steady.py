"""The strategy of the enumerated worlds: a signal to buy on every third candle, and on no other.

In between it leaves a script the time to end a trade, and a judge a moment when nothing moves.
"""

from decimal import Decimal

from tradebaas.core.model import Candle, Direction, Position
from tradebaas.strategies.protocol import Analysis, Parameter, Proposal, Values

MINUTE_MS = 60_000
EVERY = 3
AWAY = Decimal("0.4")
"""Percent from the entry to the stop, and to the take profit."""


class Steady:
    """Buys on every third candle."""

    name = "steady"
    summary = "Buys on every third candle."
    parameters: tuple[Parameter, ...] = ()

    def check(self, _values: Values) -> str:
        return ""

    def warm_up(self, _values: Values) -> int:
        return 2

    def evaluate(
        self, candles: tuple[Candle, ...], position: Position | None, _values: Values
    ) -> Analysis:
        last = candles[-1]
        if position is not None or last.open_ms // MINUTE_MS % EVERY:
            return Analysis(proposal=None, indicators={}, reasons=("at rest",))
        away = last.close * AWAY / 100
        proposal = Proposal(
            direction=Direction.BUY,
            entry=last.close,
            stop=last.close - away,
            take=last.close + away,
            reasons=("steady",),
        )
        return Analysis(proposal=proposal, indicators={}, reasons=("steady",))
