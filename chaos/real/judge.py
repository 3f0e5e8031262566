"""Has the oracle judge after each round what the round brought, and at the end everything anew.

Each round is judged since the mark of the one before, so that the three-thousandth costs as much as
the first. What was answered and shown is compared at once and then forgotten: the chain of digests
watches over it from there on. At the end both ledgers are read again from their first line, and the
whole is judged once.
"""

import math
import time
from collections import Counter
from dataclasses import replace
from decimal import Decimal

from chaos.real.driver import INSTRUMENT, Driver
from chaos.real.scene import Scene
from chaos.world import oracle
from chaos.world.books import Books
from chaos.world.bounded import Bounds
from chaos.world.closing import owed
from chaos.world.court import (
    LEDGERS,
    WITNESSED,
    Case,
    Held,
    at_rest,
    judged,
)
from chaos.world.durable import head_agrees, head_is_last
from chaos.world.known import fills
from chaos.world.ledger import Tail, read_journal, read_log, read_snapshots
from chaos.world.mark import START, Mark, mark
from chaos.world.oracle import Violation, Witness
from chaos.world.story import Story

STARTED = {"BTC": Decimal(1), "USDC": Decimal(50_000)}
GRACE_REAL_S = 3
"""How long news of the account may take to reach the daemon, on a loaded machine."""
NAKED_LIMIT_REAL_S = 1.0
"""Grace for the exchange's notifications plus the time to send a stop, on a loaded machine."""


class Horizon:
    """The latest that the exchange's clock can have shown, whatever it was told of its time.

    It never runs faster than its speed, but an exchange that was killed goes on from an earlier
    time; what was read of it before that was no lie.
    """

    def __init__(self, speed: float) -> None:
        self.latest_ms = 0
        self._speed = speed
        self._asked_at, self._said_ms = 0.0, 0

    def see(self, asked_at: float, told_at: float, now_ms: int) -> None:
        """Asked and told at these monotonic seconds of ours, the exchange said ``now_ms``."""
        if self._said_ms:
            most_ms = math.ceil((told_at - self._asked_at) * 1000 * self._speed) + 1
            self.latest_ms = max(self.latest_ms, self._said_ms + most_ms)
        self.latest_ms = max(self.latest_ms, now_ms)
        self._asked_at, self._said_ms = asked_at, now_ms


