"""The table of moves: complete, without extras, and derived rather than set."""

from random import Random

import pytest

from tests.unit.core.core_kit import SELL, T0, D, Story, assignment
from tests.unit.core.core_walk import MOVES, WEIGHTED, Walk
from tradebaas.core.events import Halted, PhaseChanged
from tradebaas.core.facts import NotSentFact
from tradebaas.core.lifecycle import TRANSITIONS, cause_of
from tradebaas.core.messages import Arm, Disarm
from tradebaas.core.model import Phase

OTHER_ENTRY, OTHER_STOP = "tb1-zz-7-e", "tb1-zz-7-s"


def idle() -> Story:
    story = Story()
    story.start()
    story.link()
    story.reconcile()
    story.tell(Arm(assignment=assignment()))
    story.tell(Disarm(reason="test"))
    story.now += 10
    return story


def waiting() -> Story:
    story = Story().up()
    story.unlink()
    story.propose()
    story.now += 10
    return story


def found(story: Story, what: str) -> Story:
    """Something of ours that this store never knew, or had given up, turns up."""
    match what:
        case "entry":
            story.facts(story.order(OTHER_ENTRY, "found", state="open"))
        case "position":
            story.facts(story.fill(OTHER_ENTRY, "100"))
        case _:
            story.facts(story.order(OTHER_STOP, "found", direction=SELL))
    return story


def entry_that_outlives_its_position() -> Story:
    """Found: an entry that rests, partly filled; its first part is closed again."""
    story = found(found(idle(), "entry"), "position")
    story.facts(story.fill(OTHER_STOP, "100"))
    return story


def entry_that_outlives_a_close() -> Story:
    story = found(found(idle(), "entry"), "position")
    story.facts(story.order(OTHER_STOP, "fired", state="open", direction=SELL))
    story.facts(story.fill(OTHER_STOP, "100"))
    story.facts(story.gone("fired"))
    return story


def closed_with_nothing_left(armed: bool) -> Story:
    story = Story().up() if armed else idle()
    story.now += 10
    found(story, "position")
    story.facts(story.fill("", "100", direction=SELL))
    return story


def a_stop_that_fired_and_failed() -> Story:
    story = Story()
    intent = story.entered()
    story.facts(story.order(intent.legs[0].label, "child", state="open"))
    story.facts(story.gone("child"))
    return story


def disarmed_while_entering() -> Story:
    story = Story()
    intent = story.entering()
    story.tell(Disarm(reason="test"))
    story.facts(NotSentFact(label=intent.label, reason="test"))
    return story


def closing_while_entering() -> Story:
    story = Story()
    intent = story.entering()
    story.tell(Disarm(reason="test", close=True))
    story.facts(story.fill(intent.label, "1000"))
    return story


def stories() -> list[Story]:
    starts = (idle, lambda: Story().up(), waiting)
    ways = [found(start(), what) for start in starts for what in ("entry", "position", "stop")]
    return [
        *ways,
        entry_that_outlives_its_position(),
        entry_that_outlives_a_close(),
        closed_with_nothing_left(True),
        closed_with_nothing_left(False),
        a_stop_that_fired_and_failed(),
        disarmed_while_entering(),
        closing_while_entering(),
    ]


def walked() -> list[Story]:
    walks = [Walk(meddling=False) for _ in range(12)]
    for seed, walk in enumerate(walks):
        rng = Random(seed)
        for _ in range(200):
            MOVES[rng.choice(WEIGHTED)][1](walk, rng)
    return [walk.story for walk in walks]


def test_each_move_of_the_table_happens_and_no_other() -> None:
    events = [event for story in [*stories(), *walked()] for event in story.events]
    moves = {(e.source, e.target): e.cause for e in events if isinstance(e, PhaseChanged)}
    assert moves == TRANSITIONS


def test_a_move_that_is_not_in_the_table_is_a_bug() -> None:
    with pytest.raises(LookupError, match="no way from IDLE to SIGNAL_DETECTED"):
        cause_of(Phase.IDLE, Phase.SIGNAL_DETECTED)


def test_a_found_entry_that_fills_is_managed_like_any_other() -> None:
    story = found(idle(), "entry")
    assert story.phase() is Phase.ENTERING_POSITION
    found(story, "position")
    assert story.phase() is Phase.POSITION_OPEN
    story.now = T0 + 10_000
    assert not any(isinstance(event, Halted) for event in story.events)
    position = story.state.position
    assert position is not None
    assert (position.ours, position.size) == (True, D(100))


def test_a_waiting_signal_never_survives_what_it_must_not_meet() -> None:
    for what in ("entry", "position", "stop"):
        story = found(waiting(), what)
        assert story.state.signal is None
        assert story.phases()[-2] is Phase.SIGNAL_DETECTED
