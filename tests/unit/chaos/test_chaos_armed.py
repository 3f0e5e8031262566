"""Armed can fail: whatever is started stays armed until a stop was answered, or asked in vain."""

from chaos_kit import ASSIGNMENT, T, begun, booked, told

from chaos.world.armed import armed
from chaos.world.mark import mark
from chaos.world.oracle import Json, Promise, Witness
from chaos.world.story import Story
from tradebaas.core.events import Armed, Disarmed, Event, LifeStarted

STOP: Json = {"type": "Disarmed", "reason": "a"}


def restarted(*after: Event) -> Story:
    """Two lives of two processes; what ``after`` begins with is event 6."""
    return told([*begun(), LifeStarted(life=2, token="bb", wall_ms=T), *after])


def watched(*doubts: int) -> Witness:
    """The driver of ``restarted``, with so many unanswered stops of each process."""
    witness = Witness()
    for life, stops in enumerate(doubts):
        witness.begin(life, halt_file=False)
        witness.starts[-1].stops = stops
    return witness


def found(story: Story, witness: Witness) -> list[str]:
    violations = armed(story, witness)
    assert all(violation.check == "durable" for violation in violations)
    return [violation.key for violation in violations]


def test_a_life_that_is_not_armed_though_nobody_has_stopped_it_is_found() -> None:
    assert found(restarted(), watched(0, 0)) == []
    assert found(restarted(Disarmed(reason="restart")), watched(0, 0)) == ["armed 6"]


def test_it_is_found_also_when_it_was_started_again_at_once() -> None:
    again = Armed(assignment=ASSIGNMENT)
    story = restarted(Disarmed(reason="restart"), again)
    assert story.state.armed
    assert found(story, watched(0, 0)) == ["armed 6"]


def test_an_answered_stop_is_one_and_no_other_answer_is() -> None:
    story, witness = restarted(Disarmed(reason="a")), watched(0, 0)
    witness.promises.append(Promise("/api/strategy/stop", 6, (STOP,)))
    assert found(story, witness) == []
    witness.promises[:] = [Promise("/api/strategy/stop", 7, (STOP,))]
    assert found(story, witness) == ["armed 6"]
    witness.promises[:] = [Promise("/api/halt", 6, ({"type": "Halted"},))]
    assert found(story, witness) == ["armed 6"]


def test_an_unanswered_stop_pays_once_and_for_its_own_process() -> None:
    story = restarted(Disarmed(reason="a"))
    assert found(story, watched(0, 1)) == []
    assert found(story, watched(1, 0)) == [], "the driver may have counted too early"
    assert found(story, watched(0, 0, 1)) == ["armed 6"]
    again = Armed(assignment=ASSIGNMENT)
    twice = restarted(Disarmed(reason="a"), again, Disarmed(reason="b"))
    assert found(twice, watched(0, 1)) == ["armed 8"]
    assert found(twice, watched(0, 2)) == []


def test_what_was_judged_before_is_not_judged_again() -> None:
    story = restarted(Disarmed(reason="restart"))
    assert armed(story, watched(0, 0), mark(booked([]), story)) == []
