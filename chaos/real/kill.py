"""The kill campaign: rounds until the number is reached or something is stuck, then the verdict.

Starts the exchange and the daemon as processes of their own, plays rounds, has the oracle judge
after each one, and at the end stops the strategy with its position, reads both ledgers anew from
their first line and compares all trades, profits, fees and balances. Whatever happens, only the
two processes started here are ended, and the report is written.
"""

import random
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from chaos.real.admin import Admin, ExchangeGone
from chaos.real.driver import INSTRUMENT, SNAPSHOT_EVERY, Driver, Stuck
from chaos.real.processes import Daemon, DidNotStart, Exchange, strace_refusal
from chaos.real.rounds import Round, Table, opening, play
from chaos.world import oracle
from chaos.world.ledger import LedgerBroken, Tail, read_journal, read_log, read_snapshots
from chaos.world.oracle import Violation
from chaos.world.story import Story
from tradebaas.core.model import Phase

SPEED = 300.0
BACKOFF = re.compile(r"again in (\d+\.\d+) s")
"""How the daemon's log tells the wait before the next life."""
STARTED = {"BTC": Decimal(1), "USDC": Decimal(50_000)}
NAKED_LIMIT_REAL_S = 1.0
"""Grace for the exchange's notifications plus the time to send a stop, on a loaded machine."""
MOST_VIOLATIONS = 20
DEATHS_PER_STATE = 5
ROUNDS_FOR_ALL = 200


