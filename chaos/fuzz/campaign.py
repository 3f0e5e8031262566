"""Many spoilt frames on all cores, and what became of them.

The frames of a batch follow from the seed and the batch's number alone, so a crash is seen again
with one command, whatever the number of cores.
"""

import json
import random
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct

from chaos.cores import cores, in_order
from chaos.fuzz.mutate import spoilt
from chaos.fuzz.reader import read, state_with_a_position
from chaos.report.verdict import Finding, Section, Tally

BATCH = 10_000
SAMPLES = Path(__file__).with_name("samples.jsonl")
TELL_EVERY = 10
MAX_SHOWN = 20
"""So many crashes are told; a fault that every frame shows need not be told a million times."""

Say = Callable[[str], None]


class Crash(Struct, frozen=True):
    """A frame that ended a life, how it was spoilt, and the exception's own last words."""

    batch: int
    how: str
    frame: str
    words: str


class Counted(Struct, frozen=True):
    """Of one batch: frames by the last way they were spoilt in and by what became of them."""

    ends: dict[tuple[str, str], int]
    crashes: tuple[Crash, ...]


def frames() -> tuple[str, ...]:
    """What the exchange says to us, of the book of samples; what it tells unasked comes oftener."""
    lines = [(line, json.loads(line)) for line in SAMPLES.read_text("utf-8").splitlines()]
    answers = tuple(line for line, parts in lines if "method" not in parts)
    told = tuple(line for line, parts in lines if parts.get("method") == "subscription")
    beats = tuple(line for line, parts in lines if parts.get("method") == "heartbeat")
    return answers + beats + told * (2 * len(answers) // len(told))


def batch(number: int, seed: int) -> Counted:
    """Spoil and read ``BATCH`` frames."""
    rng, samples, state = random.Random(f"{seed}/{number}"), frames(), state_with_a_position()
    ends: Counter[tuple[str, str]] = Counter()
    crashes: list[Crash] = []
    for _ in range(BATCH):
        ways, frame = spoilt(rng, samples)
        try:
            ends[ways[-1], read(frame, state)] += 1
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            words = "".join(traceback.format_exception(error)[-3:])
            ends[ways[-1], "CRASHED"] += 1
            crashes.append(Crash(number, ", ".join(ways), repr(frame[:2_000]), words))
    return Counted(ends=dict(ends), crashes=tuple(crashes[:MAX_SHOWN]))


def run(count: int, seed: int, first: int, say: Say) -> Tally:
    """Spoil and read ``count`` frames, rounded up to whole batches."""
    batches = range(first, first + -(-count // BATCH))
    ends: Counter[tuple[str, str]] = Counter()
    crashes: list[Crash] = []
    with cores() as pool:
        for done, (_, counted) in enumerate(in_order(pool, partial(batch, seed=seed), batches), 1):
            ends.update(counted.ends)
            crashes += counted.crashes
            if done % TELL_EVERY == 0 or done == len(batches):
                say(f"{done * BATCH:,} of {len(batches) * BATCH:,} frames, {len(crashes)} crashes")
    return tally_of(ends, crashes[:MAX_SHOWN], seed)


def tally_of(ends: "Counter[tuple[str, str]]", crashes: list[Crash], seed: int) -> Tally:
    """The verdict's part: each crash is a life that the exchange could end at will."""
    fates = sorted({fate for _, fate in ends})
    ways = sorted({how for how, _ in ends})
    rows = tuple((how, *(f"{ends[how, fate]:,}" for fate in fates)) for how in ways)
    return Tally(
        checked={"Alive": ends.total()},
        things={"Alive": {"spoilt frames": ends.total()}},
        findings=tuple(
            Finding(
                invariant="Alive",
                where=f"batch {crash.batch}, {crash.how}",
                text=f"a frame ends the life: {crash.frame}",
                evidence=(crash.words,),
                replay=f"python -m chaos fuzz --frames {BATCH} --seed {seed} --first {crash.batch}",
            )
            for crash in crashes
        ),
        sections=(Section("frames, by how they were spoilt last", ("spoilt", *fates), rows),),
        figures={"frames": ends.total()},
    )
