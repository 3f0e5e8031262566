"""Which best prices a connection was told, for whoever judges what its client did by them.

Kept as steps: of each side only the prices than which none worse was told since, each with the time
of the last telling. So the first step from any moment on is the worst price that was told from then
on, and the last step is the newest price. Bounded: where a market would need more steps, the oldest
two become one that is as late as the one and as bad as the other, which never accuses anybody.
"""

from decimal import Decimal
from typing import final

from tradebaas.paper.instruments import Wire

MAX_STEPS = 32
Step = tuple[int, Decimal]
"""An exchange time in ms and a price."""


@final
class Told:
    """The best prices of one instrument; ``asks`` are for buyers, ``bids`` for sellers."""

    def __init__(self) -> None:
        self.asks: list[Step] = []
        self.bids: list[Step] = []

    def note(self, ticker: Wire) -> None:
        """A ticker is told; one without both sides says no price."""
        bid, ask, at_ms = ticker["best_bid_price"], ticker["best_ask_price"], ticker["timestamp"]
        if isinstance(bid, Decimal) and isinstance(ask, Decimal) and isinstance(at_ms, int):
            _add(self.asks, (at_ms, ask), 1)
            _add(self.bids, (at_ms, bid), -1)


def _add(steps: list[Step], new: Step, worse: int) -> None:
    """``worse`` is 1 where a higher price is worse, else -1."""
    while steps and worse * steps[-1][1] <= worse * new[1]:
        steps.pop()
    steps.append(new)
    if len(steps) > MAX_STEPS:
        steps[:2] = [(steps[1][0], steps[0][1])]
