"""The table: it fits 80 columns, needs no colour, and says everything that the verdict says."""

import io

import pytest
from msgspec.structs import replace
from report_kit import FINDING, RUN, broken, passed
from rich.console import Console

from chaos.report import words
from chaos.report.table import show
from chaos.report.verdict import INVARIANTS, Run, Tally, Verdict, Visits


def printed(verdict: Verdict, width: int = 80) -> str:
    file = io.StringIO()
    show(verdict, Console(file=file, width=width))
    return file.getvalue()


def test_it_fits_80_columns_and_breaks_no_name() -> None:
    text = printed(passed())
    assert max(map(len, text.splitlines())) <= 80
    for name in (*INVARIANTS, "ENTERING_POSITION", "two answers for one id", "new process"):
        assert name in text


def test_a_long_name_is_broken_before_a_figure() -> None:
    tally = Tally(rare={"a very long situation " * 6: Visits(1_234_567, 1_000_000)})
    text = printed(Verdict(RUN, tally))
    assert max(map(len, text.splitlines())) <= 80
    assert "1,234,567   1,000,000   visited" in text


def test_the_faults_that_struck_are_sorted() -> None:
    text = printed(Verdict(RUN, Tally(faults={"order lost": 3, "cancel lost": 1, "edit lost": 7})))
    names = ["cancel lost", "edit lost", "order lost"]
    rows = [line.split("  ")[0] for line in text.splitlines()]
    assert [row for row in rows if row in names] == names


def test_the_last_line_is_the_verdict() -> None:
    assert printed(passed()).splitlines()[-1] == "PASSED: 200 seeds, 9,573 deaths, 0 violations"
    assert printed(broken(), width=300).splitlines()[-1] == (
        "FAILED: 2 violations; 1 mutant survived: resend; 1 required situation not visited: "
        "late fill; 1 kind of fault never struck: cancel lost; 1 invariant never checked: Bounded"
    )


def test_every_flaw_is_a_word_in_its_row() -> None:
    rows = {line.split("  ")[0]: line for line in printed(broken()).splitlines()}
    assert rows["late fill"].endswith("MISSING")
    assert rows["archive only"].endswith("visited")
    assert "SURVIVED" in rows["resend"]
    assert rows["Once"].split()[1:] == ["7", "order", "requests", "7", "1", "VIOLATED"]
    assert rows["Bounded"].endswith("NEVER CHECKED")
    assert rows["Gated"].endswith("not judged here")


def test_a_violation_comes_with_evidence_and_how_to_see_it_again() -> None:
    text = printed(broken(), width=200)
    assert "violation 1: Once, seed 71, 1209.4 s" in text
    for line in (FINDING.text, *FINDING.evidence, f"again: {FINDING.replay}"):
        assert line in text


def test_brackets_in_names_are_no_markup() -> None:
    tally = Tally(faults={"[red]x[/]": 1}, findings=(replace(FINDING, text="[bold]y"),))
    text = printed(Verdict(RUN, tally))
    assert "[red]x[/]" in text
    assert "[bold]y" in text


def test_deaths_have_sums_both_ways() -> None:
    deaths = {"IDLE": {"actor": 2, "process": 3}, "CLOSING": {"system call": 4}}
    lines = printed(Verdict(RUN, Tally(deaths=deaths))).splitlines()
    head = next(line for line in lines if line.startswith("state"))
    assert head.split() == ["state", "process", "actor", "system", "call", "all"]
    assert ["IDLE", "3", "2", "0", "5"] in [line.split() for line in lines]
    assert ["all", "3", "2", "4", "9"] in [line.split() for line in lines]


def test_a_run_that_counted_nothing_can_be_shown() -> None:
    assert "no rounds were run" in printed(Verdict(Run("x", "y", "rounds", 0), Tally()))


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0 s"),
        (0.0000214, "21 µs"),
        (0.0499, "49.9 ms"),
        (0.34, "340 ms"),
        (0.9999, "1 s"),
        (1.206, "1.21 s"),
        (12.34, "12.3 s"),
        (119.7, "120 s"),
        (200.4, "3 min 20 s"),
        (432_000, "5 d"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations_in_words(value: float, text: str) -> None:
    assert words.seconds(value) == text


def test_numbers_in_words() -> None:
    assert [words.number(n) for n in (0, 7, 12_000, 0.1234, 23.2, 4567.8)] == [
        *("0", "7", "12,000", "0.12", "23", "4,568")
    ]
