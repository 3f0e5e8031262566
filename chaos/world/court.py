"""All checks over both ledgers, as one table, and what each invariant was held against by them.

A check that finds nothing has shown nothing unless there was something to look at: so with each
one stands what it looks at, and that is counted when the check is made, never otherwise. A batch in
which an invariant was held against nothing at all has not judged it. Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import final

from chaos.world import oracle
from chaos.world.alive import alive, never_halted
from chaos.world.armed import armed
from chaos.world.books import Books, Request
from chaos.world.bounded import Bounds, bounded
from chaos.world.closed import fail_closed, without_ground
from chaos.world.durable import durable
from chaos.world.known import known
from chaos.world.ledger import SnapshotRow
from chaos.world.mark import START, Mark
from chaos.world.once import once
from chaos.world.oracle import Violation, Witness
from chaos.world.permits import QUARANTINED, Permits, adoptions
from chaos.world.priced import judgeable, priced
from chaos.world.protected import protected
from chaos.world.resting import resting
from chaos.world.skew import Leap
from chaos.world.story import Story
from chaos.world.truth import truthful
from tradebaas.core.model import LABEL_PREFIX
from tradebaas.core.state import FOLD_VERSION

INVARIANTS = (
    *("durable", "once", "known", "protected", "bounded", "gated", "fail closed"),
    *("alive", "same"),
)
"""All that whoever judges both ledgers has to hold against something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is judged: both ledgers, the witness, and the limits of naked time in exchange ms.

    ``latest_ms`` is the latest that the exchange's clock can have shown; None: ``now_ms``.
    """

    books: Books
    story: Story
    witness: Witness
    now_ms: int
    limit_ms: int
    bounds: Bounds
    permits: Permits = QUARANTINED
    snapshots: Sequence[SnapshotRow] = ()
    since: Mark = START
    latest_ms: int | None = None
    sabotage_ms: int | None = None
    leaps: Sequence[Leap] = ()
    flat: bool = False


Counts = dict[tuple[str, str], int]
Things = dict[str, dict[str, int]]


def by_thing(counts: Counts) -> Things:
    """Numbers by the invariant and the kind of things, with all invariants: nothing was held
    against one that has no things."""
    table: Things = {invariant: {} for invariant in INVARIANTS}
    for (invariant, things), number in counts.items():
        table[invariant][things] = number
    return table


@final
class Held:
    """How many things each invariant was held against, by the check that did it.

    A check that looks at the same things once more has held nothing more against it.
    """

    def __init__(self) -> None:
        self._counts: Counts = {}

    def note(self, invariant: str, things: str, number: int) -> None:
        """A check of an invariant was made, and looked at so many things of a kind."""
        key = invariant, things
        self._counts[key] = max(self._counts.get(key, 0), number)

    def counts(self) -> Counts:
        """How many things of each kind, by the invariant and the kind."""
        return dict(self._counts)

    def by_thing(self) -> Things:
        """The same as a table."""
        return by_thing(self._counts)


@dataclass(frozen=True, slots=True)
class Check:
    """``things`` says what ``number`` counts: what ``find`` looks at."""

    invariant: str
    things: str
    number: Callable[[Case], int]
    find: Callable[[Case], Iterable[Violation]]


def judged(checks: Iterable[Check], case: Case, held: Held) -> list[Violation]:
    """Make the checks; ``held`` counts what they looked at."""
    found: list[Violation] = []
    for check in checks:
        found += check.find(case)
        held.note(check.invariant, check.things, check.number(case))
    return found


def at_rest(books: Books, story: Story, since: Mark, held: Held) -> list[Violation]:
    """``known``: where both ledgers differ though nothing moves."""
    state = story.state
    orders = {*books.ours_live(), *state.orders}
    held.note("known", "orders", len(orders))
    held.note("known", "fills", sum(n > since.n for n, _ in books.trades.values()))
    return known(books, story, since)


# ------------------------------------------------------------------------- what there is to look at


def _entries(case: Case) -> list[Request]:
    """The entries of ours that reached the exchange."""
    fresh = case.books.requests_after(case.since.n)
    return [r for r in fresh if r.is_entry and r.row.label.startswith(LABEL_PREFIX)]


def _intended(case: Case) -> int:
    return sum(request.row.label in case.story.intents for request in _entries(case))


def _positions(case: Case) -> int:
    """The positions of ours that were ended since, or are open."""
    books = case.books
    ended = len(books.our_spans) - case.since.spans
    return ended + sum(span.ours for span in books.open_spans.values())


def _compared(case: Case) -> int:
    """Views and snapshots whose state is still known, and trades that both ledgers have."""
    states, since = case.story.states, case.since
    seqs = [shown.seq for shown in case.witness.published]
    seqs += [row.seq for row in case.snapshots if row.fold_version == FOLD_VERSION]
    spans, trades = case.books.our_spans[since.spans :], case.story.trades[since.trades :]
    return sum(seq in states for seq in seqs) + min(len(spans), len(trades))


def _same(case: Case) -> list[Violation]:
    return oracle.same(
        case.books, case.story, case.witness, case.snapshots, flat=case.flat, since=case.since
    )


def _protected(case: Case) -> list[Violation]:
    return protected(
        case.books, case.story, case.now_ms, case.limit_ms, case.since, case.sabotage_ms, case.leaps
    )


def _resting(case: Case) -> list[Violation]:
    """News may take as long as after sabotage; where nobody says how long that is, as any news."""
    news_ms = max(case.limit_ms, case.bounds.grace_ms)
    grace_ms = news_ms if case.sabotage_ms is None else case.sabotage_ms
    return resting(
        case.books, case.story, case.bounds, case.now_ms, grace_ms, case.since, case.leaps
    )


def _truthful(case: Case) -> list[Violation]:
    latest_ms = case.now_ms if case.latest_ms is None else case.latest_ms
    return truthful(case.books, case.story, latest_ms)


WITNESSED: tuple[Check, ...] = (
    Check("durable", "answers and views",
          lambda c: len(c.witness.promises) + len(c.witness.published),
          lambda c: durable(c.story, c.witness)),
    Check("durable", "stops", lambda c: len(c.story.unarmed) - c.since.unarmed,
          lambda c: armed(c.story, c.witness, c.since)),
)  # fmt: skip
"""What takes a witness who has seen everything since the mark."""
LEDGERS: tuple[Check, ...] = (
    Check("once", "order requests", lambda c: len(c.books.requests_after(c.since.n)),
          lambda c: once(c.books, c.story, c.since, c.permits)),
    Check("known", "positions taken over", lambda c: len(c.story.adoptions),
          lambda c: adoptions(c.books, c.story, c.permits)),
    Check("protected", "positions", _positions, _protected),
    Check("bounded", "entries", lambda c: len(_entries(c)),
          lambda c: bounded(c.books, c.story, c.bounds, c.since)),
    Check("bounded", "prices of entries", lambda c: len(judgeable(c.books, c.since)),
          lambda c: priced(c.books, c.story, c.bounds, c.since)),
    Check("bounded", "entries in the book", lambda c: len(c.books.rests.after(c.since.rests)),
          _resting),
    Check("gated", "entries", _intended,
          lambda c: oracle.gated(c.books, c.story, c.witness, c.since)),
    Check("fail closed", "outages and lost connections",
          lambda c: without_ground(c.books, c.witness, c.since),
          lambda c: fail_closed(c.books, c.story, c.witness, c.since)),
    Check("known", "orders that never were", lambda c: len(c.story.denied) - c.since.denied,
          _truthful),
    Check("alive", "lives", lambda c: len(c.story.causes) - c.since.causes,
          lambda c: alive(c.story, c.witness, c.since)),
    Check("known", "halts", lambda c: c.story.halts,
          lambda c: never_halted(c.story, c.since)),
    Check("same", "views, snapshots and trades", _compared, _same),
)  # fmt: skip
