"""One trial: a script, and the deaths in it; and what came of it, in a form that can be sent.

A trial is known by its scenario, the point of the script at which the process dies and how, and the
point of the recovery at which it dies again. The second death needs no further name: its outcome is
that of the first, its kind is the ``usual`` one. Or nobody dies, and the connection is cut.
"""

from typing import final

from msgspec import Struct

from chaos.enumerate.cuts import Cut
from chaos.enumerate.outcomes import Doom, Outcome, usual
from chaos.enumerate.points import Point
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.settings import RATE
from chaos.enumerate.stage import Death, Loss, Stage
from chaos.report.sample import Sample
from chaos.report.verdict import RECOVERY, Finding, Tally, held_against, invariant, sums, tallied
from chaos.sim.reaper import KINDS, Deed
from chaos.sim.tally import grid_of, naked_of
from chaos.world.oracle import Violation


class Trial(Struct, frozen=True):
    """``point`` 0: nobody dies, but ``doom`` still says in which of the two worlds. ``second`` 0:
    nobody dies again. With ``cut`` nobody dies either: the connection is cut at the point."""

    scenario: str
    doom: Doom
    point: int = 0
    second: int = 0
    cut: Cut | None = None

    @property
    def twice(self) -> bool:
        return self.doom.outcome is Outcome.TWICE

    @property
    def command(self) -> str:
        """The command that plays it again, alone."""
        words = f"python -m chaos enumerate --scenario {self.scenario} --point {self.point}"
        words += f" --outcome {self.doom.outcome}"
        words += " --power" if self.doom.deed is Deed.POWER else ""
        words += f" --second {self.second}" if self.second else ""
        words += f" --cut {self.cut}" if self.cut else ""
        return f"{words} --trace"


@final
class Follow:
    """Chooses the deaths of one trial, or its cut."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def __call__(self, depth: int, point: Point, _dooms: list[Doom]) -> Doom | None:
        trial = self._trial
        if trial.cut is not None:
            return None
        if depth == 0 and point.number == trial.point:
            return trial.doom
        if depth == 1 and point.number == trial.second:
            return second_doom(trial.doom, trial.point, point)
        return None

    def cut_at(self, point: Point) -> Cut | None:
        """Where the connection is cut at this frame."""
        return self._trial.cut if point.number == self._trial.point else None


def second_doom(first: Doom, number: int, point: Point) -> Doom:
    """How the process dies at a point of its recovery, after its death at point ``number``."""
    outcome = Outcome.TWICE if first.outcome is Outcome.TWICE else Outcome.DONE
    return usual(point, outcome, turn=number)


class Same(Struct, frozen=True):
    """A death at a point that is the one at the point ``before``: it leaves the same behind."""

    point: int
    doom: Doom
    before: int


class SameCut(Struct, frozen=True):
    """A cut inside a frame, or before it, that is the one after the point ``after``."""

    point: int
    after: int


class Found(Struct, frozen=True):
    """What a script was found to have: the points that are its own, and the deaths and cuts there
    that need no trial."""

    points: tuple[Point, ...] = ()
    same: tuple[Same, ...] = ()
    same_cuts: tuple[SameCut, ...] = ()


NOTHING = Found()


class Result(Struct, frozen=True):
    """What came of a trial. ``found`` is of one in which nothing befalls the daemon."""

    trial: Trial
    deaths: tuple[Death, ...]
    digest: str
    tally: Tally
    loss: Loss | None = None
    found: Found = NOTHING


def play(trial: Trial) -> tuple[Stage, Result]:
    """Play one trial from its beginning."""
    follow = Follow(trial)
    stage = Stage(SCENARIOS[trial.scenario].script, trial.twice, follow, follow.cut_at)
    stage.play()
    return stage, result_of(stage, trial)


def result_of(stage: Stage, trial: Trial, found: Found = NOTHING) -> Result:
    """What came of a world that has ended."""
    return Result(
        trial=trial,
        deaths=tuple(stage.deaths),
        digest=stage.timeline.digest(),
        tally=_tally(stage, trial),
        loss=stage.loss,
        found=found,
    )


def _tally(stage: Stage, trial: Trial) -> Tally:
    """Of deaths and of time only what was not there before the fork: what a trial has in
    common with others was run once, and counts once."""
    story, deaths = stage.judge.story, stage.deaths
    last = list(story.reports.values())[-1:] if deaths else []
    things = held_against(stage.judge.held.by_thing())
    mine = [(n, death) for n, death in enumerate(deaths) if n >= stage.forked.deaths]
    return Tally(
        virtual_ms=(stage.now_ms() - stage.forked.at_ms) // RATE,
        exchange_ms=stage.now_ms() - stage.forked.at_ms,
        deaths=grid_of((death.point.phase, KINDS[death.doom.deed]) for _, death in mine),
        recovering=grid_of((death.point.phase, RECOVERY) for n, death in mine if n),
        recovery={"new process": Sample.of(report.recovered_seconds for report in last)},
        settle=Sample.of(report.settle_seconds for report in last if report.unresolved),
        naked=naked_of(stage.judge.books, RATE),
        unknown=tallied(u.outcome or "open" for u in story.unknowns.values()),
        checked=sums(things),
        things=things,
        findings=tuple(_finding(violation, trial, stage) for violation in stage.violations),
    )


def _finding(violation: Violation, trial: Trial, stage: Stage) -> Finding:
    return Finding(
        invariant=invariant(violation.check),
        where=f"scenario {trial.scenario}",
        text=violation.text,
        at=_befell(stage),
        evidence=violation.evidence,
        replay=trial.command,
    )


def _befell(stage: Stage) -> str:
    """What befell the daemon, in words."""
    if stage.loss is not None:
        return f"the connection cut {stage.loss.cut} {_where(stage.loss.point)}"
    return ", then in the recovery at ".join(map(told, stage.deaths)) or "no death"


def told(death: Death) -> str:
    """A death in words."""
    return f"{_where(death.point)} by {death.doom.deed}, {death.doom.outcome}"


def _where(point: Point) -> str:
    return f"point {point.number} ({point.kind} {point.what}, in {point.phase})"
