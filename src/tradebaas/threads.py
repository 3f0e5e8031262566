"""Which order and which signal an event is about: the thread from a signal to its closed trade.

Every id here is the core's own: a label, and the id of the signal, which an entry, its position and
its trade carry. An order is led back to its signal by the entry that began it. Pure.
"""

from typing import final

from tradebaas.core.events import Event, LifeStarted, OrderIntended, OrderUpdated
from tradebaas.core.state import State, signal_of

KEPT = 200
"""How many orders are remembered at most; older ones have ended long ago."""


@final
class Threads:
    """Follows the events of a process, in their order."""

    def __init__(self) -> None:
        self._signals: dict[str, str] = {}

    def of(self, event: Event, state: State) -> dict[str, str | int]:
        """The fields of a line about ``event``; ``state`` is one that knows it."""
        self._learn(state)
        fields: dict[str, str | int] = {"kind": type(event).__name__, "life": state.life}
        if isinstance(event, LifeStarted):
            fields["life"] = event.life
        order = _order(event)
        signal = self._signal(event, order, state)
        return fields | ({"order": order} if order else {}) | ({"signal": signal} if signal else {})

    def _learn(self, state: State) -> None:
        """The orders of an earlier process: their intents are not told of any more."""
        signal = signal_of(state) or (state.position.signal_id if state.position else "")
        for order in state.orders.values():
            if order.label not in self._signals:
                self._remember(order.label, signal)

    def _signal(self, event: Event, order: str, state: State) -> str:
        inner = _inner(event)
        own = str(getattr(event, "signal_id", "") or getattr(inner, "signal_id", ""))
        if isinstance(event, OrderIntended):
            own = own or signal_of(state)
            self._remember(order, own)
            for leg in event.intent.legs:
                self._remember(leg.label, own)
        return own or self._signals.get(order, "")

    def _remember(self, label: str, signal: str) -> None:
        if label and signal:
            self._signals[label] = signal
        while len(self._signals) > KEPT:
            del self._signals[next(iter(self._signals))]


def _inner(event: Event) -> object:
    """What an event is about, where it says so in one value."""
    names = ("signal", "intent", "order", "fill", "trade", "position")
    return next((getattr(event, name) for name in names if hasattr(event, name)), None)


def _order(event: Event) -> str:
    """The label of the order that an event is about; "" when it is about none of ours."""
    if isinstance(event, OrderUpdated):
        return event.order.label
    return str(getattr(event, "label", "") or getattr(_inner(event), "label", ""))
