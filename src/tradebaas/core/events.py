"""What is durable: events, in the past tense. The state is their fold.

Each event is stored under its kind (the class name) with a version. Adding a field needs a
default; renaming or removing one needs a new version and an upcaster in ``store.codec``. An event
says what happened and never what should: policy is in ``decide``.
"""

from decimal import Decimal

from msgspec import Struct

from tradebaas.core.funding_events import FundingCharged, FundingRead
from tradebaas.core.model import (
    Absence,
    Assignment,
    Fill,
    Intent,
    Order,
    Phase,
    Position,
    Signal,
    Trade,
)
from tradebaas.core.stop_events import EditEnded, EditIntended, StopMoved


class LifeStarted(Struct, frozen=True, tag=True, kw_only=True):
    """A crew came up. ``token`` is this life's random part of every label.

    ``cause`` says why the life before ended, when this process saw it end. ``poisoned`` means the
    same kind of crash came twice in a row, so this life only protects.
    """

    life: int
    token: str
    wall_ms: int
    cause: str = ""
    poisoned: bool = False


class LifeEnded(Struct, frozen=True, tag=True, kw_only=True):
    """The crew was asked to stop and did; a life without this event was a crash."""

    life: int
    wall_ms: int


class Linked(Struct, frozen=True, tag=True, kw_only=True):
    """A connection of this life is logged in; nothing is known through it yet."""

    connection: int
    account: str


class LinkLost(Struct, frozen=True, tag=True, kw_only=True):
    """The connection is gone, and with it the permit to add risk."""

    connection: int
    reason: str


class Reconciled(Struct, frozen=True, tag=True, kw_only=True):
    """A full read of orders, trades and positions through ``connection`` is in the state.

    ``read_ms`` is the exchange time at which the reads began: all fills before it are known. At
    ``flat_ms`` no position was open and nothing of ours on its way, so that what the owner traded
    before is past; 0 when that cannot be said.
    """

    connection: int
    read_ms: int
    flat_ms: int = 0


class Armed(Struct, frozen=True, tag=True, kw_only=True):
    """An operator wants this strategy to trade."""

    assignment: Assignment


class Disarmed(Struct, frozen=True, tag=True, kw_only=True):
    """An operator wants no new position."""

    reason: str


class CloseRequested(Struct, frozen=True, tag=True, kw_only=True):
    """The position is to be closed at the market, whatever the strategy says."""

    reason: str


class PhaseChanged(Struct, frozen=True, tag=True, kw_only=True):
    """The lifecycle moved; always one of the pairs of ``lifecycle.TRANSITIONS``."""

    source: Phase
    target: Phase
    cause: str


class SignalDetected(Struct, frozen=True, tag=True, kw_only=True):
    """A signal was admitted for consideration, once ever."""

    signal: Signal


class SignalDropped(Struct, frozen=True, tag=True, kw_only=True):
    """A signal ended without an order."""

    signal_id: str
    reason: str


class OrderIntended(Struct, frozen=True, tag=True, kw_only=True):
    """The command to send an order; nothing is ever sent that has no such event."""

    intent: Intent


class OrderNotSent(Struct, frozen=True, tag=True, kw_only=True):
    """The life that owned the intent knows that it never wrote it to the wire."""

    label: str
    reason: str


class OrderUnknown(Struct, frozen=True, tag=True, kw_only=True):
    """The order may or may not be at the exchange; only proof ends this."""

    label: str
    reason: str


class OrderRejected(Struct, frozen=True, tag=True, kw_only=True):
    """The exchange explicitly refused the order."""

    label: str
    code: int
    message: str


class OrderUpdated(Struct, frozen=True, tag=True, kw_only=True):
    """The exchange described an order of ours."""

    order: Order


class OrderAdopted(Struct, frozen=True, tag=True, kw_only=True):
    """An order whose outcome was unknown, or that this store had not known, was found."""

    label: str
    order_id: str
    how: str


class OrderAbandoned(Struct, frozen=True, tag=True, kw_only=True):
    """The exchange proved that the order is not there and can no longer arrive."""

    label: str
    evidence: Absence


class StopStalled(Struct, frozen=True, tag=True, kw_only=True):
    """A stop has fired and nobody trades with it: it closes nothing, so it covers nothing."""

    order_id: str
    at_ms: int


class Filled(Struct, frozen=True, tag=True, kw_only=True):
    """An execution on the account, ours or the owner's.

    ``late``: it is part of a position that was corrected before it was told.
    """

    fill: Fill
    late: bool = False


class TradeClosed(Struct, frozen=True, tag=True, kw_only=True):
    """The account is flat again; the trade from flat to flat."""

    trade: Trade


class PositionCorrected(Struct, frozen=True, tag=True, kw_only=True):
    """The exchange's position is not what all known fills add up to; the exchange is right.

    Fills before ``at_ms`` (when its reading began) are part of what it says. ``awaits``: those that
    are not known yet may still be told, and then make up a whole trade (see ``Discrepancy``).
    """

    instrument: str
    position: Position | None
    reason: str
    at_ms: int
    awaits: bool = False


