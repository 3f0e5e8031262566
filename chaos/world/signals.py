"""Which signal an entry belongs to: by the judge's own grouping, not by the daemon's hash.

A signal is one candle, one side, under one assignment. Two entries with one of these are two for
one signal, whatever ids the daemon gave them; a daemon whose hash is broken would be believed by a
judge that asked for it. Which signal an entry follows is told by the log's order alone. Pure.
"""

from dataclasses import dataclass, field

from tradebaas.core.events import Armed, Event, OrderIntended, SignalDetected, SignalDropped
from tradebaas.core.model import Assignment, Intent, Role, Signal


@dataclass(slots=True)
class Signals:
    """``of`` has the signal of each entry's label, ``labels`` the entries of each signal.

    ``strays`` says of entries what is wrong with the signal that they follow.
    """

    assignment: Assignment | None = None
    latest: Signal | None = None
    of: dict[str, str] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    strays: dict[str, str] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Go on by one event."""
        match event:
            case Armed(assignment=assignment):
                self.assignment = assignment
            case SignalDetected(signal=signal):
                self.latest = signal
            case SignalDropped():
                self.latest = None
            case OrderIntended(intent=intent) if intent.role is Role.ENTRY:
                self._note(intent)
            case _:
                pass  # nothing else makes a signal or follows one

    def too_old(self, entry: Intent) -> str:
        """Why ``entry``, intended now, comes too late for its signal; "" when it does not.

        A signal is good until the candle after its own has closed, by the exchange's time.
        """
        signal = self.latest
        if signal is None:
            return ""
        until_ms = signal.candle_ms + 2 * signal.timeframe_ms
        late_ms = entry.intended_ms - until_ms
        return f"its signal was good until {until_ms}, {late_ms} ms before" if late_ms >= 0 else ""

    def _note(self, entry: Intent) -> None:
        signal = self.latest
        if signal is None:
            self.strays[entry.label] = "no signal waited"
            return
        wanted, asked = (signal.instrument, signal.direction), (entry.instrument, entry.direction)
        if wanted != asked:
            self.strays[entry.label] = f"its signal was to {signal.direction} {signal.instrument}"
        name = self._name(signal)
        self.of[entry.label] = name
        self.labels.setdefault(name, []).append(entry.label)

    def _name(self, signal: Signal) -> str:
        armed = self.assignment
        parameters = sorted(armed.parameters.items()) if armed else []
        listed = ", ".join(f"{name}={value}" for name, value in parameters)
        what = f"{armed.strategy}({listed}) {armed.timeframe}" if armed else "nothing armed"
        return f"{what} {signal.instrument}, candle {signal.candle_ms}, {signal.direction}"
