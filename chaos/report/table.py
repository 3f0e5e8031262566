"""The verdict for a console: small tables one under the other, and the verdict as the last line.

Reads well at 80 columns and says nothing by colour alone. Colour only repeats a word.
"""

from collections.abc import Iterable

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chaos.report import words
from chaos.report.listings import Cell, Listing, listings
from chaos.report.verdict import Finding, Verdict

STYLES = {"": "", "good": "green", "bad": "bold red", "dim": "dim"}

LONGEST_WORD = 30
"""Words of a row's name up to this length are never broken."""


def show(verdict: Verdict, console: Console) -> None:
    """Print everything that the verdict says; the last line is the verdict itself."""
    console.print(Text(verdict.run.title, style="bold"))
    for part in _parts(verdict):
        console.print(part)
        console.print()
    style = "bold green" if verdict.passed else "bold red"
    console.print(Text(words.told(verdict), style=style))


def _parts(verdict: Verdict) -> Iterable[RenderableType]:
    yield _pairs(words.made(verdict.run))
    yield _pairs(words.paces(verdict))
    yield from map(_table, listings(verdict.tally))
    for number, finding in enumerate(verdict.tally.findings, start=1):
        yield _finding(number, finding)


def _table(listing: Listing) -> Table:
    table = Table(title=Text(listing.title), title_justify="left", title_style="bold")
    table.box, table.show_edge, table.pad_edge = box.SIMPLE_HEAD, False, False
    for n, name in enumerate(listing.columns):
        figure = n >= len(listing.columns) - listing.numbers
        table.add_column(Text(name), justify="right" if figure else "left", overflow="fold")
    names = (word for row in listing.rows for word in row[0].text.split())
    table.columns[0].min_width = min(max(map(len, names), default=0), LONGEST_WORD)
    for row in listing.rows:
        table.add_row(*map(_text, row))
    return table


def _text(cell: Cell) -> Text:
    return Text(cell.text, style=STYLES[cell.tone])


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """A table without a head: a name and what it is."""
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, what in rows:
        table.add_row(Text(name), Text(what))
    return table


def _finding(number: int, finding: Finding) -> Group:
    where = ", ".join(filter(None, (finding.where, finding.at)))
    lines: list[RenderableType] = [
        Text.assemble((f"violation {number}: {finding.invariant}", STYLES["bad"]), f", {where}"),
        Padding(Text(finding.text), (0, 0, 0, 2)),
        *(Padding(Text(line, style="dim"), (0, 0, 0, 4)) for line in finding.evidence),
    ]
    if finding.replay:
        lines.append(Padding(Text(f"again: {finding.replay}"), (0, 0, 0, 2)))
    return Group(*lines)
