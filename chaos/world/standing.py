"""Whether the daemon might intend an entry when it did: a fold of the log, of the judge's own.

``core.apply`` keeps all of this in the state, but a daemon that is broken there would be believed
by a judge that asked it; so this reads nothing but the order of the events and their plainest
fields. Two questions are answered: whether there was ground, which is a connection through which
this life has read the account in full and has not lost since, and whether anything forbade the
entry: an order whose outcome is not known, a halt, a cause for protecting only, something of the
owner's, a position, an order that is still live.

A cause for protecting only that comes from outside the account is only left when it was said to be
gone and the account was read after that; one that is left without is as much there as it was. And
an unproven order is only left by proof. An absence counts as proven only by the exchange's own
clock and from all the places where an order can be (DESIGN section 8), so an abandonment without
that leaves the order as unknown as it was. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from tradebaas.core.events import (
    DiscrepancyResolved,
    Event,
    Filled,
    ForeignFound,
    ForeignGone,
    Halted,
    LifeStarted,
    Linked,
    LinkLost,
    Liquidated,
    OrderAbandoned,
    OrderIntended,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    PositionAdopted,
    PositionCorrected,
    PositionElsewhere,
    ProtectCauseGone,
    ProtectOnlyEntered,
    ProtectOnlyLeft,
    Reconciled,
    Resumed,
)
from tradebaas.core.model import Absence, Intent, Order, is_ours

QUEUE_MS = 5_000
"""How long the exchange itself may queue a request beyond its ``valid_until``."""
PLACES = frozenset(
    {"open_orders", "label", "recent_orders", "archive_orders", "trigger_history"}
    | {"recent_trades", "archive_trades", "position"}
)
"""Where an order can be found; absence is proven by reading all of them."""
OLD_MS, APART_MS = 1_500_000, 10_000
"""An order intended so long ago must be looked for twice, so far apart: the archive lags."""
ENDED = frozenset({"filled", "rejected", "cancelled", "triggered", "gone"})
POISONED = "crash loop"
"""The log's own word for the cause when it is taken back within a life."""
OF_THE_ACCOUNT = frozenset({"account unread", "position corrected", "invariant", "clock went back"})
"""Likewise, for the causes that end with what is read, or told, of the account."""
ZERO = Decimal(0)


