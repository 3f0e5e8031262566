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
from chaos.world.alive import alive
from chaos.world.armed import armed
from chaos.world.books import Books
from chaos.world.bounded import Bounds, bounded
from chaos.world.closed import fail_closed
from chaos.world.closing import owed
from chaos.world.durable import durable, head_agrees, head_is_last
from chaos.world.known import fills, known
from chaos.world.ledger import Tail, read_journal, read_log, read_snapshots
from chaos.world.mark import START, Mark, mark
from chaos.world.once import once
from chaos.world.oracle import Violation, Witness
from chaos.world.protected import protected
from chaos.world.story import Story
from chaos.world.truth import truthful

CHECKED = (
    *("durable", "once", "known", "protected", "bounded", "gated", "fail closed"),
    *("alive", "same"),
)
"""The invariants that every campaign judges."""
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
    """Judges one campaign. ``checked`` counts how often each invariant was judged."""

    def __init__(self, driver: Driver) -> None:
        self.violations: list[tuple[int, Violation]] = []
        self.checked = Counter[str]()
        self.promises = 0
        self.shown = 0
        self._driver = driver
        self._horizon = Horizon(driver.exchange.speed)
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
        self.checked += scene.checked
        found = [*scene.found, *self._agreement(), *self._ledgers(self._mark, flat=False)]
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
            *known(books, driver.story, self._mark),
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
        self._count()
        return [
            *durable(story, witness),
            *armed(story, witness, since),
            *head_agrees(story, head),
            *self._judged(books, story, witness, now_ms, since),
            *oracle.same(books, story, witness, snapshots, flat=flat, since=since),
        ]

    def _judged(
        self, books: Books, story: Story, witness: Witness, now_ms: int, since: Mark
    ) -> list[Violation]:
        limit_ms = int(NAKED_LIMIT_REAL_S * 1000 * self._driver.exchange.speed)
        return [
            *once(books, story, since),
            *protected(books, story, now_ms, limit_ms, since),
            *bounded(books, story, self._bounds(), since),
            *oracle.gated(books, story, witness, since),
            *fail_closed(books, story, witness, since),
            *truthful(books, story, self._horizon.latest_ms),
            *alive(story, witness, since),
        ]

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
        return Bounds.of(text, STARTED, int(GRACE_REAL_S * 1000 * driver.exchange.speed))

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
        found += self._judged(books, story, witness, books.at_ms, self._origin)
        found += oracle.same(books, story, witness, (), flat=True, since=self._origin)
        return found + (oracle.balances(books, story, STARTED) if self._origin is START else [])

    def _count(self) -> None:
        self.checked.update(CHECKED)

    def _forget_proven(self) -> None:
        """A promise that was found in the chain stays there: the chain itself is watched."""
        witness = self._driver.witness
        self.promises += len(witness.promises)
        self.shown += len(witness.published)
        witness.promises.clear()
        witness.published.clear()
