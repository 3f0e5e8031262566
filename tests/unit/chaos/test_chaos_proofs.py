"""Breakages fit the program, and each profile and kind of harm has one that it must find."""

from pathlib import Path

import pytest

from chaos.mutants.patch import Patch
from chaos.real import proofs
from chaos.real.breakages import ALL, BREAKAGES
from chaos.real.campaign import Outcome, Plan
from chaos.real.ending import Ending
from chaos.real.faults import FAULTS
from chaos.real.profile import load, names
from chaos.real.proofs import PROOFS, profile_of, prove
from chaos.world.oracle import Violation

UNPROVEN = {"short"}
"""A mix of what other profiles prove."""


@pytest.mark.parametrize("broken", BREAKAGES.values(), ids=lambda broken: broken.name)
def test_a_breakage_fits_the_program_and_can_be_undone(broken: object) -> None:
    assert any(broken is known for known in ALL.values())
    with Patch() as patch:
        ALL[broken.name].apply(patch)  # type: ignore[attr-defined]


def test_every_profile_has_a_proof() -> None:
    assert {proof.profile for proof in PROOFS} | UNPROVEN == set(names())


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: f"{proof.broken}-{proof.profile}")
def test_a_proof_names_what_there_is(proof: object) -> None:
    assert proof.broken in ALL  # type: ignore[attr-defined]
    assert set(profile_of(proof).faults) <= set(FAULTS)  # type: ignore[arg-type]


def test_every_breakage_is_used() -> None:
    assert set(BREAKAGES) <= {proof.broken for proof in PROOFS}


def test_what_is_held_against_the_honest_daemon_too_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both are found wanting, as by a fault that strikes nothing: that fails the run."""
    played = []

    def everybody_is_wrong(plan: Plan, *_others: object) -> Outcome:
        played.append((plan.broken, plan.rounds))
        return Outcome(plan, violations=[(0, Violation("alive", "k", "no end"))], home="nowhere")

    monkeypatch.setattr(proofs, "run", everybody_is_wrong)
    monkeypatch.setattr(proofs, "why_not", lambda _fault: "")
    (proof,) = (one for one in PROOFS if one.broken == "fault-is-ordinary")
    tally = prove((proof,), 1, tmp_path, lambda _line: None, Ending())
    assert played == [("fault-is-ordinary", 12), ("", len(proof.faults))]
    assert tally.survivors == []
    assert [finding.where for finding in tally.findings] == [
        "the honest daemon beside fault-is-ordinary (disk-broken), round 0"
    ]


def test_the_short_mix_has_something_of_every_kind_of_harm() -> None:
    short = load("short", FAULTS).faults
    rooms = {fault.inject.__module__ for name, fault in FAULTS.items() if name in short}
    assert rooms == {fault.inject.__module__ for fault in FAULTS.values()}
