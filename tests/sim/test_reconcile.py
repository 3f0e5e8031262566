"""Every row of docs/reconcile.md, played against the real daemon and the embedded exchange."""

import re
from pathlib import Path

import pytest
from downtime import Downtime, play
from msgspec.structs import replace as altered
from reconcile_cases import CASES, LEFT_ALONE, Case

from chaos.enumerate.settings import daemon_config

PAGE = Path(__file__).parents[2] / "docs/reconcile.md"


@pytest.mark.parametrize("case", CASES, ids=[case.happens for case in CASES])
def test_a_full_read_finds(case: Case) -> None:
    async def course(world: Downtime) -> None:
        await case.course(world)
        if case.goes_on:
            await world.trades_again()
        if case.goes_on and case.foreign == LEFT_ALONE:
            await world.is_judged()

    play(course, altered(daemon_config(), foreign=case.foreign))


def test_the_page_has_these_rows_and_no_others() -> None:
    rows = re.findall(r"^\| (.+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = [row for row in rows if row[0] not in ("what it finds", "---")]
    assert told == [(case.happens, case.does) for case in CASES]
