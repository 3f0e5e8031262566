"""What an invariant was held against: counted when its check is made, and 0 when it never was."""

import pytest
from chaos_kit import T, begun, booked, closed, closed_rows, entered, entered_rows, logged_in, told

from chaos.report.listings import invariants
from chaos.report.verdict import INVARIANTS, Tally, held_against, sums
from chaos.sim.judge import STARTED
from chaos.world import court
from chaos.world.bounded import Bounds
from chaos.world.court import LEDGERS, WITNESSED, Case, Check, Held, at_rest, judged
from chaos.world.mark import START, Mark, mark
from chaos.world.oracle import Promise, Published, Violation, Witness
from tradebaas.core.events import Event, OrderRejected

ALL = (*WITNESSED, *LEDGERS)


def case(events: list[Event], rows: list, since: Mark = START) -> Case:  # type: ignore[type-arg]
    story = told(events)
    seq = story.tail.seq
    witness = Witness(
        promises=[Promise("arm", seq, ())], published=[Published.whole("GET", story.state)]
    )
    return Case(
        books=booked(rows), story=story, witness=witness, now_ms=T + 30, limit_ms=1_000,
        bounds=Bounds(STARTED), since=since,
    )  # fmt: skip


def summed(held: Held) -> dict[str, int]:
    return sums(held.by_thing())


def counted(given: Case, checks: tuple[Check, ...] = ALL) -> dict[str, int]:
    held = Held()
    judged(checks, given, held)
    at_rest(given.books, given.story, given.since, held)
    return summed(held)


def test_each_invariant_counts_what_its_checks_look_at() -> None:
    assert counted(case(closed(), closed_rows())) == {
        "durable": 2, "once": 1, "known": 2, "protected": 1, "bounded": 1, "gated": 1,
        "fail closed": 0, "alive": 1, "same": 2,
    }  # fmt: skip
    assert counted(case(entered(), entered_rows()))["known"] == 3, "two orders and a fill"


def test_without_an_entry_nothing_is_held_against_what_is_about_entries() -> None:
    counts = counted(case(begun(), logged_in()))
    none = {name for name, number in counts.items() if not number}
    assert none == {"once", "known", "protected", "bounded", "gated", "fail closed"}


@pytest.mark.parametrize("name", [check.invariant for check in ALL])
def test_a_check_that_is_not_made_counts_nothing(name: str) -> None:
    given = case(closed(), closed_rows())
    left = tuple(check for check in ALL if check.invariant != name)
    held = Held()
    judged(left, given, held)
    assert held.by_thing()[name] == {}


def test_the_same_again_counts_once_and_what_was_judged_before_the_mark_not_at_all() -> None:
    given, held = case(closed(), closed_rows()), Held()
    judged(ALL, given, held)
    once = summed(held)
    judged(ALL, given, held)
    assert summed(held) == once
    later = mark(given.books, given.story)
    counts = counted(case(closed(), closed_rows(), later), LEDGERS)
    assert counts.pop("same") == 1, "a view is compared whenever it was shown"
    assert not any(counts.values())


def test_a_check_that_breaks_counts_nothing() -> None:
    def broken(_case: Case) -> list[Violation]:
        raise ValueError("broken")

    held = Held()
    with pytest.raises(ValueError, match="broken"):
        judged([Check("once", "things", lambda _: 7, broken)], case(begun(), logged_in()), held)
    assert summed(held)["once"] == 0


def test_what_the_log_denies_is_held_against_known() -> None:
    events = [*entered()[:6], OrderRejected(label="tb1-aa-6-e", code=1, message="no")]
    assert counted(case(events, logged_in()))["known"] == 1


def test_the_report_has_each_of_them_by_the_name_that_the_judge_gives_it() -> None:
    assert set(held_against(Held().by_thing())) == set(INVARIANTS)
    assert {check.invariant for check in ALL} | {"known"} == set(court.INVARIANTS)
    given, held = case(entered(), entered_rows()), Held()
    judged(ALL, given, held)
    at_rest(given.books, given.story, given.since, held)
    things = held_against(held.by_thing())
    assert things["Known"] == {
        "positions taken over": 0, "orders that never were": 0, "halts": 0, "orders": 2, "fills": 1,
    }  # fmt: skip
    tally = Tally(checked=sums(things), things=things)
    rows = {row[0].text: row[1].text for row in invariants(tally).rows}
    assert rows["Known"].endswith("0 halts, 2 orders, 1 fills")
    assert rows["Gated"] == "1 entries"


def test_what_nothing_was_held_against_has_no_words_and_is_no_check() -> None:
    things = held_against(Held().by_thing())
    tally = Tally(checked=sums(things), things=things)
    assert tally.unchecked == list(INVARIANTS)
    assert {row[1].text for row in invariants(tally).rows} == {""}