class Judge:
    """Judges one campaign. ``checked`` counts what each invariant was held against, by kind."""

    def __init__(self, driver: Driver) -> None:
        self.violations: list[tuple[int, Violation]] = []
        self.checked = Counter[tuple[str, str]]()
        self.promises = 0
        self.shown = 0
        self._driver = driver
        self._horizon = Horizon(driver.exchange.speed)
        self._held = Held()
        self._seen: set[str] = set()
        self._mark = START
        self._origin = START
        self._now_ms()

    def round(self, scene: Scene) -> list[Violation]:
        """Judge what is new since the last time, and what the round itself found amiss.

        Gives the violations that were not seen before.
        """
        driver = self._driver
        driver.look()
        if scene.judge_anew:
            self._begin_anew()
        self.checked.update(scene.checked)
        found = [*scene.found, *self._agreement(), *self._ledgers(self._mark, flat=False)]
        self._count()
        self._mark = mark(driver.books, driver.story, self._mark)
        self._forget_proven()
        return self.note(scene.played.number, found)

    def _begin_anew(self) -> None:
        """The store was restored and the account is flat: judge what comes from here on.

        What the log forgot between the backup and the damage is told nowhere but at the exchange.
        """
        driver = self._driver
        driver.read_store()
        driver.read_journal()
        driver.witness.forget_starts(driver.state.life)
        now = mark(driver.books, driver.story)
        trades, spans = len(driver.story.trades), len(driver.books.our_spans)
        self._mark = self._origin = replace(now, trades=trades, spans=spans)

    def end(self, number: int) -> None:
        """Everything once more, from the first line of both ledgers; the account is flat."""
        found = [*self._agreement(), *self._ledgers(self._mark, flat=True), *self._anew()]
        self._count()
        self._forget_proven()
        self.note(number, found)

    def stuck(self, number: int) -> None:
        """Say what the ledgers say about a daemon that does not come forward."""
        self.note(number, [*self._agreement(), *self._ledgers(self._mark, flat=False)])

    def note(self, number: int, found: list[Violation]) -> list[Violation]:
        """Keep what was not seen before, and return it."""
        unseen = {f"{v.check} {v.key}": v for v in found}
        fresh = [v for key, v in unseen.items() if key not in self._seen]
        self._seen |= unseen.keys()
        self.violations += [(number, violation) for violation in fresh]
        return fresh

    # ------------------------------------------------------------------------------- the checks

    def _agreement(self) -> list[Violation]:
        """Both ledgers agree on what is live and held, and our position is covered."""
        if self._driver.agree(lambda: not self._differences()):
            return []
        return self._differences()

    def _differences(self) -> list[Violation]:
        books = self._driver.books
        driver = self._driver
        found = [
            *at_rest(books, driver.story, self._mark, self._held),
            *head_is_last(driver.story, driver.head()),
            *owed(books, driver.story, driver.witness),
        ]
        uncovered = books.uncovered(INSTRUMENT)
        if uncovered:
            text = f"{uncovered} of the position is not covered after the recovery"
            found.append(Violation("protected", f"uncovered {books.n}", text))
        return found

    def _ledgers(self, since: Mark, *, flat: bool) -> list[Violation]:
        driver = self._driver
        head = driver.head()
        driver.read_journal()
        driver.read_store()
        snapshots = read_snapshots(driver.daemon.store)
        now_ms = self._now_ms()
        books, story, witness = driver.books, driver.story, driver.witness
        witness.see_halt(driver.halt_lies(), f"at journal line {books.n}")
        case = self._case(books, story, witness, now_ms, since)
        case = replace(case, snapshots=snapshots, flat=flat)
        return [
            *head_agrees(story, head),
            *judged((*WITNESSED, *LEDGERS), case, self._held),
        ]

    def _case(
        self, books: Books, story: Story, witness: Witness, now_ms: int, since: Mark
    ) -> Case:  # fmt: skip
        return Case(
            books=books,
            story=story,
            witness=witness,
            now_ms=now_ms,
            limit_ms=int(NAKED_LIMIT_REAL_S * 1000 * self._driver.exchange.speed),
            bounds=self._bounds(),
            since=since,
            latest_ms=self._horizon.latest_ms,
        )

    def _now_ms(self) -> int:
        """The exchange's time."""
        asked_at = time.monotonic()
        now_ms = int(str(self._driver.admin.table("admin/state")["now"]))
        self._horizon.see(asked_at, time.monotonic(), now_ms)
        return now_ms

    def _bounds(self) -> Bounds:
        """What the daemon's own configuration allows it."""
        driver = self._driver
        text = driver.daemon.configuration.read_text("utf-8")
        speed = driver.exchange.speed
        return Bounds.of(text, STARTED, int(GRACE_REAL_S * 1000 * speed), Decimal(str(speed)))

    def _anew(self) -> list[Violation]:
        """Both ledgers read anew say the same as when they were read as they grew, and hold."""
        driver = self._driver
        story, books = Story(), Books()
        story.take(read_log(driver.daemon.store, Tail()))
        books.take(read_journal(driver.exchange.journal, 0))
        found = []
        if story.states.get(driver.story.tail.seq) != driver.state:
            text = "the log read anew gives another state than when it was read as it grew"
            found.append(Violation("durable", "anew", text))
        if books.n < driver.books.n:
            found.append(Violation("durable", "journal", "the exchange's journal has lost lines"))
        seen = driver.witness
        witness = Witness(halts=seen.halts, outages=seen.outages, starts=seen.starts)
        found += fills(books, story, self._origin)
        case = self._case(books, story, witness, books.at_ms, self._origin)
        found += judged(LEDGERS, replace(case, flat=True), Held())
        return found + (oracle.balances(books, story, STARTED) if self._origin is START else [])

    def _count(self) -> None:
        """What was new since the mark was held against them."""
        self.checked.update(self._held.counts())
        self._held = Held()

    def _forget_proven(self) -> None:
        """A promise that was found in the chain stays there: the chain itself is watched."""
        witness = self._driver.witness
        self.promises += len(witness.promises)
        self.shown += len(witness.published)
        witness.promises.clear()
        witness.published.clear()
