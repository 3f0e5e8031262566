"""What an enumeration says: where the points lie, what was tried at them, and what came of it.

That every point was died at, and followed by a death inside its recovery, and that the connection
was cut at every frame, is asked of the run as rare situations are of a simulation: less is a
failure, since it left something out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias, final

from msgspec.structs import replace

from chaos.enumerate.cuts import Cut
from chaos.enumerate.outcomes import Outcome
from chaos.enumerate.points import ON_WIRE, Kind, Point
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.stage import Loss
from chaos.enumerate.trial import Found, Result
from chaos.report.verdict import STATES, Section, Tally, Visits, merge
from chaos.sim.reaper import Deed

World: TypeAlias = tuple[str, bool]
"""A scenario, and whether everything comes twice in it."""
DEEDS = (Deed.SIGKILL, Deed.POWER)


@final
class Census:
    """Counts results as they come.

    ``complete``: every point must be died at, and died after. ``cuts``: the ways in which the
    connection must be cut at every frame, where everything comes once.
    """

    def __init__(self, *, complete: bool, cuts: tuple[Cut, ...] = ()) -> None:
        self._complete = complete
        self._wanted_cuts = cuts
        self._tally = Tally()
        self._trials = 0
        self._found: dict[World, Found] = {}
        self._cut: dict[World, set[tuple[int, Cut]]] = {}
        self._losses: list[Loss] = []
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
            case () if result.loss is not None:
                self._losses.append(result.loss)
                self._cut.setdefault(world, set()).add((trial.point, result.loss.cut))
            case ():
                self._found[world] = result.found
            case (first,):
                self._met[world, trial.point] += 1
                self._outcomes[first.doom.outcome, first.point.kind] += 1
            case (_, again, *_):
                self._followed[world, trial.point] += 1
                self._again[again.point.kind, again.doom.deed] += 1
                self._recovery_points.add((again.point.kind, again.point.what))

    def tally(self) -> Tally:
        """Everything, with the tables that only an enumeration has."""
        scripts = self._found.values()
        points = [point for found in scripts for point in found.points]
        figures = {
            "points": len(points),
            "of these with an entry on its way or unprotected": sum(p.hot for p in points),
            "trials": self._trials,
            "deaths at a point": self._met.total(),
            "deaths that are one at an earlier point": sum(len(found.same) for found in scripts),
            "second deaths": self._followed.total(),
            "different points of a recovery": len(self._recovery_points),
            "cuts of the connection": len(self._losses),
            "cuts that are one at an earlier point": sum(len(f.same_cuts) for f in scripts),
        }
        return replace(
            self._tally,
            figures=figures,
            rare=self._required(),
            sections=tuple(self._sections(points)),
        )

    def _required(self) -> dict[str, Visits]:
        rare: dict[str, Visits] = {}
        for world, found in self._found.items():
            name = f"points of {_named(world)}"
            if self._complete:
                wanted = len(found.points)
                rare[f"{name}: died at"] = Visits(self._of(self._met, world), wanted)
                rare[f"{name}: died after"] = Visits(self._of(self._followed, world), wanted)
            if self._wanted_cuts and not world[1]:
                frames = sum(point.kind in ON_WIRE for point in found.points)
                wanted = len(self._wanted_cuts) * frames
                rare[f"frames of {_named(world)}: cut at"] = Visits(self._cuts_of(world), wanted)
        return rare

    def _of(self, counted: Counter[tuple[World, int]], world: World) -> int:
        """How many points of a world were counted, or have a death that is one of a counted one."""
        mine = {point for where, point in counted if where == world}
        return len(mine | {same.point for same in self._found[world].same if same.before in mine})

    def _cuts_of(self, world: World) -> int:
        """How many cuts of a world were tried, or are one that was."""
        mine = self._cut.get(world, set())
        same = self._found[world].same_cuts
        return len(mine) + sum((cut.after, Cut.AFTER) in mine for cut in same)

    def _sections(self, points: list[Point]) -> Iterable[Section]:
        places = Counter[tuple[str, str]]((point.phase, point.kind) for point in points)
        yield _grid("where the points lie", "state", STATES, tuple(Kind), places)
        yield self._worlds()
        yield _grid("deaths at a point", "outcome", tuple(Outcome), tuple(Kind), self._outcomes)
        yield _grid("second deaths, in a recovery", "point", tuple(Kind), DEEDS, self._again)
        if self._wanted_cuts:
            yield from self._lost(self._wanted_cuts)

    def _lost(self, cuts: tuple[Cut, ...]) -> Iterable[Section]:
        kinds = Counter[tuple[str, str]]((loss.cut, loss.point.kind) for loss in self._losses)
        yield _grid("cuts of the connection", "cut", cuts, ON_WIRE, kinds)
        phases = Counter[tuple[str, str]]((loss.point.phase, loss.cut) for loss in self._losses)
        yield _grid("where the connection is cut", "state", STATES, cuts, phases)

    def _worlds(self) -> Section:
        def counts(world: World) -> tuple[str, ...]:
            def of(counted: Counter[tuple[World, int]]) -> int:
                return sum(times for (where, _), times in counted.items() if where == world)

            found, cut = self._found[world], len(self._cut.get(world, ()))
            same, again = len(found.same), of(self._followed)
            return tuple(f"{n:,}" for n in (len(found.points), of(self._met), same, again, cut))

        rows = tuple(
            (_named(world), SCENARIOS[world[0]].tells, *counts(world)) for world in self._found
        )
        counted = ("points", "deaths", "the same", "second deaths", "cuts")
        columns = ("scenario", "what happens", *counted)
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
