"""The parts of a campaign that need no process: decks, draws, the verdict."""

import random
from collections import Counter

from chaos_kit import booked, closed, closed_rows, told

from chaos.real.campaign import OPENINGS, Outcome, Plan
from chaos.real.fault import End
from chaos.real.faults import FAULTS
from chaos.real.profile import load
from chaos.real.report import NEW_CREW, NEW_PROCESS, SAME_CREW, verdict_of
from chaos.real.scene import Round
from chaos.world.books import Books
from chaos.world.deck import Deck
from chaos.world.oracle import Violation
from chaos.world.story import Story
from tradebaas.core.events import LifeStarted
from tradebaas.core.model import Phase

KILL = load("kill", FAULTS)
MADE = "2026-01-01 00:00:00 UTC"


class Ledgers:
    """What the report reads of a driver."""

    def __init__(self, books: Books, story: Story, kinds: dict[int, str]) -> None:
        self.books, self.story, self.kinds = books, story, kinds
        self.exchange, self.daemon = Paced(), Paced()


class Paced:
    speed = 300.0
    kills = 7


def outcome(rounds: int = 3, broken: str = "") -> Outcome:
    deaths = [LifeStarted(life=life, token="bb", wall_ms=1) for life in range(2, 8)]
    story = told([*closed(), *deaths])
    made = Outcome(Plan(KILL, rounds, 1, broken))
    made.driver = Ledgers(booked(closed_rows()), story, {1: "actor", 2: "process"})  # type: ignore[assignment]
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
    assert tally.deaths["IDLE"]["process"] == 1
    assert tally.faults == {"sigkill": 4}
    assert [skipped.fault for skipped in tally.skipped] == ["disk-full"]
    assert tally.figures["entries at the exchange"] == 1
    (finding,) = tally.findings
    assert (finding.invariant, finding.where, finding.evidence) == (
        "Once", "round 2", ("journal line 7",)
    )  # fmt: skip
    assert finding.replay == "python -m chaos real --profile kill --rounds 3 --seed 1"
    assert not verdict.passed


def test_a_campaign_that_never_began_has_a_verdict_and_fails() -> None:
    verdict = verdict_of(Outcome(Plan(KILL, 1, 1)), MADE)
    assert verdict.tally.died == 0
    assert not verdict.passed


def test_the_openings_name_faults_that_there_are() -> None:
    assert {fault for fault, _ in OPENINGS.values()} <= set(FAULTS)
