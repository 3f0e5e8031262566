"""What a round makes of the end of a process, and what a machine does not permit."""

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from chaos.real import campaign, catalogue, permitted
from chaos.real.admin import Admin
from chaos.real.campaign import Plan
from chaos.real.driver import Driver, Stuck
from chaos.real.fault import End, Fault, Need, nothing
from chaos.real.faults import FAULTS
from chaos.real.processes import Daemon, Exchange
from chaos.real.profile import BadProfile, load
from chaos.real.report import verdict_of
from chaos.real.scene import Round, Scene
from tradebaas.core.model import Phase


def scene_after(tmp_path: Path, code: str) -> Scene:
    """A scene whose daemon was a process that ran ``code``."""
    daemon = Daemon(tmp_path)
    daemon.log.touch()
    daemon.process = subprocess.Popen([sys.executable, "-c", code])
    daemon.process.wait(20)
    driver = Driver(tmp_path, random.Random(1), Exchange(tmp_path), daemon, cast(Admin, None))
    return Scene(driver, Round(3, Phase.IDLE, "sigkill"))


@pytest.mark.parametrize(
    "code, end",
    [
        ("import sys; sys.exit(75)", End.STORE),
        ("import sys; sys.exit(78)", End.REFUSED),
        ("import sys; sys.exit(70)", End.SPENT),
        ("pass", End.STOPPED),
        ("import os; os.kill(os.getpid(), 9)", End.KILLED),
        (f"import os; os.kill(os.getpid(), {signal.SIGABRT:d})", End.ABORTED),
    ],
)
def test_the_end_of_a_process_is_named(tmp_path: Path, code: str, end: End) -> None:
    scene = scene_after(tmp_path, code)
    assert scene.end() is end
    scene.fate = End.RESTORED
    assert scene.end() is End.RESTORED


def test_an_end_that_no_contract_names_is_a_finding(tmp_path: Path) -> None:
    scene = scene_after(tmp_path, "raise SystemExit(1)")
    with pytest.raises(Stuck, match="exit code 1"):
        scene.end()


def test_what_is_demanded_is_counted_and_found_when_it_fails(tmp_path: Path) -> None:
    scene = scene_after(tmp_path, "pass")
    scene.demand(True, "alive", "fine")
    scene.demand(False, "protected", "5 of the position is not covered meanwhile")
    assert scene.checked == {"alive": 1, "protected": 1}
    (violation,) = scene.found
    assert (violation.check, violation.key) == (
        "protected", "round 3 5 of the position is not covered meanwhile"
    )  # fmt: skip


def test_what_is_not_permitted_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never as passed: the verdict lists it, and a profile of nothing else is refused."""
    monkeypatch.setattr(campaign, "refusal", lambda need: f"no {need.name} here")
    profile = load("disk-full", FAULTS)
    with pytest.raises(BadProfile, match="disk-full-halt: no VOLUME here"):
        campaign.run(Plan(profile, 1, 1), print)
    outcome = campaign.Outcome(Plan(profile, 1, 1), skipped={"disk-full": "no VOLUME here"})
    verdict = verdict_of(outcome, "now")
    assert [(s.fault, s.reason) for s in verdict.tally.skipped] == [
        ("disk-full", "no VOLUME here")
    ]  # fmt: skip
    assert verdict.tally.faults == {}
    assert not verdict.passed


def test_a_need_that_is_not_met_is_told_in_words() -> None:
    assert permitted.tried("no-such-command-here") == "no-such-command-here is not installed"
    assert permitted.tried("sh", "-c", "echo sh: not today >&2; false") == "sh: not today"
    assert permitted.tried("true") == ""


def test_every_need_has_a_probe() -> None:
    assert set(permitted._PROBES) == set(Need)


def test_the_catalogue_lists_every_profile_and_what_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "why_not", lambda name: "no" if name == "netem" else "")
    file = tmp_path / "out"
    with file.open("w") as text:
        catalogue.show(Console(file=text, width=200))
    said = file.read_text()
    assert "skipped: no" in said
    assert all(name in said for name in FAULTS)


def test_a_row_needs_no_more_than_its_harm() -> None:
    fault = Fault("nothing at all", nothing)
    assert (fault.needs, fault.states, fault.steered) == ((), tuple(Phase), True)
