"""A campaign: rounds until the number is reached or something is stuck, then the verdict.

Starts the exchange and the daemon as processes of their own, plays rounds of the faults that the
profile draws and the machine permits, has everything judged after each one, and at the end stops
the strategy with its position, reads both ledgers anew and compares all trades, profits, fees and
balances. So it does when it is ended early. Whatever happens, only processes started here are
ended, and the outcome is told.
"""

import random
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.real.admin import Admin, ExchangeGone
from chaos.real.driver import SNAPSHOT_EVERY, Driver, Stuck
from chaos.real.ending import Ending
from chaos.real.fault import End
from chaos.real.faults import FAULTS
from chaos.real.judge import Judge
from chaos.real.permitted import refusal
from chaos.real.processes import Daemon, DidNotStart, Exchange
from chaos.real.profile import Profile
from chaos.real.rounds import play
from chaos.real.scene import Round, Scene
from chaos.real.stage import Stage, build, relayed
from chaos.world.deck import Deck
from chaos.world.ledger import LedgerBroken
from chaos.world.oracle import Violation
from tradebaas.core.model import Phase

BACKOFF = re.compile(r"again in (\d+\.\d+) s")
"""How the daemon's log tells the wait before the next life."""
MOST_VIOLATIONS = 20
FIRST_START_S = 20.0
OPENINGS: dict[str, tuple[str, Phase]] = {
    "resend": ("sigkill", Phase.ENTERING_POSITION),
    "forget-stop": ("sigkill", Phase.POSITION_OPEN),
    "ack-first": ("sigkill-in-commit", Phase.ANALYZING),
    "recovered-early": ("sigkill", Phase.ENTERING_POSITION),
}
"""What shows a breakage, and so comes first under it, as often as ``OPENING_ROUNDS`` says."""
OPENING_ROUNDS = 4

