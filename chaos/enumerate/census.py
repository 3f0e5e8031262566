"""What an enumeration says: where the points lie, what was tried at them, and what came of it.

That every point was died at, and followed by a death inside its recovery, is asked of the run as
rare situations are of a simulation: less is a failure, since it left something out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias, final

from msgspec.structs import replace

from chaos.enumerate.outcomes import Outcome
from chaos.enumerate.points import Kind, Point
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.trial import Result, Same
from chaos.report.verdict import STATES, Section, Tally, Visits, merge
from chaos.sim.reaper import Deed

World: TypeAlias = tuple[str, bool]
"""A scenario, and whether everything comes twice in it."""
DEEDS = (Deed.SIGKILL, Deed.POWER)


@final
class Census:
    """Counts results as they come. ``complete``: every point must be died at, and died after."""

    def __init__(self, *, complete: bool) -> None:
        self._complete = complete
        self._tally = Tally()
        self._trials = 0
        self._points: dict[World, tuple[Point, ...]] = {}
        self._same: dict[World, tuple[Same, ...]] = {}
        self._met: Counter[tuple[World, int]] = Counter()
        self._followed: Counter[tuple[World, int]] = Counter()
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._again: Counter[tuple[str, str]] = Counter()
        self._recovery_points: set[tuple[Kind, str]] = set()

    def take(self, result: Result) -> None:
        """Count one more."""
        trial, deaths = result.trial, result.deaths
        world = trial.scenario, trial.twice
        self._tally = merge(self._tally, result.tally)
        self._trials += 1
        match deaths:
            case ():
                self._points[world], self._same[world] = result.points, result.same
            case (first,):
                self._met[world, trial.point] += 1
                self._outcomes[first.doom.outcome, first.point.kind] += 1
            case (_, again, *_):
                self._followed[world, trial.point] += 1
                self._again[again.point.kind, again.doom.deed] += 1
                self._recovery_points.add((again.point.kind, again.point.what))

    def tally(self) -> Tally:
        """Everything, with the tables that only an enumeration has."""
        points = [point for found in self._points.values() for point in found]
        figures = {
            "points": len(points),
            "of these with an entry on its way or unprotected": sum(p.hot for p in points),
            "trials": self._trials,
            "deaths at a point": self._met.total(),
            "deaths that are one at an earlier point": sum(map(len, self._same.values())),
            "second deaths": self._followed.total(),
            "different points of a recovery": len(self._recovery_points),
        }
        return replace(
            self._tally,
            figures=figures,
            rare=self._required(),
            sections=tuple(self._sections(points)),
        )

    def _required(self) -> dict[str, Visits]:
        rare: dict[str, Visits] = {}
        for world, found in self._points.items() if self._complete else ():
            name = f"points of {_named(world)}"
            rare[f"{name}: died at"] = Visits(self._of(self._met, world), len(found))
            rare[f"{name}: died after"] = Visits(self._of(self._followed, world), len(found))
        return rare

    def _of(self, counted: Counter[tuple[World, int]], world: World) -> int:
        """How many points of a world were counted, or have a death that is one of a counted one."""
        mine = {point for where, point in counted if where == world}
        return len(mine | {same.point for same in self._same[world] if same.before in mine})

    def _sections(self, points: list[Point]) -> Iterable[Section]:
        places = Counter[tuple[str, str]]((point.phase, point.kind) for point in points)
        yield _grid("where the points lie", "state", STATES, tuple(Kind), places)
        yield self._worlds()
        yield _grid("deaths at a point", "outcome", tuple(Outcome), tuple(Kind), self._outcomes)
        yield _grid("second deaths, in a recovery", "point", tuple(Kind), DEEDS, self._again)

    def _worlds(self) -> Section:
        def counts(world: World) -> tuple[str, ...]:
            def of(counted: Counter[tuple[World, int]]) -> int:
                return sum(times for (where, _), times in counted.items() if where == world)

            found = len(self._points.get(world, ()))
            same, again = len(self._same[world]), of(self._followed)
            return tuple(f"{n:,}" for n in (found, of(self._met), same, again))

        rows = tuple(
            (_named(world), SCENARIOS[world[0]].tells, *counts(world)) for world in self._points
        )
        columns = ("scenario", "what happens", "points", "deaths", "the same", "second deaths")
        return Section("scenarios", columns, rows)


def _named(world: World) -> str:
    return f"{world[0]}, twice" if world[1] else world[0]


def _grid(
    title: str, name: str, rows: tuple[str, ...], columns: tuple[str, ...],
    counted: Mapping[tuple[str, str], int],
) -> Section:  # fmt: skip
    """A table of counts with its sums; ``name`` is what the rows are."""
    body = [(row, [counted.get((row, column), 0) for column in columns]) for row in rows]
    body.append(("all", [sum(column) for column in zip(*(f for _, f in body), strict=True)]))
    cells = ((row, *(f"{n:,}" for n in (*figures, sum(figures)))) for row, figures in body)
    return Section(title, (name, *columns, "all"), tuple(cells))
