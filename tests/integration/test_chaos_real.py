"""Campaigns on the real processes, short: they pass, and each breakage makes its profile fail."""

from pathlib import Path

import pytest

from chaos.mutants import REAL_MUTANTS
from chaos.real import campaign
from chaos.real.campaign import Outcome, Plan
from chaos.real.faults import FAULTS
from chaos.real.profile import load

CAUGHT_BY = {
    "ack-first": ("kill", "durable"),
    "resend": ("kill", "once"),
    "forget-stop": ("kill", "protected"),
    "recovered-early": ("kill", "known"),
}
ROUNDS_TO_CATCH = 20


def quiet(_line: str) -> None:
    pass


def play(name: str, rounds: int, keep: Path, seed: int = 1, broken: str = "") -> Outcome:
    return campaign.run(Plan(load(name, FAULTS), rounds, seed, broken, keep), quiet)


def test_a_short_campaign_of_kills_finds_nothing(tmp_path: Path) -> None:
    outcome = play("kill", 6, tmp_path / "c", seed=5)
    assert outcome.violations == []
    assert outcome.driver is not None
    assert len(outcome.driver.deaths) >= 6
    assert outcome.judge is not None
    assert outcome.judge.promises > 0


def test_kills_at_random_instants_find_nothing(tmp_path: Path) -> None:
    outcome = play("sigkill", 6, tmp_path / "c")
    assert outcome.violations == []
    assert outcome.driver is not None
    assert outcome.driver.daemon.kills >= 6


def test_a_mix_of_everything_finds_nothing(tmp_path: Path) -> None:
    """As far as this machine permits it; what it does not permit is named with a reason."""
    outcome = play("short", 6, tmp_path / "c", seed=3)
    assert outcome.violations == []
    assert len(outcome.rounds) == 6
    assert not {played.fault for played in outcome.rounds} & set(outcome.skipped)
    assert all(outcome.skipped.values())


@pytest.mark.parametrize("broken", REAL_MUTANTS)
def test_a_breakage_is_caught(broken: str, tmp_path: Path) -> None:
    profile, check = CAUGHT_BY[broken]
    outcome = play(profile, ROUNDS_TO_CATCH, tmp_path / "c", broken=broken)
    assert check in {violation.check for _, violation in outcome.violations}
