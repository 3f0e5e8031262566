"""Situations that a batch of worlds must have visited: a batch that never saw one tested nothing.

Each is a name and a way to count how often a world came into it, from both ledgers and from what
the driver marked. A required situation that no seed visited fails the batch.
"""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from chaos.sim.deeds import SET_MEANWHILE
from chaos.sim.liveness import STOP_BACK
from chaos.sim.operator import OUTAGE
from chaos.sim.profiles import RUSH
from chaos.sim.reaper import Deed, Place
from chaos.sim.world import Outcome
from chaos.world.ledger import OrderRow, RequestRow, TradeRow
from tradebaas.core.events import (
    CloseRequested,
    Filled,
    Halted,
    LifeStarted,
    LinkLost,
    OrderAbandoned,
    OrderAdopted,
    OrderNotSent,
    OrderUnknown,
    OrderUpdated,
    ProtectOnlyEntered,
    Reconciled,
    SignalDropped,
)
from tradebaas.core.model import Absence, Phase, Role, role_of
from tradebaas.core.proof import APART_MS, OLD_MS

Count = Callable[[Outcome], int]
NO_STOP_CAME = "a naked position was closed, as no stop came"
TWO_LOOKS = "unknown order proven absent by two looks"


def visited(outcome: Outcome) -> dict[str, int]:
    """How often the world came into each situation."""
    return {name: count(outcome) for name, count in SITUATIONS.items()}


def _count(kind: type, test: Callable[..., bool]) -> Count:
    """How many events of a kind pass a test."""
    return lambda outcome: sum(
        isinstance(event, kind) and test(event) for event in outcome.story.events.values()
    )


def _silent(reason: str) -> bool:
    """No frame for too long, or, long before that, no answer to whoever asks for a price then."""
    return "nothing received" in reason or "public/ticker: no answer" in reason


def _far_apart(absence: Absence) -> bool:
    """Whether it was looked for twice, so far apart that what moves into the archive is seen."""
    return 0 < absence.first_read_ms <= absence.read_ms - APART_MS


def _ended(how: str) -> Count:
    return lambda outcome: sum(u.outcome == how for u in outcome.story.unknowns.values())


def _deaths(test: Callable[..., bool]) -> Count:
    return lambda outcome: sum(map(test, outcome.deaths))


def _died_in(phase: Phase) -> Count:
    return _deaths(lambda death: death.phase is phase)


def _refused(code: int) -> Count:
    return lambda outcome: sum(
        _code(row.body) == code for row in outcome.lines if isinstance(row.body, RequestRow)
    )


def _code(row: RequestRow) -> int:
    error = row.outcome.get("error")
    return int(str(error["code"])) if isinstance(error, dict) else 0


def _fired_while_down(role: Role) -> Count:
    """Fills of a leg while no client was connected to the exchange."""

    def count(outcome: Outcome) -> int:
        sessions = [(s.login_n, s.end_n) for s in outcome.books.sessions.values() if s.login_n]
        trades = (r for r in outcome.lines if isinstance(r.body, TradeRow))
        return sum(
            role_of(row.body.label) is role
            and not any(start < row.n and (end is None or row.n < end) for start, end in sessions)
            for row in trades
            if isinstance(row.body, TradeRow)
        )

    return count


def _mark(name: str) -> Count:
    return lambda outcome: outcome.marks[name]


def _archived(outcome: Outcome) -> int:
    """Unknown orders that were adopted when they had left the recent store long ago."""
    ended = {row.body.label: row.at_ms for row in outcome.lines if isinstance(row.body, OrderRow)}
    found, read_ms = 0, 0
    for event in outcome.story.events.values():
        if isinstance(event, Reconciled):
            read_ms = event.read_ms
        elif isinstance(event, OrderAdopted):
            found += read_ms - ended.get(event.label, read_ms) > OLD_MS
    return found


def _late_fill(outcome: Outcome) -> int:
    """Fills that the daemon learnt of when it already held their order for cancelled."""
    cancelled: set[str] = set()
    found = 0
    for event in outcome.story.events.values():
        if isinstance(event, OrderUpdated) and event.order.state == "cancelled":
            cancelled.add(event.order.order_id)
        elif isinstance(event, Filled):
            found += event.fill.order_id in cancelled
    return found


