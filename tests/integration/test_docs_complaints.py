"""The page of complaints answers each group, and names only what is there."""

import re

import pytest
from docs_kit import KINDS, ROOT, cells, misplaced_faults, missing_tests, named_after

TEXT = (ROOT / "docs" / "field-complaints.md").read_text(encoding="utf-8")
GROUPS = 38


def rows(text: str) -> list[list[str]]:
    """The cells of each group."""
    return [cells(line) for line in text.splitlines() if re.match(r"\| \d", line)]


def lacking(text: str, groups: int) -> list[str]:
    """The groups without a complaint, an answer, or a test that shows it."""
    found = {row[0]: row[1:] for row in rows(text)}
    return [
        number
        for number in map(str, range(1, groups + 1))
        if len(found.get(number, ())) != 3
        or not all(found[number])
        or "::test_" not in found[number][2]
    ]


def test_every_group_has_its_answer_and_what_shows_it() -> None:
    assert [row[0] for row in rows(TEXT)] == [str(number) for number in range(1, GROUPS + 1)]
    assert lacking(TEXT, GROUPS) == []


def test_a_group_that_lacks_something_is_found() -> None:
    shown = "`tests/a.py::test_b`"
    whole, empty, bare = f"| 1 | a | b | {shown} |", f"| 2 | a |  | {shown} |", "| 3 | a | b | c |"
    assert lacking(f"{whole}\n{empty}\n{bare}", 4) == ["2", "3", "4"]


def test_every_test_that_is_named_is_there() -> None:
    assert len(re.findall(r"::test_", TEXT)) > 60
    assert missing_tests(TEXT) == []


@pytest.mark.parametrize("word", KINDS)
def test_every_other_name_is_known(word: str) -> None:
    quote, known = KINDS[word]
    named = set(named_after(word, quote, TEXT))
    assert len(named) >= 4
    assert named <= known


def test_every_fault_is_in_the_profile_that_it_is_named_with() -> None:
    assert misplaced_faults(TEXT) == []
