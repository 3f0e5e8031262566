"""Judgement over one simulated world, from three sources only: the exchange's ledger, the daemon's
store, and what the driver witnessed. It asks no running actor and reads no memory of the daemon's.
"""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import final

from msgspec import Struct

from chaos.sim import legacy
from chaos.sim.machine import Machine
from chaos.world import oracle
from chaos.world.books import Books
from chaos.world.bounded import Bounds
from chaos.world.closing import owed
from chaos.world.court import LEDGERS, WITNESSED, Case, Held, at_rest, judged
from chaos.world.durable import head_agrees, head_is_last
from chaos.world.exchange import MemoryJournal
from chaos.world.ledger import (
    LedgerBroken,
    SnapshotRow,
    Tail,
    head_of,
    log_rows,
    snapshot_rows,
)
from chaos.world.mark import START
from chaos.world.oracle import Violation, Witness
from chaos.world.permits import Permits
from chaos.world.skew import Leap
from chaos.world.statements import charge
from chaos.world.story import Story
from tradebaas.errors import Fatal, StoreOlder
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader

EVERYTHING = 10**9
GRACE_S = 30
"""How long, in virtual seconds, news may take to reach the daemon through this network."""
REST_S = 10
"""How long an exit may rest in the book: the longest that nobody can trade, and some more."""
FIRED_MS = 200
"""How long a stop may that has fired: then a close has to rest beside it, or the daemon has taken
it for a protection. Like the other, of the daemon's time."""
STARTED = {"BTC": Decimal(1), "USDC": Decimal(50_000)}
"""What the simulated account begins with."""


@final
class Patience(Struct, frozen=True, kw_only=True):
    """How fast exchange time runs against the daemon's, and the limits in exchange ms: of naked
    time, and of naked time after sabotage, news of which may be late."""

    rate: int
    naked_ms: int
    news_ms: int


@final
class Judge:
    """Reads both ledgers from their first line, as far as they go now.

    ``leaps`` of the exchange's clock may become more while it judges; ``held`` counts what the
    invariants were held against.
    """

    def __init__(
        self, machine: Machine, journal: MemoryJournal, witness: Witness, patience: Patience,
        leaps: Sequence[Leap] = (),
    ) -> None:  # fmt: skip
        self.books = Books(REST_S * 1000 * patience.rate, FIRED_MS * patience.rate)
        self.story = Story(remembered=EVERYTHING)
        self.witness = witness
        self.snapshots: list[SnapshotRow] = []
        self.head = Tail()
        self.held = Held()
        risk = machine.config.risk
        self._bounds = Bounds(
            STARTED,
            risk_percent=risk.risk_percent,
            max_leverage=risk.max_leverage,
            max_amount=risk.max_amount,
            max_entries_per_day=risk.max_entries_per_day,
            max_daily_loss_percent=risk.max_daily_loss_percent,
            slippage_percent=risk.slippage_percent,
            price_age_ms=risk.price_age_ms,
            validity_ms=risk.validity_ms,
            grace_ms=GRACE_S * 1000 * patience.rate,
            rate=Decimal(patience.rate),
        )
        foreign = machine.config.foreign
        self._permits = Permits(foreign.orders, foreign.positions)
        self._patience = patience
        self._machine = machine
        self._journal = journal
        self._charged = 0
        self._leaps = leaps

    def read(self) -> None:
        """Read what both ledgers hold beyond what is known; the exchange's first.

        Raises:
            LedgerBroken: one of them is not what an honest process leaves behind.
        """
        self.look()
        place = Place(self._machine.root, self._machine.disk.view())
        if not place.disk.exists(place.db):
            return
        with suppress(StoreOlder):  # a start over an old store has died before it was migrated
            self._read_log(place)
        if place.disk.exists(place.head):
            self.head = head_of(place.disk.read(place.head))

    def _read_log(self, place: Place) -> None:
        with open_reader(place) as reader:
            known = len(self.story.adoptions)
            self.story.take(log_rows(reader.connection, self.story.tail, place.db))
            for _, adopted in self.story.adoptions[known:]:
                self.books.adopt(adopted.position.instrument, adopted.at_ms)
            self.snapshots = snapshot_rows(reader.connection)

    def halted(self) -> bool:
        """Whether data/HALT lies on the disk now."""
        place = Place(self._machine.root, self._machine.disk.view())
        return place.disk.exists(place.halt)

    def last_life(self) -> int:
        """The last life in the log as it lies there; what is not durable may yet be lost again."""
        known = self.witness.starts[-1].life if self.witness.starts else 0
        place = Place(self._machine.root, self._machine.disk.view())
        try:
            with open_reader(place) as reader:
                life = reader.connection.execute("SELECT max(life) FROM events").get
        except StoreOlder:
            return legacy.LIVES
        except Fatal:  # there is no store yet, or none that is whole
            return known
        return int(str(life or 0))

    def settled(self) -> list[Violation]:
        """Where both ledgers differ while nothing moves; reads them anew."""
        self.read()
        story = self.story
        return [
            *at_rest(self.books, story, START, self.held),
            *head_is_last(story, self.head),
            *self._uncovered(),
            *owed(self.books, story, self.witness),
            *oracle.unread(self.books, story),
        ]

    def owed(self) -> list[Violation]:
        """What answered commands close and is still open; reads both ledgers anew."""
        self.read()
        return owed(self.books, self.story, self.witness)

    def uncovered(self) -> bool:
        """Whether a position of ours lacks a full stop now, by the exchange's ledger."""
        self.look()
        return bool(self._uncovered())

    def holds(self) -> bool:
        """Whether a position of ours is open now, by the exchange's ledger."""
        self.look()
        return any(span.ours for span in self.books.open_spans.values())

    def look(self) -> None:
        """Read the exchange's ledger alone."""
        self.books.take(self._journal.rows(self.books.n))
        statements = self._journal.statements
        charge(self.books, statements[self._charged :])
        self._charged = len(statements)

    def _uncovered(self) -> list[Violation]:
        found = []
        for name in sorted(self.books.open_spans):
            amount = self.books.uncovered(name)
            if amount:
                text = f"{amount} of the position in {name} is covered by nothing"
                found.append(Violation("protected", f"uncovered {name}", text))
        return found

    def verdict(self, now_ms: int, *, flat: bool) -> list[Violation]:
        """Every invariant, over everything that was read. Times are exchange ms."""
        try:
            self.read()
        except LedgerBroken as error:
            return [Violation("durable", "broken", str(error))]
        books, story, witness = self.books, self.story, self.witness
        witness.see_halt(self.halted(), f"at exchange time {now_ms}")
        limit_ms, news_ms = self._patience.naked_ms, self._patience.news_ms
        case = Case(
            books=books, story=story, witness=witness, now_ms=now_ms, limit_ms=limit_ms,
            sabotage_ms=news_ms, leaps=self._leaps, bounds=self._bounds, permits=self._permits,
            snapshots=self.snapshots, flat=flat,
        )  # fmt: skip
        found = [
            *judged((*WITNESSED, *LEDGERS), case, self.held),
            *head_agrees(story, self.head),
        ]
        return found + (oracle.balances(books, story, STARTED) if flat else [])
