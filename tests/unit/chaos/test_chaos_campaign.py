"""The parts of a campaign that need no process: decks, draws, the verdict."""

import random
import signal
from collections import Counter
from pathlib import Path
from typing import cast

import pytest
from chaos_kit import booked, closed, closed_rows, log, told

from chaos.real.admin import Admin
from chaos.real.campaign import OPENINGS, Outcome, Plan
from chaos.real.command import deliver_early
from chaos.real.driver import Driver
from chaos.real.ending import Ending
from chaos.real.fault import End
from chaos.real.faults import FAULTS
from chaos.real.judge import Judge
from chaos.real.processes import Daemon, Exchange
from chaos.real.profile import load
from chaos.real.report import NEW_CREW, NEW_PROCESS, SAME_CREW, verdict_of
from chaos.real.scene import Round
from chaos.report.output import Output
from chaos.world.deck import Deck
from chaos.world.oracle import Violation
from tradebaas.core.events import LifeStarted
from tradebaas.core.model import Phase

KILL = load("kill", FAULTS)
NOBODY = cast(Admin, None)
MADE = "2026-01-01 00:00:00 UTC"


def outcome(rounds: int = 3, broken: str = "") -> Outcome:
    """Six lives that died, the first of an actor; nothing runs."""
    where = Path("nowhere")
    driver = Driver(where, random.Random(1), Exchange(where), Daemon(where), admin=NOBODY)
    driver.books = booked(closed_rows())
    driver.story = told([*closed(), LifeStarted(life=2, token="bb", wall_ms=1)])
    driver.bury("actor")
    lives = [LifeStarted(life=life, token="bb", wall_ms=1) for life in range(2, 8)]
    driver.story.take(log([*closed(), *lives])[-5:])
    driver.bury("process")
    made = Outcome(Plan(KILL, rounds, 1, broken))
    made.driver = driver
    return made


def played(end: End = End.KILLED, renewed: bool = True, recovery: float = 0.5) -> Round:
    return Round(0, Phase.IDLE, "sigkill", ["x"], Phase.IDLE, end, renewed, recovery, 0.1)


def test_a_deck_gives_each_card_before_any_again() -> None:
    deck = Deck(random.Random(1), ("a", "b", "c"), ["first"])
    assert deck.draw() == "first"
    assert Counter(deck.draw() for _ in range(9)) == {"a": 3, "b": 3, "c": 3}
    assert {deck.draw(), deck.draw(), deck.draw()} == {"a", "b", "c"}


def test_a_whole_campaign_needs_deaths_in_each_state() -> None:
    few = verdict_of(outcome(rounds=200), MADE).tally
    assert "death in CLOSING" in few.unvisited
    assert "death in IDLE" not in few.unvisited
    assert verdict_of(outcome(rounds=199), MADE).tally.rare == {}
    assert verdict_of(outcome(rounds=200, broken="resend"), MADE).tally.rare == {}


def test_the_verdict_counts_by_what_happened() -> None:
    made = outcome()
    made.rounds += [
        played(), played(End.STORE), played(End.LIVES), played(End.LIVES, renewed=False)
    ]  # fmt: skip
    made.skipped["disk-full"] = "no"
    made.violations.append((2, Violation("once", "k", "sent twice", ("journal line 7",))))
    verdict = verdict_of(made, MADE)
    tally = verdict.tally
    assert {name: sample.count for name, sample in tally.recovery.items()} == {
        NEW_PROCESS: 2, NEW_CREW: 1, SAME_CREW: 1
    }  # fmt: skip
    assert tally.settle.count == 3
    assert tally.died == 6
    assert tally.deaths["IDLE"] == {"actor": 1, "process": 5}
    assert tally.faults == {"sigkill": 4}
    assert [skipped.fault for skipped in tally.skipped] == ["disk-full"]
    assert tally.figures["entries at the exchange"] == 1
    (finding,) = tally.findings
    assert (finding.invariant, finding.where, finding.evidence) == (
        "Once", "round 2", ("journal line 7",)
    )  # fmt: skip
    assert finding.replay == "python -m chaos real --profile kill --rounds 3 --seed 1"
    assert not verdict.passed


def test_the_verdict_says_how_long_an_answer_took() -> None:
    made = outcome()
    assert made.driver is not None
    made.driver.answered = [0.004, 0.005, 0.025]
    title = "from a command to its answer, its events synced"
    (section,) = [s for s in verdict_of(made, MADE).tally.sections if s.title == title]
    assert section.rows == (("3", "5 ms", "25 ms", "25 ms"),)


def test_a_campaign_that_never_began_has_a_verdict_and_fails() -> None:
    verdict = verdict_of(Outcome(Plan(KILL, 1, 1)), MADE)
    assert verdict.tally.died == 0
    assert not verdict.passed


def ended_early() -> tuple[Outcome, Ending]:
    """After three of two hundred rounds, without a violation."""
    ending = Ending()
    ending.signal = signal.SIGTERM
    made = outcome(rounds=200)
    made.rounds += [played()] * 3
    made.ended = ending.words(3, 200, "rounds")
    return made, ending


def test_a_campaign_that_was_ended_early_says_so_and_needs_no_deaths() -> None:
    made, _ = ended_early()
    verdict = verdict_of(made, MADE)
    assert verdict.tally.rare == {}
    assert verdict.run.ended == "ended early by SIGTERM after 3 of 200 rounds"
    assert verdict.failures[-1] == verdict.run.ended
    assert not verdict.passed


@pytest.mark.parametrize(("broken", "code"), [(False, 143), (True, 1)])
def test_a_violation_counts_for_more_than_an_early_end(broken: bool, code: int) -> None:
    made, ending = ended_early()
    if broken:
        made.violations.append((2, Violation("once", "k", "sent twice")))
    assert deliver_early(verdict_of(made, MADE), Output(), ending) == code


class Clock(Admin):
    """An exchange that tells the time and nothing else."""

    def __init__(self) -> None: ...

    def table(self, method: str, /, **_params: object) -> dict[str, object]:
        assert method == "admin/state"
        return {"now": 0}


def test_a_violation_is_told_once_however_often_it_was_seen(tmp_path: Path) -> None:
    driver = Driver(tmp_path, random.Random(1), Exchange(tmp_path), Daemon(tmp_path), Clock())
    judge, seen = Judge(driver), Violation("same", "/api/orders 18", "showed another state")
    assert judge.note(1, [seen, seen]) == [seen]
    assert judge.note(2, [seen]) == []
    assert judge.violations == [(1, seen)]


def test_the_openings_name_faults_that_there_are() -> None:
    assert {fault for fault, _ in OPENINGS.values()} <= set(FAULTS)
