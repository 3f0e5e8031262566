"""What the page of evidence says of the long campaigns is what their summaries say."""

import json
import re
from pathlib import Path
from typing import Any

from tradebaas.core.model import Phase

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "evidence"
DAY_S = 86_400
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
    simulated_s = sum(batch["simulated_seconds"] for batch in batches)
    real_s = sum(batch["run"]["seconds"] for batch in batches)
    tallies = [batch["tally"] for batch in batches]
    kinds = {kind: summed(tallies, "deaths", kind) for kind in ("process", "power cut", "actor")}
    nested = [summed(tallies, "recovering", f"recovery{of}") for of in ("", " of the recovery")]
    unknown = {how: sum(t["unknown"][how] for t in tallies) for how in ("adopted", "abandoned")}
    assert sum(kinds.values()) == deaths >= 100_000
    assert simulated_s >= 30 * DAY_S
    assert len(seeds(batches)) == sum(batch["run"]["trials"] for batch in batches)
    for words in (
        f"{deaths:,}: {kinds['process']:,} kills, {kinds['power cut']:,} power cuts, "
        f"{kinds['actor']:,} of an actor; {nested[0]:,} in a recovery, {nested[1]:,} in the "
        "recovery of one",
        ", ".join(f"{in_state(tallies, phase):,} in {phase}" for phase in Phase),
        f"{unknown['adopted']:,} found and adopted, {unknown['abandoned']:,} proven absent",
        f"{simulated_s / DAY_S:.0f} simulated days in {real_s / 60:.0f} minutes: "
        f"{simulated_s / real_s:,.0f} simulated seconds and {deaths / real_s:.0f} deaths a second",
    ):
        assert words in PAGE


def summed(tallies: list[dict[str, Any]], table: str, kind: str) -> int:
    """Of one kind, in all lifecycle states."""
    return sum(int(row.get(kind, 0)) for tally in tallies for row in tally[table].values())


def in_state(tallies: list[dict[str, Any]], phase: Phase) -> int:
    """Deaths of every kind in one lifecycle state."""
    return sum(sum(tally["deaths"].get(phase, {}).values()) for tally in tallies)


def seeds(batches: list[dict[str, Any]]) -> set[int]:
    """The seeds that were played, each once."""
    spans = [batch["run"]["which"].split(" to ") for batch in batches]
    return {seed for first, last in spans for seed in range(int(first), int(last) + 1)}