def _halted_by_file(*, at_start: bool) -> Count:
    """Halts that were found as data/HALT: by a new life before anything else, or by one at work."""

    def count(outcome: Outcome) -> int:
        events = outcome.story.events
        return sum(
            isinstance(event, Halted)
            and event.by == "halt file"
            and isinstance(events.get(seq - 1), LifeStarted) is at_start
            for seq, event in events.items()
        )

    return count


def _partial(outcome: Outcome) -> int:
    """Entries of which something filled, and never all."""
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for event in outcome.story.events.values():
        if isinstance(event, Filled) and role_of(event.fill.label) is Role.ENTRY:
            filled[event.fill.label] += event.fill.amount
    intents = outcome.story.intents
    return sum(label in intents and n < intents[label].amount for label, n in filled.items())


SITUATIONS: dict[str, Count] = {
    "unknown entry or exit found and adopted": _ended("adopted"),
    "unknown order proven absent": _ended("abandoned"),
    TWO_LOOKS: _count(OrderAbandoned, lambda e: _far_apart(e.evidence)),
    "intent that was never sent": _count(OrderNotSent, lambda _: True),
    "connection lost with an order under way": _count(
        OrderUnknown, lambda e: "connection lost" in e.reason
    ),
    "half-open connection found by its silence": _count(LinkLost, lambda e: _silent(e.reason)),
    "entry filled in part": _partial,
    "stop fired while down": _fired_while_down(Role.STOP),
    "take profit filled while down": _fired_while_down(Role.TAKE),
    "late fill of an order held for cancelled": _late_fill,
    "entry came after its deadline": _refused(13888),
    SET_MEANWHILE: _mark(SET_MEANWHILE),
    STOP_BACK: _mark(STOP_BACK),
    "entry rested and was taken away": lambda o: sum(
        rest.end_ms is not None and rest.end_ms - rest.start_ms >= o.swarm.config().risk.validity_ms
        for rest in o.books.rests.ended
    ),
    "signal dropped, its prices were old": _count(
        SignalDropped, lambda e: "the prices are" in e.reason
    ),
    "halted while down": _halted_by_file(at_start=True),
    "data/HALT left while it ran": _halted_by_file(at_start=False),
    "crash loop: a life without the strategy": _count(LifeStarted, lambda e: e.poisoned),
    OUTAGE: _mark(OUTAGE),
    NO_STOP_CAME: _count(CloseRequested, lambda e: "no stop is there within" in e.reason),
    "protect-only": _count(ProtectOnlyEntered, lambda _: True),
    "death in the recovery of a recovery": _deaths(lambda d: d.depth >= 2),
    "power cut inside a commit": _deaths(lambda d: d.deed is Deed.POWER and d.place is Place.DISK),
    "label found only in the archive": _archived,
    "refused a damaged store": _mark("refused a damaged store"),
    "restored from a backup": _mark("restored from a backup"),
    "death inside a migration": _mark("death inside a migration"),
    "backup during a commit": _mark("backup during a commit"),
    "a flipped bit that a start refused": _mark("refused a flipped bit"),
    "two answers for one id": _mark("answered twice"),
    "death inside a frame": _deaths(lambda d: d.deed is Deed.BREAK),
    **{f"death in {phase}": _died_in(phase) for phase in Phase},
}
"""What is counted; a large batch of the general world must have visited all of it."""
RUSHED = (
    *("unknown entry or exit found and adopted", "unknown order proven absent"),
    *("halted while down", "protect-only", STOP_BACK),
    *("death in the recovery of a recovery", "power cut inside a commit", "death inside a frame"),
    *("a flipped bit that a start refused", "refused a damaged store", "restored from a backup"),
    *(f"death in {phase}" for phase in Phase if phase is not Phase.SIGNAL_DETECTED),
)
"""What a batch of ``profiles.RUSH`` must have visited: what death itself brings about, and what it
leaves behind. With a death soon after the one before, the rest may have no time to happen."""
WANTED: dict[str | None, tuple[str, ...]] = {
    None: tuple(SITUATIONS),
    RUSH: RUSHED,
}
"""By profile; of the others nothing is required but what their mutants need."""
SEEDS_FOR_ALL: dict[str | None, int] = {None: 100, RUSH: 64}
"""With so many seeds a batch must have visited all of that."""


def wanted(profile: str | None, seeds: int) -> tuple[str, ...]:
    """What a batch must have visited."""
    return WANTED[profile] if seeds >= SEEDS_FOR_ALL.get(profile, seeds + 1) else ()
