"""The parts of a campaign that need no process: decks, the verdict, the report."""

import json
import random
from collections import Counter
from pathlib import Path

from chaos_kit import begun, booked, closed, closed_rows, told
from rich.console import Console

from chaos.real.kill import Outcome, Plan
from chaos.real.report import document, show
from chaos.real.rounds import Round, Table, opening
from chaos.world.books import Books
from chaos.world.deck import Deck
from chaos.world.oracle import Violation
from chaos.world.story import Story
from tradebaas.core.events import LifeStarted
from tradebaas.core.model import Phase


class Ledgers:
    """What the report reads of a driver."""

    def __init__(self, books: Books, story: Story, kinds: dict[int, str]) -> None:
        self.books, self.story, self.kinds = books, story, kinds


def outcome(rounds: int = 200, broken: str = "") -> Outcome:
    deaths = [LifeStarted(life=life, token="bb", wall_ms=1) for life in range(2, 8)]
    story = told([*closed(), *deaths])
    made = Outcome(Plan(rounds, 1, broken))
    made.driver = Ledgers(booked(closed_rows()), story, {1: "actor", 2: "process"})  # type: ignore[assignment]
    return made


def test_a_deck_gives_each_card_before_any_again() -> None:
    deck = Deck(random.Random(1), ("a", "b", "c"), ["first"])
    assert deck.draw() == "first"
    assert Counter(deck.draw() for _ in range(9)) == {"a": 3, "b": 3, "c": 3}
    assert {deck.draw(), deck.draw(), deck.draw()} == {"a", "b", "c"}


def test_a_long_campaign_needs_enough_deaths_in_each_state() -> None:
    long = outcome()
    assert Phase.IDLE not in long.too_few()
    assert Phase.CLOSING in long.too_few()
    assert not long.passed
    assert outcome(rounds=199).passed
    assert outcome(broken="resend").too_few() == []


def test_a_violation_fails_a_campaign() -> None:
    found = outcome(rounds=3)
    found.violations.append((2, Violation("once", "k", "twice")))
    assert not found.passed


def test_deaths_are_counted_by_state_and_kind() -> None:
    counted = outcome().deaths()
    assert sum(counted.values()) == 6
    assert {kind for _, kind in counted} == {"actor", "process", "strace"}


def test_the_report_is_plain_values_and_names_each_violation(tmp_path: Path) -> None:
    told_of = outcome(rounds=3)
    told_of.rounds.append(Round(0, Phase.IDLE, "process", ["x"], 0.5, 0.1, 0.2, 1.0))
    told_of.violations.append((2, Violation("once", "k", "sent twice", ("journal line 7",))))
    plain = json.loads(json.dumps(document(told_of)))
    assert plain["deaths"]["IDLE"]["all"] >= 1
    assert plain["recovery_seconds"]["process"]["recovery max"] == 0.5
    assert plain["orders"]["entries at the exchange"] == 1
    assert plain["violations"][0]["round"] == 2
    file = tmp_path / "out"
    with file.open("w") as text:
        show(told_of, Console(file=text, width=200))
    words = file.read_text()
    assert "sent twice" in words
    assert "journal line 7" in words


def test_a_report_of_a_campaign_that_never_began_can_be_shown() -> None:
    nothing = Outcome(Plan(1, 1))
    assert document(nothing)["passed"] is True
    assert sum(nothing.deaths().values()) == 0
    assert told(begun()).deaths == []


def test_a_campaign_with_a_breakage_begins_with_what_shows_it() -> None:
    for broken, target in (
        ("resend", Phase.ENTERING_POSITION),
        ("forget-stop", Phase.POSITION_OPEN),
    ):
        assert set(opening(broken)) == {target}
        table = Table(random.Random(9), strace=False, broken=broken)
        assert (table.moments.draw(), table.after.draw()) == ("plain", "plain")
        assert table.holding.draw() == "remove stop"
    assert opening("") == opening("ack-first") == []
