"""How figures are put into words, the same in the table and on the page."""

from collections.abc import Iterable

from chaos.report.verdict import STATES, Run, Tally, Verdict

KINDS = ("process", "power cut", "actor")
"""The kinds of death that come first; others follow as they came."""


def seconds(value: float) -> str:
    """A duration with its unit, to about three digits: "340 ms", "1.21 s", "3 min 20 s"."""
    if value == 0:
        return "0 s"
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    if value < 0.9995:
        return f"{_short(value * 1000)} ms"
    if value < 120:
        return f"{_short(value)} s"
    return _long(round(value))


def _short(value: float) -> str:
    places = 2 if value < 9.995 else 1 if value < 99.95 else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def _long(value: int) -> str:
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    parts = []
    for size, name in units:
        amount, value = divmod(value, size)
        if amount:
            parts.append(f"{amount} {name}")
    return " ".join(parts[:2])


def number(value: float) -> str:
    """A count, with thousands apart: "12,000"; small broken numbers keep two digits."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"


def told(verdict: Verdict) -> str:
    """The verdict in one line."""
    if verdict.passed:
        run, died = verdict.run, verdict.tally.died
        deaths = f"{number(died)} deaths, " if died else ""
        return f"PASSED: {number(run.trials)} {run.unit}, {deaths}0 violations"
    return "FAILED: " + "; ".join(verdict.failures)


def made(run: Run) -> list[tuple[str, str]]:
    """How the run was made, by rows; what is not known is left out."""
    machine = run.machine
    where = [
        machine.cpu,
        f"{machine.cores} cores" if machine.cores else "",
        machine.os,
        f"Python {machine.python}" if machine.python else "",
    ]
    rows = [
        ("command", run.command),
        ("commit", run.commit),
        ("machine", ", ".join(filter(None, where))),
        ("started", run.started),
        (run.unit, f"{number(run.trials)}{f' ({run.which})' if run.which else ''}"),
    ]
    return [row for row in rows if row[1]]


def paces(verdict: Verdict) -> list[tuple[str, str]]:
    """How much was done how fast, by rows; what does not apply is left out."""
    tally, real = verdict.tally, verdict.run.seconds
    rows = [("real time", seconds(real) if real else "")]
    if tally.virtual_ms:
        rows += [
            ("the daemon's virtual time", seconds(verdict.virtual)),
            ("the exchange's time", seconds(verdict.exchange)),
            ("virtual seconds per second", number(verdict.speed) if real else ""),
        ]
    rows += [
        ("deaths", number(tally.died)),
        ("deaths per second", number(verdict.deaths_per_second) if real else ""),
        ("recoveries", number(tally.recovered)),
    ]
    return [row for row in [*rows, *((n, number(v)) for n, v in tally.figures.items())] if row[1]]


def ordered(names: Iterable[str], first: Iterable[str]) -> list[str]:
    """All names once: those of ``first`` that are there, then the others as they came."""
    there = dict.fromkeys(names)
    known = [name for name in first if name in there]
    return [*known, *(name for name in there if name not in known)]


def kinds(tally: Tally) -> list[str]:
    """The kinds of death that came, in their order."""
    return ordered((kind for row in tally.deaths.values() for kind in row), KINDS)


def states(tally: Tally) -> list[str]:
    """The six lifecycle states, and whatever else deaths were counted under."""
    return ordered((*STATES, *tally.deaths), STATES)
