"""The whole enumeration on all cores.

Workers are processes; each plays whole jobs. What is summed does not depend on which worker played
which job, nor on the order in which they finished.

A worker forks in the middle of SQLite's own calls, where a sync is a point. SQLite's locks belong
to a thread of the process that took them, and a child of it could never take or leave them: so
workers run SQLite without locks, which is sound in processes of one thread. That can only be set
before SQLite is used, so a worker is a new process and no copy of this one.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator

import apsw

from chaos.cores import cores, in_order
from chaos.enumerate.cuts import Cut
from chaos.enumerate.explore import Explorer, Job
from chaos.enumerate.outcomes import Doom, Outcome
from chaos.enumerate.trial import Result, Trial, play
from chaos.mutants import MUTANTS, applied
from chaos.sim.reaper import Deed

SHARES = 2
"""Jobs per scenario and world: small ones end more evenly, but each runs the script anew."""
WARM_UP = (1, 80, 90)
"""Points at which a worker dies for nobody first: what Python and the libraries work out at a first
use is then there in every child, else each child would work it out again."""
Say = Callable[[str], None]


def jobs_of(
    scenarios: Iterable[str], outcomes: Iterable[Outcome], cuts: Iterable[Cut] = (),
    shares: int = SHARES,
) -> list[Job]:  # fmt: skip
    """The jobs that make up an enumeration. Cuts are for the world in which everything comes once:
    between an answer and its double there is nothing new to be cut off from."""
    chosen = tuple(outcomes)
    once = tuple(outcome for outcome in chosen if outcome is not Outcome.TWICE)
    twice = tuple(outcome for outcome in chosen if outcome is Outcome.TWICE)
    worlds = [(once, tuple(cuts)), (twice, ())]
    return [
        Job(scenario, outcomes, share, shares, cuts=cuts)
        for scenario in scenarios
        for outcomes, cuts in worlds
        for share in range(shares)
        if outcomes or cuts
    ]


def run(jobs: list[Job], say: Say) -> Iterator[Result]:
    """All results of all jobs, in the order of the jobs."""
    trials = 0
    context = multiprocessing.get_context("spawn")
    with cores(_begin, context) as pool:
        for number, (job, results) in enumerate(in_order(pool, _play, jobs), 1):
            trials += len(results)
            for finding in (found for result in results for found in result.tally.findings):
                say(f"{finding.where}, {finding.at}: {finding.invariant}: {finding.text[:300]}")
            if job.share == job.shares - 1:
                say(f"{number} of {len(jobs)} jobs, {trials} trials: {job.scenario} done")
            yield from results


def _begin() -> None:
    """A worker begins: without locks, and warm."""
    apsw.shutdown()
    apsw.config(apsw.SQLITE_CONFIG_SINGLETHREAD)
    for point in WARM_UP:
        play(Trial("stop", Doom(Outcome.DONE, Deed.SIGKILL), point))


def _play(job: Job) -> list[Result]:
    with applied(MUTANTS[job.mutant] if job.mutant else None):
        return Explorer(job).run()
