"""A verdict with something in every place, and ones that fail for one reason each."""

import random
from functools import cache

from msgspec.structs import replace

from chaos.report.sample import Sample
from chaos.report.verdict import (
    INVARIANTS,
    STATES,
    Finding,
    Machine,
    Mutant,
    Run,
    Section,
    Skipped,
    Tally,
    Verdict,
    Visits,
)

RUN = Run(
    title="chaos sim",
    command="python -m chaos sim --first 1 --seeds 200",
    unit="seeds",
    trials=200,
    which="1 to 200",
    commit="0123456789ab",
    machine=Machine(python="3.11.7", cores=2, os="Debian GNU/Linux 12", cpu="AMD EPYC"),
    started="2025-11-25 01:20:03 UTC",
    seconds=412.6,
)


@cache
def durations(count: int, middle: float, seed: int = 1) -> Sample:
    rng = random.Random(seed)
    return Sample.of(middle * rng.lognormvariate(0, 0.3) for _ in range(count))


def full(seed: int = 1) -> Tally:
    """Something in every place, and nothing broken."""
    rng = random.Random(seed)
    deaths = {
        state: {kind: rng.randint(200, 900) for kind in ("process", "power cut", "actor")}
        for state in STATES
    }
    return Tally(
        virtual_ms=7_200_000,
        exchange_ms=432_000_000,
        faults={
            "acknowledgement lost": 1204, "power cut": 2391, "disconnect inside a frame": 871,
            "ENOSPC": 93, "EIO on fsync": 41, "two answers for one id": 17,
        },
        skipped=(Skipped("netem delay", "tc: no netem in this kernel"),),
        deaths=deaths,
        recovering={
            state: {"recovery": rng.randint(10, 90), "recovery of the recovery": rng.randint(0, 9)}
            for state in STATES
        },
        recovery={
            "new process": durations(9000, 0.34), "new crew": durations(4000, 0.05, seed=2)
        },
        settle=durations(300, 7.2, seed=3),
        naked={"own": Sample(), "by sabotage": durations(60, 0.9, seed=4)},
        unknown={
            "adopted": 410, "abandoned": 389, "rejected": 12, "not sent": 77, "found": 51, "open": 0
        },
        checked=dict.fromkeys(INVARIANTS, 13_000),
        things={name: {"things": 12_000, "other things": 1_000} for name in INVARIANTS},
        rare={"late fill after cancel": Visits(31), "death inside migration": Visits(4)},
        mutants=(Mutant("no fsync", "Durable", "seed 1", 0.8),),
        sections=(Section("points by kind", ("kind", "points"), (("fsync", "84"),)),),
        figures={"answers kept": 5120, "trades": 830},
    )  # fmt: skip


FINDING = Finding(
    invariant="Once",
    where="seed 71",
    at="1209.4 s",
    text="2 order requests reached the exchange for signal 9f3c",
    evidence=("journal line 71 at 1700000012345: private/buy tb1-aa-6-e 1000 in session 3",),
    replay="python -m chaos sim --seed 71 --trace",
)


def passed() -> Verdict:
    return Verdict(RUN, full())


def broken() -> Verdict:
    """Every way to fail at once."""
    tally = replace(
        full(),
        findings=(FINDING, replace(FINDING, invariant="Protected", where="seed 12", replay="")),
        mutants=(Mutant("no fsync", "Durable", "seed 1", 0.8), Mutant("resend", seconds=3.5)),
        rare={"late fill": Visits(), "archive only": Visits(3), "not asked for": Visits(0, 0)},
        checked={"Once": 7, "Protected": 7, "Bounded": 0},
        things={"Once": {"order requests": 7}, "Protected": {"positions": 7}, "Bounded": {}},
        faults={"order lost": 3, "cancel lost": 0},
    )
    return Verdict(RUN, tally)
