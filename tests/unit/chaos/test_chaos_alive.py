"""Alive can fail: each death that a life tells of must be paid for by one into its own process."""

from chaos_kit import T, begun, told

from chaos.world.alive import alive, never_halted
from chaos.world.mark import Mark
from chaos.world.oracle import Witness
from chaos.world.story import Story
from tradebaas.core.events import Event, Halted, LifeStarted

KILLED, BUG = "strategy Killed", "persister AssertionError"


def lives(*causes: str) -> Story:
    """Life 1 of the kit, and one more for each cause; "" begins a process."""
    events: list[Event] = begun()
    for life, cause in enumerate(causes, start=2):
        events.append(LifeStarted(life=life, token="bb", wall_ms=T, cause=cause))
    return told(events)


def strange(story: Story, witness: Witness) -> list[str]:
    found = alive(story, witness)
    assert all(violation.check == "alive" for violation in found)
    return [violation.key for violation in found]


def test_a_life_that_died_of_something_else_is_found() -> None:
    ours = Witness()
    ours.begin(0, halt_file=False)
    ours.injected("Killed")
    assert strange(lives(KILLED), ours) == []
    assert strange(lives(BUG), ours) == ["life 2"]
    assert strange(lives(f"{KILLED}, {BUG}"), ours) == ["life 2"]
    assert strange(lives(f"last death {KILLED}"), ours) == []
    assert strange(lives(KILLED), Witness()) == ["life 2"], "nobody did anything"


def test_each_injected_death_pays_for_one() -> None:
    ours = Witness()
    ours.begin(0, halt_file=False)
    ours.injected("Killed")
    assert strange(lives(KILLED, KILLED), ours) == ["life 3"]
    assert strange(lives(f"{KILLED}, crew Killed"), ours) == ["life 2"]
    ours.injected("Killed")
    assert strange(lives(KILLED, KILLED), ours) == []
    assert strange(lives("strategy Injected"), ours) == ["life 2"], "that was another kind"


def test_a_death_that_was_injected_into_another_process_pays_for_nothing() -> None:
    ours = Witness()
    ours.begin(0, halt_file=False)
    ours.injected("Killed")
    ours.begin(1, halt_file=False)
    assert strange(lives("", KILLED), ours) == ["life 3"]
    ours.injected("Killed")
    assert strange(lives("", KILLED), ours) == []
    ours.begin(3, halt_file=False)
    assert strange(lives("", KILLED, "", KILLED), ours) == ["life 5"]


def test_the_first_life_may_tell_of_one_that_was_never_committed() -> None:
    ours = Witness()
    ours.begin(0, halt_file=False)
    ours.begin(1, halt_file=False)
    assert strange(lives(KILLED), ours) == ["life 2"]
    ours.injected("Killed")
    assert strange(lives(KILLED), ours) == []


def test_a_driver_that_noted_its_last_life_too_early_is_forgiven() -> None:
    """Life 2 was committed in the first process just before that was killed."""
    ours = Witness()
    ours.begin(0, halt_file=False)
    ours.injected("Killed")
    ours.begin(1, halt_file=False)
    assert strange(lives(KILLED, ""), ours) == []
    assert strange(lives(KILLED, KILLED), ours) == ["life 3"]


def test_a_process_that_came_to_no_life_is_passed_over() -> None:
    ours = Witness()
    for _ in range(3):
        ours.begin(0, halt_file=False)
    ours.injected("Killed")
    assert strange(lives(KILLED), ours) == []
    # And lives that a power cut took back count for whoever came after it.
    ours.begin(1, halt_file=False)
    ours.begin(0, halt_file=False)
    assert strange(lives(KILLED), ours) == ["life 2"]


def test_what_is_excused_may_come_any_number_of_times_in_its_process() -> None:
    ours = Witness()
    ours.begin(0, halt_file=False)
    ours.excuse("persister DiskFull")
    assert strange(lives(*["persister DiskFull"] * 3), ours) == []
    ours.begin(1, halt_file=False)
    assert strange(lives("", "persister DiskFull"), ours) == ["life 3"]


def test_after_a_restore_lives_are_counted_anew() -> None:
    ours = Witness()
    ours.begin(7, halt_file=False)
    ours.forget_starts(2)
    ours.injected("Killed")
    story = lives(KILLED, KILLED)
    assert [v.key for v in alive(story, ours, Mark(causes=2))] == []
    assert [v.key for v in alive(lives(KILLED, KILLED, KILLED), ours, Mark(causes=2))] == ["life 4"]


def test_lives_are_judged_since_the_mark() -> None:
    story = lives(BUG, KILLED)
    ours = Witness()
    ours.begin(0, halt_file=False)
    assert [v.key for v in alive(story, ours)] == ["life 2", "life 3"]
    assert [v.key for v in alive(story, ours, Mark(causes=2))] == ["life 3"]
    assert alive(story, ours, Mark(causes=3)) == []


def test_a_halt_by_the_daemon_itself_is_found() -> None:
    story = told([*begun(), Halted(by="daemon", reason="proven absent and appeared later")])
    assert [violation.check for violation in never_halted(story)] == ["known"]
