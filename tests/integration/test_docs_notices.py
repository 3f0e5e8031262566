"""The page of notices has a row for each switch, and says which are urgent."""

import re
from pathlib import Path

from msgspec.structs import fields

from tradebaas.notices.queues import ROOM
from tradebaas.notices.watch import BACKOFF_S, BATCH
from tradebaas.settings import NoticesSection

PAGE = (Path(__file__).parents[2] / "docs" / "notices.md").read_text(encoding="utf-8")


def test_each_switch_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| [^|]+ \|$", PAGE, re.MULTILINE)
    switches = [field.name for field in fields(NoticesSection) if field.type is bool]
    assert rows == switches


def test_the_figures_are_those_of_the_program() -> None:
    *first, last = (f"{seconds:g}" for seconds in BACKOFF_S)
    assert f"after {', '.join(first)} and then every {last} seconds" in " ".join(PAGE.split())
    assert f"(at most {ROOM})" in PAGE
    assert BATCH == 10
    assert "at most ten for each address" in PAGE
