"""What a full read tells that the account's channel should have told: how a dead one is found."""

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import Story
from tradebaas.actors.survey import Survey, untold
from tradebaas.core.facts import Fact

AFTER_MS = 5_000


def told(story: Story, *facts: Fact, at: int) -> str:
    return untold(story.state, Survey(read_ms=at, facts=facts), AFTER_MS)


@pytest.mark.parametrize(("age_ms", "dead"), [(4_999, False), (5_000, False), (5_001, True)])
def test_a_fill_that_only_a_read_tells_is_suspect_when_it_is_old(age_ms: int, dead: bool) -> None:
    story = Story()
    intent = story.entered()
    fill = story.fill(intent.legs[0].label, "500", at=story.now + 10)
    found = told(story, fill, at=story.now + 10 + age_ms)
    assert bool(found) is dead
    if dead:
        assert found == f"fill {fill.fill.trade_id} of {age_ms} ms before"


def test_what_is_known_is_not_suspect() -> None:
    story = Story()
    intent = story.entered()
    fill = story.fill(intent.legs[0].label, "500")
    story.facts(fill)
    assert told(story, fill, at=story.now + 60_000) == ""
    assert told(story, story.order(intent.legs[0].label, "stop"), at=story.now + 60_000) == ""


def test_the_end_of_an_order_that_is_held_for_live_is_suspect() -> None:
    story = Story()
    story.entered()
    gone = story.gone("stop")
    at = gone.order.updated_ms
    assert told(story, gone, at=at + AFTER_MS) == ""
    assert told(story, gone, at=at + AFTER_MS + 1) == "the end of order stop, cancelled"
    other = replace(gone, order=replace(gone.order, order_id="never-ours"))
    assert told(story, other, at=at + 60_000) == ""


def test_fills_from_before_all_that_counts_are_not_suspect() -> None:
    story = Story()
    intent = story.entered()
    old = story.fill(intent.legs[0].label, "500", at=1)
    assert told(story, old, at=story.now + 60_000) == ""
