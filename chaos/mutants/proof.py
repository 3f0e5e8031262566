"""Mutants of the proof of absence: an order is called gone without having been looked for."""

from decimal import Decimal

from msgspec.structs import replace

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas import lives
from tradebaas.actors import desk
from tradebaas.actors.desk import PROBE_MIN_S, Desk
from tradebaas.actors.recovery import RecoveryClock
from tradebaas.board import limits_of
from tradebaas.config import Config
from tradebaas.core import proof
from tradebaas.core.events import RecoveryReport
from tradebaas.core.facts import AbsentFact, Fact
from tradebaas.core.model import Absence, Instrument, Intent
from tradebaas.core.proof import PLACES
from tradebaas.core.risk import Limits
from tradebaas.core.state import State
from tradebaas.deribit import reads
from tradebaas.deribit.calls import Caller

SOON_MS = 250
NEVER_MS = 10**15


@mutant(
    "terminal-by-timeout",
    breaks="an unknown order is abandoned a quarter of a second after its intent, if not seen then",
    costs="it arrives while it may still be executed, and another entry is on its way",
    by="Known, Gated",
    needs="an order that is executed after the daemon has looked for it",
    profile="late",
)
def terminal_by_timeout(patch: Patch) -> None:
    def proves_absence(
        _state: State, intent: Intent, evidence: Absence, _limits: Limits
    ) -> bool:  # fmt: skip
        return evidence.read_ms > intent.intended_ms + SOON_MS

    patch.set(proof, "proves_absence", proves_absence)
    _look_soon(patch)


def _look_soon(patch: Patch) -> None:
    """Whoever proves by a timer has no reason to wait for the exchange."""

    def until_provable(_self: Desk) -> float:
        return PROBE_MIN_S

    patch.set(Desk, "_until_provable", until_provable)


@mutant(
    "queue-forgotten",
    breaks="absence is proven by reads right after valid_until: nothing is late at the exchange",
    costs="what was taken in the last moment is executed, or shows up in its stores, seconds later",
    by="Known, Gated",
    needs="an order that waits at the exchange beyond its deadline, and a lost answer",
    profile="late",
)
def queue_forgotten(patch: Patch) -> None:
    def hasty(config: Config) -> Limits:
        return replace(limits_of(config), queue_bound_ms=0, proof_margin_ms=0)

    patch.set(lives, "limits_of", hasty)


@mutant(
    "local-clock",
    breaks="whether an order may still arrive is told by the wall clock of our machine",
    costs="a clock that is set forward proves an order absent that is still on its way",
    by="Known, Gated",
    needs="a wall clock that steps forward while an order's outcome is unknown",
    profile="clock",
    seed=35,
)
def local_clock(patch: Patch) -> None:
    honest, first_seen = Desk._report, dict[str, int]()

    def retimed(self: Desk, fact: Fact) -> Fact:
        pending = self._ctx.view().pending
        if not isinstance(fact, AbsentFact) or fact.evidence.label not in pending:
            return fact
        intent, wall_ms = pending[fact.evidence.label].intent, self._ctx.ports.clock.wall_ms()
        passed = (wall_ms - first_seen.setdefault(intent.label, wall_ms)) * self._link.clock.rate
        read_ms = intent.intended_ms + int(passed)
        return AbsentFact(evidence=replace(fact.evidence, read_ms=read_ms))

    async def report(self: Desk, facts: tuple[Fact, ...]) -> None:
        await honest(self, tuple(retimed(self, fact) for fact in facts))

    patch.set(Desk, "_report", report)
    _look_soon(patch)


@mutant(
    "open-orders-only",
    breaks="an order is looked for among the open ones only",
    costs="entries never rest: one that filled is called absent, or is never found and blocks all",
    by="Known, Alive",
    needs="an order that is executed and whose answer never comes",
    profile="calls",
    seed=12,
)
def open_orders_only(patch: Patch) -> None:
    honest = reads.probe

    async def probe(
        link: Caller, labels: tuple[str, ...], instrument: Instrument, since_ms: int
    ) -> reads.Found | Absence:
        read_ms = await reads.server_time(link)
        listed = await reads.open_orders(link)
        if any(order.label in labels for order in listed):
            return await honest(link, labels, instrument, since_ms)
        held = {found.instrument: found.size for found in (await reads.positions(link)).found}
        size = held.get(instrument.name, Decimal(0))
        return Absence(label=labels[0], read_ms=read_ms, sources=tuple(PLACES), position=size)

    patch.set(reads, "probe", probe)


@mutant(
    "archive-unread",
    breaks="only the recent stores of orders and trades are read",
    costs="what filled and closed during a long outage is missing from the books",
    by="Same, Known",
    needs="an outage longer than the recent stores reach back",
    profile="outage",
)
def archive_unread(patch: Patch) -> None:
    patch.set(reads, "STORES", (False,))


@mutant(
    "looked-once",
    breaks="an old order is looked for once, while it may be moving into the archive",
    costs="it is in neither store at that moment, and what it filled is called absent",
    by="Known, Gated",
    needs="an outage longer than the recent stores reach back, with an order under way",
    profile="outage",
    seed=8,
)
def looked_once(patch: Patch) -> None:
    patch.set(proof, "APART_MS", 0)
    patch.set(desk, "OLD_MS", NEVER_MS)


@mutant(
    "recovered-early",
    breaks="a recovery is reported before the position is covered and the orders are proven",
    costs="the report says that all is well while an order may still be anywhere",
    by="Known",
    needs="a death with an order under way",
    seed=3,
)
def recovered_early(patch: Patch) -> None:
    honest = RecoveryClock.report

    def report(self: RecoveryClock, view: State) -> RecoveryReport | None:
        return honest(self, replace(view, pending={}, position=None))

    patch.set(RecoveryClock, "report", report)
