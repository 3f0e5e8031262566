"""The verdict as one HTML file that needs nothing else: no script, no font, no network.

The verdict comes first, then the figures, the plots, the tables, and the violations with their
evidence. ``page.html`` is the template and ``page.css`` its look, for a phone as for a wide screen,
in light and dark as the reader's system says. All text is escaped by the template.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from chaos.report import plots, words
from chaos.report.listings import Listing, invariants, listings, recoveries
from chaos.report.verdict import Tally, Verdict, total

HERE = Path(__file__).parent
MEASURE = re.compile(r"(?<=\d) (?=(?:µs|ms|s|min|h|d)\b)")
"""The space between a figure and the unit of time that ``words.seconds`` gives it."""


class Card(Struct, frozen=True):
    """A figure that stands for itself: what it is, its value, and a remark."""

    name: str
    value: str
    remark: str = ""
    tone: str = ""


class Plot(Struct, frozen=True):
    """A drawing with its title and a line that says how to read it."""

    title: str
    reading: str
    drawing: str


def encode(verdict: Verdict) -> bytes:
    """The page, in UTF-8."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["unbroken"] = unbroken
    told = words.told(verdict).partition(": ")[2]
    page = environment.get_template("page.html").render(
        run=verdict.run,
        tally=verdict.tally,
        passed=verdict.passed,
        told=told,
        failures=verdict.failures,
        cards=list(_cards(verdict)),
        plots=[plot for plot in _plots(verdict) if plot.drawing],
        invariants=invariants(verdict.tally),
        listings=_tables(verdict.tally),
        made=words.made(verdict.run),
        paces=words.paces(verdict),
        style=Markup(HERE.joinpath("page.css").read_text("utf-8")),
        drawn=Markup,
    )
    return page.encode()


def unbroken(text: str) -> str:
    """``text``, in which no line breaks between a figure and its unit."""
    return MEASURE.sub("\N{NO-BREAK SPACE}", text)


def _tables(tally: Tally) -> list[Listing]:
    """Those of the console, except the invariants, which the page has at its head."""
    return [listing for listing in listings(tally) if listing.title != "invariants"]


# --------------------------------------------------------------------------------------- the cards


def _cards(verdict: Verdict) -> Iterator[Card]:
    """What there is to say about this run; a card that does not apply is left out."""
    tally = verdict.tally
    broken = len(tally.findings)
    checked = words.number(sum(tally.checked.values()))
    tone = "bad" if broken else "good"
    yield Card("Violations", words.number(broken), f"among {checked} things judged", tone)
    for applies, card in _FURTHER:
        if applies(verdict):
            yield card(verdict)


def _deaths(verdict: Verdict) -> Card:
    during = total(verdict.tally.recovering)
    remark = f"{words.number(during)} of them during a recovery" if during else ""
    return Card("Deaths", words.number(verdict.tally.died), remark)


def _pace(verdict: Verdict) -> Card:
    speed = f"{words.number(verdict.speed)} times real time"
    remark = f"{speed}; {words.seconds(verdict.exchange)} of the exchange's time"
    return Card("The daemon's virtual time", words.seconds(verdict.virtual), remark)


def _recovery(verdict: Verdict) -> Card:
    slowest = max(sample.max for sample in verdict.tally.recovery.values())
    count = words.number(verdict.tally.recovered)
    return Card("Slowest recovery", words.seconds(slowest), f"of {count}")


def _naked(verdict: Verdict) -> Card:
    """The longest of each group: what a driver brought about says nothing about the daemon."""
    naked = verdict.tally.naked
    longest = max((sample.max for sample in naked.values()), default=0.0)
    groups = [
        f"{name}: {words.seconds(sample.max)} of {words.number(sample.count)}"
        if sample.count
        else f"{name}: none"
        for name, sample in naked.items()
    ]
    remark = f"without a full stop, in seconds of the daemon's clock; {'; '.join(groups)}"
    return Card("Longest naked", words.seconds(longest), remark)


def _unknown(verdict: Verdict) -> Card:
    unknown = verdict.tally.unknown
    remark = f"{words.number(unknown.get('open', 0))} still open at the end"
    return Card("Unknown intents", words.number(sum(unknown.values())), remark)


def _rare(verdict: Verdict) -> Card:
    wanted = [visits for visits in verdict.tally.rare.values() if visits.wanted]
    visited = sum(not visits.missing for visits in wanted)
    tone = "bad" if visited < len(wanted) else ""
    return Card("Rare situations", f"{visited} of {len(wanted)}", "required ones visited", tone)


def _mutants(verdict: Verdict) -> Card:
    mutants, survivors = verdict.tally.mutants, verdict.tally.survivors
    tone = "bad" if survivors else ""
    caught = f"{len(mutants) - len(survivors)} of {len(mutants)}"
    return Card("Mutants caught", caught, "daemons broken on purpose", tone)


_FURTHER: tuple[tuple[Callable[[Verdict], bool], Callable[[Verdict], Card]], ...] = (
    (lambda v: v.tally.died > 0, _deaths),
    (lambda v: v.tally.virtual_ms > 0, _pace),
    (lambda v: v.tally.recovered > 0, _recovery),
    (lambda v: bool(v.tally.naked), _naked),
    (lambda v: bool(v.tally.unknown), _unknown),
    (lambda v: any(visits.wanted for visits in v.tally.rare.values()), _rare),
    (lambda v: bool(v.tally.mutants), _mutants),
)


# --------------------------------------------------------------------------------------- the plots


def _plots(verdict: Verdict) -> Iterator[Plot]:
    tally = verdict.tally
    yield Plot(
        "Time to recover",
        "From death to reconciled and protected. Lines mark p50, p95 and the longest.",
        plots.distribution("recovery", recoveries(tally)),
    )
    kinds = words.kinds(tally)
    deaths = {state: tally.deaths.get(state, {}) for state in words.states(tally)}
    drawn = plots.stacked("deaths", deaths, kinds) if tally.died else ""
    yield Plot("Deaths by lifecycle state", "Where the daemon was when it died, and how.", drawn)
    faults = plots.bars("faults", tally.faults) if tally.faults else ""
    yield Plot("Faults that struck", "What was only armed is not counted.", faults)
    unknown = plots.bars("unknown", tally.unknown) if tally.unknown else ""
    yield Plot("Unknown intents", "How orders without a known outcome ended.", unknown)
    naked = plots.distribution("naked", tally.naked)
    reading = "Timed by the exchange's journal, in seconds of the daemon's clock."
    yield Plot("Without a full stop", reading, naked)
