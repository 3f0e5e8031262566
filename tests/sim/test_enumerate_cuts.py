"""The connection is cut at every frame: what gets through, which cuts are one, what they find."""

import re
import shlex
from collections import Counter
from functools import cache

import pytest
from click.testing import CliRunner

from chaos.enumerate import campaign
from chaos.enumerate.census import Census
from chaos.enumerate.command import enumerate_command
from chaos.enumerate.cuts import TRIED, Cut
from chaos.enumerate.explore import Explorer, Job
from chaos.enumerate.outcomes import Doom, Outcome
from chaos.enumerate.points import ON_WIRE, Kind, Point
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.stage import Stage
from chaos.enumerate.trial import Result, Trial, play
from chaos.report.verdict import Run, Verdict
from chaos.sim.reaper import Deed

NOBODY = Doom(Outcome.DONE, Deed.SIGKILL)
"""What nobody dies of in these trials: everything comes once."""
ENTRY = "private/buy"


@cache
def frames_of(name: str) -> tuple[Point, ...]:
    """The frames of a script that are its own."""
    found = list[Point]()

    def note(_depth: int, point: Point, _dooms: list[Doom]) -> None:
        if stage.its_own and point.kind in ON_WIRE:
            found.append(point)

    stage = Stage(SCENARIOS[name].script, False, note)
    stage.play()
    return tuple(found)


def entry_of_stop() -> Point:
    (sent,) = (point for point in frames_of("stop") if point.what == ENTRY)
    return sent


def cut_trial(name: str, point: int, cut: Cut) -> Trial:
    return Trial(name, NOBODY, point, cut=cut)


# --------------------------------------------------------------------------- what gets through


@pytest.mark.parametrize(
    ("cut", "at_the_send", "at_the_answer"),
    [
        (Cut.BEFORE, {"abandoned": 1}, {"adopted": 1}),
        (Cut.INSIDE, {"abandoned": 1}, {"adopted": 1}),
        (Cut.AFTER, {"adopted": 1}, {}),
    ],
)
def test_an_entry_is_known_as_far_as_it_and_its_answer_got_through(
    cut: Cut, at_the_send: dict[str, int], at_the_answer: dict[str, int]
) -> None:
    sent = entry_of_stop()
    answer = next(point for point in frames_of("stop") if point.number > sent.number)
    assert answer.what == f"answer to {ENTRY}"
    for point, unknown in ((sent, at_the_send), (answer, at_the_answer)):
        stage, result = play(cut_trial("stop", point.number, cut))
        assert not result.tally.findings
        assert result.tally.unknown == unknown
        assert stage.loss is not None
        assert (stage.loss.point, stage.loss.cut) == (point, cut)
        assert " connection 2 up: reconciled" in stage.timeline.text()


@pytest.mark.parametrize("point", frames_of("close"), ids=lambda point: str(point.number))
def test_half_a_frame_is_as_good_as_none(point: Point) -> None:
    """So a whole run need not cut before a frame where it cuts inside it."""
    before, inside = (
        came_of(play(cut_trial("close", point.number, cut))[0]) for cut in (Cut.BEFORE, Cut.INSIDE)
    )
    assert before == inside


def came_of(stage: Stage) -> tuple[Counter[str], list[str]]:
    """The daemon's events and the exchange's lines by their kinds. The loss of the connection and
    what follows from it at once may change places: the tasks that tell of them are woken together.
    """
    told = re.findall(r' event +\d+ \{"type":"(\w+)"', stage.timeline.text())
    return Counter(told), [line.kind for line in stage.exchange.journal.lines]


