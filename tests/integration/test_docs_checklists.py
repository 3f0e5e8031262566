"""The page of checklists has each row with its verdict, and names only what is there."""

import re

from docs_kit import KINDS, ROOT, cells, misplaced_faults, missing_tests, named_after

from tradebaas.paper.mishaps import MISHAPS
from tradebaas.paper.readings import CHOICES

TEXT = (ROOT / "docs" / "protocol-checklists.md").read_text(encoding="utf-8")
ROWS = {"E": 12, "F": 15, "C": 8, "Q": 14, "M": 5}
"""How many rows each table has, by the letter that their numbers begin with."""
JUDGED = "EFC"
OPEN = re.compile("not shown yet: |not built: ")


def rows(text: str) -> list[list[str]]:
    """The cells of each row of the checklists."""
    return [cells(line) for line in text.splitlines() if re.match(r"\| [A-Z]\d", line)]


def wrong(row: list[str]) -> str:
    """What is wrong with a row, "" if nothing is: its shape, its tests, or its verdict."""
    if len(row) != 5 or not all(row) or "::test_" not in row[4]:
        return "a cell or a test is missing"
    if row[0][0] not in JUDGED:
        return ""
    verdict = "partly" if OPEN.search(row[4]) else "whole"
    return "" if row[3] == verdict else f"{row[3]!r} is not {verdict}"


def test_each_row_is_there_and_says_whether_it_is_shown() -> None:
    numbers = [f"{letter}{n}" for letter, count in ROWS.items() for n in range(1, count + 1)]
    assert [row[0] for row in rows(TEXT)] == numbers
    assert {row[0]: wrong(row) for row in rows(TEXT) if wrong(row)} == {}


def test_a_row_that_is_wrong_is_found() -> None:
    shown = "`tests/a.py::test_b`"
    assert wrong(["E1", "a", "b", "whole", shown]) == ""
    assert wrong(["E1", "a", "b", "partly", f"{shown}; not built: c"]) == ""
    assert wrong(["E1", "a", "b", "whole", f"{shown}; not shown yet: c"])
    assert wrong(["E1", "a", "b", "partly", shown])
    assert wrong(["Q1", "a", "", "b", shown])
    assert wrong(["Q1", "a", "b", "c", "d"])


def test_every_test_that_is_named_is_there() -> None:
    assert len(re.findall(r"::test_", TEXT)) > 150
    assert missing_tests(TEXT) == []


def test_every_reading_is_told_and_every_switch_is_one() -> None:
    assert set(named_after("reading", "`", TEXT)) == set(CHOICES)
    switches = set(named_after("switch(?:e(?=s))?", "`", TEXT))
    assert len(switches) > 8
    assert switches <= set(MISHAPS)


def test_every_other_name_is_known() -> None:
    for word, (quote, known) in KINDS.items():
        assert set(named_after(word, quote, TEXT)) <= known
    assert misplaced_faults(TEXT) == []
