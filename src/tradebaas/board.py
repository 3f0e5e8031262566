"""What the actors of a life share: how to ask the persister, and the newest published values.

Nothing here is worth keeping: every value is rebuilt from the log or from the exchange after a
crash. The ``Board`` belongs to the shell, so that HTTP can show the last known values while the
crew restarts; the rest of a ``Context`` belongs to one life.
"""

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, final

from msgspec import Struct

from tradebaas.config import Config
from tradebaas.core.events import Event, RecoveryReport
from tradebaas.core.messages import Answer, Request
from tradebaas.core.model import Market
from tradebaas.core.refusals import Refusals
from tradebaas.core.risk import Limits, Policy
from tradebaas.core.state import State
from tradebaas.runtime.durations import Durations
from tradebaas.runtime.mailbox import Asker, Fanout, Latest
from tradebaas.runtime.ports import Locate, Ports
from tradebaas.runtime.supervisor import Cause
from tradebaas.store.disk import Disk
from tradebaas.store.place import Place

DECISION_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)
"""Bounds for deciding: it is arithmetic in memory, and from 0.1 s on the loop would stand still."""
COMMIT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Bounds for commits: an fsync takes from less than a millisecond, on a cache that is safe, to tens
of them on a plain disk; 0.25 s is where its alert begins.
"""
ROUND_TRIP_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Bounds for orders: from a loopback to 5 s, after which an answer is not awaited any more; 2 s is
how long an order is valid by default.
"""


class Evaluated(Struct, frozen=True, kw_only=True):
    """What the strategy made of a closed candle; for people and for the lockstep market."""

    life: int
    candle_ms: int
    indicators: dict[str, str] = {}
    reasons: tuple[str, ...] = ()
    proposed: str = ""


class LinkStatus(Struct, frozen=True, kw_only=True):
    """How the connection to the exchange fares; times are monotonic seconds."""

    up: bool
    connection: int = 0
    url: str = ""
    since: float = 0.0
    reconciled: bool = False
    detail: str = ""
    reconnects: int = 0
    rate: Decimal = Decimal(1)


class ClockStatus(Struct, frozen=True, kw_only=True):
    """How far this machine's clock is ahead of the exchange's, give or take ``error_ms``."""

    skew_ms: int
    error_ms: int
    limit_ms: int


class StoreStatus(Struct, frozen=True, kw_only=True):
    """What the persister measured; seconds. ``at`` is when it said so (monotonic).

    ``fault`` is why it cannot commit and waits; "" when it can.
    """

    at: float = 0.0
    opened_seconds: float = 0.0
    events_replayed: int = 0
    notes: tuple[str, ...] = ()
    commits: int = 0
    last_commit_at: float = 0.0
    fault: str = ""


class BackupStatus(Struct, frozen=True, kw_only=True):
    """The newest verified backup, and the last failure if it is newer. Wall ms.

    ``made_room`` is how many older ones had to go for it; ``second_ms`` when the newest one was
    made that the second place has; ``drilled_ms`` when one was last restored on trial.
    """

    last_ms: int | None = None
    name: str = ""
    failure: str = ""
    made_room: int = 0
    second_ms: int | None = None
    second_failure: str = ""
    drilled_ms: int | None = None


class AuditStatus(Struct, frozen=True, kw_only=True):
    """When an audit last could look (while none could, when the first one tried), in wall ms, and
    how many ``differences`` it found then.
    """

    at_ms: int
    differences: int


class NoticeStatus(Struct, frozen=True, kw_only=True):
    """What became of notices in this process. ``failure`` is why the newest attempt failed."""

    sent: int = 0
    lost: int = 0
    held: int = 0
    waiting: int = 0
    failure: str = ""


class Vitals(Struct, frozen=True, kw_only=True):
    """One sample of the process by the metrics actor; ``at`` is monotonic seconds.

    ``asks`` is how many requests waited for the persister.
    """

    at: float = 0.0
    ping_seconds: float = 0.0
    memory_bytes: int = 0
    memory_percent: float = 0.0
    cpu_percent: float = 0.0
    asks: int = 0
    disk_free_bytes: int = 0


@final
@dataclass(frozen=True, slots=True)
class Timings:
    """How long the steps from a fact to an order took, in this process."""

    decision: Durations = field(default_factory=lambda: Durations(DECISION_S))
    commit: Durations = field(default_factory=lambda: Durations(COMMIT_S))
    round_trip: Durations = field(default_factory=lambda: Durations(ROUND_TRIP_S))


