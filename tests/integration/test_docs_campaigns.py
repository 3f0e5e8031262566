"""What the page of evidence says of the long campaigns is what their summaries say."""

import json
import re
from pathlib import Path
from typing import Any

from tradebaas.core.model import Phase

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "evidence"
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
