"""The six lifecycle states and the only moves between them, as data.

The phase is never set by hand: ``state.phase_of`` derives it from what the state holds (orders,
position, signal, arming), and every change must be one of the pairs below, with its cause. A pair
that is missing here is a bug in the derivation, so asking for it raises ``LookupError``.

The predecessor had one circle; reality adds the ways out of it. A position may be closed by its
stop, by its owner or by the exchange while nobody looked, an entry may end unfilled, and an order
or a position may be found that a lost store no longer knew.
"""

from tradebaas.core.model import Phase

_I = Phase.IDLE
_A = Phase.ANALYZING
_S = Phase.SIGNAL_DETECTED
_E = Phase.ENTERING_POSITION
_O = Phase.POSITION_OPEN
_C = Phase.CLOSING

TRANSITIONS: dict[tuple[Phase, Phase], str] = {
    (_I, _A): "armed",
    (_A, _I): "disarmed",
    (_A, _S): "signal detected",
    (_S, _A): "signal dropped",
    (_S, _E): "entry intended",
    (_E, _A): "entry ended without a position",
    (_E, _I): "entry ended without a position",
    (_E, _O): "entry filled",
    (_E, _C): "entry filled and already closing",
    (_O, _C): "exit under way",
    (_O, _A): "position closed",
    (_O, _I): "position closed",
    (_C, _A): "position closed",
    (_C, _I): "position closed",
    (_C, _O): "exit ended without closing",
    (_C, _E): "found an entry",
    (_O, _E): "found an entry",
    (_I, _E): "found an entry",
    (_A, _E): "found an entry",
    (_I, _O): "found a position",
    (_A, _O): "found a position",
    (_S, _O): "found a position",
    (_I, _C): "found orders to clear",
    (_A, _C): "found orders to clear",
    (_S, _C): "found orders to clear",
}


def cause_of(source: Phase, target: Phase) -> str:
    """Why the lifecycle may move from ``source`` to ``target``.

    Raises:
        LookupError: when it may not.
    """
    cause = TRANSITIONS.get((source, target))
    if cause is None:
        raise LookupError(f"the lifecycle has no way from {source} to {target}")
    return cause