@final
@dataclass(slots=True)
class Board:
    """The newest values that actors publish; read by anyone, written by one actor each.

    ``halt`` is the reason of a halt that was asked for, whatever becomes of its commit; a resume
    takes it back. It outlives the life that could not store it. ``funding_refused`` is why the
    exchange does not tell the funding of trades. ``refusals`` of entries are counted
    over lives as well. ``reconciled_at`` is when a reconcile last came to its end, on any
    connection of any life (monotonic seconds). ``inbox`` is how many notifications waited when the
    last one was taken; ``restarts`` counts what crews died of. Both are for monitoring only.
    """

    view: Latest[State] = field(default_factory=Latest)
    market: Latest[Market] = field(default_factory=Latest)
    evaluated: Latest[Evaluated] = field(default_factory=Latest)
    link: Latest[LinkStatus] = field(default_factory=Latest)
    clock: Latest[ClockStatus] = field(default_factory=Latest)
    store: Latest[StoreStatus] = field(default_factory=Latest)
    backup: Latest[BackupStatus] = field(default_factory=Latest)
    audit: Latest[AuditStatus] = field(default_factory=Latest)
    notices: Latest[NoticeStatus] = field(default_factory=Latest)
    vitals: Latest[Vitals] = field(default_factory=Latest)
    recovery: Latest[RecoveryReport] = field(default_factory=Latest)
    events: Fanout[tuple[int, Event]] = field(default_factory=Fanout)
    halt: str = ""
    funding_refused: str = ""
    reconciled_at: float | None = None
    inbox: int = 0
    restarts: Counter[Cause] = field(default_factory=Counter)
    timings: Timings = field(default_factory=Timings)
    refusals: Refusals = field(default_factory=Refusals)

    def still(self) -> "Board":
        """A copy to which nobody publishes: all that it shows is of this moment."""
        shown = ((each.name, getattr(self, each.name)) for each in fields(self))
        copies: dict[str, Any] = {n: Latest(v.value) for n, v in shown if isinstance(v, Latest)}
        return replace(self, **copies)


@final
@dataclass(frozen=True, slots=True)
class Capacities:
    """How much may wait, and how much is taken at once.

    ``asks`` requests may wait for the persister, which takes up to ``batch`` of them into one
    commit; ``inbox`` notifications of the exchange may wait, more end the connection.
    """

    asks: int = 256
    batch: int = 64
    inbox: int = 4096


USUAL = Capacities()


@final
@dataclass(frozen=True, slots=True)
class Context:
    """What one life's actors are given.

    ``cause`` and ``poisoned`` concern the life before. ``born`` is when this life began, in
    monotonic seconds. In a ``rehearsal`` a restored store of any account meets the embedded
    exchange.
    """

    config: Config
    limits: Limits
    ports: Ports
    board: Board
    asker: Asker[Request, Answer]
    cause: str
    poisoned: bool
    locate: Locate
    secret: str = field(repr=False)
    born: float
    disk: Disk
    capacities: Capacities = USUAL
    rehearsal: bool = False

    @property
    def data_dir(self) -> Path:
        return self.config.data_dir

    @property
    def place(self) -> Place:
        return Place(self.config.data_dir, self.disk)

    def view(self) -> State:
        """The newest committed state of this life.

        Raises:
            RuntimeError: before the persister has published one.
        """
        state = self.board.view.value
        if state is None:
            raise RuntimeError("no state has been published yet: start the persister first")
        return state


def limits_of(config: Config) -> Limits:
    """The owner's limits as the core wants them."""
    risk = config.risk
    return Limits(
        risk_percent=risk.risk_percent,
        max_leverage=risk.max_leverage,
        max_amount=risk.max_amount,
        max_entries_per_day=risk.max_entries_per_day,
        max_daily_loss_percent=risk.max_daily_loss_percent,
        slippage_percent=risk.slippage_percent,
        adopted_stop_percent=risk.adopted_stop_percent,
        validity_ms=risk.validity_ms,
        price_age_ms=risk.price_age_ms,
        naked_ms=risk.naked_ms,
        foreign_orders=Policy(config.foreign.orders),
        foreign_positions=Policy(config.foreign.positions),
    )
