"""Pure judgement: what the ledgers and the driver's own witness say about the invariants.

Each check takes the exchange's books, the daemon's story and what the driver witnessed, and gives
violations; an empty list means that the invariant held. The numbers are those of DESIGN section 7;
what is not here is in a module of its own (``durable``, ``armed``, ``once``, ``known``,
``protected``, ``bounded``, ``closed``, ``alive``, ``closing``, ``truth``). A check may run after
every round: it looks at everything known so far or, told a ``Mark``, at what came after it and
whatever of the time before that touches; the caller drops repeats by ``key``. Nothing here reads a
file or a clock.

    gated       6  no entry before a reconcile, from a wrong connection, while halted, or against
                   anything else that ``standing`` folds from the log
    same        9  published = fold = snapshot; trades, profit and fees equal the exchange's
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from chaos.world.books import Books, Request, Span
from chaos.world.ledger import SnapshotRow
from chaos.world.mark import START, Mark
from chaos.world.story import Story
from chaos.world.tally import trade_differs
from tradebaas.core.state import FOLD_VERSION, State

Json = dict[str, object]
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant. ``key`` tells repeats apart; ``evidence`` are ledger rows in words."""

    check: str
    key: str
    text: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Promise:
    """A 2xx answer to a command: ``events`` are durable and end at ``seq``, so it said."""

    what: str
    seq: int
    events: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """An answered command that closes what is open: a halt, a close, a stop with one.

    ``seq`` is where the log was, so it said. Whatever it closes was intended before that.
    """

    what: str
    seq: int


@dataclass(frozen=True, slots=True)
class Published:
    """What a reading endpoint showed: the state as of ``seq``, a part of it."""

    what: str
    seq: int
    life: int
    part: Json

    @classmethod
    def whole(cls, what: str, state: State) -> "Published":
        """A view that was shown with everything in it."""
        return cls(what, state.seq, state.life, plain(state))


@dataclass(slots=True)
class HaltWindow:
    """Journal lines from the answer to a halt, or from an outage, to its end (None: not yet).

    ``seq`` is where the log was when it began: what was intended before it may be on its way.
    ``filed`` says that data/HALT has to lie there until the end.
    """

    seq: int
    first_n: int
    last_n: int | None = None
    filed: bool = True


@dataclass(slots=True)
class Start:
    """A start of the daemon's process, and what the driver does to that process from then on.

    ``life`` is the last one in the log before it, ``halt_file`` whether data/HALT was there.
    ``deaths`` counts the injected deaths that a next life tells of, by the name of the exception;
    causes in ``excused``, with the actor's name, may come any number of times. ``stops`` counts
    those that were asked for and not answered: each may have been obeyed.
    """

    life: int
    halt_file: bool = False
    deaths: Counter[str] = field(default_factory=Counter)
    excused: set[str] = field(default_factory=set)
    stops: int = 0


@dataclass(slots=True)
class Witness:
    """What the driver saw with its own eyes, and what it did.

    ``lost_halts`` has the moments at which data/HALT should have been there and was not.
    """

    promises: list[Promise] = field(default_factory=list)
    closes: list[Close] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    halts: list[HaltWindow] = field(default_factory=list)
    outages: list[HaltWindow] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    lost_halts: list[str] = field(default_factory=list)

    def begin(self, life: int, *, halt_file: bool) -> None:
        """The daemon's process is about to start; ``life`` is the last one in the log."""
        self.starts.append(Start(life, halt_file))
        self.see_halt(halt_file, f"at start {len(self.starts)}")

    def see_halt(self, there: bool, moment: str) -> None:
        """Whether data/HALT was there at a moment; it is owed while a halt is not resumed."""
        if not there and any(window.last_n is None and window.filed for window in self.halts):
            self.lost_halts.append(moment)

    def take_halt_file(self) -> None:
        """The driver itself takes data/HALT away."""
        for window in self.halts:
            window.filed = False

    def forget_starts(self, life: int) -> None:
        """The log was restored: lives are counted anew, and those up to ``life`` were judged."""
        self.starts[:] = [Start(life)]
        self.closes.clear()

    def injected(self, kind: str) -> None:
        """A death was injected into the running process: an exception of that name."""
        self.starts[-1].deaths[kind] += 1

    def excuse(self, cause: str) -> None:
        """From now on the running process may die of this, as often as it likes."""
        self.starts[-1].excused.add(cause)


# --------------------------------------------------------------------------------------- 6 gated


def gated(books: Books, story: Story, witness: Witness, since: Mark = START) -> list[Violation]:
    """No entry without a permit, from another connection than its own, or while halted."""
    found = [
        Violation("gated", f"intent {label}", f"entry {label} was intended though: {why}",
                  (f"event {seq}",))
        for seq, label, why in story.ungated[since.ungated :]
    ]  # fmt: skip
    fresh = books.requests_after(since.n)
    for request in fresh:
        intent = story.intents.get(request.row.label)
        if intent is None:
            continue
        owner = (intent.life, intent.connection)
        theirs = _owner(books, story, request.row.session)
        if theirs != owner:
            session = f"session {request.row.session} of {theirs}"
            text = f"{intent.label} of life, connection {owner} came through {session}"
            found.append(Violation("gated", f"session {intent.label}", text))
        if request.is_entry and story.first_reads.get(owner, request.at_ms + 1) > request.at_ms:
            text = f"entry {intent.label} reached the exchange before a reconcile of {owner}"
            row = (request_line(request),)
            found.append(Violation("gated", f"reconcile {intent.label}", text, row))
    return found + list(_while_halted(books, story, fresh, witness))


