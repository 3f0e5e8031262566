"""When is an order whose outcome is unknown proven absent? (DESIGN section 8, ADR 0004)

Nothing but the exchange can say so, and it says so in pieces: every place in which the order could
have left a trace must have been read, late enough that it can no longer arrive, and the position
must be what the known fills amount to. An old intent is looked for twice, since the archive lags.
No clock of ours counts: all times are those at which the exchange says that it began to read. Pure;
who reads, and when again, is not decided here.
"""

from tradebaas.core.foreign import position_key
from tradebaas.core.model import ZERO, Absence, Intent, Role
from tradebaas.core.risk import Limits
from tradebaas.core.state import State

PLACES = {
    "open_orders": "open orders, with those that wait for a trigger or for their entry",
    "label": "recent orders, by each label of the intent",
    "recent_orders": "ended orders of the recent store, unfilled ones included",
    "archive_orders": "ended orders of the archive, which lacks what is recent",
    "trigger_history": "trigger orders that have fired, were cancelled or were refused",
    "recent_trades": "executions of the recent store",
    "archive_trades": "executions of the archive, which lacks what is recent",
    "position": "the position, which must be what the known fills amount to",
}
"""Every place where an order can leave a trace, and what is read there."""
OLD_MS = 25 * 60_000
"""Orders older than this have moved, or move just now, from the recent store to the archive."""
APART_MS = 10_000
"""Two looks for an old intent are at least so far apart: the archive lags."""


def proves_absence(state: State, intent: Intent, evidence: Absence, limits: Limits) -> bool:
    """Whether ``evidence`` proves that the order is not at the exchange and can never arrive."""
    return not lacks(state, intent, evidence, limits)


def lacks(state: State, intent: Intent, evidence: Absence, limits: Limits) -> str:
    """What ``evidence`` still lacks, for a person; "" when it proves the absence."""
    unread = PLACES.keys() - set(evidence.sources)
    too_late_ms = intent.valid_until_ms + limits.queue_bound_ms + limits.proof_margin_ms
    looked_ms = evidence.first_read_ms or evidence.read_ms
    old = evidence.read_ms - intent.intended_ms > OLD_MS
    if unread:
        return f"not read: {', '.join(sorted(unread))}"
    if looked_ms <= too_late_ms:
        return f"read at {looked_ms}, while it could arrive until {too_late_ms}"
    if old and evidence.read_ms - looked_ms < APART_MS:
        return f"older than {OLD_MS // 60_000} minutes and not looked for twice"
    if _has_filled(state, intent):
        return "a fill of it is known"
    return _position_differs(state, intent, evidence)


def _has_filled(state: State, intent: Intent) -> bool:
    """A fill of this entry is known, so a read that does not show it proves nothing."""
    bracket = state.bracket
    if bracket is None or intent.role is not Role.ENTRY:
        return False
    return intent.label in bracket.labels and bracket.filled > 0


def _position_differs(state: State, intent: Intent, evidence: Absence) -> str:
    """An execution that no list shows yet shows in the position first.

    One of the owner's that was there before is known by its name only, and forbids entries anyway.
    """
    if position_key(intent.instrument) in state.foreign:
        return ""
    unexplained = state.discrepancy
    if unexplained is not None and unexplained.instrument == intent.instrument:
        return "the position is not explained by the known fills"
    positions = (state.position, *state.elsewhere.values())
    sizes = {held.instrument: held.size for held in positions if held is not None}
    known = sizes.get(intent.instrument, ZERO)
    if evidence.position == known:
        return ""
    return f"the position is {evidence.position}, the known fills amount to {known}"
