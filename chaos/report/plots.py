"""The plots of the report's page, each an SVG that stands inside HTML and takes its colours.

Drawn by matplotlib's SVG backend: static, some kilobytes a plot, text that stays text, where plotly
would bring 4 MB of script for hovering and pygal gives no say over the layout on a phone.
Colours are written as marks that become CSS variables, so one drawing serves light and dark. All
are 360 units wide, the width of a phone, with names above their bars instead of beside them.
"""

import io
import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from chaos.report import words
from chaos.report.sample import MICROS, Sample
from chaos.report.verdict import Counts, Grid

WIDTH = 5.0  # inches of 72 units
ROW = 0.5  # inches for a bar and its name
MOST_BARS = 14
HISTOGRAM = 1.55  # inches
BINS = 48
EDGE = 0.06  # of an axis

INK, SOFT, LINE = "#000001", "#000002", "#000003"
SERIES = tuple(f"#0000{n:02x}" for n in range(0x10, 0x16))
MARKS = {INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)"}
MARKS |= {mark: f"var(--series-{n})" for n, mark in enumerate(SERIES)}

STYLE: Any = {  # matplotlib types its settings by a list of all their names
    "svg.fonttype": "none",
    "svg.hashsalt": "chaos",  # the same drawing gives the same bytes
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
}


