"""What the pages that name tests, faults, situations, scenarios and mutants are judged by."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from chaos.enumerate.scenarios import SCENARIOS
from chaos.real.breakages import ALL
from chaos.real.faults import FAULTS
from chaos.real.profile import load
from chaos.sim.rare import SITUATIONS

ROOT = Path(__file__).parents[2]
UNNAMED = "kill"
"""The profile of a fault, says the page of evidence, that is named without one."""
KINDS: dict[str, tuple[str, frozenset[str]]] = {
    "fault": ("`", frozenset(FAULTS)),
    "mutant": ("`", frozenset(ALL)),
    "scenario": ("`", frozenset(SCENARIOS)),
    "situation": ('"', frozenset(SITUATIONS)),
}
"""What a page may name besides tests: how it is quoted, and all that there are."""


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


def cells(line: str) -> list[str]:
    """The cells of a table's row."""
    return [cell.strip() for cell in line.strip("|").split("|")]
