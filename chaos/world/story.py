"""The fold of the daemon's log, with what a judge wants to know beyond the state.

``core.apply`` gives the state after each event; beside it the story keeps deaths, intents by label,
unknown outcomes and how they ended, reconciles, trades and recovery reports, and it checks at each
entry that nothing stood in its way (the gate) and that its signal was still good. Pure: rows in,
story out.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec.structs import replace

from chaos.world.ledger import LedgerBroken, LogRow, Tail
from chaos.world.signals import Signals
from chaos.world.standing import Standing
from tradebaas.core.apply import apply
from tradebaas.core.events import (
    CancelIntended,
    DiscrepancyGivenUp,
    Event,
    Filled,
    Halted,
    LifeStarted,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    PositionAdopted,
    PositionCorrected,
    Reconciled,
    Recovered,
    RecoveryReport,
    TradeClosed,
)
from tradebaas.core.funding_events import FundingCharged
from tradebaas.core.model import Absence, Intent, Phase, Role, Trade
from tradebaas.core.state import State, naked_amount

REMEMBERED_STATES = 4_000


@dataclass(frozen=True, slots=True)
class Death:
    """A life that ended without ``LifeEnded``. ``seq`` is its last event.

    ``recovering`` says that it died before it had finished its recovery.
    """

    life: int
    seq: int
    phase: Phase
    recovering: bool


@dataclass(frozen=True, slots=True)
class Reconcile:
    """A full read of the account; ``read_ms`` is exchange time."""

    seq: int
    life: int
    connection: int
    read_ms: int


@dataclass(slots=True)
class Unknown:
    """An intent whose outcome was not known; ``outcome`` is "" until it is proven."""

    label: str
    why: str
    outcome: str = ""


@dataclass(slots=True)
class Story:
    """What the log amounts to, up to ``tail``; ``remembered`` is how many states it keeps.

    ``fills`` has how much of each fill was booked, ``first_reads`` when (exchange time) the account
    was first read in full by life and connection, ``groundless`` what entry intents lacked,
    ``born_halted`` which lives were halted before they did anything,
    ``denied`` has the orders that never were, says the log, with the event that says so and how,
    ``adopted`` the trades of positions that the owner had opened (see ``adoptions``), ``duties``
    the ids of the owner's orders that were adopted, ``cancels`` those of which a cancel was meant,
    ``absences`` the evidence for those that were called absent,
    ``unarmed`` where what was armed was so no longer: the event, its life and its kind,
    ``unsettled`` what the present life has lacked of a recovery in every state so far, "" once one
    lacked nothing, ``premature`` the recoveries that were reported before that.
    """

    remembered: int = REMEMBERED_STATES
    tail: Tail = field(default_factory=Tail)
    state: State = field(default_factory=State)
    states: OrderedDict[int, State] = field(default_factory=OrderedDict)
    events: OrderedDict[int, Event] = field(default_factory=OrderedDict)
    digests: OrderedDict[int, bytes] = field(default_factory=OrderedDict)
    causes: dict[int, str] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    intents: dict[str, Intent] = field(default_factory=dict)
    intent_seqs: dict[str, int] = field(default_factory=dict)
    funding_read: dict[str, int] = field(default_factory=dict)
    leg_labels: dict[str, str] = field(default_factory=dict)
    signals: Signals = field(default_factory=Signals)
    fills: dict[str, Decimal] = field(default_factory=dict)
    unknowns: dict[str, Unknown] = field(default_factory=dict)
    reconciles: list[Reconcile] = field(default_factory=list)
    first_reads: dict[tuple[int, int], int] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    adopted: list[Trade] = field(default_factory=list)
    adoptions: list[tuple[int, PositionAdopted]] = field(default_factory=list)
    duties: set[str] = field(default_factory=set)
    cancels: set[str] = field(default_factory=set)
    reports: dict[int, RecoveryReport] = field(default_factory=dict)
    corrections: list[tuple[int, PositionCorrected]] = field(default_factory=list)
    missed: list[tuple[int, str]] = field(default_factory=list)
    ungated: list[tuple[int, str, str]] = field(default_factory=list)
    standing: Standing = field(default_factory=Standing)
    groundless: dict[str, str] = field(default_factory=dict)
    halts: int = 0
    daemon_halts: list[tuple[int, str]] = field(default_factory=list)
    born_halted: dict[int, bool] = field(default_factory=dict)
    denied: dict[str, tuple[int, str]] = field(default_factory=dict)
    absences: dict[str, tuple[int, Absence]] = field(default_factory=dict)
    unarmed: list[tuple[int, int, str]] = field(default_factory=list)
    unsettled: str = ""
    premature: list[tuple[int, str]] = field(default_factory=list)

    def take(self, rows: Iterable[LogRow]) -> None:
        """Fold more events.

        Raises:
            LedgerBroken: one of them cannot have come after those before it.
        """
        for row in rows:
            try:
                self._fold(row)
            except (LookupError, ValueError) as error:
                what = f"event {row.seq}, {row.event}, does not follow from those before it"
                raise LedgerBroken(f"{what}: {error!r}") from error
            self.tail = Tail(row.seq, row.digest)
            self.states[row.seq] = self.state
            self.events[row.seq] = row.event
            self.digests[row.seq] = row.digest
            if len(self.states) > self.remembered:
                for remembered in (self.states, self.events, self.digests):
                    remembered.popitem(last=False)

    def _fold(self, row: LogRow) -> None:
        before = self.state
        self._note(row.seq, row.event, before)
        self.standing.take(row.event)
        self.signals.take(row.event)
        self.state = apply(before, row.event)
        if before.armed and not self.state.armed:
            self.unarmed.append((row.seq, self.state.life, type(row.event).__name__))
        if self.unsettled:
            self.unsettled = _unsettled(self.state)

    def intent_of(self, label: str) -> Intent | None:
        """The committed intent that a label, or a leg's label, belongs to."""
        return self.intents.get(self.leg_labels.get(label, label))

    def _note(self, seq: int, event: Event, before: State) -> None:
        match event:
            case LifeStarted(life=life, cause=cause):
                self.causes[life] = cause.removeprefix("last death ")
                self.born_halted[life] = self.standing.halted
                self.unsettled = "nothing done"
                self._note_life(seq, before)
            case OrderIntended(intent=intent):
                self._note_intent(seq, intent)
            case OrderUnknown(label=label, reason=reason):
                self.unknowns[label] = Unknown(label, reason)
            case OrderAdopted(label=label):
                self._end(label, "adopted")
            case OrderAbandoned(label=label, evidence=evidence):
                self.absences[label] = (seq, evidence)
                self._deny(seq, label, "abandoned")
            case OrderRejected(label=label):
                self._deny(seq, label, "rejected")
            case OrderNotSent(label=label):
                self._deny(seq, label, "not sent")
            case OrderUpdated(order=order):
                self._end(order.label, "found")
                self.duties |= {order.order_id} if order.duty is not None else set()
            case CancelIntended(key=key):
                self.cancels.add(key.removeprefix("order "))
            case Reconciled(connection=connection, read_ms=read_ms):
                self.reconciles.append(Reconcile(seq, before.life, connection, read_ms))
                self.first_reads.setdefault((before.life, connection), read_ms)
            case Filled(fill=fill):
                self.fills[fill.key] = self.fills.get(fill.key, Decimal(0)) + fill.amount
            case PositionAdopted():
                self.adoptions.append((seq, event))
            case TradeClosed(trade=trade):
                known = {adopted.position.opened_ms for _, adopted in self.adoptions}
                mine = trade.signal_id or trade.opened_ms not in known
                (self.trades if mine else self.adopted).append(trade)
            case FundingCharged(trade=number, row=row) if number:
                self._charge(number, row.paid)
            case Recovered(report=report):
                self._note_report(seq, report)
            case PositionCorrected():
                self.corrections.append((seq, event))
                ours = any(p is not None and p.ours for p in (before.position, event.position))
                self.missed += [(seq, event.reason)] if ours and not event.awaits else []
            case DiscrepancyGivenUp(reason=reason):
                self.missed.append((seq, reason))
            case Halted(by=by, reason=reason):
                self.halts += 1
                if isinstance(self.events.get(seq - 1), LifeStarted):
                    self.born_halted[before.life] = True
                if by == "daemon" and not self.standing.liquidated:
                    self.daemon_halts.append((seq, reason))
            case _:
                pass  # the state has it

    def _charge(self, number: int, paid: Decimal) -> None:
        """Funding of a trade that was told before: of one of the last."""
        for trades in (self.trades, self.adopted):
            for at in reversed(range(len(trades))):
                trade = trades[at]
                if trade.number == number:
                    charged = trade.funding + paid
                    trades[at] = replace(trade, funding=charged, net=trade.net - paid)
                    return

    def _note_report(self, seq: int, report: RecoveryReport) -> None:
        """The state may have changed since the one that the report is about."""
        self.reports[report.life] = report
        if self.unsettled:
            text = f"life {report.life} reported its recovery with {self.unsettled}"
            self.premature.append((seq, text))

    def _note_life(self, seq: int, before: State) -> None:
        if before.life_open:
            recovering = before.life not in self.reports
            self.deaths.append(Death(before.life, seq - 1, before.phase, recovering))
        for label, pending in before.pending.items():
            if not pending.unknown:
                self.unknowns[label] = Unknown(label, f"life {before.life} ended")

    def _note_intent(self, seq: int, intent: Intent) -> None:
        self.intents[intent.label] = intent
        self.intent_seqs[intent.label] = seq
        self.funding_read[intent.label] = self.state.funding.through_ms
        self.leg_labels |= {leg.label: intent.label for leg in intent.legs}
        if intent.role is Role.ENTRY:
            lacking = self.standing.lacks(intent)
            if lacking:
                self.groundless[intent.label] = lacking
            reasons = (lacking, self.standing.forbids(), self.signals.too_old(intent))
            reason = "; ".join(filter(None, reasons))
            if reason:
                self.ungated.append((seq, intent.label, reason))

    def _deny(self, seq: int, label: str, how: str) -> None:
        self.denied[label] = (seq, how)
        self._end(label, how)

    def _end(self, label: str, outcome: str) -> None:
        unknown = self.unknowns.get(label)
        if unknown is not None and not unknown.outcome:
            unknown.outcome = outcome


def _unsettled(state: State) -> str:
    """What a life lacks of being reconciled, protected and proven; "" when it is all of that."""
    if not 0 < state.connection == state.reconciled:
        return "the account not read"
    bare = naked_amount(state)
    if bare > 0:
        return f"{bare} of the position without a stop"
    unproven = [label for label in state.recovering.unresolved if label in state.pending]
    return f"{', '.join(unproven)} unproven" if unproven else ""
