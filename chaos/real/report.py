"""What a campaign on real processes came to, as the verdict that all drivers share.

All figures come from the two ledgers and the driver's clock. Naked seconds are exchange time as
the journal stamps it, given in real seconds of the campaign (divided by its speed). Recovery runs
from the last moment from which the daemon could recover (its process was started, what hindered it
was mended) to the committed recovery as the driver sees it, without the settle of unproven intents,
which has a sample of its own. A round in which nothing had to recover has none.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from chaos.real.campaign import Outcome
from chaos.real.driver import Driver
from chaos.real.fault import End
from chaos.real.scene import Round
from chaos.report import machine, words
from chaos.report.sample import Sample
from chaos.report.verdict import (
    RECOVERY,
    Counts,
    Finding,
    Grid,
    Run,
    Section,
    Skipped,
    Tally,
    Verdict,
    Visits,
    held_against,
    invariant,
    of_few,
    sums,
    tallied,
)
from chaos.world.books import Naked
from chaos.world.court import by_thing
from tradebaas.core.model import Phase

QUARTERS = 4
ENOUGH_ROUNDS = 10
"""Fewer need not give each invariant something to be held against."""
NEW_PROCESS, NEW_CREW, SAME_CREW = "new process", "new crew", "same crew"


def verdict_of(outcome: Outcome, started: str) -> Verdict:
    """The verdict; ``started`` is wall time in words. Asks for the machine and the commit."""
    plan = outcome.plan
    command = ["python", "-m", "chaos", "real", "--profile", plan.profile.name]
    command += ["--rounds", str(plan.rounds), "--seed", str(plan.seed)]
    command += ["--break", plan.broken] if plan.broken else []
    run = Run(
        title=f"real processes, profile {plan.profile.name}: {plan.profile.about}",
        command=shlex.join(command),
        unit="rounds",
        trials=len(outcome.rounds),
        which=f"seed {plan.seed}",
        commit=machine.commit(),
        machine=machine.describe(),
        started=started,
        seconds=round(outcome.seconds, 1),
        ended=outcome.ended,
    )
    return Verdict(run, _tally(outcome, run.command))


def _tally(outcome: Outcome, command: str) -> Tally:
    driver, judge = outcome.driver, outcome.judge
    things = held_against(by_thing(judge.checked if judge else {}))
    tally = Tally(
        faults=tallied(played.fault for played in outcome.rounds),
        skipped=tuple(Skipped(name, why) for name, why in sorted(outcome.skipped.items())),
        recovery=_recovery(outcome.rounds),
        settle=Sample.of(played.settle for played in outcome.rounds if played.renewed),
        checked=sums(things),
        things=things,
        findings=tuple(
            Finding(invariant(v.check), f"round {number}", v.text, "", v.evidence, command)
            for number, v in outcome.violations
        ),
    )
    if len(outcome.rounds) < ENOUGH_ROUNDS:
        tally = of_few(tally)
    return tally if driver is None else _with_ledgers(tally, outcome, driver)


def _with_ledgers(tally: Tally, outcome: Outcome, driver: Driver) -> Tally:
    stretches, speed = driver.books.naked, driver.exchange.speed
    return Tally(
        faults=tally.faults,
        skipped=tally.skipped,
        recovery=tally.recovery,
        settle=tally.settle,
        checked=tally.checked,
        things=tally.things,
        findings=tally.findings,
        deaths=_deaths(driver),
        recovering=_recovering(driver),
        naked={
            "own": _naked((n for n in stretches if not n.sabotage), speed),
            "by sabotage": _naked((n for n in stretches if n.sabotage), speed),
        },
        unknown=dict(driver.unknown_outcomes().most_common()),
        rare=_wanted(outcome, driver),
        sections=(_paces(outcome.rounds), _answers(driver.answered)),
        figures=_figures(outcome, driver),
    )


def _deaths(driver: Driver) -> Grid:
    counted = Counter((str(death.phase), death.kind) for death in driver.deaths)
    grid: Grid = {}
    for (phase, kind), count in sorted(counted.items()):
        grid.setdefault(phase, {})[kind] = count
    return grid


def _recovering(driver: Driver) -> Grid:
    counted = Counter(str(death.phase) for death in driver.deaths if death.recovering)
    return {phase: {RECOVERY: count} for phase, count in sorted(counted.items())}


def _recovery(rounds: Iterable[Round]) -> dict[str, Sample]:
    groups: dict[str, list[float]] = {}
    for played in rounds:
        group = NEW_PROCESS if played.end is not End.LIVES else SAME_CREW
        group = NEW_CREW if played.end is End.LIVES and played.renewed else group
        if played.recovery is not None:
            groups.setdefault(group, []).append(played.recovery)
    return {name: Sample.of(values) for name, values in sorted(groups.items())}


def _naked(stretches: Iterable[Naked], speed: float) -> Sample:
    """Ended stretches in real seconds; one that an exchange's clock set back counts as nothing."""
    return Sample.of(
        max((n.end_ms or n.start_ms) - n.start_ms, 0) / 1000 / speed for n in stretches
    )


def _wanted(outcome: Outcome, driver: Driver) -> dict[str, Visits]:
    """Each lifecycle state with the deaths that a whole campaign of the profile needs in it."""
    least = outcome.least_deaths()
    counted = Counter(death.phase for death in driver.deaths)
    return {f"death in {p}": Visits(counted[p], least) for p in Phase if least}


def _paces(rounds: Sequence[Round]) -> Section:
    """How long rounds take, by quarters: the last must not cost more than the first."""
    size = max(-(-len(rounds) // QUARTERS), 1)
    rows = []
    for start in range(0, len(rounds), size):
        some = rounds[start : start + size]
        played = Sample.of(one.took for one in some)
        judged = Sample.of(one.judging for one in some)
        last = start + len(some) - 1
        rows.append(
            (f"{start} to {last}", words.seconds(played.percentile(0.5)),
             words.seconds(judged.percentile(0.5)), words.seconds(judged.percentile(0.95)))
        )  # fmt: skip
    columns = ("rounds", "played, p50", "judged, p50", "judged, p95")
    return Section("time per round", columns, tuple(rows))


def _answers(seconds: Sequence[float]) -> Section:
    """How long a command took that changed something: decided, synced, answered over HTTP."""
    sample = Sample.of(seconds)
    shares = [words.seconds(sample.percentile(share)) for share in (0.5, 0.95, 1.0)]
    columns = ("commands", "p50", "p95", "max")
    rows = ((str(sample.count), *shares),) if seconds else ()
    return Section("from a command to its answer, its events synced", columns, rows)


def _figures(outcome: Outcome, driver: Driver) -> Counts:
    requests, judge = driver.books.requests, outcome.judge
    return {
        "SIGKILLs by this driver": driver.daemon.kills,
        "trades": len(driver.story.trades),
        "entries at the exchange": sum(request.is_entry for request in requests),
        "orders refused": sum(request.refused for request in requests),
        "answers that promised something": judge.promises if judge else 0,
        "states shown by the API": judge.shown if judge else 0,
        "crew restarts": len(outcome.backoffs),
        "longest backoff, ms": int(1000 * max(outcome.backoffs, default=0.0)),
    }
