"""What a run of the chaos harness says, whichever driver made it.

``Run`` is how it was made, ``Tally`` what was counted and found, ``Verdict`` both. A worker counts
into a tally of its own; ``merge`` adds two, in any grouping, and the empty tally changes nothing.
Pure: no clock, no file. Names are free text, apart from the invariants, which are those of DESIGN
section 7.

One rule holds for everything that a run was meant to do: what is listed and did not happen is a
failure, what is not listed was not asked for. So a command lists each rare situation that it must
visit and each invariant that it must check, from the start, with nothing counted yet.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import reduce

from msgspec import Struct
from msgspec.structs import replace

from chaos.report.sample import Sample, merge_samples

Counts = dict[str, int]
Grid = dict[str, dict[str, int]]

INVARIANTS: dict[str, str] = {
    "Durable": "what was acknowledged is there after any crash or power cut",
    "Once": "at most one entry order per signal reaches the exchange",
    "Known": "after a reconcile everything of ours at the exchange is in the state",
    "Protected": "no position is left without a full stop beyond the limit",
    "Bounded": "no order exceeds the configured size, leverage, loss, rate, price or time",
    "Gated": "no entry without a permit, over an unknown order, or while halted",
    "Fail closed": "nothing is traded without an exchange that answers and a log that commits",
    "Alive": "once the faults stop, the daemon is back and trading",
    "Same": "the fold of the log is the memory and is what the exchange reports",
}
"""The nine by name, in the order of DESIGN section 7, each in words for a reader of the report."""

STATES = (
    *("IDLE", "ANALYZING", "SIGNAL_DETECTED"),
    *("ENTERING_POSITION", "POSITION_OPEN", "CLOSING"),
)
RECOVERY = "recovery"
SECOND_RECOVERY = "recovery of the recovery"
"""The two columns of ``Tally.recovering``."""


def invariant(name: str) -> str:
    """The invariant that a check is called after: "fail closed" gives "Fail closed".

    Raises:
        ValueError: DESIGN section 7 has none of that name.
    """
    found = name.replace("_", " ").capitalize()
    if found not in INVARIANTS:
        raise ValueError(f"{name!r} is no invariant: {', '.join(INVARIANTS)}")
    return found


def held_against(held: Mapping[str, Mapping[str, int]]) -> Grid:
    """What things the checks looked at, by the names of checks, as ``Tally.things`` has it."""
    return {invariant(name): dict(things) for name, things in held.items()}


def sums(grid: Grid) -> Counts:
    """The sum of each row."""
    return {name: sum(row.values()) for name, row in grid.items()}


class Visits(Struct, frozen=True):
    """How often something came, and how often it had to come at least (0: it need not)."""

    times: int = 0
    wanted: int = 1

    @property
    def missing(self) -> bool:
        return self.times < self.wanted


class Skipped(Struct, frozen=True, order=True):
    """A fault that this machine does not permit. It counts as nothing, never as passed."""

    fault: str
    reason: str


class Finding(Struct, frozen=True):
    """A violation: what broke, where (a seed, a round or a point), when, and how to see it again.

    ``at`` is words ("1209.4 s", "journal line 71"); ``replay`` a command line; ``evidence`` rows
    of the ledgers in words.
    """

    invariant: str
    where: str
    text: str
    at: str = ""
    evidence: tuple[str, ...] = ()
    replay: str = ""

    def __post_init__(self) -> None:
        if self.invariant not in INVARIANTS:
            raise ValueError(f"{self.invariant!r} is no invariant")


class Mutant(Struct, frozen=True):
    """A deliberately broken daemon. ``caught_by`` is the invariant that showed it; "": survived.

    It was played in ``worlds``, of which ``shown`` have shown it.
    """

    name: str
    caught_by: str = ""
    where: str = ""
    seconds: float = 0.0
    replay: str = ""
    shown: int = 0
    worlds: int = 0

    @property
    def survived(self) -> bool:
        return not self.caught_by


class Section(Struct, frozen=True):
    """A further table of a command's own; ``rows`` have as many cells as ``columns``."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.title}: a row has not {len(self.columns)} cells")


