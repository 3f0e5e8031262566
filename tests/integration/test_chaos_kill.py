"""The kill campaign, short, on the real processes: it passes, and each breakage makes it fail."""

from pathlib import Path

import pytest

from chaos.breaks import KILL_BREAKS
from chaos.real import kill

CAUGHT_BY = {"ack-first": "durable", "resend": "once", "forget-stop": "protected"}
ROUNDS_TO_CATCH = 20


def quiet(_line: str) -> None:
    pass


def test_a_short_campaign_finds_nothing(tmp_path: Path) -> None:
    outcome = kill.run(kill.Plan(rounds=6, seed=5, keep=tmp_path / "c"), quiet)
    assert outcome.violations == []
    assert outcome.passed
    assert sum(outcome.deaths().values()) >= 6
    assert outcome.promises > 0


@pytest.mark.parametrize("broken", KILL_BREAKS)
def test_a_breakage_is_caught(broken: str, tmp_path: Path) -> None:
    plan = kill.Plan(ROUNDS_TO_CATCH, seed=1, broken=broken, keep=tmp_path / "c")
    outcome = kill.run(plan, quiet)
    assert not outcome.passed
    assert CAUGHT_BY[broken] in {violation.check for _, violation in outcome.violations}
