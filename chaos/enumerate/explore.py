"""All trials of one scenario, or a share of them: which deaths are tried at which points.

Each point of the script's own meets every death that differs there. One that leaves the same behind
as one at an earlier point (``remains``) is that death, and is not tried a second time.

The usual death of a point is followed by second deaths inside its recovery. Of those that differ
there it is each n-th, so shifted that every point of a recovery is met after several first points,
and every first point meets some. Where an entry was on its way at the first death, or what it
opened unprotected, they lie closer: in the script of the plain trade each one that differs.
"""

from typing import final

from msgspec import Struct

from chaos.enumerate.forks import Forks
from chaos.enumerate.outcomes import Doom, Outcome, usual
from chaos.enumerate.points import Point
from chaos.enumerate.remains import Met, remains
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.stage import Stage
from chaos.enumerate.trial import Result, Same, Trial, result_of, second_doom
from chaos.sim.reaper import Deed

STRIDE = 24
"""One in so many of the deaths that differ in a recovery is tried, after the death at one point. No
recovery has fewer."""
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
        self._same: list[Same] = []
        self._met, self._followed, self._second_met = Met(), Met(), Met()
        self._seconds = 0
        self._trial = Trial(job.scenario, Doom(job.usual, Deed.SIGKILL))
        script = SCENARIOS[job.scenario].script
        self._stage = Stage(script, self._trial.twice, self._choose, self._end)

    def run(self) -> list[Result]:
        """All results; that of the trial without a death is the last one."""
        self._stage.play()
        return self._forks.results

    def _end(self, stage: Stage) -> None:
        whole = not stage.deaths
        points, same = (tuple(self._points), tuple(self._same)) if whole else ((), ())
        self._forks.hand_over(result_of(stage, self._trial, points, same))

    def _choose(self, depth: int, point: Point, dooms: list[Doom]) -> Doom | None:
        if depth == 0:
            return self._first(point, dooms)
        return self._second(point) if depth == 1 else None

    def _first(self, point: Point, dooms: list[Doom]) -> Doom | None:
        job = self._job
        if not self._stage.its_own:
            return None
        self._points.append(point)
        for doom in dooms:
            if doom.outcome not in job.outcomes:
                continue
            before = self._seen_before(point, doom)
            if before:
                self._same.append(Same(point.number, doom, before))
            elif point.number % job.shares == job.share and self._forks.branch():
                self._stage.mark_fork()
                self._trial = Trial(job.scenario, doom, point.number)
                return doom
        return None

    def _seen_before(self, point: Point, doom: Doom) -> int:
        """The point at which a death left what this one leaves, 0 if none did. One that is followed
        by second deaths is as good as one that is not, but not the other way round."""
        left, followed = remains(self._stage, doom), self._is_followed(point, doom)
        before = self._followed.before(left) or (0 if followed else self._met.before(left))
        if not before:
            (self._followed if followed else self._met).add(left, point.number)
        return before

    def _is_followed(self, point: Point, doom: Doom) -> bool:
        return self._job.seconds and doom == usual(point, self._job.usual)

    def _second(self, point: Point) -> Doom | None:
        first, doom = self._stage.deaths[0].point, self._trial.doom
        if not self._is_followed(first, doom):
            return None
        again = second_doom(doom, first.number, point)
        left = remains(self._stage, again)
        if self._second_met.before(left):
            return None
        self._second_met.add(left, point.number)
        self._seconds += 1
        apart = (self._seconds - first.number) % self._stride(first)
        if apart or not self._forks.branch():
            return None
        self._stage.mark_fork()
        self._trial = Trial(self._job.scenario, doom, first.number, point.number)
        return again

    def _stride(self, first: Point) -> int:
        hot = first.hot and not self._trial.twice
        return EVERY.get(self._job.scenario, HOT_STRIDE) if hot else STRIDE
