"""What one simulated world adds to the verdict of a batch: counts, samples and findings."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

from chaos.report.sample import Sample
from chaos.report.verdict import (
    RECOVERY,
    SECOND_RECOVERY,
    Finding,
    Grid,
    Tally,
    Visits,
    held_against,
    invariant,
    sums,
)
from chaos.sim import rare
from chaos.sim.deeds import kinds
from chaos.sim.reaper import KINDS, Death, Deed
from chaos.sim.swarm import LAST, LATEST, MOST_OFTEN, TRAILED, Swarm
from chaos.sim.world import Outcome
from chaos.world.books import Books
from chaos.world.oracle import Violation
from chaos.world.story import Story

SEEDS_FOR_EACH = 200
"""So many worlds, one after the other, have each of ``swarm.IN_TURN`` provoked six times."""
STRIKING = (*kinds((*MOST_OFTEN, *LATEST, *TRAILED, *LAST)), *map(str, Deed))
"""Every kind of fault, and of death, that a general world may draw."""


def must_strike(profile: str | None, seeds: int) -> tuple[str, ...]:
    """The kinds of which a batch must have seen at least one; of a narrowed world none."""
    return STRIKING if profile is None and seeds >= SEEDS_FOR_EACH else ()


def tally_of(
    outcome: Outcome, wanted: Collection[str] = (), striking: Collection[str] = ()
) -> Tally:
    """The tally of a world. Its batch must visit the rare situations in ``wanted``, and have each
    kind of fault in ``striking`` strike."""
    things = held_against(outcome.held)
    deaths, story, rate = outcome.deaths, outcome.story, outcome.swarm.rate
    return Tally(
        virtual_ms=round(outcome.virtual_s * 1000),
        exchange_ms=outcome.exchange_ms,
        faults=dict.fromkeys(striking, 0) | outcome.faults,
        deaths=grid_of((d.phase, KINDS[d.deed]) for d in deaths),
        recovering=grid_of((d.phase, _depth(d)) for d in deaths if d.depth),
        recovery=recovery_of(story),
        settle=Sample.of(r.settle_seconds for r in story.reports.values() if r.unresolved),
        naked=naked_of(outcome.books, rate),
        unknown=dict(Counter(u.outcome or "open" for u in story.unknowns.values())),
        checked=sums(things),
        things=things,
        rare={
            name: Visits(times, int(name in wanted))
            for name, times in rare.visited(outcome).items()
        },
        findings=tuple(_finding(outcome, v) for v in outcome.violations),
        figures={
            "commands answered": outcome.answers,
            "positions opened and closed": len(story.trades),
            "events in the logs": story.tail.seq,
            "lines in the exchange's journal": outcome.books.n,
            "processes started": outcome.processes,
        },
    )


def _finding(outcome: Outcome, violation: Violation) -> Finding:
    swarm = outcome.swarm
    narrowed = f" of {swarm.profile}" if swarm.profile else ""
    return Finding(
        invariant=invariant(violation.check),
        where=f"seed {swarm.seed}{narrowed}",
        text=violation.text,
        evidence=violation.evidence,
        replay=f"python -m chaos sim --seed {swarm.seed} {_which(swarm)} --trace",
    )


def _which(swarm: Swarm) -> str:
    return f"--profile {swarm.profile}" if swarm.profile else f"--deaths {swarm.deaths}"


def grid_of(pairs: Iterable[tuple[str, str]]) -> Grid:
    """How often each pair of a row and a column came."""
    grid: Grid = defaultdict(dict)
    for (row, column), times in Counter(pairs).items():
        grid[str(row)][column] = times
    return dict(grid)


def _depth(death: Death) -> str:
    return RECOVERY if death.depth == 1 else SECOND_RECOVERY


def recovery_of(story: Story) -> dict[str, Sample]:
    """How long recoveries took."""
    groups: dict[str, list[float]] = {"new process": [], "new crew": []}
    for life, report in story.reports.items():
        group = "new crew" if story.causes.get(life) else "new process"
        groups[group].append(report.recovered_seconds)
    return {name: Sample.of(seconds) for name, seconds in groups.items() if seconds}


def naked_of(books: Books, rate: int) -> dict[str, Sample]:
    """In virtual seconds of the daemon, as its own limits are."""
    groups: dict[str, list[float]] = {"own": [], "by sabotage": []}
    for naked in books.naked:
        seconds = ((naked.end_ms or naked.start_ms) - naked.start_ms) / 1000 / rate
        groups["by sabotage" if naked.sabotage else "own"].append(seconds)
    return {name: Sample.of(seconds) for name, seconds in groups.items()}
