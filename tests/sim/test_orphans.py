"""A world in which what an order brings about bears no label: it is ours all the same."""

import pytest
from msgspec.structs import replace

from chaos.sim.profiles import TRADES, world
from chaos.sim.world import Outcome, play
from chaos.world.faults_dress import LOST_LABELS
from tradebaas.core import families
from tradebaas.core.events import ForeignFound
from tradebaas.core.state import State


def played() -> Outcome:
    """Trades, and nobody else on the account."""
    rates = {"edges": 20.0, "market": 3.0}
    return play(replace(world("orphans", 1), deeds=(LOST_LABELS, *TRADES), rates=rates))


def strangers(outcome: Outcome) -> list[ForeignFound]:
    """What was taken for the owner's."""
    return [event for event in outcome.story.events.values() if isinstance(event, ForeignFound)]


def test_no_order_of_ours_is_a_stranger() -> None:
    outcome = played()
    assert outcome.passed, outcome.violations
    assert outcome.story.state.counters.trades > 3
    assert strangers(outcome) == []


def test_without_the_links_they_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the world is one in which the links matter."""

    def by_label_alone(_state: State, facts: tuple[object, ...]) -> tuple[object, ...]:
        return facts

    monkeypatch.setattr(families, "labelled", by_label_alone)
    assert strangers(played()) != []
