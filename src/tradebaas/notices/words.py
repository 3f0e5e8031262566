"""From a committed event to a notice: what happened, what the daemon did, what to do about it.

The table at the end names every kind of event that is told. Two need what came before (how an entry
was filled, which order was unknown), so a ``Teller`` remembers that much of the events it has seen;
where it has not seen them, the words do without.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import final

from tradebaas.commands.describe import ROLE_NAMES, describe, number, position_text
from tradebaas.core.events import (
    Event,
    Filled,
    ForeignFound,
    Halted,
    LifeEnded,
    LifeStarted,
    Liquidated,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderRejected,
    OrderUnknown,
    PhaseChanged,
    PositionAdopted,
    PositionElsewhere,
    ProtectOnlyEntered,
    ProtectOnlyLeft,
    Recovered,
    Resumed,
    StopStalled,
    TradeClosed,
)
from tradebaas.core.model import Intent, Phase, Role, role_of
from tradebaas.core.reasons import printable
from tradebaas.names import command
from tradebaas.notices.model import Notice
from tradebaas.store.restore import is_of_restore

NOTHING = "Nothing."
CLEAN = "clean start"
"""The cause of a recovery after which nothing was amiss (``core.apply``)."""


@final
class Teller:
    """Makes notices of events, in their order."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._entry: Intent | None = None
        self._filled = Decimal(0)
        self._paid = Decimal(0)
        self._unknown: set[str] = set()

    def tell(self, event: Event) -> Notice | None:
        """The notice of an event; None when it is not worth one."""
        make = TOLD.get(type(event))
        return None if make is None else make(self, event)

    # ------------------------------------------------------------------------ lives

    def started(self, event: LifeStarted) -> Notice:
        if not event.cause:
            return Notice(
                kind="started",
                title="started",
                happened=f"The daemon was started (life {event.life}).",
                did="It reads its store and the account and carries on where it stood.",
                todo=NOTHING,
            )
        if event.poisoned:
            return Notice(
                kind="restarts",
                title="the same crash came twice",
                happened=f"The crew died of {event.cause}, as it did before.",
                did=f"It started life {event.life}, which protects and closes but opens nothing.",
                todo="Look into the journal for the traceback. What crashes it is still there; "
                f"the strategy stays off until a life was healthy long enough. {self._see('log')}",
                urgent=True,
            )
        return Notice(
            kind="restarts",
            title="the crew was restarted",
            happened=f"The crew died of {event.cause}.",
            did=f"It started life {event.life} from the log.",
            todo="Nothing now. If it comes again, look into the journal for the traceback: a cause "
            "that repeats is a bug or a broken machine.",
        )

    def recovered(self, event: Recovered) -> Notice | None:
        report = event.report
        if report.cause == CLEAN and not report.findings:
            return None
        found = "; ".join(f"{f.label} {f.outcome} ({f.evidence})" for f in report.findings)
        return Notice(
            kind="recovered",
            title="recovered",
            happened=f"Life {report.life} has recovered. The cause: {report.cause}.",
            did=f"{describe(event)}. What it found: {found or 'nothing unproven'}.",
            todo="Nothing, if you know the cause. What was killed and not by you was killed by the "
            "system: the journal says by what.",
        )

    def stopped(self, event: LifeEnded) -> Notice:
        return Notice(
            kind="stopped",
            title="stopped",
            happened=f"The daemon was asked to stop and did (life {event.life}).",
            did="It let go of the account. A position that is open keeps its stop at the exchange.",
            todo="Start it again when it shall trade; nothing looks after the account meanwhile.",
        )

    # ------------------------------------------------------------------------ positions

    def intended(self, event: OrderIntended) -> None:
        if event.intent.role is Role.ENTRY:
            self._entry, self._filled, self._paid = event.intent, Decimal(0), Decimal(0)

    def filled(self, event: Filled) -> None:
        fill = event.fill
        if self._entry is not None and fill.label == self._entry.label:
            self._filled += fill.amount
            self._paid += fill.amount * fill.price

    def phase_changed(self, event: PhaseChanged) -> Notice | None:
        if event.target is not Phase.POSITION_OPEN:
            return None
        return Notice(
            kind="opened",
            title="position opened",
            happened=self._opened() or f"A position is open ({event.cause}).",
            did="Its stop rests at the exchange.",
            todo=f"{NOTHING} {self._see('status')}",
        )

    def _opened(self) -> str:
        """How the entry was filled; "" when that was not seen from here."""
        entry = self._entry
        if entry is None or not self._filled:
            return ""
        side = "Long" if entry.direction.sign > 0 else "Short"
        legs = (
            f", {ROLE_NAMES[role_of(leg.label)]} {number(leg.trigger_price or leg.price)}"
            for leg in entry.legs
        )
        price = number(round(self._paid / self._filled, 2))
        return (
            f"{side} {number(self._filled)} {entry.instrument} at {price}{''.join(legs)} "
            f"[{entry.label}]."
        )

    def adopted(self, event: PositionAdopted) -> Notice:
        return Notice(
            kind="opened",
            title="position adopted",
            happened=f"{describe(event)}.",
            did="It manages and protects it from now on, as [foreign] of the configuration says.",
            todo=f"Nothing, if that is what you want. {self._see('status')}",
        )

    def closed(self, event: TradeClosed) -> Notice:
        trade = event.trade
        owner = "" if trade.ours else " It was not a trade of this daemon's."
        return Notice(
            kind="closed",
            title=f"position closed, net {number(trade.net)} {trade.currency}",
            happened=f"{describe(event)}. Gross {number(trade.gross)}, fees {number(trade.fees)}, "
            f"funding so far {number(trade.funding)} {trade.currency}.{owner}",
            did="The account is flat on this contract, and it looks for the next signal if it is "
            "armed.",
            todo=NOTHING,
        )

    def liquidated(self, event: Liquidated) -> Notice:
        return Notice(
            kind="liquidated",
            title="LIQUIDATED",
            happened=f"{describe(event)}.",
            did="It recorded what the exchange did.",
            todo="Look at the account now: its margin did not carry the position. Lower "
            "risk.max_leverage, or find out who else trades there, before it trades again.",
            urgent=True,
        )

    def stalled(self, event: StopStalled) -> Notice:
        return Notice(
            kind="naked",
            title="a stop has fired and closes nothing",
            happened=f"{describe(event)}.",
            did="It closes the position in another way.",
            todo="Look at the account now; close by hand if it is still open in a minute. "
            f"{self._see('status')}",
            urgent=True,
        )

    def foreign(self, event: ForeignFound) -> Notice:
        return Notice(
            kind="foreign",
            title="something on the account is not ours",
            happened=f"{describe(event)}.",
            did="What [foreign] of the configuration says. While it is there nothing is opened.",
            todo="If it is yours, trade it on another account. If it is not, change the API key.",
        )

    def elsewhere(self, event: PositionElsewhere) -> Notice | None:
        if event.position is None:
            return None
        return Notice(
            kind="foreign",
            title="a second position of ours",
            happened=f"{position_text(event.position)} is open beside the managed one.",
            did="It gives it a stop, or closes it, and opens nothing meanwhile.",
            todo=f"Look whether it is gone in a minute. {self._see('status')}",
            urgent=True,
        )

    # ------------------------------------------------------------------------ orders

    def unknown(self, event: OrderUnknown) -> Notice:
        self._unknown.add(event.label)
        return Notice(
            kind="unknown",
            title="the outcome of an order is unknown",
            happened=f"{describe(event)}.",
            did="It asks the exchange until it has proof. Nothing is opened until then.",
            todo="Nothing now. If no notice of its end follows within minutes, look at the "
            f"exchange for its label. {self._see('state')}",
        )

    def proven(self, event: OrderAdopted | OrderAbandoned | OrderRejected) -> Notice | None:
        if event.label not in self._unknown:
            return None
        self._unknown.discard(event.label)
        return Notice(
            kind="unknown",
            title="the unknown order is proven",
            happened=f"{describe(event)}.",
            did="It has written down what became of it.",
            todo=NOTHING,
        )

    # ------------------------------------------------------------------------ halts and guards

    def halted(self, event: Halted) -> Notice:
        return Notice(
            kind="halted",
            title="HALTED",
            happened=f"Trading is halted by {event.by}: {printable(event.reason)}.",
            did="It cancelled what would add risk and closes what is open. It opens nothing, "
            "restarts included.",
            todo=f"{self._first(event.reason)}, then: {self._command('resume')}",
            urgent=True,
        )

    def _first(self, reason: str) -> str:
        """What to do before a halt is lifted."""
        if not is_of_restore(reason):
            return "Find out why"
        gap = self._command("backup", "gap")
        return f"See what the exchange did between backup and restore: {gap}"

    def resumed(self, event: Resumed) -> Notice:
        return Notice(
            kind="halted",
            title="resumed",
            happened=f"{event.by} lifted the halt.",
            did="It may open positions again.",
            todo=NOTHING,
        )

    def protecting(self, event: ProtectOnlyEntered) -> Notice:
        return Notice(
            kind="protect_only",
            title=f"protect-only: {event.cause}",
            happened=f"Nothing may be opened: {event.detail or event.cause}.",
            did="It keeps, protects and closes what is open, until the cause is gone.",
            todo="Remove the cause if it is yours to remove; docs/runbook.md has each of them.",
        )

    def protecting_no_more(self, event: ProtectOnlyLeft) -> Notice:
        return Notice(
            kind="protect_only",
            title=f"over: {event.cause}",
            happened=f"{event.cause} forbids nothing any more.",
            did="It may open positions again, unless another cause stands.",
            todo=NOTHING,
        )

    def _see(self, word: str) -> str:
        return f"See: {self._command(word)}"

    def _command(self, *words: str) -> str:
        return command(*words, "--data", self._data)


TOLD: dict[type, Callable[..., Notice | None]] = {
    LifeStarted: Teller.started,
    LifeEnded: Teller.stopped,
    Recovered: Teller.recovered,
    OrderIntended: Teller.intended,
    Filled: Teller.filled,
    PhaseChanged: Teller.phase_changed,
    PositionAdopted: Teller.adopted,
    TradeClosed: Teller.closed,
    Liquidated: Teller.liquidated,
    StopStalled: Teller.stalled,
    ForeignFound: Teller.foreign,
    PositionElsewhere: Teller.elsewhere,
    OrderUnknown: Teller.unknown,
    OrderAdopted: Teller.proven,
    OrderAbandoned: Teller.proven,
    OrderRejected: Teller.proven,
    Halted: Teller.halted,
    Resumed: Teller.resumed,
    ProtectOnlyEntered: Teller.protecting,
    ProtectOnlyLeft: Teller.protecting_no_more,
}
"""How each kind of event that is told becomes a notice."""
NAMES = frozenset(kind.__name__ for kind in TOLD)
"""Their names in the log; no other record is decoded."""
