"""What a round makes of the end of a process, and what a machine does not permit."""

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from chaos_kit import T, begun, log, told
from rich.console import Console

from chaos.real import campaign, catalogue, permitted
from chaos.real.admin import Admin
from chaos.real.campaign import Plan
from chaos.real.driver import Driver, Stuck
from chaos.real.fault import End, Fault, Need, nothing
from chaos.real.faults import FAULTS
from chaos.real.processes import Daemon, Exchange
from chaos.real.profile import load
from chaos.real.report import verdict_of
from chaos.real.scene import DEMANDED, Round, Scene
from tradebaas.core.events import (
    Event,
    Linked,
    LinkLost,
    Reconciled,
    Recovered,
    RecoveryReport,
)
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


def test_a_daemon_that_nobody_can_command_is_not_poked(tmp_path: Path) -> None:
    """It would not have to commit anything, and so live on: that would be held against it."""
    scene = scene_after(tmp_path, "pass")
    with pytest.raises(AssertionError, match="nobody asked for the API"):
        scene.driver.poke(0.01)


def test_what_is_demanded_is_counted_and_found_when_it_fails(tmp_path: Path) -> None:
    scene = scene_after(tmp_path, "pass")
    scene.demand(True, "alive", "fine")
    scene.demand(False, "protected", "5 of the position is not covered meanwhile")
    assert scene.checked == {("alive", DEMANDED): 1, ("protected", DEMANDED): 1}
    (violation,) = scene.found
    assert (violation.check, violation.key) == (
        "protected", "round 3 5 of the position is not covered meanwhile"
    )  # fmt: skip


def scene_struck(tmp_path: Path, struck_at: float, started_at: float) -> Scene:
    """A scene of a fault that struck life 1 on its connection 1; its driver has seen that much."""
    scene = scene_after(tmp_path, "pass")
    scene.life, scene.link, scene.struck_at = 1, 1, struck_at
    scene.ways.append(struck_at)
    scene.driver.recovered, scene.driver.recovered_at = (1, 1), struck_at - 1
    scene.driver.daemon.spawned_at = started_at
    return scene


@pytest.mark.parametrize(
    "struck, started, mended, recovers, took",
    [
        (100.0, 100.1, [109.0], 101.0, 0.9),  # a wrong clock: it recovered under it
        (100.0, 100.1, [109.0], 109.5, 0.5),  # without an exchange: it could not
        (100.0, 110.0, [109.0], 110.4, 0.4),  # it was down until the fault was mended
        (100.0, 50.0, [103.0, 104.0], 104.2, 0.2),  # mended in steps
        (100.0, 50.0, [], 120.0, 20.0),  # a dead link that it had to find out about
    ],
)
def test_a_recovery_is_timed_from_when_it_became_possible(
    tmp_path: Path,
    struck: float,
    started: float,
    mended: list[float],
    recovers: float,
    took: float,
) -> None:
    scene = scene_struck(tmp_path, struck, started)
    scene.ways += mended
    scene.driver.recovered, scene.driver.recovered_at = (2, 1), recovers
    assert scene.recovery() == pytest.approx(took)


def test_where_neither_life_nor_link_ended_there_is_no_recovery(tmp_path: Path) -> None:
    assert scene_struck(tmp_path, 100.0, 50.0).recovery() is None


def recovered(life: int) -> Event:
    report = RecoveryReport(
        life=life, cause="", phase=Phase.IDLE, events_replayed=0, unresolved=(), findings=(),
        position="", naked_ms=0, store_notes=(), steps={}, recovered_seconds=1.0,
        settle_seconds=0.0,
    )  # fmt: skip
    return Recovered(report=report)


def test_a_recovery_is_of_when_it_was_read_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before it was reported; a later look does not move it; another link is another one."""
    driver = scene_after(tmp_path, "pass").driver
    clock = iter([7.0, 8.0])
    monkeypatch.setattr("chaos.real.driver.time.monotonic", lambda: next(clock))
    events = begun()

    def seen(*more: Event) -> tuple[tuple[int, int], float]:
        rows = log([*events, *more])[len(events) :]
        events.extend(more)
        monkeypatch.setattr("chaos.real.driver.read_log", lambda *_: rows)
        driver.read_store()
        return driver.recovered, driver.recovered_at

    driver.story = told(events)
    assert seen() == ((0, 0), 0.0)
    assert seen(recovered(1)) == ((1, 1), 7.0)
    assert seen(LinkLost(connection=1, reason="cut")) == ((1, 1), 7.0)
    assert seen(Linked(connection=2, account="me")) == ((1, 1), 7.0)
    assert seen(Reconciled(connection=2, read_ms=T)) == ((1, 2), 8.0)
    assert seen() == ((1, 2), 8.0)


def test_what_is_not_permitted_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never as passed: the verdict lists it, and one of nothing else fails."""
    monkeypatch.setattr(campaign, "refusal", lambda need: f"no {need.name} here")
    profile = load("disk-full", FAULTS)
    verdict = verdict_of(campaign.run(Plan(profile, 1, 1, keep=tmp_path / "k"), print), "now")
    assert [(s.fault, s.reason) for s in verdict.tally.skipped] == [
        (name, "no VOLUME here") for name in sorted(profile.faults)
    ]  # fmt: skip
    assert verdict.tally.faults == {}
    assert verdict.failures == ["nothing could be played: this machine permits none of it"]
    assert not (tmp_path / "k").exists()


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