Say = Callable[[str], None]
"""Takes one line of progress per round."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. ``broken`` names a breakage; then the first violation ends it."""

    rounds: int
    seed: int
    broken: str = ""
    keep: Path | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it: the rounds, the violations with their rounds, and the ledgers."""

    plan: Plan
    rounds: list[Round] = field(default_factory=list)
    violations: list[tuple[int, Violation]] = field(default_factory=list)
    promises: int = 0
    shown: int = 0
    seconds: float = 0.0
    strace: str = ""
    home: str = ""
    backoffs: list[float] = field(default_factory=list)
    driver: Driver | None = None

    def deaths(self) -> Counter[tuple[Phase, str]]:
        """Deaths by lifecycle state and kind."""
        if self.driver is None:
            return Counter()
        kinds = self.driver.kinds
        return Counter((d.phase, kinds.get(d.life, "strace")) for d in self.driver.story.deaths)

    def too_few(self) -> list[Phase]:
        """States with fewer than ``DEATHS_PER_STATE`` deaths in a campaign long enough for them."""
        if self.plan.broken or self.plan.rounds < ROUNDS_FOR_ALL:
            return []
        by_phase = Counter[Phase]()
        for (phase, _), count in self.deaths().items():
            by_phase[phase] += count
        return [phase for phase in Phase if by_phase[phase] < DEATHS_PER_STATE]

    @property
    def passed(self) -> bool:
        return not self.violations and not self.too_few()


def run(plan: Plan, say: Say) -> Outcome:
    """Run a campaign; ``say`` takes one line per round."""
    home = plan.keep or Path(tempfile.mkdtemp(prefix="tradebaas-chaos-"))
    home.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(plan, home=str(home), strace=strace_refusal())
    began = time.monotonic()
    exchange = Exchange(home / "exchange", plan.seed, SPEED)
    daemon = Daemon(home, plan.broken)
    try:
        exchange.start()
        daemon.configure(exchange.url, SNAPSHOT_EVERY)
        campaign = _Campaign(outcome, exchange, daemon, say)
        try:
            campaign.run()
        except Stuck:
            campaign.judge_stuck()
            raise
    except (Stuck, DidNotStart, ExchangeGone, LedgerBroken) as error:
        kind = "durable" if isinstance(error, LedgerBroken) else "alive"
        outcome.violations.append((len(outcome.rounds), Violation(kind, "stuck", str(error))))
    finally:
        if outcome.driver is not None:
            outcome.driver.admin.close()
        if daemon.running:
            daemon.kill()
        exchange.end()
    outcome.seconds = time.monotonic() - began
    outcome.backoffs = [float(found) for found in BACKOFF.findall(daemon.whole_log())]
    if plan.keep is None and outcome.passed:
        shutil.rmtree(home)
    return outcome


class _Campaign:
    def __init__(self, outcome: Outcome, exchange: Exchange, daemon: Daemon, say: Say) -> None:
        rng = random.Random(outcome.plan.seed)
        self.outcome = outcome
        self.plan = outcome.plan
        self.say = say
        admin = Admin(exchange.url)
        self.driver = Driver(Path(outcome.home), rng, exchange, daemon, admin)
        outcome.driver = self.driver
        self.table = Table(rng, strace=not outcome.strace, broken=self.plan.broken)
        self.opening = opening(self.plan.broken)
        self.seen: set[str] = set()

    def run(self) -> None:
        """All rounds, then the end."""
        self._first_start()
        for number in range(self.plan.rounds):
            played = play(self.driver, self.table, number, self._target())
            self.outcome.rounds.append(played)
            found = self._judge(number)
            self.say(_line(played, found))
            if len(self.outcome.violations) >= (1 if self.plan.broken else MOST_VIOLATIONS):
                return
        self._end()

    def _first_start(self) -> None:
        driver = self.driver
        driver.daemon.start()
        until = time.monotonic() + 20
        while driver.head().seq == 0:
            if time.monotonic() > until:
                raise Stuck(driver.describe("no store within 20 s of the first start"))
            driver.insist_running()
            time.sleep(0.01)
        driver.await_recovery(0)

    def _target(self) -> Phase:
        """The lifecycle state with the fewest deaths so far; first those that show a breakage."""
        if self.opening:
            return self.opening.pop(0)
        by_phase = Counter(dict.fromkeys(Phase, 0))
        for (phase, _), count in self.outcome.deaths().items():
            by_phase[phase] += count
        fewest = min(by_phase.values())
        return self.driver.rng.choice([p for p in Phase if by_phase[p] == fewest])

    # ------------------------------------------------------------------------------------ judging

    def judge_stuck(self) -> None:
        """Say what the ledgers say about a daemon that does not come forward."""
        if self.driver.daemon.running:
            self._note(len(self.outcome.rounds), [*self._agreement(), *self._ledgers(flat=False)])

    def _judge(self, number: int) -> list[Violation]:
        """Everything that is known so far; what was not seen before is a new violation."""
        driver = self.driver
        driver.look()
        found = [*self._agreement(), *self._ledgers(flat=False)]
        self._forget_proven()
        return self._note(number, found)

    def _agreement(self) -> list[Violation]:
        """Both ledgers agree on what is live and held, and our position is covered."""
        driver = self.driver
        if driver.agree(lambda: not self._differences()):
            return []
        return self._differences()

    def _differences(self) -> list[Violation]:
        books = self.driver.books
        found = oracle.known(books, self.driver.state)
        uncovered = books.uncovered(INSTRUMENT)
        if uncovered:
            text = f"{uncovered} of the position is not covered after the recovery"
            found.append(Violation("protected", f"uncovered {books.n}", text))
        return found

    def _ledgers(self, *, flat: bool) -> list[Violation]:
        driver = self.driver
        books, story, witness = driver.books, driver.story, driver.witness
        head = driver.head()
        driver.read_journal()
        driver.read_store()
        now_ms = int(str(driver.admin.table("admin/state")["now"]))
        limit_ms = int(NAKED_LIMIT_REAL_S * 1000 * SPEED)
        snapshots = read_snapshots(driver.daemon.store)
        return [
            *oracle.durable(story, witness),
            *oracle.head_agrees(story, head),
            *oracle.once(books, story),
            *oracle.protected(books, story, now_ms, limit_ms),
            *oracle.gated(books, story, witness),
            *oracle.same(books, story, witness, snapshots, flat=flat),
            *oracle.alive(story, witness),
        ]

    def _forget_proven(self) -> None:
        """A promise that was found in the chain stays there: the chain itself is watched."""
        witness = self.driver.witness
        self.outcome.promises += len(witness.promises)
        self.outcome.shown += len(witness.published)
        witness.promises.clear()
        witness.published.clear()

    def _note(self, number: int, found: list[Violation]) -> list[Violation]:
        fresh = [v for v in found if f"{v.check} {v.key}" not in self.seen]
        self.seen |= {f"{v.check} {v.key}" for v in fresh}
        self.outcome.violations += [(number, violation) for violation in fresh]
        return fresh

    # ------------------------------------------------------------------------------------- the end

    def _end(self) -> None:
        """Flat, then everything once more from the first line of both ledgers."""
        driver, number = self.driver, self.plan.rounds
        driver.insist("/api/strategy/stop", {"close": True})
        driver.wait(lambda s: s.phase is Phase.IDLE and s.position is None, "flat at the end")
        found = self._agreement()
        found += self._ledgers(flat=True)
        found += oracle.balances(driver.books, driver.story, STARTED)
        found += self._read_anew()
        driver.daemon.end()
        code = driver.daemon.process.returncode if driver.daemon.process else None
        if code != 0:
            text = driver.describe(f"after SIGTERM the daemon ended with exit code {code}")
            found.append(Violation("alive", "exit", text))
        self._note(number, found)

    def _read_anew(self) -> list[Violation]:
        """The whole log from its first event gives the same state as reading it piece by piece."""
        driver = self.driver
        anew = Story()
        anew.take(read_log(driver.daemon.store, Tail()))
        known = anew.states.get(driver.story.tail.seq)
        lines = read_journal(driver.exchange.journal, 0)
        found = []
        if known != driver.state:
            text = "the log read anew gives another state than when it was read as it grew"
            found.append(Violation("durable", "anew", text))
        if len(lines) < driver.books.n:
            found.append(Violation("durable", "journal", "the exchange's journal has lost lines"))
        return found


def _line(played: Round, found: list[Violation]) -> str:
    notes = ", ".join(filter(None, played.notes))
    verdict = "ok" if not found else "; ".join(f"{v.check.upper()}: {v.text}" for v in found)
    return (
        f"{played.number:4} {played.target:17} {played.kind:7} "
        f"{played.recovery:5.2f}+{played.settle:4.2f} s  {notes}  {verdict}"
    )