class Tally(Struct, frozen=True):
    """What was counted and found; two of them merge.

    virtual_ms  how long it was by the daemon's clock, which is the one that its limits are told in
    exchange_ms how long it was by the exchange's clock, which may run many times as fast
    faults      kind -> how often it struck, not how often it was armed; a listed 0 is a failure
    deaths      lifecycle state -> kind ("process", "power cut", "actor") -> number
    recovering  state -> "recovery" or "recovery of the recovery" -> how many of those deaths fell
                into one; each is in ``deaths`` as well
    recovery    group ("new process", "new crew") -> seconds to reconciled and protected, from when
                that became possible: the new start, or the end of what stood in its way
    settle      seconds that recoveries waited for unproven intents, not part of ``recovery``
    naked       group ("own", "by sabotage") -> seconds without a full stop, timed by the
                exchange's journal and told in seconds of the daemon's clock
    unknown     how unknown intents ended ("adopted", "abandoned", ..., "open") -> number
    checked     invariant -> how many things it was held against; a listed 0 is a failure: it was
                never checked
    things      invariant -> what those were, as whoever judged calls them -> number
    rare        situation -> visits; too few are a failure
    figures     whatever else a command counts
    """

    virtual_ms: int = 0
    exchange_ms: int = 0
    faults: Counts = {}
    skipped: tuple[Skipped, ...] = ()
    deaths: Grid = {}
    recovering: Grid = {}
    recovery: dict[str, Sample] = {}
    settle: Sample = Sample()
    naked: dict[str, Sample] = {}
    unknown: Counts = {}
    checked: Counts = {}
    things: Grid = {}
    rare: dict[str, Visits] = {}
    findings: tuple[Finding, ...] = ()
    mutants: tuple[Mutant, ...] = ()
    sections: tuple[Section, ...] = ()
    figures: Counts = {}

    def __post_init__(self) -> None:
        strange = set(self.checked) - set(INVARIANTS)
        if strange:
            raise ValueError(f"no invariants: {', '.join(sorted(strange))}")
        if self.things and sums(self.things) != self.checked:
            raise ValueError(f"{self.checked} is not the sum of {self.things}")

    @property
    def died(self) -> int:
        """How many deaths there were."""
        return total(self.deaths)

    @property
    def recovered(self) -> int:
        """How many recoveries were timed."""
        return sum(sample.count for sample in self.recovery.values())

    @property
    def unstruck(self) -> list[str]:
        """Kinds of fault that had to strike and never did."""
        return [name for name, times in self.faults.items() if not times]

    @property
    def unvisited(self) -> list[str]:
        """Rare situations that had to come and did not come often enough."""
        return [name for name, visits in self.rare.items() if visits.missing]

    @property
    def unchecked(self) -> list[str]:
        """Invariants that had to be judged and never were."""
        return [name for name, times in self.checked.items() if not times]

    @property
    def survivors(self) -> list[Mutant]:
        """Broken daemons that nothing showed to be broken."""
        return [mutant for mutant in self.mutants if mutant.survived]

    def violations(self, name: str) -> int:
        """How many violations of the invariant ``name`` were found."""
        return sum(finding.invariant == name for finding in self.findings)


class Machine(Struct, frozen=True):
    """Where a run was made."""

    python: str = ""
    cores: int = 0
    os: str = ""
    cpu: str = ""


class Run(Struct, frozen=True):
    """How a run was made: ``trials`` of ``unit`` ("seeds", "rounds", "points", "mutants").

    ``which`` names them ("1 to 200", "seed 7"); ``started`` is wall time in words; ``seconds`` is
    real time; ``ended`` says that it was ended early, and how far on.
    """

    title: str
    command: str
    unit: str
    trials: int
    which: str = ""
    commit: str = ""
    machine: Machine = Machine()
    started: str = ""
    seconds: float = 0.0
    ended: str = ""


