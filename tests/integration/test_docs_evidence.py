"""The page of evidence names only what is there.

Tests, profiles and their faults, scenarios, situations, mutants: each name must be known.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from chaos.enumerate.scenarios import SCENARIOS
from chaos.real.breakages import ALL
from chaos.real.faults import FAULTS
from chaos.real.profile import load, names
from chaos.sim.rare import SITUATIONS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "evidence.md"
TEXT = PAGE.read_text(encoding="utf-8")
CLAIMS = {"TEST-009": 18, "TEST-010": 14}
"""How many tests each suite of the predecessor had."""
UNNAMED = "kill"
"""The profile of a fault, says the page, that is named without one."""


@cache
def defined_in(file: Path) -> frozenset[str]:
    """The names of the tests that a file defines."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(n.name for n in functions if n.name.startswith("test_"))


def missing_tests(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    return [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists() or name not in defined_in(ROOT / file)
    ]


def named_after(word: str, quote: str, text: str) -> Iterator[str]:
    """The names that follow a word: fault `a`, or faults `a`, `b`."""
    name = f"{quote}([^{quote}|]+){quote}"
    for run in re.findall(rf"\b{word}s? ({name}(?:(?:, | and ){name})*)", text):
        yield from re.findall(name, run[0])


def named_profiles(text: str) -> set[str]:
    """The profiles that a text names, as such or within a command."""
    return {*re.findall(r"chaos real --profile ([\w-]+)", text), *named_after("profile", "`", text)}


def faults_by_profile(text: str) -> Iterator[tuple[str, str]]:
    """Each fault with the profile that is named after it, or with the one that goes without."""
    listed = "`[^`|]+`(?:(?:, | and )`[^`|]+`)*"
    for run, profile in re.findall(rf"\bfaults? ({listed})(?: of profile `([^`|]+)`)?", text):
        for name in re.findall("`([^`]+)`", run):
            yield name, profile or UNNAMED


def misplaced_faults(text: str) -> list[str]:
    """The faults that their profile does not have."""
    found = sorted(set(faults_by_profile(text)))
    return [f"{name} in {profile}" for name, profile in found if name not in profile_of(profile)]


@cache
def profile_of(name: str) -> frozenset[str]:
    """The faults of a profile."""
    return frozenset(load(name, FAULTS).faults)


def rows(text: str, suite: str) -> list[list[str]]:
    """The cells of a suite's table, without its head."""
    section = text.partition(f"## {suite}")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


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
    assert [int(cells[0]) for cells in found] == list(range(1, CLAIMS[suite] + 1))
    for cells in found:
        assert len(cells) == 4
        assert all(cells)
        assert "`" in cells[2] or "the same test" in cells[2]


@pytest.mark.parametrize(
    "word, quote, known",
    [
        ("fault", "`", FAULTS),
        ("mutant", "`", ALL),
        ("scenario", "`", SCENARIOS),
        ("situation", '"', SITUATIONS),
    ],
)
def test_every_other_name_is_known(word: str, quote: str, known: dict[str, object]) -> None:
    named = set(named_after(word, quote, TEXT))
    assert len(named) >= 6
    assert named <= set(known)


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