# ------------------------------------------------------------------------------- which are one


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_cut_that_is_not_tried_follows_the_frame_after_which_one_is(name: str) -> None:
    """The explorer goes by counters; here what they stand for is compared."""
    left: dict[int, tuple[object, ...]] = {}

    def note(_depth: int, point: Point, _dooms: list[Doom]) -> None:
        files = ((path, bytes(file.cached.data)) for path, file in stage.disk.tree.files())
        left[point.number] = (*files, len(stage.exchange.journal.lines))

    stage = Stage(SCENARIOS[name].script, False, note)
    stage.play()
    (whole,) = Explorer(Job(name, (), share=9_999, shares=10_000, cuts=TRIED)).run()
    kinds = {point.number: point.kind for point in frames_of(name)}
    assert whole.found.same_cuts
    for same in whole.found.same_cuts:
        assert kinds[same.point] is Kind.RECEIVE
        assert same.after == same.point - 1
        assert same.after in kinds
        assert left[same.point] == left[same.after]


def test_every_frame_is_cut_and_a_run_that_leaves_one_out_fails() -> None:
    found = list(campaign.run([Job("take", (), cuts=TRIED)], lambda _line: None))
    assert verdict(found).passed
    (whole,) = (result for result in found if result.loss is None)
    tried = {(r.trial.point, r.trial.cut) for r in found if r.loss is not None}
    same = {(cut.point, Cut.INSIDE) for cut in whole.found.same_cuts}
    every = {(point.number, cut) for point in frames_of("take") for cut in TRIED}
    assert tried | same == every
    assert not tried & same
    told = verdict(found).tally
    assert told.figures["cuts of the connection"] == len(tried)
    assert told.figures["cuts that are one at an earlier point"] == len(same)
    tables = {section.title: section.rows for section in told.sections}
    for title in ("cuts of the connection", "where the connection is cut"):
        assert (tables[title][-1][0], tables[title][-1][-1]) == ("all", str(len(tried)))
    for left_out in found:
        less = verdict([result for result in found if result is not left_out])
        assert less.passed is (left_out is whole), left_out.trial


def verdict(found: list[Result]) -> Verdict:
    census = Census(complete=False, cuts=TRIED)
    for result in found:
        census.take(result)
    return Verdict(run=Run("", "", "trials", len(found)), tally=census.tally())


# ---------------------------------------------------------------------------- what they find


def test_a_daemon_that_only_a_cut_in_its_login_shows_to_be_broken() -> None:
    """Deaths there do not, in any outcome: the next life knows nothing of the one before."""
    (asked,) = (point.number for point in frames_of("stop") if point.what == "private/subscribe")
    once = tuple(outcome for outcome in Outcome if outcome is not Outcome.TWICE)
    job = Job("stop", once, asked, 10_000, cuts=(Cut.AFTER,), mutant="subscribed-for-good")
    found = list(campaign.run([job], lambda _line: None))
    assert {len(result.deaths) for result in found} == {0, 1, 2}
    broken = [result for result in found if result.tally.findings]
    assert [result.trial for result in broken] == [cut_trial("stop", asked, Cut.AFTER)]
    assert {finding.invariant for finding in broken[0].tally.findings} == {"Alive"}


def test_the_command_that_a_violation_names_plays_that_cut_alone() -> None:
    trial = cut_trial("stop", entry_of_stop().number, Cut.AFTER)
    words = shlex.split(trial.command.removeprefix("python -m chaos enumerate "))
    told = CliRunner().invoke(enumerate_command, words)
    assert told.exit_code == 0, told.output
    assert play(trial)[1].digest in told.output
    assert told.output.count(" cut ") == 1


@pytest.mark.parametrize("words", [["--power"], ["--second", "3"]])
def test_nobody_dies_of_a_cut(words: list[str]) -> None:
    command = ["--scenario", "stop", "--point", "82", "--cut", "inside", *words]
    told = CliRunner().invoke(enumerate_command, command)
    assert told.exit_code == 2
    assert "without a death" in told.output


def test_a_point_that_is_no_frame_cannot_be_cut() -> None:
    told = CliRunner().invoke(
        enumerate_command, ["--scenario", "stop", "--point", "1", "--cut", "inside"]
    )
    assert told.exit_code == 2
    assert "no such point" in told.output
