"""The page of evidence names only what is there.

Tests, profiles and their faults, scenarios, situations, mutants: each name must be known.
"""

import re

import pytest
from docs_kit import (
    KINDS,
    ROOT,
    cells,
    faults_by_profile,
    misplaced_faults,
    missing_tests,
    named_after,
)

from chaos.real.profile import names

PAGE = ROOT / "docs" / "evidence.md"
TEXT = PAGE.read_text(encoding="utf-8")
CLAIMS = {"TEST-009": 18, "TEST-010": 14}
"""How many tests each suite of the predecessor had."""


def named_profiles(text: str) -> set[str]:
    """The profiles that a text names, as such or within a command."""
    return {*re.findall(r"chaos real --profile ([\w-]+)", text), *named_after("profile", "`", text)}


def rows(text: str, suite: str) -> list[list[str]]:
    """The cells of a suite's table, without its head."""
    section = text.partition(f"## {suite}")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if re.match(r"\| \d", line)]
    return [cells(line) for line in lines]


def test_every_test_that_is_named_is_there() -> None:
    assert len(re.findall(r"::test_", TEXT)) > 40
    assert missing_tests(TEXT) == []


def test_a_test_that_is_not_there_is_found() -> None:
    here = "tests/integration/test_docs_evidence.py"
    assert missing_tests(f"`{here}::test_every_test_that_is_named_is_there`") == []
    assert missing_tests(f"`{here}::test_nothing`") == [f"{here}::test_nothing"]
    assert missing_tests("`tests/none.py::test_x`") == ["tests/none.py::test_x"]
    assert missing_tests(f"`{here}::rows`") == [f"{here}::rows"]


@pytest.mark.parametrize("suite", CLAIMS)
def test_each_claim_has_a_row_with_a_name_and_what_shows_it(suite: str) -> None:
    found = rows(TEXT, suite)
    assert [int(row[0]) for row in found] == list(range(1, CLAIMS[suite] + 1))
    for row in found:
        assert len(row) == 4
        assert all(row)
        assert "`" in row[2] or "the same test" in row[2]


@pytest.mark.parametrize("word", KINDS)
def test_every_other_name_is_known(word: str) -> None:
    quote, known = KINDS[word]
    named = set(named_after(word, quote, TEXT))
    assert len(named) >= 6
    assert named <= known


def test_names_are_found_in_lists() -> None:
    text = 'faults `a-b`, `c`; mutant `d`; situations "e f" and "g"; `h`'
    assert list(named_after("fault", "`", text)) == ["a-b", "c"]
    assert list(named_after("mutant", "`", text)) == ["d"]
    assert list(named_after("situation", '"', text)) == ["e f", "g"]


def test_every_profile_that_is_named_is_there() -> None:
    named = named_profiles(TEXT)
    assert len(named) >= 5
    assert named <= set(names())


def test_every_fault_is_in_the_profile_that_it_is_named_with() -> None:
    assert len({profile for _, profile in faults_by_profile(TEXT)}) >= 4
    assert misplaced_faults(TEXT) == []


def test_what_is_no_profile_or_not_in_it_is_found() -> None:
    text = "faults `oom`, `cut-db` of profile `limits`; fault `sigkill`; faults `oom` and `actor`"
    assert misplaced_faults(text) == ["cut-db in limits", "oom in kill"]
    said = "`chaos real --profile disk-full` and profiles `a`, `b-c`"
    assert named_profiles(said) == {"disk-full", "a", "b-c"}
