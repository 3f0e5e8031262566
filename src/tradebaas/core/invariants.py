"""What must hold of every state before it is committed, and of every order before it is intended.

``violations`` is checked on the candidate state of each decision. A request that would break one
more is refused; a fact that breaks one is stored and answered with protect-only, because the
exchange is right about its own books. ``gate`` stands in front of every intent and is never
expected to fire: if it does, the decision is a bug and the life ends before anything is written.
"""

from tradebaas.core.model import ZERO, Edit, Intent, Role, is_ours
from tradebaas.core.state import State, barrier, pending_with, phase_of, waiting_reason

MAX_PENDING = 16
MAX_ORDERS = 128
BROKEN = "invariant"
"""The cause of protect-only that a fact which breaks an invariant leads to."""


def gate(state: State, intent: Intent) -> None:
    """Only an entry may add risk, and only with a permit.

    Raises:
        AssertionError: naming the rule that the intent would break.
    """
    if intent.role is not Role.ENTRY:
        if not intent.reduce_only:
            raise AssertionError(f"{intent.label} is not an entry and not reduce-only")
        return
    reason = barrier(state) or waiting_reason(state)
    if reason:
        raise AssertionError(f"entry {intent.label} without a permit: {reason}")
    if state.signal is None or intent.signal_id != state.signal.signal_id:
        raise AssertionError(f"entry {intent.label} is not for the signal under consideration")
    if intent.life != state.life or intent.connection != state.connection:
        raise AssertionError(f"entry {intent.label} is bound to another life or connection")


def gate_edit(state: State, edit: Edit) -> None:
    """An edit only moves a stop of ours closer to the market, and none is under way.

    Raises:
        AssertionError: naming the rule that the edit would break.
    """
    order, position = state.orders.get(edit.order_id), state.position
    if order is None or position is None or order.role is not Role.STOP or not is_ours(order.label):
        raise AssertionError(f"edit of {edit.order_id}, which is no live stop of ours")
    closer = (edit.trigger_price - (order.trigger_price or ZERO)) * position.direction.sign > 0
    if order.trigger_price is None or not closer or edit.amount != order.amount:
        raise AssertionError(f"edit of {edit.order_id} does not only tighten it")
    if state.editing is not None:
        raise AssertionError(f"edit of {edit.order_id} while {state.editing.order_id} is edited")


def violations(state: State) -> dict[str, str]:
    """The broken invariants by name, in words; empty when all hold."""
    found = {name: check(state) for name, check in _CHECKS.items()}
    return {name: text for name, text in found.items() if text}


def _phase_matches(state: State) -> str:
    derived = phase_of(state)
    return "" if derived is state.phase else f"phase is {state.phase} but amounts to {derived}"


def _one_entry(state: State) -> str:
    entries = [p.intent.label for p in pending_with(state, Role.ENTRY)]
    live = [o.label for o in state.orders.values() if o.role is Role.ENTRY]
    labels = sorted(set(entries + live))
    return f"more than one entry at once: {', '.join(labels)}" if len(labels) > 1 else ""


def _position_bounded(state: State) -> str:
    position, bracket = state.position, state.bracket
    if position is None or bracket is None or not position.ours:
        return ""
    if position.open_amount <= bracket.amount:
        return ""
    return f"position {position.size} is larger than the admitted {bracket.amount}"


def _position_adds_up(state: State) -> str:
    position = state.position
    if position is None or position.corrected:
        return ""
    left, said = position.entry_amount - position.exit_amount, position.open_amount
    return "" if left == said else f"fills leave {left}, the position says {said}"


def _orders_sane(state: State) -> str:
    wrong = [o.order_id for o in state.orders.values() if o.filled > o.amount or not o.live]
    return f"orders filled beyond their amount or not live: {', '.join(wrong)}" if wrong else ""


def _bounded(state: State) -> str:
    if len(state.pending) > MAX_PENDING:
        return f"{len(state.pending)} unproven intents, the limit is {MAX_PENDING}"
    if len(state.orders) > MAX_ORDERS:
        return f"{len(state.orders)} live orders, the limit is {MAX_ORDERS}"
    return ""


_CHECKS = {
    "phase": _phase_matches,
    "one entry": _one_entry,
    "position bounded": _position_bounded,
    "position adds up": _position_adds_up,
    "orders sane": _orders_sane,
    "bounded": _bounded,
}
