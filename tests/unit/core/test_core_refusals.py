"""Three refused entries in a row are a reason to open nothing for a while."""

from tradebaas.core.refusals import PAUSE_MS, Refusals

AT_MS = 1_790_000_000_000


def refused(times: int) -> Refusals:
    refusals = Refusals()
    for number in range(times):
        refusals.refused(f"{number} no", AT_MS + number)
    return refusals


def test_two_are_none() -> None:
    assert refused(2).problem(AT_MS) == ""


def test_the_third_is_one_and_the_last_words_are_told() -> None:
    assert refused(3).problem(AT_MS + 2) == "3 in a row, the last with 2 no"
    assert refused(4).problem(AT_MS + 3) == "4 in a row, the last with 3 no"


def test_one_that_is_taken_wipes_them_out() -> None:
    refusals = refused(2)
    refusals.accepted()
    refusals.refused("again no", AT_MS)
    assert refusals.problem(AT_MS) == ""


def test_after_a_while_one_may_try_and_one_refusal_more_is_enough() -> None:
    refusals = refused(3)
    over_ms = AT_MS + 2 + PAUSE_MS
    assert refusals.problem(over_ms - 1) != ""
    assert refusals.problem(over_ms) == ""
    refusals.refused("still no", over_ms)
    assert refusals.problem(over_ms) == "4 in a row, the last with still no"
    assert refusals.problem(over_ms + PAUSE_MS) == ""


def test_the_one_that_is_taken_then_ends_the_row() -> None:
    refusals = refused(3)
    over_ms = AT_MS + 2 + PAUSE_MS
    refusals.accepted()
    for number in range(2):
        refusals.refused("no", over_ms + number)
    assert refusals.problem(over_ms + 1) == ""