class DiscrepancyResolved(Struct, frozen=True, tag=True, kw_only=True):
    """Late fills explain the corrected position; from now on it is what all fills amount to."""

    instrument: str
    size: Decimal
    at_ms: int


class DiscrepancyGivenUp(Struct, frozen=True, tag=True, kw_only=True):
    """The fills that would explain the corrected position can no longer come."""

    instrument: str
    reason: str


class PositionElsewhere(Struct, frozen=True, tag=True, kw_only=True):
    """A position of ours is open beside the managed one (``None``: not any more)."""

    instrument: str
    position: Position | None
    at_ms: int


class PositionAdopted(Struct, frozen=True, tag=True, kw_only=True):
    """A position of the owner's is ours from now on, as the configuration wants it."""

    position: Position
    at_ms: int
    how: str


class Liquidated(Struct, frozen=True, tag=True, kw_only=True):
    """The exchange closed a position on the account, because the account could not carry it."""

    instrument: str
    amount: Decimal
    price: Decimal
    at_ms: int


class ForeignFound(Struct, frozen=True, tag=True, kw_only=True):
    """An order or a position of the account's owner; blocks new risk.

    ``at_ms``: since when it is as described; 0 for what is left alone whatever the configuration
    says, since it was there before this store, or is not on the managed instrument.
    """

    key: str
    detail: str
    at_ms: int = 0


class CancelIntended(Struct, frozen=True, tag=True, kw_only=True):
    """The command to cancel an order of the owner's; none is ever cancelled without this event."""

    key: str
    why: str


class ForeignGone(Struct, frozen=True, tag=True, kw_only=True):
    """A foreign order or position is no longer there."""

    key: str


class Halted(Struct, frozen=True, tag=True, kw_only=True):
    """No order may add risk until an operator resumes; survives restarts."""

    by: str
    reason: str


class Resumed(Struct, frozen=True, tag=True, kw_only=True):
    """An operator lifted the halt."""

    by: str


class ProtectOnlyEntered(Struct, frozen=True, tag=True, kw_only=True):
    """A cause that forbids opening, but not keeping, tightening or closing.

    ``at_ms`` is exchange time where the end of the cause depends on it, else 0.
    """

    cause: str
    detail: str
    at_ms: int = 0


class ProtectCauseGone(Struct, frozen=True, tag=True, kw_only=True):
    """That cause is gone; opening stays forbidden until the account was read once more."""

    cause: str


class ProtectOnlyLeft(Struct, frozen=True, tag=True, kw_only=True):
    """That cause forbids nothing any more."""

    cause: str


class FrameRefused(Struct, frozen=True, tag=True, kw_only=True):
    """A frame from the exchange that could not be understood, kept raw (cut to 4 KiB)."""

    at_ms: int
    raw: str
    reason: str


class Finding(Struct, frozen=True, kw_only=True):
    """What became of an intent, an order or a trade during a recovery, and how that is known.

    ``outcome`` is adopted, abandoned, rejected, not sent, cancelled or gone for an order (``label``
    is its own), and closed for a trade (``label`` is its number).
    """

    label: str
    outcome: str
    evidence: str


class RecoveryReport(Struct, frozen=True, kw_only=True):
    """What a life found at its start and what it took to be sure again.

    ``*_seconds`` are monotonic; ``naked_ms`` is exchange time. ``recovered_seconds`` runs from the
    start of the life to reconciled and protected; ``settle_seconds`` is how much longer unproven
    intents took.
    """

    life: int
    cause: str
    phase: Phase
    events_replayed: int
    unresolved: tuple[str, ...]
    findings: tuple[Finding, ...]
    position: str
    naked_ms: int
    store_notes: tuple[str, ...]
    steps: dict[str, float]
    recovered_seconds: float
    settle_seconds: float


class Recovered(Struct, frozen=True, tag=True, kw_only=True):
    """A life has reconciled, proven every intent it found and protected what is open."""

    report: RecoveryReport


Event = (
    LifeStarted
    | LifeEnded
    | Linked
    | LinkLost
    | Reconciled
    | Armed
    | Disarmed
    | CloseRequested
    | PhaseChanged
    | SignalDetected
    | SignalDropped
    | OrderIntended
    | OrderNotSent
    | OrderUnknown
    | OrderRejected
    | OrderUpdated
    | OrderAdopted
    | OrderAbandoned
    | StopStalled
    | StopMoved
    | EditIntended
    | EditEnded
    | Filled
    | TradeClosed
    | FundingCharged
    | FundingRead
    | PositionCorrected
    | DiscrepancyResolved
    | DiscrepancyGivenUp
    | PositionElsewhere
    | PositionAdopted
    | Liquidated
    | ForeignFound
    | CancelIntended
    | ForeignGone
    | Halted
    | Resumed
    | ProtectOnlyEntered
    | ProtectCauseGone
    | ProtectOnlyLeft
    | FrameRefused
    | Recovered
)