class Verdict(Struct, frozen=True):
    """A run and what it came to."""

    run: Run
    tally: Tally

    @property
    def failures(self) -> list[str]:
        """Why it did not pass, in words, the worst first; empty when it passed."""
        tally = self.tally
        said = (
            (len(tally.findings), "violation", "violations", ""),
            (len(tally.survivors), "mutant survived", "mutants survived", _names(tally.survivors)),
            (len(tally.unvisited), "required situation not visited",
             "required situations not visited", ", ".join(tally.unvisited)),
            (len(tally.unstruck), "kind of fault never struck",
             "kinds of fault never struck", ", ".join(tally.unstruck)),
            (len(tally.unchecked), "invariant never checked",
             "invariants never checked", ", ".join(tally.unchecked)),
        )  # fmt: skip
        words = [
            f"{number} {one if number == 1 else many}{': ' if names else ''}{names}"
            for number, one, many, names in said
            if number
        ]
        words += [self.unplayed] if self.unplayed else []
        return [*words, self.run.ended] if self.run.ended else words

    @property
    def unplayed(self) -> str:
        """That nothing was run, in words; "" if something was."""
        if self.run.trials:
            return ""
        tally = self.tally
        if tally.skipped and not (tally.faults or tally.findings or self.run.ended):
            return "nothing could be played: this machine permits none of it"
        return f"no {self.run.unit} were run"

    @property
    def passed(self) -> bool:
        """No violation, nothing required left out, no mutant survived, and all of it was run."""
        return not self.failures

    @property
    def virtual(self) -> float:
        """Seconds of the daemon's virtual clock."""
        return self.tally.virtual_ms / 1000

    @property
    def exchange(self) -> float:
        """Seconds of the exchange's clock."""
        return self.tally.exchange_ms / 1000

    @property
    def speed(self) -> float:
        """Virtual seconds of the daemon's per real second; 0 when unknown."""
        return self.virtual / self.run.seconds if self.run.seconds else 0.0

    @property
    def deaths_per_second(self) -> float:
        """Deaths per real second; 0 when unknown."""
        return self.tally.died / self.run.seconds if self.run.seconds else 0.0


# ----------------------------------------------------------------------------------------- merging


def merge(a: Tally, b: Tally) -> Tally:
    """Both tallies as one: numbers are added, lists joined with those of ``a`` first."""
    return Tally(
        virtual_ms=a.virtual_ms + b.virtual_ms,
        exchange_ms=a.exchange_ms + b.exchange_ms,
        faults=_add(a.faults, b.faults),
        skipped=tuple(sorted({*a.skipped, *b.skipped})),
        deaths=_add_grids(a.deaths, b.deaths),
        recovering=_add_grids(a.recovering, b.recovering),
        recovery=_add_samples(a.recovery, b.recovery),
        settle=merge_samples(a.settle, b.settle),
        naked=_add_samples(a.naked, b.naked),
        unknown=_add(a.unknown, b.unknown),
        checked=_add(a.checked, b.checked),
        things=_add_grids(a.things, b.things),
        rare=_add_visits(a.rare, b.rare),
        findings=a.findings + b.findings,
        mutants=a.mutants + b.mutants,
        sections=_join(a.sections, b.sections),
        figures=_add(a.figures, b.figures),
    )


def of_few(tally: Tally) -> Tally:
    """The tally of a trial or of a few, which need not give each invariant something to look at."""
    checked = {name: times for name, times in tally.checked.items() if times}
    things = {name: row for name, row in tally.things.items() if name in checked}
    return replace(tally, checked=checked, things=things)


def merge_all(tallies: Iterable[Tally]) -> Tally:
    """All tallies as one, in their order; the empty tally when there is none."""
    return reduce(merge, tallies, Tally())


def _add(a: Mapping[str, int], b: Mapping[str, int]) -> Counts:
    """Zeros are kept: they say that something was looked for."""
    return {name: a.get(name, 0) + b.get(name, 0) for name in (*a, *b)}


def _add_grids(a: Grid, b: Grid) -> Grid:
    return {name: _add(a.get(name, {}), b.get(name, {})) for name in (*a, *b)}


def _add_samples(a: dict[str, Sample], b: dict[str, Sample]) -> dict[str, Sample]:
    none = Sample()
    return {n: merge_samples(a.get(n, none), b.get(n, none)) for n in (*a, *b)}


def _add_visits(a: dict[str, Visits], b: dict[str, Visits]) -> dict[str, Visits]:
    none = Visits(0, 0)
    pairs = {name: (a.get(name, none), b.get(name, none)) for name in (*a, *b)}
    return {
        name: Visits(x.times + y.times, max(x.wanted, y.wanted)) for name, (x, y) in pairs.items()
    }


def _join(a: tuple[Section, ...], b: tuple[Section, ...]) -> tuple[Section, ...]:
    """Sections of one title and the same columns become one, with the rows of both."""
    joined: dict[tuple[str, tuple[str, ...]], Section] = {}
    for section in (*a, *b):
        key = (section.title, section.columns)
        first = joined.get(key)
        joined[key] = replace(first, rows=first.rows + section.rows) if first else section
    return tuple(joined.values())


def _names(mutants: Iterable[Mutant]) -> str:
    return ", ".join(mutant.name for mutant in mutants)


def total(grid: Grid) -> int:
    """The sum over all rows and columns."""
    return sum(sum(row.values()) for row in grid.values())


def tallied(names: Iterable[str]) -> Counts:
    """How often each name came, the most frequent first."""
    return dict(Counter(names).most_common())
