"""The enumeration: points are numbered alike in every run, a fork is the run that it stands for,
and what is broken on purpose is found."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import trio
from click.testing import CliRunner

from chaos.enumerate import campaign, frames
from chaos.enumerate.census import Census
from chaos.enumerate.command import enumerate_command
from chaos.enumerate.cuts import TRIED
from chaos.enumerate.explore import Explorer, Job
from chaos.enumerate.outcomes import Doom, Outcome
from chaos.enumerate.points import Kind, Point
from chaos.enumerate.remains import CLOSE_S
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.stage import Stage
from chaos.enumerate.trial import Result, Trial, play
from chaos.mutants import MUTANTS, applied
from chaos.report.verdict import Run, Verdict
from chaos.sim.reaper import Deed
from tradebaas.core.model import Phase

SCRIPT = "from tests.sim.test_enumerate import numbered; print(numbered({name!r}).journal)"
ENTRY = "private/buy"
TWICE = (Outcome.TWICE,)
ONCE = tuple(outcome for outcome in Outcome if outcome not in TWICE)


class Numbered(NamedTuple):
    """The points of a scenario, those that are its own apart, and a digest of its journal."""

    shared: list[Point]
    own: list[Point]
    journal: str


def numbered(name: str) -> Numbered:
    """Play a script, and die nowhere."""
    shared, own = list[Point](), list[Point]()

    def note(_depth: int, point: Point, _dooms: list[Doom]) -> None:
        (own if stage.its_own else shared).append(point)

    stage = Stage(SCENARIOS[name].script, False, note)
    stage.play()
    assert not stage.violations
    return Numbered(shared, own, stage.timeline.digest())


def results(*jobs: Job) -> list[Result]:
    return list(campaign.run(list(jobs), lambda _line: None))


# ---------------------------------------------------------------------------------- the points


def test_points_are_numbered_alike_in_two_runs_and_in_another_process() -> None:
    here = numbered("close")
    assert numbered("close") == here
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": "src:."}
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(name="close")],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert there.stdout.strip() == here.journal


def test_the_points_of_a_trade_are_what_happens_in_it() -> None:
    points = numbered("stop").own
    assert [point.number for point in points] == list(range(1, len(points) + 1))
    assert {point.kind for point in points} == set(Kind)
    (sent,) = (point for point in points if (point.kind, point.what) == (Kind.SEND, ENTRY))
    before, after = points[: sent.number - 1], points[sent.number :]
    intended = [point for point in before[-4:] if "OrderIntended" in point.what]
    assert [(p.kind, p.what.partition(":")[0]) for p in intended] == [
        (Kind.COMMIT, "begins"),
        (Kind.COMMIT, "done"),
    ]
    assert before[-2].kind is Kind.SYNC
    assert after[0].what == f"answer to {ENTRY}"
    assert all(point.hot for point in (*intended, sent, after[0]))
    assert not after[-1].hot
    assert {Phase.IDLE, Phase.ANALYZING, Phase.POSITION_OPEN} <= {point.phase for point in points}


def test_what_scripts_have_in_common_is_the_same_so_once_is_enough() -> None:
    first = numbered("stop")
    for name in list(SCENARIOS)[1:]:
        other = numbered(name)
        assert other.shared == first.own[: len(other.shared)]
        assert other.own


def test_a_close_by_the_owner_is_recorded_and_what_is_left_of_the_bracket_is_cancelled() -> None:
    words = [point.what for point in numbered("owner").own]
    closed = next(n for n, what in enumerate(words) if "TradeClosed" in what)
    assert "private/cancel" in words[closed:]
    with applied(MUTANTS["legs-left"]):
        _, broken = play(Trial("owner", Doom(Outcome.DONE, Deed.SIGKILL)))
    assert any("is live at the exchange only" in found.text for found in broken.tally.findings)


def test_frames_are_named_without_their_masks() -> None:
    body = b'{"jsonrpc":"2.0","id":7,"method":"private/buy","params":{}}'
    mask = b"\x01\x80\xff\x10"
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(body))
    assert frames.sent(b"\x81" + bytes([0x80 | len(body)]) + mask + masked) == ENTRY
    note = b'{"method":"subscription","params":{"channel":"user.portfolio.btc","data":%s}}'
    note %= b"[%s]" % b",".join([b"1"] * 100)
    answer = b'{"id":7,"result":true}'
    both = b"\x81\x7e" + len(note).to_bytes(2) + note + b"\x81" + bytes([len(answer)]) + answer
    assert frames.received(both, {7: ENTRY}) == f"user.portfolio.btc, answer to {ENTRY}"
    assert frames.received(both[:90], {}) == frames.received(both[90:], {}) == frames.PIECE
    assert frames.sent(b"GET /ws/api/v2 HTTP/1.1\r\n\r\n") == "handshake"


# --------------------------------------------------------------------------------- the trials


def test_a_whole_scenario_passes_and_each_trial_is_what_a_fresh_run_is() -> None:
    jobs = campaign.jobs_of(["take"], (Outcome.DONE, Outcome.PART), TRIED, shares=2)
    found = results(*jobs)
    census = Census(complete=True, cuts=TRIED)
    for result in found:
        census.take(result)
    verdict = Verdict(run=Run("", "", "trials", len(found)), tally=census.tally())
    assert verdict.passed, verdict.failures
    picks = (_one_death(Deed.SIGKILL), _one_death(Deed.POWER), _two_deaths, _cut)
    for result in (next(filter(pick, found)) for pick in picks):
        _, fresh = play(result.trial)
        assert (fresh.digest, fresh.deaths) == (result.digest, result.deaths)
        assert fresh.loss == result.loss
    same = {same.point: same.before for same in found[-1].found.same}
    points = {same.get(point.number, point.number) for point in numbered("take").own}
    assert {r.trial.point for r in found if _two_deaths(r)} >= points
    again = [result for result in found if _two_deaths(result)]
    assert {r.deaths[1].doom.deed for r in again} == {Deed.SIGKILL, Deed.POWER}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("world", [ONCE, TWICE], ids=["once", "twice"])
def test_a_death_that_is_not_tried_again_leaves_the_same_behind(
    name: str, world: tuple[Outcome, ...]
) -> None:
    """The explorer goes by counters; here everything is compared that they stand for."""
    left: dict[tuple[int, Deed], tuple[object, ...]] = {}

    def note(_depth: int, point: Point, _dooms: list[Doom]) -> None:
        for deed in (Deed.SIGKILL, Deed.POWER):
            left[point.number, deed] = (*_on_disk(stage, deed), *stage.exchange.journal.lines)

    stage = Stage(SCENARIOS[name].script, world == TWICE, note)
    stage.play()
    (whole,) = Explorer(Job(name, world, share=9_999, shares=10_000)).run()
    assert whole.found.same
    for same in whole.found.same:
        deed = same.doom.deed
        assert left[same.point, deed] == left[same.before, deed], same


def _on_disk(stage: Stage, deed: Deed) -> Iterator[object]:
    """What a death leaves of each file; to a power cut, what was not synced is open."""
    for path, file in stage.disk.tree.files():
        yield path, bytes(file.cached.data), file.cached.size
        if deed is Deed.POWER:
            yield bytes(file.durable.data), tuple(file.unsynced)


def test_a_death_long_after_another_is_not_the_same_though_nothing_happened() -> None:
    (whole,) = Explorer(Job("vanished", ONCE, share=9_999, shares=10_000)).run()
    came: dict[int, float] = {}

    def note(_depth: int, point: Point, _dooms: list[Doom]) -> None:
        came[point.number] = trio.current_time()

    Stage(SCENARIOS["vanished"].script, False, note).play()
    apart = [came[same.point] - came[same.before] for same in whole.found.same]
    assert 0 < max(apart) <= CLOSE_S


def _one_death(deed: Deed) -> Callable[[Result], bool]:
    return lambda result: [death.doom.deed for death in result.deaths] == [deed]


def _two_deaths(result: Result) -> bool:
    return len(result.deaths) == 2


def _cut(result: Result) -> bool:
    return result.loss is not None


def test_an_entry_that_is_sent_again_after_a_death_is_found() -> None:
    (sent,) = (point for point in numbered("stop").own if point.what == ENTRY)
    honest = Trial("stop", Doom(Outcome.DONE, Deed.SIGKILL), sent.number)
    assert not play(honest)[1].tally.findings
    job = Job("stop", (Outcome.DONE,), sent.number, 10_000, seconds=False, mutant="resend")
    broken = [result for result in results(job) if result.tally.findings]
    assert [result.trial for result in broken] == [honest]
    findings = broken[0].tally.findings
    assert "Once" in {finding.invariant for finding in findings}
    assert findings[0].replay == honest.command


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.TOO_LATE, Outcome.TWICE])
def test_the_command_that_a_violation_names_plays_that_trial_alone(outcome: Outcome) -> None:
    (sent,) = (point for point in numbered("stop").own if point.what == ENTRY)
    trial = Trial("stop", Doom(outcome, Deed.SIGKILL), sent.number, second=5)
    words = shlex.split(trial.command.removeprefix("python -m chaos enumerate "))
    told = CliRunner().invoke(enumerate_command, words)
    assert told.exit_code == 0, told.output
    assert play(trial)[1].digest in told.output
    assert told.output.count(" death ") == 2


def test_a_recovery_that_was_written_as_the_link_went_is_shown_by_the_next_session() -> None:
    """A death as the signal is committed: the next life's first order takes the link with it."""
    (signalled,) = (
        point.number
        for point in numbered("vanished").own
        if point.what.startswith("begins: SignalDetected")
    )
    command = ["--scenario", "vanished", "--point", str(signalled), "--outcome", "done"]
    played = CliRunner().invoke(enumerate_command, command)
    assert played.exit_code == 0, played.output
