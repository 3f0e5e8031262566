"""All trials of one scenario, or a share of them: which deaths are tried at which points.

Each point of the script's own meets every death that differs there. The usual one of them is
followed by second deaths inside its recovery, each n-th point of it, so shifted that every point of
a recovery is met after several first points, and every first point meets some. Where an entry was
on its way at the first death, or what it opened unprotected, they lie closer: in the script of the
plain trade at every point of the recovery.
"""

from typing import final

from msgspec import Struct

from chaos.enumerate.forks import Forks
from chaos.enumerate.outcomes import Doom, Outcome, usual
from chaos.enumerate.points import Point
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.stage import Stage
from chaos.enumerate.trial import Result, Trial, result_of, second_doom
from chaos.sim.reaper import Deed

STRIDE = 24
"""One in so many points of a recovery is died at, after the death at one point. A recovery has
about twice as many at least."""
HOT_STRIDE = 6
"""The same after a point that is hot, and..."""
EVERY = {"stop": 1}
"""... in these scripts."""


class Job(Struct, frozen=True):
    """One share of a scenario: the points whose number leaves ``share`` over ``shares``.

    ``outcomes`` are those to try; all of one world, in which everything comes once, or twice.
    ``seconds``: with second deaths. ``mutant``: of a daemon that is broken like that.
    """

    scenario: str
    outcomes: tuple[Outcome, ...]
    share: int = 0
    shares: int = 1
    seconds: bool = True
    mutant: str = ""

    @property
    def usual(self) -> Outcome:
        """The outcome that is followed by second deaths."""
        return Outcome.TWICE if Outcome.TWICE in self.outcomes else Outcome.DONE


@final
class Explorer:
    """Plays a job once, and forks at each point for every death there."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._forks = Forks(Result)
        self._points: list[Point] = []
        self._trial = Trial(job.scenario, Doom(job.usual, Deed.SIGKILL))
        script = SCENARIOS[job.scenario].script
        self._stage = Stage(script, self._trial.twice, self._choose, self._end)

    def run(self) -> list[Result]:
        """All results; that of the trial without a death is the last one."""
        self._stage.play()
        return self._forks.results

    def _end(self, stage: Stage) -> None:
        points = () if stage.deaths else tuple(self._points)
        self._forks.hand_over(result_of(stage, self._trial, points))

    def _choose(self, depth: int, point: Point, dooms: list[Doom]) -> Doom | None:
        if depth == 0:
            return self._first(point, dooms)
        return self._second(point) if depth == 1 else None

    def _first(self, point: Point, dooms: list[Doom]) -> Doom | None:
        job = self._job
        if not self._stage.its_own:
            return None
        self._points.append(point)
        if point.number % job.shares != job.share:
            return None
        for doom in dooms:
            if doom.outcome in job.outcomes and self._forks.branch():
                self._stage.mark_fork()
                self._trial = Trial(job.scenario, doom, point.number)
                return doom
        return None

    def _second(self, point: Point) -> Doom | None:
        first, doom = self._stage.deaths[0].point, self._trial.doom
        if not self._job.seconds or doom != usual(first, self._job.usual):
            return None
        apart = (point.number - first.number) % self._stride(first)
        if apart or not self._forks.branch():
            return None
        self._stage.mark_fork()
        self._trial = Trial(self._job.scenario, doom, first.number, point.number)
        return second_doom(doom, first.number, point)

    def _stride(self, first: Point) -> int:
        hot = first.hot and not self._trial.twice
        return EVERY.get(self._job.scenario, HOT_STRIDE) if hot else STRIDE
