"""The tables of a verdict, as rows of words; the console and the page only set them.

A cell that says that something is good or bad says so by its word; ``tone`` repeats it for those
who see colour.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from chaos.report import words
from chaos.report.sample import Sample
from chaos.report.verdict import (
    INVARIANTS,
    RECOVERY,
    SECOND_RECOVERY,
    Counts,
    Grid,
    Tally,
    total,
)

SETTLE = "wait for unproven intents"
"""The name of ``Tally.settle`` beside the groups of ``Tally.recovery``."""


class Cell(Struct, frozen=True):
    """``tone`` is "", "good", "bad" or "dim"; ``remark`` is said where there is room for it."""

    text: str
    tone: str = ""
    remark: str = ""


class Listing(Struct, frozen=True):
    """A table. Its last ``numbers`` columns are figures; the first one names its row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: int = 0


def listings(tally: Tally) -> list[Listing]:
    """All tables that have anything to say, in the order of their weight."""
    states = words.states(tally)
    causes = (RECOVERY, SECOND_RECOVERY)
    mine = (
        _listed("faults that struck", dict(sorted(tally.faults.items()))),
        _grid("deaths by state", tally.deaths, states, words.kinds(tally)),
        _grid("of these, during a recovery", tally.recovering, states, causes),
        _spread("time to recover", recoveries(tally), {"p50": 0.5, "p95": 0.95}),
        _spread("naked, without a full stop, by the daemon's clock", tally.naked, {"p99": 0.99}),
        _listed("unknown intents", tally.unknown),
        invariants(tally),
        _rare(tally),
        _mutants(tally),
        _skipped(tally),
    )
    own = [_made(s.title, s.columns, s.rows) for s in tally.sections]
    return [listing for listing in (*mine, *own) if listing.rows]


def recoveries(tally: Tally) -> dict[str, Sample]:
    """The groups of recoveries, and beside them the settle if there was any."""
    settle = {SETTLE: tally.settle} if tally.settle.count else {}
    return {**tally.recovery, **settle}


def invariants(tally: Tally) -> Listing:
    """All nine, each with what it was held against and what came of it."""
    rows = []
    for name, statement in INVARIANTS.items():
        broken, checked = tally.violations(name), tally.checked.get(name)
        judged = "-" if checked is None else words.number(checked)
        named, things = Cell(name, remark=statement), Cell(_things(tally, name), "dim")
        rows.append((named, things, judged, words.number(broken), _held(checked, broken)))
    columns = ("invariant", "held against", "times", "violations", "")
    return _made("invariants", columns, rows, numbers=3)


def _things(tally: Tally, name: str) -> str:
    things = tally.things.get(name, {})
    return ", ".join(f"{words.number(number)} {what}" for what, number in things.items())


def _held(checked: int | None, broken: int) -> Cell:
    if broken:
        return Cell("VIOLATED", "bad")
    if checked is None:
        return Cell("not judged here", "dim")
    return Cell("held", "good") if checked else Cell("NEVER CHECKED", "bad")


def _listed(title: str, counts: Counts) -> Listing:
    rows = [(name, words.number(times)) for name, times in counts.items()]
    sums = [("all", words.number(sum(counts.values())))] if rows else []
    return _made(title, ("kind", "times"), [*rows, *sums], numbers=1)


def _grid(title: str, grid: Grid, states: Sequence[str], kinds: Sequence[str]) -> Listing:
    """States down, kinds across, with the sums of both."""
    columns = ("state", *kinds, "all")
    if not total(grid):
        return Listing(title, columns, ())
    rows = [(state, [grid.get(state, {}).get(kind, 0) for kind in kinds]) for state in states]
    rows.append(("all", [sum(column) for column in zip(*(f for _, f in rows), strict=True)]))
    cells = [(name, *map(words.number, (*figures, sum(figures)))) for name, figures in rows]
    return _made(title, columns, cells, numbers=len(kinds) + 1)


def _spread(title: str, groups: dict[str, Sample], shares: dict[str, float]) -> Listing:
    """Groups down; how often, the percentiles and the longest across."""
    rows = []
    for name, sample in groups.items():
        figures = [sample.percentile(at) for at in (*shares.values(), 1.0)]
        told = [words.seconds(figure) if sample.count else "-" for figure in figures]
        rows.append((name, words.number(sample.count), *told))
    return _made(title, ("", "times", *shares, "max"), rows, numbers=len(shares) + 2)


def _rare(tally: Tally) -> Listing:
    rows = []
    for name, visits in tally.rare.items():
        word = Cell("MISSING", "bad") if visits.missing else Cell("visited", "good")
        word = word if visits.times or visits.wanted else Cell("not needed", "dim")
        wanted = words.number(visits.wanted) if visits.wanted else "-"
        rows.append((name, words.number(visits.times), wanted, word))
    return _made("rare situations", ("situation", "times", "wanted", ""), rows, numbers=3)


def _mutants(tally: Tally) -> Listing:
    rows = [
        (
            mutant.name,
            Cell("SURVIVED", "bad") if mutant.survived else Cell("caught", "good"),
            mutant.caught_by or "-",
            f"{mutant.shown} of {mutant.worlds}" if mutant.worlds else "-",
            mutant.where or "-",
            words.seconds(mutant.seconds),
        )
        for mutant in tally.mutants
    ]
    return _made(
        "mutants", ("broken on purpose", "", "by", "worlds", "first at", "in"), rows, numbers=1
    )


def _skipped(tally: Tally) -> Listing:
    rows = [(skipped.fault, skipped.reason) for skipped in tally.skipped]
    return _made("faults skipped, not passed", ("fault", "reason"), rows)


def _made(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Cell]], numbers: int = 0
) -> Listing:
    cells = (tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in rows)
    return Listing(title, tuple(columns), tuple(cells), numbers)
