"""What the actors and the shell ask of the persister, and what it answers.

Requests are imperative and volatile: one that is lost with a life has simply not happened. Times
named ``at_ms`` are exchange time; requests of an operator carry none, because what they lead to
at the exchange is done by the next ``Tend``.
"""

from decimal import Decimal

from msgspec import Struct

from tradebaas.core.events import Event, RecoveryReport
from tradebaas.core.facts import Fact
from tradebaas.core.model import Assignment, Market, Signal


class StartLife(Struct, frozen=True, kw_only=True):
    """The first request of every life, made by the persister itself."""

    token: str
    wall_ms: int
    cause: str
    poisoned: bool
    halt_file: str  # text of data/HALT, "" when there is none


class EndLife(Struct, frozen=True, kw_only=True):
    """The last request of a clean stop."""

    wall_ms: int


class Link(Struct, frozen=True, kw_only=True):
    """The reconciler logged in (``up``) or lost the connection."""

    connection: int
    up: bool
    account: str = ""
    reason: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """What the exchange said, in its order.

    ``complete`` marks a full reconcile through ``connection`` whose reads began at ``at_ms``.
    """

    connection: int
    at_ms: int
    facts: tuple[Fact, ...]
    complete: bool = False


class Propose(Struct, frozen=True, kw_only=True):
    """The strategy has a signal on a closed candle."""

    signal: Signal
    market: Market


class Admit(Struct, frozen=True, kw_only=True):
    """Try again to admit the waiting signal with a fresh view of the market."""

    signal_id: str
    market: Market


class Tend(Struct, frozen=True, kw_only=True):
    """Do what the state needs now: protect, close. Sent by the reconciler when ``duties`` says so.

    ``market`` is None while no market data has come on this connection; ``elsewhere`` are those of
    instruments on which a position of ours stands beside the managed one.
    """

    connection: int
    at_ms: int
    market: Market | None
    elsewhere: tuple[Market, ...] = ()


class Arm(Struct, frozen=True, kw_only=True):
    """Operator: start this strategy."""

    assignment: Assignment


class Disarm(Struct, frozen=True, kw_only=True):
    """Operator: no new positions; with ``close``, close the present one first."""

    reason: str
    close: bool = False


class ClosePosition(Struct, frozen=True, kw_only=True):
    """Operator: close the position at the market."""

    reason: str


class MoveStop(Struct, frozen=True, kw_only=True):
    """Operator or strategy: move the stop of the open position closer to the market.

    ``mark`` is where the market is and ``tick`` what its prices are multiples of, as far as whoever
    asks knows: a price in between is rounded away from the market.
    """

    stop: Decimal
    by: str
    mark: Decimal | None = None
    tick: Decimal | None = None


class Halt(Struct, frozen=True, kw_only=True):
    """Operator or breaker: close, and add no risk until resumed."""

    by: str
    reason: str


class Resume(Struct, frozen=True, kw_only=True):
    """Operator: lift the halt; with ``only`` that one alone, by its reason."""

    by: str
    only: str = ""


class Guard(Struct, frozen=True, kw_only=True):
    """A cause for protect-only appeared (``active``) or is gone."""

    cause: str
    active: bool
    detail: str = ""


class RecordRecovery(Struct, frozen=True, kw_only=True):
    """The reconciler has finished the recovery of this life."""

    report: RecoveryReport


class Ping(Struct, frozen=True, kw_only=True):
    """Is the persister alive? Answered after one trip through its queue."""


Request = (
    StartLife
    | EndLife
    | Link
    | Report
    | Propose
    | Admit
    | Tend
    | Arm
    | Disarm
    | ClosePosition
    | MoveStop
    | Halt
    | Resume
    | Guard
    | RecordRecovery
    | Ping
)


class Committed(Struct, frozen=True, kw_only=True):
    """The request was decided and its events (perhaps none) are durable."""

    seq: int
    events: tuple[Event, ...] = ()


class Refused(Struct, frozen=True, kw_only=True):
    """The request was refused; nothing was stored. ``reason`` is for a person."""

    reason: str


Answer = Committed | Refused