Say = Callable[[str], None]
"""Takes one line of progress per round."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. ``broken`` names a breakage; then the first violation ends it."""

    profile: Profile
    rounds: int
    seed: int
    broken: str = ""
    keep: Path | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it: the rounds, the violations with their rounds, and the ledgers.

    ``skipped`` has the faults that this machine does not permit, with the reason. ``ended`` says
    that it was ended early, and how far it was; "": it was not.
    """

    plan: Plan
    rounds: list[Round] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    violations: list[tuple[int, Violation]] = field(default_factory=list)
    seconds: float = 0.0
    home: str = ""
    ended: str = ""
    backoffs: list[float] = field(default_factory=list)
    driver: Driver | None = None
    judge: Judge | None = None

    def least_deaths(self) -> int:
        """How many deaths each lifecycle state needs; a short or broken campaign needs none."""
        profile = self.plan.profile
        whole = not self.plan.broken and not self.ended and self.plan.rounds >= profile.rounds
        return profile.least_deaths if whole else 0


def run(plan: Plan, say: Say, ending: Ending | None = None) -> Outcome:
    """Run a campaign; ``say`` takes one line per round, ``ending`` may end it early.

    Where the machine permits none of the profile's faults nothing is started, and all are skipped.
    """
    skipped = {name: reason for name in plan.profile.faults if (reason := why_not(name))}
    if len(skipped) == len(plan.profile.faults):
        return Outcome(plan, skipped=skipped)
    home = plan.keep or Path(tempfile.mkdtemp(prefix="tradebaas-chaos-"))
    home.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(plan, home=str(home), skipped=skipped)
    began = time.monotonic()
    _run_in(home, outcome, say, ending or Ending())
    outcome.seconds = time.monotonic() - began
    if plan.keep is None and not outcome.violations:
        shutil.rmtree(home)
    return outcome


def why_not(name: str) -> str:
    """Why this machine does not permit a fault; "" when it does."""
    return next(filter(None, (refusal(need) for need in FAULTS[name].needs)), "")


def _run_in(home: Path, outcome: Outcome, say: Say, ending: Ending) -> None:
    plan = outcome.plan
    start, stage = plan.profile.start, Stage()
    exchange = Exchange(home / "exchange", plan.seed, start.speed)
    daemon = Daemon(home, plan.broken)
    try:
        build(stage, start, home, daemon, exchange)
        exchange.start()
        daemon.configure(relayed(stage, start, exchange.url, plan.seed), SNAPSHOT_EVERY)
        campaign = _Campaign(outcome, exchange, daemon, stage, say, ending)
        try:
            campaign.run()
        except Stuck:
            campaign.judge_stuck()
            raise
    except (Stuck, DidNotStart, ExchangeGone, LedgerBroken) as error:
        kind = "durable" if isinstance(error, LedgerBroken) else "alive"
        outcome.violations.append((len(outcome.rounds), Violation(kind, "stuck", str(error))))
    finally:
        if outcome.judge is not None:
            outcome.violations = [*outcome.judge.violations, *outcome.violations]
        if outcome.driver is not None:
            outcome.driver.admin.close()
        if daemon.running:
            daemon.kill()
        exchange.end()
        stage.end()
        outcome.backoffs = [float(found) for found in BACKOFF.findall(daemon.whole_log())]


class _Campaign:
    def __init__(
        self, outcome: Outcome, exchange: Exchange, daemon: Daemon, stage: Stage,
        say: Say, ending: Ending,
    ) -> None:  # fmt: skip
        rng = random.Random(outcome.plan.seed)
        self.outcome = outcome
        self.plan = outcome.plan
        self.say = say
        self.ending = ending
        admin = Admin(exchange.url)
        self.driver = Driver(Path(outcome.home), rng, exchange, daemon, admin, stage)
        self.judge = Judge(self.driver)
        outcome.driver, outcome.judge = self.driver, self.judge
        cards = [name for name in self.plan.profile.cards() if name not in outcome.skipped]
        self.faults = Deck(rng, cards)
        self.visits = Counter(dict.fromkeys(Phase, 0))

    def run(self) -> None:
        """All rounds, or those until somebody ended it; then the end."""
        self._first_start()
        for number in range(self.plan.rounds):
            if self.ending.signal:
                self.outcome.ended = self.ending.words(number, self.plan.rounds, "rounds")
                break
            played, found = self._round(number)
            self.say(_line(played, found))
            if len(self.judge.violations) >= (1 if self.plan.broken else MOST_VIOLATIONS):
                return
        self._end()

    def judge_stuck(self) -> None:
        """Say what the ledgers say about a daemon that does not come forward."""
        if self.driver.daemon.running:
            self.judge.stuck(len(self.outcome.rounds))

    def _first_start(self) -> None:
        driver = self.driver
        driver.start()
        until = time.monotonic() + FIRST_START_S
        while driver.head().seq == 0:
            if time.monotonic() > until:
                raise Stuck(driver.describe(f"no store within {FIRST_START_S:g} s of the start"))
            driver.insist_running()
            time.sleep(0.01)
        driver.await_recovery(0)

    def _round(self, number: int) -> tuple[Round, list[Violation]]:
        name, target = self._draw(number)
        section = self.plan.profile.faults.get(name)
        ends = section.ends if section is not None else [End.KILLED]  # a breakage's own opening
        played = Round(number, target, name)
        scene = Scene(self.driver, played, owner=self.plan.profile.owner)
        play(self.driver, FAULTS[name], ends, scene)
        self.visits[played.phase] += 1
        self.outcome.rounds.append(played)
        began = time.monotonic()
        found = self.judge.round(scene)
        played.judging = time.monotonic() - began
        return played, found

    def _draw(self, number: int) -> tuple[str, Phase]:
        """The fault, and the state for it that was visited least; first what shows a breakage."""
        opening = OPENINGS.get(self.plan.broken)
        if opening is not None and number < OPENING_ROUNDS:
            return opening
        name = self.faults.draw()
        states = FAULTS[name].states
        fewest = min(self.visits[phase] for phase in states)
        target = self.driver.rng.choice([p for p in states if self.visits[p] == fewest])
        return name, target

    def _end(self) -> None:
        """Flat; then everything once more, and an orderly end."""
        driver, number = self.driver, len(self.outcome.rounds)
        driver.insist("/api/strategy/stop", {"close": True})
        driver.wait(lambda s: s.phase is Phase.IDLE and s.position is None, "flat at the end")
        self.judge.end(number)
        driver.daemon.end()
        code = driver.daemon.process.returncode if driver.daemon.process else None
        if code != 0:
            text = driver.describe(f"after SIGTERM the daemon ended with exit code {code}")
            self.judge.note(number, [Violation("alive", "exit", text)])


def _line(played: Round, found: list[Violation]) -> str:
    notes = ", ".join(filter(None, played.notes))
    verdict = "ok" if not found else "; ".join(f"{v.check.upper()}: {v.text}" for v in found)
    took = "    -" if played.recovery is None else f"{played.recovery:5.2f}"
    return (
        f"{played.number:4} {played.fault:18} {played.phase:17} {played.end:8} "
        f"{took}+{played.settle:4.2f} s  {notes}  {verdict}"
    )
