"""The verdict of a campaign: one table for people, one JSON document for programs.

All figures come from the two ledgers and the driver's clock. Naked seconds are exchange time as
the journal stamps it, given in real seconds of the campaign (divided by its speed). Recovery runs
from the kill (process: from the restart) to the committed recovery as the driver sees it, without
the settle of unproven intents, which has a column of its own; the daemon's own figure is beside it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table as RichTable

from chaos.real.kill import SPEED, Outcome
from chaos.real.rounds import Round
from tradebaas.core.model import Phase

Json = dict[str, object]
KINDS = ("process", "actor", "strace")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all values do not exceed; 0 when there is none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-int(share * 100) * len(ordered) // 100) - 1))]


def document(outcome: Outcome) -> Json:
    """Everything that the table shows, as plain values."""
    return {
        "passed": outcome.passed,
        "rounds": len(outcome.rounds),
        "seed": outcome.plan.seed,
        "broken": outcome.plan.broken,
        "seconds": round(outcome.seconds, 1),
        "directory": outcome.home,
        "deaths": _deaths(outcome),
        "too_few_deaths": [str(phase) for phase in outcome.too_few()],
        "strace": f"skipped: {outcome.strace}" if outcome.strace else "used",
        "promises": outcome.promises,
        "published": outcome.shown,
        "orders": _orders(outcome),
        "unknown": _unknown(outcome),
        "naked_seconds": _naked(outcome),
        "recovery_seconds": {kind: _recovery(outcome.rounds, kind) for kind in KINDS[:2]},
        "backoff_seconds": {
            "crew restarts": len(outcome.backoffs),
            "max": max(outcome.backoffs, default=0.0),
        },
        "trades": len(outcome.driver.story.trades) if outcome.driver else 0,
        "violations": [
            {"round": number, "seed": outcome.plan.seed, **asdict(violation)}
            for number, violation in outcome.violations
        ],
    }


def show(outcome: Outcome, console: Console) -> None:
    """Print the table, and each violation with its evidence."""
    told = document(outcome)
    table = RichTable(title=f"kill campaign, seed {outcome.plan.seed}", show_header=False)
    table.add_row("rounds", f"{told['rounds']} in {told['seconds']} s")
    for phase, counts in _deaths(outcome).items():
        table.add_row(f"deaths in {phase}", _words(counts))
    for name in ("strace", "promises", "published", "trades"):
        table.add_row(name, str(told[name]))
    for name in ("orders", "unknown", "backoff_seconds"):
        table.add_row(name.replace("_", " "), _words(told[name]))
    for name in ("naked_seconds", "recovery_seconds"):
        groups = told[name]
        assert isinstance(groups, dict)
        for group, figures in groups.items():
            table.add_row(f"{name.replace('_', ' ')}, {group}", _words(figures))
    few = told["too_few_deaths"]
    if few:
        table.add_row("too few deaths in", ", ".join(map(str, outcome.too_few())))
    table.add_row("violations", str(len(outcome.violations)))
    console.print(table)
    for number, violation in outcome.violations:
        console.print(f"round {number}, seed {outcome.plan.seed}: {violation.check}", style="bold")
        console.print(violation.text, markup=False)
        for line in violation.evidence:
            console.print(f"    {line}", markup=False)
    if not outcome.passed:
        console.print(f"ledgers and logs are kept in {outcome.home}", markup=False)


def _deaths(outcome: Outcome) -> dict[str, dict[str, int]]:
    counted = outcome.deaths()
    recovering = Counter[Phase]()
    if outcome.driver is not None:
        recovering.update(d.phase for d in outcome.driver.story.deaths if d.recovering)
    return {
        str(phase): {
            "all": sum(counted[phase, kind] for kind in KINDS),
            **{kind: counted[phase, kind] for kind in KINDS},
            "during recovery": recovering[phase],
        }
        for phase in Phase
    }


def _orders(outcome: Outcome) -> dict[str, int]:
    if outcome.driver is None:
        return {}
    requests = outcome.driver.books.requests
    ours = [r for r in requests if r.row.label or r.row.method.startswith("private/cancel")]
    return {
        "intended": len(outcome.driver.story.intents),
        "entries at the exchange": sum(r.is_entry for r in ours),
        "reduce-only at the exchange": sum(
            not r.is_entry and r.row.method in ("private/buy", "private/sell") for r in ours
        ),
        "cancels": sum(r.row.method == "private/cancel" for r in ours),
        "refused": sum(r.refused for r in ours),
    }


def _unknown(outcome: Outcome) -> dict[str, int]:
    if outcome.driver is None:
        return {}
    outcomes = Counter(u.outcome or "open" for u in outcome.driver.story.unknowns.values())
    return {"all": sum(outcomes.values()), **dict(sorted(outcomes.items()))}


def _naked(outcome: Outcome) -> dict[str, dict[str, float]]:
    if outcome.driver is None:
        return {}
    stretches = outcome.driver.books.naked
    groups = {
        "own": [_real(n.start_ms, n.end_ms) for n in stretches if not n.sabotage],
        "by sabotage": [_real(n.start_ms, n.end_ms) for n in stretches if n.sabotage],
    }
    return {
        name: {
            "stretches": len(values),
            "p99": round(percentile(values, 0.99), 3),
            "max": round(max(values, default=0.0), 3),
        }
        for name, values in groups.items()
    }


def _real(start_ms: int, end_ms: int | None) -> float:
    return ((end_ms or start_ms) - start_ms) / 1000 / SPEED


def _recovery(rounds: Sequence[Round], kind: str) -> dict[str, float]:
    mine = [r for r in rounds if r.kind == kind]
    figures: dict[str, float] = {"count": len(mine)}
    for name in ("recovery", "own", "settle"):
        values = [float(getattr(r, name)) for r in mine]
        for label, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
            figures[f"{name} {label}"] = round(percentile(values, share), 3)
    return figures


def _words(figures: object) -> str:
    if not isinstance(figures, dict):
        return str(figures)
    return ", ".join(f"{name} {value}" for name, value in figures.items())
