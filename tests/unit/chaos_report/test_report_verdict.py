"""The verdict: what makes it fail, and that workers' tallies merge in any grouping."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from report_kit import FINDING, RUN, full, passed

from chaos.report.sample import Sample, merge_samples
from chaos.report.verdict import (
    INVARIANTS,
    Finding,
    Grid,
    Mutant,
    Section,
    Skipped,
    Tally,
    Verdict,
    Visits,
    invariant,
    merge,
    merge_all,
    of_few,
    sums,
    tallied,
)

few = st.integers(0, 3)
names = st.sampled_from(["a", "b", "c"])
counts = st.dictionaries(names, few, max_size=3)
grids = st.dictionaries(names, counts, max_size=3)
samples = st.lists(st.floats(0, 1e6), max_size=5).map(Sample.of)
findings = st.builds(Finding, invariant=st.sampled_from(list(INVARIANTS)), where=names, text=names)
sections = st.builds(
    Section, title=names, columns=st.just(("x",)), rows=st.lists(st.tuples(names)).map(tuple)
)


def judged(things: Grid, **others: Any) -> Tally:
    return Tally(checked=sums(things), things=things, **others)


tallies = st.builds(
    judged,
    virtual_ms=few,
    exchange_ms=few,
    faults=counts,
    skipped=st.lists(st.builds(Skipped, fault=names, reason=names), max_size=2).map(tuple),
    deaths=grids,
    recovering=grids,
    recovery=st.dictionaries(names, samples, max_size=2),
    settle=samples,
    naked=st.dictionaries(names, samples, max_size=2),
    unknown=counts,
    things=st.dictionaries(st.sampled_from(list(INVARIANTS)), counts, max_size=3),
    rare=st.dictionaries(names, st.builds(Visits, times=few, wanted=few), max_size=3),
    findings=st.lists(findings, max_size=2).map(tuple),
    mutants=st.lists(st.builds(Mutant, name=names, caught_by=names), max_size=2).map(tuple),
    sections=st.lists(sections, max_size=2).map(tuple),
    figures=counts,
)


@given(tallies, tallies, tallies)
def test_merging_does_not_depend_on_the_grouping(a: Tally, b: Tally, c: Tally) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(tallies)
def test_the_empty_tally_changes_no_figure(a: Tally) -> None:
    merged = merge(Tally(), a)
    assert merged == merge(a, Tally())
    assert (merged.deaths, merged.recovery, merged.findings) == (a.deaths, a.recovery, a.findings)


@given(tallies, tallies)
def test_merging_loses_nothing_that_decides(a: Tally, b: Tally) -> None:
    both = merge(a, b)
    assert both.died == a.died + b.died
    assert both.recovered == a.recovered + b.recovered
    assert len(both.findings) == len(a.findings) + len(b.findings)
    assert len(both.survivors) == len(a.survivors) + len(b.survivors)
    assert set(both.rare) == {*a.rare, *b.rare}
    assert set(both.checked) == {*a.checked, *b.checked}


def test_a_situation_that_one_worker_visited_is_visited() -> None:
    listed, came = Tally(rare={"x": Visits()}), Tally(rare={"x": Visits(1)})
    assert listed.unvisited == ["x"]
    assert merge_all([listed, came, listed]).unvisited == []
    assert merge(listed, Tally(rare={"x": Visits(4, 5)})).unvisited == ["x"]


@given(st.lists(st.floats(0, 1e7), min_size=1), st.floats(0.001, 1))
def test_a_percentile_is_at_most_one_per_cent_above_what_was_measured(
    values: list[float], share: float
) -> None:
    ordered = sorted(values)
    sample = Sample.of(values)
    exact = next(v for n, v in enumerate(ordered, start=1) if n >= share * len(ordered) - 1e-9)
    assert exact - 1e-6 <= sample.percentile(share) <= exact * 1.01 + 1e-6
    assert sample.max >= ordered[-1] - 1e-6
    assert sample.percentile(1.0) == sample.max


def test_percentiles_are_those_of_the_values_together() -> None:
    together = merge_samples(Sample.of([0.1] * 50), Sample.of([0.2] * 49 + [9.0]))
    assert [together.percentile(at) for at in (0.5, 0.95, 0.99, 1)] == [0.1, 0.2, 0.2, 9.0]
    assert (together.count, Sample().percentile(0.5), Sample().max) == (100, 0.0, 0.0)


def test_a_sample_stays_small() -> None:
    assert len(Sample.of(n / 7000 for n in range(200_000)).counts) < 5_000


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        Sample.of([-0.1])


# ------------------------------------------------------------------------------------- the verdict

WORSE: list[tuple[str, Tally]] = [
    ("1 violation", Tally(findings=(FINDING,))),
    ("2 violations", Tally(findings=(FINDING, FINDING))),
    ("1 mutant survived: resend", Tally(mutants=(Mutant("resend"),))),
    ("1 required situation not visited: x", Tally(rare={"x": Visits()})),
    ("1 required situation not visited: x", Tally(rare={"x": Visits(4, 5)})),
    ("1 kind of fault never struck: y", Tally(faults={"x": 1, "y": 0})),
    ("1 invariant never checked: Same", Tally(checked={"Same": 0})),
]


def test_a_run_without_a_flaw_has_passed() -> None:
    assert passed().passed
    assert passed().failures == []


@pytest.mark.parametrize("words, tally", WORSE)
def test_each_flaw_alone_fails_a_run(words: str, tally: Tally) -> None:
    found = Verdict(RUN, tally)
    assert not found.passed
    assert found.failures == [words]
    assert not Verdict(RUN, merge(Tally(checked={"Once": 1}), tally)).passed


def test_what_was_skipped_or_not_required_fails_nothing() -> None:
    tally = Tally(skipped=(Skipped("netem", "absent"),), rare={"x": Visits(0, 0)})
    assert Verdict(RUN, tally).passed


def test_a_run_that_was_ended_early_has_not_passed() -> None:
    run = replace(RUN, ended="ended by SIGINT after 3 of 10 rounds")
    assert Verdict(run, full()).failures == [run.ended]


def test_a_few_trials_need_not_check_everything() -> None:
    few = of_few(judged({"Once": {}, "Same": {"views": 2}}))
    assert few == judged({"Same": {"views": 2}})
    assert few.unchecked == []


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="points: a row has not 2 cells"):
        Section("points", ("kind", "points"), (("fsync",),))


def test_a_run_of_nothing_has_not_passed() -> None:
    assert Verdict(replace(RUN, trials=0), full()).failures == ["no seeds were run"]


def test_the_paces_are_by_real_time() -> None:
    run = replace(RUN, seconds=10.0)
    deaths = {"IDLE": {"actor": 5, "process": 15}}
    made = Verdict(run, Tally(virtual_ms=60_000, exchange_ms=90_000, deaths=deaths))
    assert (made.virtual, made.exchange) == (60.0, 90.0)
    assert (made.speed, made.deaths_per_second) == (6.0, 2.0)
    assert Verdict(replace(run, seconds=0.0), full()).speed == 0


def test_the_invariants_are_those_of_the_design() -> None:
    assert len(INVARIANTS) == 9
    assert [invariant(n) for n in ("durable", "fail closed", "fail_closed", "Same")] == [
        *("Durable", "Fail closed", "Fail closed", "Same")
    ]
    with pytest.raises(ValueError, match="no invariant"):
        invariant("luck")
    with pytest.raises(ValueError, match="no invariant"):
        replace(FINDING, invariant="once")
    with pytest.raises(ValueError, match="no invariants: once"):
        Tally(checked={"once": 1})
    with pytest.raises(ValueError, match="is not the sum of"):
        Tally(checked={"Once": 1}, things={"Once": {"order requests": 2}})


def test_names_are_counted_the_most_frequent_first() -> None:
    assert list(tallied("abcbcb").items()) == [("b", 3), ("c", 2), ("a", 1)]
