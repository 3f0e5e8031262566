"""A strategy for tests: wants to buy on every candle, or on none.

``nonce`` does nothing but make the signals of two assignments different ones, so that a test gets a
new signal from the same candle by arming again.
"""

from decimal import Decimal

from tradebaas.core.model import Candle, Direction, Position
from tradebaas.strategies.protocol import Analysis, Parameter, Proposal, Values


class Eager:
    """Buys at the close, with stop and take profit ``distance`` percent away."""

    name = "eager"
    summary = "Buys whenever it may."
    parameters = (
        Parameter("active", int, 1, 0, 1, "0 proposes nothing"),
        Parameter("nonce", int, 0, 0, 10**9, "tells assignments apart"),
        Parameter("distance", Decimal, Decimal(5), Decimal("0.01"), Decimal(50), "percent"),
        Parameter("broken", int, 0, 0, 1, "1 raises instead"),
    )

    def check(self, _values: Values) -> str:
        return ""

    def warm_up(self, _values: Values) -> int:
        return 1

    def evaluate(
        self, candles: tuple[Candle, ...], position: Position | None, values: Values
    ) -> Analysis:
        close = candles[-1].close
        if values["broken"]:
            raise ZeroDivisionError("a poison candle")
        if not values["active"] or position is not None:
            return Analysis(proposal=None, indicators={"close": str(close)}, reasons=("patient",))
        away = close * values["distance"] / 100
        proposal = Proposal(
            direction=Direction.BUY,
            entry=close,
            stop=close - away,
            take=close + away,
            reasons=("eager",),
        )
        return Analysis(proposal=proposal, indicators={"close": str(close)}, reasons=("eager",))