def _owner(books: Books, story: Story, session: int) -> tuple[int, int] | None:
    """The life and connection that a session belongs to: those of the first intent it carried."""
    carried = (story.intents.get(r.row.label) for r in books.by_session[session])
    return next(((i.life, i.connection) for i in carried if i is not None), None)


def _while_halted(
    books: Books, story: Story, fresh: list[Request], witness: Witness
) -> Iterable[Violation]:
    entries = [r for r in fresh if r.is_entry]
    for window in witness.halts if entries else ():
        last = books.n if window.last_n is None else window.last_n
        for request in entries:
            later = story.intent_seqs.get(request.row.label, 0) > window.seq
            if later and window.first_n < request.n <= last:
                text = f"entry {request.row.label} reached the exchange while halted"
                key = f"halt {request.row.label}"
                yield Violation("gated", key, text, (request_line(request),))


# ---------------------------------------------------------------------------------------- 9 same


def same(
    books: Books, story: Story, witness: Witness, snapshots: Iterable[SnapshotRow],
    *, flat: bool, since: Mark = START,
) -> list[Violation]:  # fmt: skip
    """Published parts, stored snapshots and trades equal the fold; ``flat``: all trades are in."""
    found = [_published(story, shown) for shown in witness.published]
    for row in snapshots:
        state = story.states.get(row.seq)
        if row.fold_version != FOLD_VERSION or state is None:
            continue
        if msgspec.json.decode(row.body, type=State) != state:
            text = f"the snapshot at seq {row.seq} is not the fold of the events before it"
            found.append(Violation("same", f"snapshot {row.seq}", text))
    found += [
        Violation("same", f"missed {seq}", f"the daemon missed fills: {reason}", (f"event {seq}",))
        for seq, reason in story.missed[since.missed :]
    ]  # fmt: skip
    found.append(_trades_differ(books, story, since, flat=flat))
    return [violation for violation in found if violation is not None]


def _published(story: Story, shown: Published) -> Violation | None:
    state = story.states.get(shown.seq)
    if state is None:
        return None
    whole = plain(state)
    differing = {
        name: (value, whole.get(name))
        for name, value in {**shown.part, "life": shown.life}.items()
        if value != whole.get(name)
    }
    if not differing:
        return None
    text = f"{shown.what} showed another state {shown.seq} than the fold of the log"
    return Violation("same", f"{shown.what} {shown.seq}", text, (str(differing),))


def _trades_differ(books: Books, story: Story, since: Mark, *, flat: bool) -> Violation | None:
    """Compares in pairs; what only one side has yet is compared when the other has it too."""
    spans, trades = books.our_spans[since.spans :], story.trades[since.trades :]
    through_ms = story.state.funding.through_ms
    for number, (span, trade) in enumerate(zip(spans, trades, strict=False), since.trades + 1):
        differing = trade_differs(span, trade, through_ms)
        if differing:
            text = f"trade {number} differs from the exchange's ledger: {differing}"
            return Violation("same", f"trade {number}", text, (str(span), str(trade)))
    if flat and len(spans) != len(trades):
        text = f"the exchange closed {len(spans)} positions of ours, the log {len(trades)}"
        return Violation("same", "number of trades", text)
    return None


def unread(books: Books, story: Story) -> list[Violation]:
    """Where the funding of a position of ours that is over has not been read yet."""
    through_ms = story.state.funding.through_ms
    late = [span for span in books.our_spans if span.closed_ms > through_ms]
    if not late:
        return []
    text = f"the funding of {len(late)} positions was not read, up to {late[-1].closed_ms}"
    return [Violation("same", "funding", f"{text}: the log is read up to {through_ms}")]


def balances(books: Books, story: Story, started: dict[str, Decimal]) -> list[Violation]:
    """Start + every position's profit + what settlements moved = the exchange's balance; and the
    log's total equals ours, once it has read the funding of all."""
    found = []
    for currency, start in started.items():
        mine = [s for s in books.spans if s.currency == currency]
        booked = sum((s.gross - s.fees for s in mine), ZERO)
        expected = start + booked + books.settled.get(currency, ZERO)
        balance = books.balances.get(currency, start)
        if balance != expected:
            text = f"the exchange's {currency} balance is {balance}, its trades say {expected}"
            found.append(Violation("same", f"balance {currency}", text))
        ours = [span for span in mine if span.ours]
        for what, told, counted in _totals(story, currency, ours, read=not unread(books, story)):
            if told != counted:
                text = f"{what} {currency}: {counted} by the log, {told} by the exchange"
                found.append(Violation("same", f"{what} {currency}", text))
    return found


def _totals(
    story: Story, currency: str, ours: list[Span], *, read: bool
) -> Iterator[tuple[str, Decimal, Decimal]]:
    """What the exchange says of all our positions together, and what the log counts."""
    counters = story.state.counters
    adopted = [trade for trade in story.adopted if trade.currency == currency]
    funding = counters.funding.get(currency, ZERO) - sum((t.funding for t in adopted), ZERO)
    net = counters.net.get(currency, ZERO) - sum((t.net for t in adopted), ZERO)
    yield "net", sum((s.gross - s.fees for s in ours), ZERO), net + funding
    if read:
        yield "funding", sum((s.funding for s in ours), ZERO), funding


# ----------------------------------------------------------------------------------------- words


def plain(value: object) -> Json:
    """A value as its JSON reads."""
    decoded: Json = msgspec.json.decode(msgspec.json.encode(value))
    return decoded


def request_line(request: Request) -> str:
    """A request as a line of evidence."""
    row = request.row
    return (
        f"journal line {request.n} at {request.at_ms}: {row.method} {row.label} "
        f"{row.params.get('amount')} in session {row.session} -> {row.outcome}"
    )
