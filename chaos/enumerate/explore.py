"""All trials of one scenario, or a share of them: which deaths and cuts are tried at which points.

Each point of the script's own meets every death that differs there. One that leaves the same behind
as one at an earlier point (``remains``) is that death, and is not tried a second time. Likewise the
connection is cut at each frame, in every way; nobody dies then.

The usual death of a point is followed by second deaths inside its recovery. Of those that differ
there it is each n-th, so shifted that every point of a recovery is met after several first points,
and every first point meets some. In the script of the plain trade it is each one that differs,
where an entry was on its way at the first death, or what it opened unprotected.
"""

from typing import final

from msgspec import Struct
from msgspec.structs import replace

from chaos.enumerate.cuts import Cut
from chaos.enumerate.forks import Forks
from chaos.enumerate.outcomes import Doom, Outcome, usual
from chaos.enumerate.points import Kind, Point
from chaos.enumerate.remains import Met, remains, standing
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.stage import Stage
from chaos.enumerate.trial import Found, Result, Same, SameCut, Trial, result_of, second_doom
from chaos.sim.reaper import Deed

STRIDE = 24
"""One in so many of the deaths that differ in a recovery is tried, after the death at one point. No
recovery has fewer."""
WHOLE = "stop"
"""In this script, the plain trade, each one that differs is tried after a point that is hot."""


class Job(Struct, frozen=True):
    """One share of a scenario: the points whose number leaves ``share`` over ``shares``.

    ``outcomes`` are those to try; all of one world, in which everything comes once, or twice.
    ``seconds``: with second deaths. ``cuts``: ways to cut the connection. ``mutant``: of a daemon
    that is broken like that.
    """

    scenario: str
    outcomes: tuple[Outcome, ...]
    share: int = 0
    shares: int = 1
    seconds: bool = True
    cuts: tuple[Cut, ...] = ()
    mutant: str = ""

    @property
    def usual(self) -> Outcome:
        """The outcome that is followed by second deaths."""
        return Outcome.TWICE if Outcome.TWICE in self.outcomes else Outcome.DONE


@final
class Explorer:
    """Plays a job once, and forks at each point for every death and every cut there."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._forks = Forks(Result)
        self._points: list[Point] = []
        self._same: list[Same] = []
        self._same_cuts: list[SameCut] = []
        self._met, self._followed, self._second_met, self._cuts = Met(), Met(), Met(), Met()
        self._seconds = 0
        self._trial = Trial(job.scenario, Doom(job.usual, Deed.SIGKILL))
        script = SCENARIOS[job.scenario].script
        self._stage = Stage(script, self._trial.twice, self._choose, self._cut, self._end)

    def run(self) -> list[Result]:
        """All results; that of the trial without a death is the last one."""
        self._stage.play()
        return self._forks.results

    def _end(self, stage: Stage) -> None:
        found = Found()
        if not stage.deaths and stage.loss is None:
            found = Found(tuple(self._points), tuple(self._same), tuple(self._same_cuts))
        self._forks.hand_over(result_of(stage, self._trial, found))

    def _choose(self, depth: int, point: Point, dooms: list[Doom]) -> Doom | None:
        if depth == 0:
            return self._first(point, dooms)
        return self._second(point) if depth == 1 else None

    def _first(self, point: Point, dooms: list[Doom]) -> Doom | None:
        job = self._job
        if not self._stage.its_own or self._stage.loss is not None:
            return None
        self._points.append(point)
        for doom in dooms:
            if doom.outcome not in job.outcomes:
                continue
            before = self._seen_before(point, doom)
            if before:
                self._same.append(Same(point.number, doom, before))
            elif self._branches(point):
                self._trial = Trial(job.scenario, doom, point.number)
                return doom
        return None

    def _cut(self, point: Point) -> Cut | None:
        if self._stage.deaths or not self._stage.its_own:
            return None
        for cut in self._job.cuts:
            after = self._cut_before(point, cut)
            if after:
                self._same_cuts.append(SameCut(point.number, after))
            elif self._branches(point):
                self._trial = replace(self._trial, point=point.number, cut=cut)
                return cut
        return None

    def _branches(self, point: Point) -> bool:
        """Whether this is a child that is to go another way at a point of the job's."""
        mine = point.number % self._job.shares == self._job.share
        if not mine or not self._forks.branch():
            return False
        self._stage.mark_fork()
        return True

    def _cut_before(self, point: Point, cut: Cut) -> int:
        """The point after which a cut comes to the same as this one, 0 if none does."""
        if cut is Cut.AFTER:
            self._cuts.add(standing(self._stage, point.number), point.number)
        if cut is Cut.AFTER or point.kind is Kind.SEND:
            return 0
        return self._cuts.before(standing(self._stage, point.number - 1))

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
        whole = first.hot and not self._trial.twice and self._job.scenario == WHOLE
        return 1 if whole else STRIDE
