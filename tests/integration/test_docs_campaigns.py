"""What the page of evidence says of the long campaigns is what their summaries say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chaos.real.faults import FAULTS
from chaos.real.profile import load, names
from chaos.real.proofs import PROOFS
from chaos.report.verdict import INVARIANTS
from tradebaas.core.model import Phase

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "evidence"
DAY_S = 86_400
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
PAGE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")


def summaries(pattern: str) -> list[dict[str, Any]]:
    """The summaries of a campaign, in the order of their names."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob(pattern))]


def test_every_campaign_held_and_says_on_what() -> None:
    every = summaries("*.json")
    assert len(every) == len(list(FOLDER.iterdir()))
    for summary in every:
        assert summary["passed"], summary["run"]["command"]
        assert summary["tally"]["findings"] == []
        assert all(summary["tally"]["checked"].values())
        commit = summary["run"]["commit"]
        assert re.fullmatch("[0-9a-f]{12}", commit), "with changes that nobody has"
        assert commit in PAGE
        assert summary["run"]["machine"]["cpu"]


def profiles() -> dict[str, dict[str, Any]]:
    """The summary of each profile of real processes."""
    found = {}
    for summary in [*summaries("profile-*.json"), *summaries("real-*.json")]:
        match = re.match(r"python -m chaos real --profile ([\w-]+) ", summary["run"]["command"])
        assert match is not None
        found[match[1]] = summary
    return found


def accounted(summary: dict[str, Any]) -> set[str]:
    """The faults that were struck, and those that the machine did not permit, with the reason."""
    tally = summary["tally"]
    skipped = {skipped["fault"] for skipped in tally["skipped"] if skipped["reason"]}
    return {fault for fault, times in tally["faults"].items() if times} | skipped


@pytest.mark.parametrize("name", names())
def test_each_fault_of_a_profile_was_struck_or_says_why_not(name: str) -> None:
    assert name in profiles(), "played by nobody whose summary is here"
    assert set(load(name, FAULTS).faults) - accounted(profiles()[name]) == set()


def test_each_fault_there_is_was_struck_but_for_what_no_machine_here_permits() -> None:
    struck = {fault for one in profiles().values() for fault in one["tally"]["faults"]}
    assert set(FAULTS) - struck == {"netem"}


@pytest.mark.parametrize("name", names())
def test_the_page_tells_what_became_of_each_profile(name: str) -> None:
    summary = profiles()[name]
    run, tally = summary["run"], summary["tally"]
    skipped = ", ".join(f"`{one['fault']}`" for one in tally["skipped"]) or "none"
    slowest = max(sample["max"] for sample in summary["recovery_seconds"].values())
    row = (
        f"| `{name}` | {run['trials']:,} | {len(tally['faults'])} | {skipped} | "
        f"{summary['deaths']:,} | {slowest:.2f} s | {run['seconds'] / 60:.1f} min | "
        f"`{run['commit']}` |"
    )
    assert row in PAGE


def test_each_broken_daemon_was_found_by_real_processes() -> None:
    (campaign,) = summaries("prove.json")
    found = {mutant["name"] for mutant in campaign["tally"]["mutants"] if mutant["caught_by"]}
    skipped = {one["fault"] for one in campaign["tally"]["skipped"]}
    assert found | skipped == {f"{proof.broken} ({proof.profile})" for proof in PROOFS}
    count, seconds = len(campaign["tally"]["mutants"]), campaign["run"]["seconds"]
    assert f"{count} broken daemons, all found, in {seconds:.0f} s" in PAGE
    honest = campaign["tally"]["figures"]["rounds of the honest daemon"]
    assert f"The honest daemon held in {honest} rounds of the same faults" in PAGE


def test_each_promise_came_after_its_sync() -> None:
    (campaign,) = summaries("fsync.json")
    times = {kind: visits["times"] for kind, visits in campaign["tally"]["rare"].items()}
    words = "of {answer} answers and {entry} entry orders, none came before".format(**times)
    assert words in PAGE
    assert words in README


def test_how_long_a_transition_takes() -> None:
    title = "from a command to its answer, its events synced"
    sections = profiles()["actors"]["tally"]["sections"]
    (row,) = next(section["rows"] for section in sections if section["title"] == title)
    assert "p50 {1}, p95 {2}, at most {3}, over {0} commands".format(*row) in PAGE


def test_the_readme_tells_of_the_kill_campaign_that_is_here() -> None:
    campaign = profiles()["kill"]
    tally, recovery, naked = (
        campaign["tally"], campaign["recovery_seconds"], campaign["naked_seconds"]
    )  # fmt: skip
    by_state = [sum(kinds.values()) for kinds in tally["deaths"].values()]
    kinds = {k: sum(at.get(k, 0) for at in tally["deaths"].values()) for k in ("process", "actor")}
    within = sum(sum(at.values()) for at in tally["recovering"].values())
    row = "{p50:.2f} s | {p95:.2f} s | {max:.2f} s"
    assert naked["own"]["count"] == 0
    for words in (
        f"in {campaign['run']['seconds'] / 60:.0f} minutes",
        f"{campaign['deaths']} deaths ({kinds['process']} of the process by SIGKILL",
        f"{kinds['actor']} of an actor; {min(by_state)} to {max(by_state)} in each",
        f"{within} of all during a recovery",
        f"{sum(tally['unknown'].values())} orders with an unknown outcome",
        "({adopted} found and adopted, {abandoned} proven absent)".format(**tally["unknown"]),
        "The driver did {count} times".format(**naked["by sabotage"]),
        "at most {max:.1f} s, the time".format(**naked["by sabotage"]),
        f"a new process | {row.format(**recovery['new process'])}",
        f"a new crew in the same process | {row.format(**recovery['new crew'])}",
    ):
        assert words in README, words