def bars(name: str, counts: Counts) -> str:
    """A bar for each count, the longest first; those beyond ``MOST_BARS`` are one bar."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) > MOST_BARS:
        kept, rest = ranked[: MOST_BARS - 1], ranked[MOST_BARS - 1 :]
        ranked = [*kept, (f"{len(rest)} other kinds", sum(times for _, times in rest))]
    return stacked(name, {kind: {"": times} for kind, times in ranked}, ("",))


def stacked(name: str, grid: Grid, kinds: Sequence[str]) -> str:
    """A bar for each row of ``grid``, in parts by ``kinds``, with its sum at the end."""
    with mpl.rc_context(STYLE):
        legend = 0.5 if len(kinds) > 1 else 0.0
        figure = _figure(ROW * len(grid) + legend)
        axes = figure.add_axes((0.005, 0, 0.99, 1))
        axes.axis("off")
        longest = max((sum(row.values()) for row in grid.values()), default=0) or 1
        for n, (row, parts) in enumerate(grid.items()):
            _bar(axes, n, [parts.get(kind, 0) / longest for kind in kinds])
            axes.text(0, n - 0.3, row, va="center", color=INK)
            total = words.number(sum(parts.values()))
            axes.text(1, n - 0.3, total, va="center", ha="right", color=SOFT)
        axes.set_ylim(len(grid) - 0.35, -0.7 - legend / ROW)
        axes.set_xlim(0, 1)
        if legend:
            _legend(axes, kinds)
        return _svg(figure, name, _rows_told(grid))


def _rows_told(grid: Grid) -> str:
    rows = []
    for row, parts in grid.items():
        each = ", ".join(filter(None, (f"{k} {words.number(n)}".strip() for k, n in parts.items())))
        rows.append(f"{row}: {each}")
    return "; ".join(rows)


def _bar(axes: Axes, n: int, parts: Sequence[float]) -> None:
    axes.barh(n + 0.12, 1, height=0.3, color=LINE, alpha=0.5)
    left = 0.0
    for part, colour in zip(parts, _colours(len(parts)), strict=True):
        axes.barh(n + 0.12, part, left=left, height=0.3, color=colour)
        left += part


def _legend(axes: Axes, kinds: Sequence[str]) -> None:
    """Above the bars, in their order; the marks are squares."""
    for kind, colour in zip(kinds, _colours(len(kinds)), strict=True):
        axes.barh(0, 0, color=colour, label=kind)
    axes.legend(
        loc="upper left", bbox_to_anchor=(0, 0.985), ncols=min(len(kinds), 4), frameon=False,
        borderpad=0, borderaxespad=0, handlelength=0.9, handleheight=0.9, handletextpad=0.5,
        columnspacing=1.4, labelcolor=INK,
    )  # fmt: skip


def distribution(name: str, groups: Mapping[str, Sample]) -> str:
    """A histogram for each group that has values, over one logarithmic axis of seconds.

    Lines mark the p50, the p95 and the longest, which the line under the group's name gives.
    """
    shown = {group: sample for group, sample in groups.items() if sample.count}
    if not shown:
        return ""
    with mpl.rc_context(STYLE):
        height = HISTOGRAM * len(shown) + 0.3
        figure = _figure(height)
        edges = _edges([micros / MICROS for sample in shown.values() for micros in sample.counts])
        for n, (group, sample) in enumerate(shown.items()):
            bottom = (0.3 + HISTOGRAM * (len(shown) - n - 1)) / height
            axes = figure.add_axes((0.005, bottom, 0.985, (HISTOGRAM - 0.65) / height))
            _histogram(axes, sample, edges, SERIES[n % len(SERIES)])
            axes.text(0, 1.4, group, transform=axes.transAxes, va="center")
            axes.text(0, 1.14, _told(sample), transform=axes.transAxes, va="center", color=SOFT)
            _seconds_axis(axes, edges, labelled=n == len(shown) - 1)
        return _svg(figure, name, "; ".join(f"{g}: {_told(s)}" for g, s in shown.items()))


def _histogram(axes: Axes, sample: Sample, edges: Sequence[float], colour: str) -> None:
    values = [max(micros / MICROS, edges[0]) for micros in sample.counts]
    weights = list(sample.counts.values())
    axes.hist(values, bins=list(edges), weights=weights, color=colour, histtype="stepfilled")
    for share in (0.5, 0.95, 1.0):
        axes.axvline(sample.percentile(share), color=INK, linewidth=1, ymax=0.97)


def _told(sample: Sample) -> str:
    names = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    told = ", ".join(f"{n} {words.seconds(sample.percentile(at))}" for n, at in names.items())
    return f"{words.number(sample.count)} times, {told}"


def _edges(values: Sequence[float]) -> list[float]:
    """``BINS`` bins of equal width on a logarithmic axis that holds all values."""
    low, high = max(min(values), 1 / MICROS), max(*values, 2 / MICROS)
    low, high = low / 1.05, max(high * 1.05, low * 3)
    step = math.log(high / low) / BINS
    return [low * math.exp(step * n) for n in range(BINS + 1)]


def _seconds_axis(axes: Axes, edges: Sequence[float], *, labelled: bool) -> None:
    axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1])
    wide = edges[-1] / edges[0] > 300
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    span = math.log(edges[-1] / edges[0])

    def name(value: float, _: int | None) -> str:
        """Nothing where the name would reach over the edge of the drawing."""
        inside = EDGE < math.log(value / edges[0]) / span < 1 - EDGE
        return words.seconds(value) if inside else ""

    axes.xaxis.set_major_formatter(FuncFormatter(name))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelbottom=labelled, length=3)
    axes.tick_params(which="minor", length=0)
    axes.yaxis.set_visible(False)


# ----------------------------------------------------------------------------------------- the SVG


def _figure(height: float) -> Figure:
    figure = Figure((WIDTH, height))
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    return figure


def _colours(number: int) -> list[str]:
    return [SERIES[n % len(SERIES)] for n in range(number)]


def _svg(figure: Figure, name: str, told: str) -> str:
    """The drawing as an element for HTML: colours as variables, ids that begin with ``name``.

    ``told`` says in words what is drawn, for those who can't see it.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    drawn = file.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"\s*<(metadata|style)\b.*?</\1>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' xmlns(:xlink)?="[^"]*"', "", drawn)
    drawn = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", drawn)
    for mark, variable in MARKS.items():
        drawn = drawn.replace(mark, variable)
    head = f'<svg role="img" aria-label="{escape(told)}"'
    return head + drawn[drawn.index(" viewBox") :]
