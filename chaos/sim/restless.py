"""A strategy for the simulated world: a signal on nearly every candle, now to buy, now to sell.

Stops and take profits are near, so that positions open and close all the time. Like every strategy
it is a function of the candles: after a death the same candle gives the same signal.
"""

from decimal import Decimal

from tradebaas.core.model import Candle, Direction, Position
from tradebaas.strategies.protocol import Analysis, Parameter, Proposal, Values


class Restless:
    """Trades whenever it may."""

    name = "restless"
    summary = "Trades whenever it may, in a direction drawn from the candle's number."
    parameters = (
        Parameter("stop", Decimal, Decimal("0.4"), Decimal("0.01"), Decimal(50), "percent away"),
        Parameter("take", Decimal, Decimal("0.4"), Decimal("0.01"), Decimal(50), "percent away"),
        Parameter("patience", int, 1, 1, 1000, "one signal in so many candles"),
        Parameter("trail", int, 0, 0, 1, "whether the stop follows the market"),
    )

    def check(self, _values: Values) -> str:
        return ""

    def warm_up(self, _values: Values) -> int:
        return 2

    def _trailed(self, last: Candle, position: Position | None, values: Values) -> Decimal | None:
        """Half as far away as at first."""
        if position is None or not values["trail"]:
            return None
        return last.close * (1 - position.direction.sign * Decimal(values["stop"]) / 200)

    def evaluate(
        self, candles: tuple[Candle, ...], position: Position | None, values: Values
    ) -> Analysis:
        last = candles[-1]
        number = (last.open_ms // 60_000) * 2_654_435_761 % 2**32
        if position is not None or number // 8 % int(values["patience"]):
            stop = self._trailed(last, position, values)
            return Analysis(proposal=None, indicators={}, reasons=("at rest",), stop=stop)
        direction = Direction.BUY if number % 2 else Direction.SELL
        stop, take = (last.close * Decimal(values[name]) / 100 for name in ("stop", "take"))
        proposal = Proposal(
            direction=direction,
            entry=last.close,
            stop=last.close - direction.sign * stop,
            take=last.close + direction.sign * take,
            reasons=("restless",),
        )
        return Analysis(proposal=proposal, indicators={}, reasons=("restless",))