def test_two_thousand_real_sigkills() -> None:
    (campaign,) = summaries("real-*.json")
    tally, recovery = campaign["tally"], campaign["recovery_seconds"]["new process"]
    kills = sum(kinds.get("process", 0) for kinds in tally["deaths"].values())
    within = sum(kinds["recovery"] for kinds in tally["recovering"].values())
    assert kills == campaign["deaths"] >= 2_000
    assert tally["figures"]["states shown by the API"] > kills, "it was read while it was killed"
    for words in (
        campaign["run"]["command"],
        f"{kills:,}, of these {within} during a recovery",
        "{adopted} found and adopted, {abandoned} proven absent".format(**tally["unknown"]),
        "p50 {p50:.2f} s, p95 {p95:.2f} s, at most {max:.2f} s".format(**recovery),
        ", ".join(f"{sum(tally['deaths'][phase].values())} in {phase}" for phase in Phase),
        f"{tally['figures']['answers that promised something']:,} answers that promised something, "
        f"{tally['figures']['states shown by the API']:,} states that the API showed",
        f"{campaign['deaths_per_second']:.2f} deaths a second",
    ):
        assert words in PAGE


def test_a_hundred_thousand_simulated_deaths() -> None:
    batches = summaries("simulated-*.json")
    deaths = sum(batch["deaths"] for batch in batches)
    exchange_s = sum(batch["exchange_seconds"] for batch in batches)
    virtual_s = sum(batch["virtual_seconds"] for batch in batches)
    real_s = sum(batch["run"]["seconds"] for batch in batches)
    tallies = [batch["tally"] for batch in batches]
    kinds = {kind: summed(tallies, "deaths", kind) for kind in ("process", "power cut", "actor")}
    nested = [summed(tallies, "recovering", f"recovery{of}") for of in ("", " of the recovery")]
    unknown = {how: sum(t["unknown"][how] for t in tallies) for how in ("adopted", "abandoned")}
    played = seeds(batches)
    assert sum(kinds.values()) == deaths >= 100_000
    assert exchange_s >= 30 * DAY_S
    assert len(played) == sum(batch["run"]["trials"] for batch in batches)
    assert len({batch["run"]["commit"] for batch in batches}) == 1
    for words in (
        ", ".join(batch["run"]["which"].split(" to ")[0] for batch in batches),
        f"{deaths:,}: {kinds['process']:,} kills, {kinds['power cut']:,} power cuts, "
        f"{kinds['actor']:,} of an actor; {nested[0]:,} in a recovery, {nested[1]:,} in the "
        "recovery of one",
        ", ".join(f"{in_state(tallies, phase):,} in {phase}" for phase in Phase),
        ", ".join(f"{held(tallies, name):,} {name}" for name in INVARIANTS),
        f"{unknown['adopted']:,} found and adopted, {unknown['abandoned']:,} proven absent",
        f"{exchange_s / DAY_S:.0f} days of the exchange's time, {virtual_s / 3600:.1f} hours of "
        f"the daemon's, in {real_s / 60:.0f} minutes: {virtual_s / real_s:.0f} virtual seconds and "
        f"{deaths / real_s:.0f} deaths a second",
    ):
        assert words in PAGE
    assert (
        f"{deaths:,} deaths, most of them in the recovery of a recovery, over "
        f"{virtual_s / 3600:.1f} hours of the daemon's time and {exchange_s / DAY_S:.0f} days of "
        f"the exchange's, in {real_s / 60:.0f} minutes: **0 violations**"
    ) in README
    assert nested[1] > deaths / 2


def summed(tallies: list[dict[str, Any]], table: str, kind: str) -> int:
    """Of one kind, in all lifecycle states."""
    return sum(int(row.get(kind, 0)) for tally in tallies for row in tally[table].values())


def in_state(tallies: list[dict[str, Any]], phase: Phase) -> int:
    """Deaths of every kind in one lifecycle state."""
    return sum(sum(tally["deaths"].get(phase, {}).values()) for tally in tallies)


def held(tallies: list[dict[str, Any]], invariant: str) -> int:
    """How many things an invariant was held against."""
    return sum(int(tally["checked"][invariant]) for tally in tallies)


def seeds(batches: list[dict[str, Any]]) -> set[int]:
    """The seeds that were played, each once."""
    spans = [batch["run"]["which"].split(" to ") for batch in batches]
    return {seed for first, last in spans for seed in range(int(first), int(last) + 1)}
