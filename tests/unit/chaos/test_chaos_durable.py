"""Durable can fail: answers, what was shown, the head, and the file of a halt."""

from chaos_kit import T, begun, told

from chaos.world import oracle
from chaos.world.durable import durable, head_agrees, head_is_last
from chaos.world.ledger import Tail
from chaos.world.oracle import HaltWindow, Promise, Published, Violation, Witness
from tradebaas.core.events import Disarmed, Event, Halted, LifeStarted, Linked, Resumed


def checks(found: list[Violation]) -> list[str]:
    return [violation.check for violation in found]


# ----------------------------------------------------------------------------------------- answers


def test_an_answer_that_the_store_does_not_have_is_found() -> None:
    story = told(begun())
    lost = Witness(promises=[Promise("/api/halt", 5, ({"type": "Halted"},))])
    assert checks(durable(story, lost)) == ["durable"]


def test_an_answer_with_another_event_than_the_store_has_is_found() -> None:
    story = told([*begun(), Disarmed(reason="a")])
    kept: oracle.Json = {"type": "Disarmed", "reason": "a"}
    assert durable(story, Witness(promises=[Promise("stop", 5, (kept,))])) == []
    other: oracle.Json = {"type": "Disarmed", "reason": "b"}
    assert checks(durable(story, Witness(promises=[Promise("stop", 5, (other,))])))


def test_a_shown_seq_that_is_not_stored_is_found() -> None:
    shown = Witness(published=[Published("/api/orders", 9, 1, {})])
    assert checks(durable(told(begun()), shown)) == ["durable"]


# ---------------------------------------------------------------------------------------- the head


def test_a_head_beyond_the_log_or_of_another_record_is_found() -> None:
    story = told(begun())
    assert head_agrees(story, Tail(4, bytes([4]) * 32)) == []
    assert head_agrees(story, Tail(3, bytes([3]) * 32)) == []
    assert head_agrees(story, Tail(5, bytes([5]) * 32))
    assert head_agrees(story, Tail(4, bytes([9]) * 32))


def test_a_head_that_lags_is_found_once_nothing_moves() -> None:
    story = told(begun())
    assert head_is_last(story, Tail(4, bytes([4]) * 32)) == []
    for head in (Tail(), Tail(3, bytes([3]) * 32), Tail(4, bytes([9]) * 32)):
        assert checks(head_is_last(story, head)) == ["durable"]


# --------------------------------------------------------------------------------- the halt's file


def test_a_halt_whose_file_is_gone_is_found_until_a_resume_was_asked_for() -> None:
    witness = Witness()
    witness.see_halt(False, "at rest")
    assert durable(told(begun()), witness) == []
    witness.halts.append(HaltWindow(5, 1))
    witness.see_halt(True, "at rest")
    assert durable(told(begun()), witness) == []
    witness.begin(1, halt_file=False)
    assert [v.key for v in durable(told(begun()), witness)] == ["HALT at start 1"]
    taken = Witness(halts=[HaltWindow(5, 1)])
    taken.take_halt_file()
    taken.begin(1, halt_file=False)
    assert durable(told(begun()), taken) == []
    asked = Witness(halts=[HaltWindow(5, 1, 9)])
    asked.begin(1, halt_file=False)
    assert durable(told(begun()), asked) == []


def second_life(*after: Event) -> list[Event]:
    return [*begun(), LifeStarted(life=2, token="bb", wall_ms=T), *after]


def test_a_life_that_finds_the_file_and_is_not_halted_is_found() -> None:
    halted = Halted(by="halt file", reason="x")
    linked = Linked(connection=1, account="me")

    def judged(events: list[Event], *, there: bool = True) -> list[str]:
        witness = Witness()
        witness.begin(0, halt_file=False)
        witness.begin(1, halt_file=there)
        return [violation.key for violation in durable(told(events), witness)]

    assert judged(second_life()) == ["HALT of life 2"]
    assert judged(second_life(), there=False) == []
    assert judged(second_life(halted)) == []
    assert judged(second_life(linked, halted)) == ["HALT of life 2"], "too late"
    assert judged([*begun(), halted, *second_life()[4:]]) == [], "it was halted already"
    resumed = [*begun(), halted, Resumed(by="operator"), *second_life()[4:]]
    assert judged(resumed) == ["HALT of life 2"]
    assert judged(begun()) == [], "the process came to no life"


def test_only_the_first_life_of_the_process_that_found_it_must_be_halted() -> None:
    killed = LifeStarted(life=3, token="cc", wall_ms=T, cause="strategy Killed")
    lifted: list[Event] = [Halted(by="halt file", reason="x"), Resumed(by="operator")]
    witness = Witness()
    witness.begin(1, halt_file=True)
    assert durable(told([*second_life(), *lifted, killed]), witness) == []
    witness.begin(1, halt_file=False)  # the one before had come to no life
    assert durable(told(second_life()), witness) == []
