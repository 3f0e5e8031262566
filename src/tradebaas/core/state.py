"""The state: what the fold of all events holds, and the questions that others ask of it.

``State`` is immutable; ``core.apply`` makes the next one from an event. What must survive a death
is here and nothing else. Every collection is bounded: orders, intents and fills of the current
position, labels of the current bracket, a window of recent ids for recognising repeats.

Nothing here may decide policy (see ``decide``) or change anything (see ``apply``).
"""

from decimal import Decimal

from msgspec import Struct

from tradebaas.core.accounts import Accounts, remaining
from tradebaas.core.events import Finding, RecoveryReport
from tradebaas.core.funding import Funding
from tradebaas.core.model import (
    ZERO,
    Assignment,
    Direction,
    Edit,
    Fill,
    Intent,
    Moved,
    Order,
    Phase,
    Position,
    Role,
    Signal,
    Trade,
    is_ours,
)

FOLD_VERSION = 9
OVERLAP_MS = 60_000
"""How far before the last finished reconcile trades are read again (late indexing)."""
NAKED_BUCKETS_MS = (50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000)
"""Upper bounds of the classes by which naked stretches are counted; one more holds the rest."""


class Pending(Struct, frozen=True, kw_only=True):
    """An intent without a proven outcome; ``unknown`` says why it is not simply on its way."""

    intent: Intent
    unknown: str = ""


class Bracket(Struct, frozen=True, kw_only=True):
    """The plan of the present position and all labels that belong to it.

    ``expected`` is how much the exchange says the entry filled (at ``expected_ms``), ``filled``
    how much of that is accounted for by fills: they differ while a fill is on its way to us.
    ``family``: names by which its orders refer to each other, with the label if it is known.
    """

    signal_id: str
    instrument: str
    direction: Direction
    amount: Decimal
    stop: Decimal
    take: Decimal
    labels: tuple[str, ...]
    expected: Decimal = ZERO
    expected_ms: int = 0
    filled: Decimal = ZERO
    family: dict[str, str] = {}


class Discrepancy(Struct, frozen=True, kw_only=True):
    """A position of ours that was corrected, and that the known fills do not explain yet.

    A fill from before ``read_ms`` (exchange time at which the reading behind the correction began)
    is in the corrected position already, so it counts for ``State.accounts`` only; one that came
    later has ``moved`` both. ``known_ms`` is when the last full read before that began.
    """

    instrument: str
    read_ms: int
    known_ms: int
    moved: bool = False


class HaltLatch(Struct, frozen=True, kw_only=True):
    """Who halted, and why."""

    by: str
    reason: str


class Day(Struct, frozen=True, kw_only=True):
    """What the present exchange day (UTC, days since the epoch) has used of its limits.

    ``net`` is the realized result by settlement currency.
    """

    index: int = 0
    entries: int = 0
    net: dict[str, Decimal] = {}


class Counters(Struct, frozen=True, kw_only=True):
    """Totals since the store began; ``naked_stretches`` by the classes of ``NAKED_BUCKETS_MS``."""

    crashes: int = 0
    trades: int = 0
    trades_success: int = 0
    trades_failed: int = 0
    net: dict[str, Decimal] = {}
    fees: dict[str, Decimal] = {}
    funding: dict[str, Decimal] = {}
    orders_intended: int = 0
    orders_unknown: int = 0
    orders_adopted: int = 0
    orders_abandoned: int = 0
    orders_rejected: int = 0
    stops_replaced: int = 0
    frames_refused: int = 0
    naked_ms_total: int = 0
    naked_ms_max: int = 0
    naked_stretches: tuple[int, ...] = (0,) * (len(NAKED_BUCKETS_MS) + 1)


class Recovering(Struct, frozen=True, kw_only=True):
    """What this life found at its start and has proven since."""

    cause: str = ""
    phase: Phase = Phase.IDLE
    unresolved: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    naked_ms: int = 0


