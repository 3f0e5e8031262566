"""docs/deaths.md is what scripts/deaths.py measures: it has every place, and some die again."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from chaos.enumerate.points import Kind
from tradebaas.core.model import Phase

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "deaths.py"))
LINES = [
    line
    for line in (ROOT / "docs" / "deaths.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| [A-Z_]+ \|", line)
]
BACK_S = 1.0
"""What the design allows a recovery that has nothing to prove: well under a second."""
AGAIN = (
    (Phase.ENTERING_POSITION, "send private/buy"),
    (Phase.POSITION_OPEN, "sync tradebaas.db-wal"),
    (Phase.POSITION_OPEN, "receive user.changes.future.BTC.raw"),
)
"""An entry on its way, a position that is being stored, the news of its end."""


@pytest.fixture(scope="module")
def grouped() -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = SCRIPT["grouped"]()
    return found


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_place_of_the_trade_is_on_the_page(
    grouped: dict[tuple[str, str], list[Any]],
) -> None:
    """If not: python scripts/deaths.py."""
    there = {(name[0], name[1], str(len(points))) for name, points in grouped.items()}
    assert {tuple(cells(line)[:3]) for line in LINES} == there
    assert {place.split()[0] for _, place, _ in there} == set(Kind)


@pytest.mark.parametrize("name", AGAIN)
def test_a_place_takes_what_the_page_says(
    grouped: dict[tuple[str, str], list[Any]], name: tuple[str, str]
) -> None:
    line = SCRIPT["row"](grouped[name]).line()
    assert line in LINES, f"{line}: run scripts/deaths.py"


def test_no_place_leaves_a_position_bare_or_takes_longer_than_it_may() -> None:
    for line in LINES:
        *_, killed, power, _proven, bare = cells(line)
        for seconds in (killed, power):
            assert seconds == "-" or float(seconds.removesuffix(" s")) < BACK_S, line
        assert bare == "0.000 s", line
