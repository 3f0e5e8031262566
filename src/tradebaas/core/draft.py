"""A decision under construction: events are applied as they are emitted.

What always follows from an event is emitted here, once, whoever caused it: a position that
reaches zero becomes a trade, a waiting signal is dropped when anything of ours turns up at the
exchange, and the lifecycle moves to the phase that the contents amount to.
A draft is local to one call of ``decide``; nothing outside sees it before the commit.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from tradebaas.core import funding
from tradebaas.core.accounts import first_trade
from tradebaas.core.apply import apply
from tradebaas.core.events import (
    DiscrepancyResolved,
    Event,
    Filled,
    OrderIntended,
    PhaseChanged,
    SignalDropped,
    TradeClosed,
)
from tradebaas.core.invariants import gate, gate_edit
from tradebaas.core.lifecycle import cause_of
from tradebaas.core.model import LABEL_PREFIX, Phase, Role
from tradebaas.core.position import trade_of
from tradebaas.core.state import State, explained, may_fill_further, phase_of, signal_of
from tradebaas.core.stop_events import EditIntended

QUIET = (Phase.IDLE, Phase.ANALYZING, Phase.SIGNAL_DETECTED)
"""The phases in which nothing of ours is at the exchange."""


class Draft:
    """The candidate state and the events that lead to it.

    ``entered``: instruments on which an entry of ours is told to have filled, besides the managed.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.events: list[Event] = []
        self.entered: set[str] = set()
        self._gathering = False

    def emit(self, event: Event) -> None:
        """Apply ``event`` and what follows from it.

        Raises:
            AssertionError: when the event would let an order add risk without a permit.
        """
        if isinstance(event, OrderIntended):
            gate(self.state, event.intent)
        if isinstance(event, EditIntended):
            gate_edit(self.state, event.edit)
        self._push(event)
        self._resolve_if_explained(event)
        self._follow()

    @contextmanager
    def gathering_fills(self) -> Iterator[None]:
        """Fills from before the last known one: before all that are told at once are in their
        places, a size of zero is no trade's end. Those that are missing may lie before it."""
        self._gathering = True
        yield
        self._gathering = False
        self._follow()

    def _follow(self) -> None:
        if self._gathering:
            return
        self._close_trades()
        self._drop_signal_if_busy()
        phase = phase_of(self.state)
        if phase is not self.state.phase:
            source = self.state.phase
            self._push(PhaseChanged(source=source, target=phase, cause=cause_of(source, phase)))

    def label(self, role: Role) -> str:
        """A label for the next intent: unique per life and event, and it tells its role."""
        return f"{LABEL_PREFIX}{self.state.token}-{self.state.seq + 1}-{role.value}"

    def _push(self, event: Event) -> None:
        self.state = apply(self.state, event)
        self.events.append(event)

    def _resolve_if_explained(self, event: Event) -> None:
        position = self.state.position
        if not isinstance(event, Filled) or position is None:
            return
        if explained(self.state, position.size):
            at_ms, name = event.fill.at_ms, position.instrument
            self._push(DiscrepancyResolved(instrument=name, size=position.size, at_ms=at_ms))

    def _close_trades(self) -> None:
        """A size of zero with a fill still to come is not flat, or not to be told yet."""
        while self.state.discrepancy is None and not may_fill_further(self.state):
            ended = first_trade(self.state.accounts, signal_of(self.state))
            if ended is None:
                return
            number = self.state.counters.trades + 1
            trade = replace(trade_of(ended[0], number), naked_ms=self.state.naked_ms)
            paid = funding.of_trade(self.state.funding, trade)
            trade = replace(trade, funding=paid, net=trade.net - paid)
            self._push(TradeClosed(trade=trade))

    def _drop_signal_if_busy(self) -> None:
        signal = self.state.signal
        if signal is not None and phase_of(self.state) not in QUIET:
            reason = "the account is not flat"
            self._push(SignalDropped(signal_id=signal.signal_id, reason=reason))
