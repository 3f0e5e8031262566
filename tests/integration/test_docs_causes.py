"""The runbook has a line for each cause of protect-only, and none for what is no cause."""

import re
from pathlib import Path

from tradebaas.actors.causes import BLIND, CLOCK, CLOSED, COD, MAINTENANCE, REFUSED, SKEW
from tradebaas.actors.metrics import LOW_DISK
from tradebaas.actors.persister import DISK_FULL
from tradebaas.actors.restarts import RESTART_LOOP
from tradebaas.actors.strategy import CRASH_LOOP, UNUSABLE
from tradebaas.core.correct import CORRECTED
from tradebaas.core.invariants import BROKEN
from tradebaas.core.reconcile import CLOCK_BACK, UNREAD

PAGE = Path(__file__).parents[2] / "docs" / "recovery.md"
CAUSES = {
    *(BLIND, BROKEN, CLOCK, CLOCK_BACK, CLOSED, COD, CORRECTED, CRASH_LOOP),
    *(DISK_FULL, LOW_DISK, MAINTENANCE, REFUSED, RESTART_LOOP, SKEW, UNREAD, UNUSABLE),
}


def test_each_cause_of_protect_only_has_its_line() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Protect-only")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| [^|]+ \|$", section, re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == CAUSES
