"""The page of complaints answers each group, and names only what is there."""

import re

import pytest
from docs_kit import KINDS, ROOT, cells, misplaced_faults, missing_tests, named_after

TEXT = (ROOT / "docs" / "field-complaints.md").read_text(encoding="utf-8")
GROUPS = 38
EXCUSES = ("not shown yet: ", "does not apply: ")


def rows(text: str) -> list[list[str]]:
    """The cells of each group."""
    return [cells(line) for line in text.splitlines() if re.match(r"\| \d", line)]


def lacking(text: str, groups: int) -> list[str]:
    """The groups without a complaint, an answer, or something that shows it or says why not."""
    found = {row[0]: row[1:] for row in rows(text)}
    return [
        number
        for number in map(str, range(1, groups + 1))
        if len(found.get(number, ())) != 3
        or not all(found[number])
        or not ("`" in found[number][2] or any(word in found[number][2] for word in EXCUSES))
    ]


def test_every_group_has_its_answer_and_what_shows_it() -> None:
    assert [row[0] for row in rows(TEXT)] == [str(number) for number in range(1, GROUPS + 1)]
    assert lacking(TEXT, GROUPS) == []


def test_a_group_that_lacks_something_is_found() -> None:
    whole, empty, bare = "| 1 | a | b | `c` |", "| 2 | a |  | `c` |", "| 3 | a | b | c |"
    excused = "| 5 | a | b | not shown yet: c |"
    text = "\n".join((whole, empty, bare, excused))
    assert lacking(text, 5) == ["2", "3", "4"]


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