class State(Struct, frozen=True, kw_only=True):
    """Everything that is durable, as of event ``seq``.

    ``accounts``: the fills behind ``position``; beside it while there is a ``discrepancy``.
    ``fills_from_ms``: fills before this are part of a position that the exchange itself told.
    ``flat_ms``: what the owner traded before this was over when the exchange told of no position.
    ``naked_confirmed``: a full read that began after ``naked_since_ms`` ended without the cover, or
    a stop has stalled.
    ``naked_ms``: how long the present position was naked before that.
    ``stop_sent_ms``: when the first stop for it was intended through the present connection.
    ``stop_refused``: why the exchange does not take a stop at the planned price.
    ``stalled``: ids of live stops that have fired and that nobody trades with: they cover nothing.
    ``moved``: where the stop was moved to; ``editing``: the edit that is under way for that.
    ``noted_ms``: since when something in ``foreign`` is as it is, if it may be acted on at all.
    ``cancelling``: keys of orders in ``foreign`` that are to be cancelled.
    ``elsewhere``: positions of ours beside the managed one, by instrument.
    ``lifting``: the causes in ``protect`` that are gone, which the next full read lifts.
    ``doubted_ms``: a full read that began later ends a doubt about the account (exchange time).
    ``tried``: when a reduce-only order of each role was last intended.
    """

    seq: int = 0
    life: int = 0
    token: str = ""
    life_open: bool = False
    account: str = ""
    connection: int = 0
    reconciled: int = 0  # the connection through which a full read is in the state
    read_through_ms: int = 0
    fills_from_ms: int = 0
    flat_ms: int = 0
    assignment: Assignment | None = None
    armed: bool = False
    closing: str = ""
    phase: Phase = Phase.IDLE
    signal: Signal | None = None
    streams: dict[str, int] = {}
    bracket: Bracket | None = None
    pending: dict[str, Pending] = {}
    orders: dict[str, Order] = {}
    ended: dict[str, int] = {}
    abandoned: dict[str, int] = {}
    position: Position | None = None
    accounts: Accounts = Accounts()
    discrepancy: Discrepancy | None = None
    recent_fills: dict[str, int] = {}
    foreign: dict[str, str] = {}
    noted_ms: dict[str, int] = {}
    cancelling: tuple[str, ...] = ()
    elsewhere: dict[str, Position] = {}
    halted: HaltLatch | None = None
    protect: dict[str, str] = {}
    lifting: tuple[str, ...] = ()
    doubted_ms: int = 0
    naked_since_ms: int | None = None
    naked_confirmed: bool = False
    naked_ms: int = 0
    stop_sent_ms: int | None = None
    stop_refused: str = ""
    stalled: tuple[str, ...] = ()
    moved: Moved | None = None
    editing: Edit | None = None
    tried: dict[str, int] = {}
    day: Day = Day()
    funding: Funding = Funding()
    frames_hour: tuple[int, int] = (0, 0)
    counters: Counters = Counters()
    recovering: Recovering = Recovering()
    last_recovery: RecoveryReport | None = None
    last_trade: Trade | None = None


View = State
"""The committed state, as published to those who only read."""


def _short(state: State) -> bool:
    """The exchange says that the entry filled further than the fills we know."""
    bracket = state.bracket
    return bracket is not None and bracket.expected > bracket.filled


def expecting(state: State) -> bool:
    """Fills of the entry are on their way that will change the position."""
    return state.discrepancy is None and _short(state)


def may_fill_further(state: State) -> bool:
    """Fills of the entry are on their way, or may be: without an answer to it nobody knows."""
    filled = state.bracket.filled if state.bracket is not None else ZERO
    unanswered = (pending.intent for pending in pending_with(state, Role.ENTRY))
    return expecting(state) or any(intent.amount > filled for intent in unanswered)


def explained(state: State, size: Decimal) -> bool:
    """Whether the known fills account for a position of ``size`` that was corrected."""
    if state.discrepancy is None or state.accounts == Accounts() or _short(state):
        return False
    left = remaining(state.accounts, signal_of(state))
    return left.size == size and left.open_amount > 0 if left is not None else size == 0


def signal_of(state: State) -> str:
    """The signal behind the present bracket; "" without one."""
    return state.bracket.signal_id if state.bracket is not None else ""


def fills_known_before(state: State) -> int:
    """Exchange time from before which no fill is news: known, or of a time that does not count."""
    discrepancy = state.discrepancy
    known_ms = state.read_through_ms if discrepancy is None else discrepancy.known_ms
    return max(known_ms - OVERLAP_MS, state.fills_from_ms)


def is_known(state: State, fill: Fill) -> bool:
    """Whether a fill is no news: folded already, or of a time that does not count.

    The line that a flat account draws is for the owner's alone: the exchange's clock may be set
    back by a little, and no fill of ours may be lost by that.
    """
    past = fill.at_ms < state.flat_ms and not is_ours(fill.label)
    return past or fill.key in state.recent_fills or fill.at_ms < fills_known_before(state)


def stands(state: State, cause: str) -> bool:
    """Whether a cause of protect-only is there, as far as is known."""
    return cause in state.protect and cause not in state.lifting


def flat(state: State) -> bool:
    """No position of ours, and none on its way from an entry that filled."""
    position = state.position
    gone = position is None or not position.ours or position.size == 0
    return gone and not expecting(state) and not moved_since_corrected(state)


def holds(state: State) -> bool:
    """Whether a position of ours is open that can be closed."""
    position = state.position
    return position is not None and position.ours and position.open_amount > 0


