"""The verdict for a console: small tables one under the other, and the verdict as the last line.

Reads well at 80 columns and says nothing by colour alone. Colour only repeats a word.
"""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chaos.report import words
from chaos.report.verdict import (
    INVARIANTS,
    RECOVERY,
    SECOND_RECOVERY,
    Counts,
    Finding,
    Grid,
    Tally,
    Verdict,
    total,
)

GOOD, BAD, DIM = "green", "bold red", "dim"
RECOVERED, NAKED = (0.5, 0.95), (0.99,)
"""The percentiles that are given beside the longest."""


def show(verdict: Verdict, console: Console) -> None:
    """Print everything that the verdict says; the last line is the verdict itself."""
    console.print(Text(verdict.run.title, style="bold"))
    for part in _parts(verdict):
        console.print(part)
        console.print()
    console.print(Text(words.told(verdict), style=f"bold {GOOD}" if verdict.passed else BAD))


def _parts(verdict: Verdict) -> Iterable[RenderableType]:
    tally = verdict.tally
    yield _pairs("", words.made(verdict.run))
    yield _pairs("", words.paces(verdict))
    yield from _listed("faults injected", tally.faults)
    if tally.skipped:
        rows = [(skipped.fault, skipped.reason) for skipped in tally.skipped]
        yield _table("faults skipped, not passed", ("fault", "reason"), rows)
    states = words.states(tally)
    if tally.died:
        yield _grid("deaths by state", tally.deaths, states, words.kinds(tally))
    if total(tally.recovering):
        title = "of these, during a recovery"
        yield _grid(title, tally.recovering, states, (RECOVERY, SECOND_RECOVERY))
    yield from _times(tally)
    yield from _listed("unknown intents", tally.unknown)
    yield _invariants(tally)
    if tally.rare:
        yield _rare(tally)
    if tally.mutants:
        yield _mutants(tally)
    for section in tally.sections:
        yield _table(section.title, section.columns, section.rows)
    for number, finding in enumerate(tally.findings, start=1):
        yield _finding(number, finding)


def _table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]], numbers: int = 0
) -> Table:
    """A table with ``title``; its last ``numbers`` columns are set to the right."""
    table = Table(title=Text(title) if title else None, title_justify="left", title_style="bold")
    table.box, table.show_edge, table.pad_edge = box.SIMPLE_HEAD, False, False
    for n, name in enumerate(columns):
        right = n >= len(columns) - numbers
        table.add_column(
            Text(name), justify="right" if right else "left", overflow="fold", no_wrap=right
        )
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def _pairs(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    """A table without a head: a name and what it is."""
    table = _table(title, ("", ""), rows)
    table.show_header = False
    table.box = None
    table.columns[0].style = DIM
    table.columns[0].no_wrap = True
    table.columns[0].min_width = 12
    return table


def _listed(title: str, counts: Counts) -> Iterable[Table]:
    if counts:
        rows = [(name, words.number(times)) for name, times in counts.items()]
        rows.append(("all", words.number(sum(counts.values()))))
        yield _table(title, ("kind", "times"), rows, numbers=1)


def _grid(title: str, grid: Grid, states: Sequence[str], kinds: Sequence[str]) -> Table:
    """States down, kinds across, with the sums of both."""
    rows = [(state, [grid.get(state, {}).get(kind, 0) for kind in kinds]) for state in states]
    rows.append(("all", [sum(column) for column in zip(*(f for _, f in rows), strict=True)]))
    cells = [(name, *map(words.number, (*figures, sum(figures)))) for name, figures in rows]
    table = _table(title, ("state", *kinds, "all"), cells, numbers=len(kinds) + 1)
    table.columns[0].no_wrap = True
    return table


def _times(tally: Tally) -> Iterable[Table]:
    if tally.recovery or tally.settle.count:
        groups = {**tally.recovery, "wait for unproven intents": tally.settle}
        rows = [(name, *_padded(words.spread(s, RECOVERED), 4)) for name, s in groups.items()]
        yield _table("time to recover", ("", "times", "p50", "p95", "max"), rows, numbers=4)
    if tally.naked:
        rows = [(name, *_padded(words.spread(s, NAKED), 3)) for name, s in tally.naked.items()]
        yield _table("naked, without a full stop", ("", "times", "p99", "max"), rows, numbers=3)


def _padded(cells: list[str], width: int) -> list[str]:
    return [*cells, *["-"] * (width - len(cells))]


def _invariants(tally: Tally) -> Table:
    rows = []
    for name in INVARIANTS:
        broken = tally.violations(name)
        checked = tally.checked.get(name)
        judged = words.number(checked) if checked is not None else "-"
        rows.append((name, judged, words.number(broken), held(checked, broken)))
    return _table("invariants", ("", "checked", "violations", ""), rows, numbers=3)


def held(checked: int | None, broken: int) -> Text:
    """What became of an invariant, in a word."""
    if broken:
        return Text("VIOLATED", style=BAD)
    if checked is None:
        return Text("not judged here", style=DIM)
    return Text("held", style=GOOD) if checked else Text("NEVER CHECKED", style=BAD)


def _rare(tally: Tally) -> Table:
    rows = []
    for name, visits in tally.rare.items():
        wanted = words.number(visits.wanted) if visits.wanted else "-"
        word = Text("MISSING", style=BAD) if visits.missing else Text("visited", style=GOOD)
        word = word if visits.times or visits.wanted else Text("not needed", style=DIM)
        rows.append((name, words.number(visits.times), wanted, word))
    return _table("rare situations", ("", "times", "wanted", ""), rows, numbers=3)


def _mutants(tally: Tally) -> Table:
    rows = [
        (
            mutant.name,
            Text("SURVIVED", style=BAD) if mutant.survived else Text("caught", style=GOOD),
            mutant.caught_by or "-",
            mutant.where or "-",
            words.seconds(mutant.seconds),
        )
        for mutant in tally.mutants
    ]
    return _table("mutants", ("broken on purpose", "", "by", "at", "in"), rows, numbers=1)


def _finding(number: int, finding: Finding) -> Group:
    where = ", ".join(filter(None, (finding.where, finding.at)))
    lines: list[RenderableType] = [
        Text.assemble((f"violation {number}: {finding.invariant}", BAD), f", {where}"),
        Padding(Text(finding.text), (0, 0, 0, 2)),
        *(Padding(Text(line, style=DIM), (0, 0, 0, 4)) for line in finding.evidence),
    ]
    if finding.replay:
        lines.append(Padding(Text(f"again: {finding.replay}"), (0, 0, 0, 2)))
    return Group(*lines)