@dataclass(slots=True)
class Standing:
    """Where the log has come to; numbers are 0 while there is no life or no connection.

    ``unproven`` are the intents without a proven outcome, of which those in ``unknown`` are not
    simply on their way. ``gone`` has the causes that were said to be gone, and whether the account
    was read since. The other tables have what forbids an entry, by name.
    """

    life: int = 0
    connection: int = 0
    read: bool = False
    halted: bool = False
    liquidated: bool = False
    unproven: dict[str, Intent] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    protect: dict[str, str] = field(default_factory=dict)
    gone: dict[str, bool] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    live: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, Decimal] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Go on by one event."""
        match event:
            case LifeStarted():
                self._start(event)
            case Linked(connection=connection):
                self.connection, self.read = connection, False
            case LinkLost():
                self.connection, self.read = 0, False
            case Reconciled(connection=connection):
                self.read = self.read or connection == self.connection
                self.gone = dict.fromkeys(self.gone, True)
            case OrderIntended() | OrderUnknown() | OrderUpdated() | OrderAbandoned():
                self._order(event)
            case OrderNotSent(label=label) | OrderRejected(label=label):
                self._prove(label)
            case _:
                self._barrier(event)

    def _start(self, event: LifeStarted) -> None:
        self.life, self.connection, self.read = event.life, 0, False
        self.unknown |= dict.fromkeys(self.unproven, "its life ended")
        self.protect.pop(POISONED, None)
        self.gone.pop(POISONED, None)
        if event.poisoned:
            self.protect[POISONED] = event.cause

    def _order(
        self, event: OrderIntended | OrderUnknown | OrderUpdated | OrderAbandoned
    ) -> None:  # fmt: skip
        match event:
            case OrderIntended(intent=intent):
                self.unproven[intent.label] = intent
            case OrderUnknown(label=label, reason=reason):
                self.unknown[label] = reason
            case OrderUpdated(order=order):
                self._prove(order.label)
                self._note(order)
            case OrderAbandoned(label=label, evidence=evidence):
                abandoned = self.unproven.get(label)
                if abandoned is not None and self._proves(evidence, abandoned):
                    self._prove(label)

    def _prove(self, label: str) -> None:
        self.unproven.pop(label, None)
        self.unknown.pop(label, None)

    def _proves(self, evidence: Absence, intent: Intent) -> bool:
        """All places were read, late enough, an old one twice; no position objects."""
        first_ms = evidence.first_read_ms or evidence.read_ms
        late = first_ms > intent.valid_until_ms + QUEUE_MS
        old = evidence.read_ms > intent.intended_ms + OLD_MS
        twice = evidence.read_ms - first_ms >= APART_MS
        owners = f"position {intent.instrument}" in self.foreign
        agrees = owners or evidence.position == self.sizes.get(intent.instrument, ZERO)
        return late and agrees and (twice or not old) and set(evidence.sources) >= PLACES

    def _note(self, order: Order) -> None:
        if order.state in ENDED:
            self.live.pop(order.order_id, None)
        elif is_ours(order.label):
            self.live[order.order_id] = order.label

    def _barrier(self, event: Event) -> None:
        match event:
            case Halted():
                self.halted = True
            case Resumed():
                self.halted = self.liquidated = False
            case ProtectOnlyEntered() | ProtectCauseGone() | ProtectOnlyLeft():
                self._protect(event)
            case ForeignFound(key=key, detail=detail):
                self.foreign[key] = detail
            case ForeignGone(key=key):
                self.foreign.pop(key, None)
            case Liquidated():
                self.liquidated = True
            case Filled(fill=fill, late=late):
                self.liquidated = self.liquidated or fill.liquidation
                if late:
                    return
                size = self.sizes.get(fill.instrument, ZERO)
                self.sizes[fill.instrument] = size + fill.direction.sign * fill.amount
            case PositionCorrected(instrument=instrument, position=position):
                self.sizes[instrument] = position.size if position is not None else ZERO
            case PositionElsewhere(instrument=instrument, position=position):
                self.sizes[instrument] = position.size if position is not None else ZERO
            case PositionAdopted(position=position):
                self.sizes[position.instrument] = position.size
            case DiscrepancyResolved(instrument=instrument, size=size):
                self.sizes[instrument] = size
            case _:
                pass  # nothing else gives or takes the right to add risk

    def _protect(self, event: ProtectOnlyEntered | ProtectCauseGone | ProtectOnlyLeft) -> None:
        match event:
            case ProtectOnlyEntered(cause=cause, detail=detail):
                self.protect[cause] = detail
                self.gone.pop(cause, None)
            case ProtectCauseGone(cause=cause):
                self.gone[cause] = False
            case ProtectOnlyLeft(cause=cause):
                if self.gone.pop(cause, cause in OF_THE_ACCOUNT):
                    self.protect.pop(cause, None)

    # ---------------------------------------------------------------------------- the two questions

    def lacks(self, intent: Intent) -> str:
        """What ``intent``, committed now, does not stand on; "" when it does."""
        lacks = (
            (self.connection == 0, "no connection"),
            (not self.read, "the account was not read since the connect"),
            (intent.life != self.life, f"life {self.life} is not its own, {intent.life}"),
            (intent.connection != self.connection, f"connection {self.connection} is not its own"),
        )
        return ", ".join(what for lacking, what in lacks if lacking)

    def forbids(self) -> str:
        """What forbids any entry now, ground apart; "" when nothing does."""
        return "; ".join(self._barriers())

    def _barriers(self) -> Iterator[str]:
        for label in self.unproven:
            unknown = self.unknown.get(label)
            yield f"{label} is {f'unknown: {unknown}' if unknown else 'not proven'}"
        if self.halted:
            yield "halted"
        if self.liquidated:
            yield "liquidated, and nobody has looked"
        for name, table in (("protect-only", self.protect), ("quarantine", self.foreign)):
            if table:
                yield f"{name}: {', '.join(table)}"
        for instrument, size in self.sizes.items():
            if size:
                yield f"a position is open: {size} {instrument}"
        if self.live:
            yield f"orders are live: {', '.join(self.live)}"