def moved_since_corrected(state: State) -> bool:
    """Whether fills have moved a corrected position. One that was made while the account was read
    may have moved it twice, so the next read must say what is left before its stop may go."""
    return state.discrepancy is not None and state.discrepancy.moved


def live_orders(state: State, *roles: Role) -> list[Order]:
    """Live orders of ours with one of ``roles``."""
    return [order for order in state.orders.values() if order.role in roles]


def pending_with(state: State, *roles: Role) -> list[Pending]:
    """Unproven intents with one of ``roles``."""
    return [pending for pending in state.pending.values() if pending.intent.role in roles]


def cover(state: State) -> Decimal:
    """How much of the position is closed if its stop fires or its exit completes.

    Counts live stops, and orders that are already closing it; not secondaries that wait for
    their primary, not stops that have stalled, and not the take profit, which protects from
    nothing.
    """
    return ZERO if state.position is None else cover_of(state, state.position)


def cover_of(state: State, position: Position) -> Decimal:
    """The same of any position of ours."""
    exits = live_orders(state, Role.STOP, Role.CLOSE)
    exits = [o for o in exits if not o.waiting and o.order_id not in state.stalled]
    side = (position.instrument, position.direction.opposite)
    return sum((o.remaining for o in exits if (o.instrument, o.direction) == side), ZERO)


def naked_amount(state: State) -> Decimal:
    """How much of our position no live stop covers; zero when flat."""
    position = state.position
    if position is None or not position.ours:
        return ZERO
    return max(position.open_amount - cover(state), ZERO)


def exiting(state: State) -> bool:
    """An exit has begun: asked for, on its way, fired, or partly filled."""
    position, name = state.position, managed_instrument(state)
    exits = live_orders(state, Role.STOP, Role.TAKE, Role.CLOSE)
    sent = (pending.intent for pending in pending_with(state, Role.CLOSE))
    return bool(
        state.closing
        or any(order.instrument == name and _under_way(order) for order in exits)
        or (position is not None and position.open_amount <= 0)
        or any(intent.instrument == name for intent in sent)
    )


def _under_way(order: Order) -> bool:
    """A close, or a leg that is closing the position now: partly filled, or a stop that fired."""
    return order.role is Role.CLOSE or order.filled > 0 or fired(order)


def fired(order: Order) -> bool:
    """Whether it is a stop that closes the position now, as far as somebody trades with it."""
    return order.role is Role.STOP and order.state != "untriggered" and not order.waiting


def phase_of(state: State) -> Phase:
    """The lifecycle state that the contents of ``state`` amount to."""
    if state.position is not None and state.position.ours:
        return Phase.CLOSING if exiting(state) else Phase.POSITION_OPEN
    if state.discrepancy is not None:
        return Phase.CLOSING  # what was ours is over, and cannot be told yet
    if state.pending or state.orders or not flat(state):
        return Phase.ENTERING_POSITION if _entering(state) else Phase.CLOSING
    if state.signal is not None:
        return Phase.SIGNAL_DETECTED
    return Phase.ANALYZING if state.armed else Phase.IDLE


def _entering(state: State) -> bool:
    """What is at the exchange belongs to an entry of which nothing has filled yet."""
    if state.bracket is not None:
        return state.bracket.filled == 0
    return bool(live_orders(state, Role.ENTRY) or pending_with(state, Role.ENTRY))


def ready(state: State) -> bool:
    """A full read through the present connection is in the state."""
    return state.connection != 0 and state.reconciled == state.connection


def waiting_reason(state: State) -> str:
    """Why risk cannot be added *yet*; "" when a permit is there. These pass by themselves."""
    if state.connection == 0:
        return "not connected to the exchange"
    if not ready(state):
        return "not reconciled since the last connect"
    if state.pending:
        return f"the outcome of order {next(iter(state.pending))} is not proven"
    return ""


def barrier(state: State) -> str:
    """Why risk may not be added until something else changes; "" when nothing forbids it."""
    if state.halted is not None:
        return f"halted by {state.halted.by}: {state.halted.reason}"
    if state.protect:
        cause, detail = next(iter(state.protect.items()))
        return f"protect-only because of {cause}: {detail}"
    if state.foreign:
        return f"quarantine: {next(iter(state.foreign.values()))}"
    if state.position is not None:
        return f"single position guard: {state.position.instrument} is open"
    if state.elsewhere:
        return f"single position guard: {next(iter(state.elsewhere))} is open as well"
    if state.orders:
        return f"order {next(iter(state.orders))} of an earlier position is still live"
    return ""


def managed_instrument(state: State) -> str:
    """The one instrument whose fills make up our position; "" when none is known."""
    if state.position is not None:
        return state.position.instrument
    if state.bracket is not None:
        return state.bracket.instrument
    return state.assignment.instrument if state.assignment else ""
