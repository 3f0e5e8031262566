"""Invariant 8, alive: lives end only of what the driver did to their process.

What a life died of is told by the next one of the same process. Each such cause must be owed to a
death that the driver injected into that very process, and each injection pays for one; what the
driver lets happen any number of times while something lasts, it excuses. A process that ends by
itself, and one that takes too long to come back, only the driver can see. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from chaos.world.mark import START, Mark
from chaos.world.oracle import Violation, Witness
from chaos.world.starts import lives_by_start
from chaos.world.story import Story


def alive(story: Story, witness: Witness, since: Mark = START) -> list[Violation]:
    """Lives end only of our kills."""
    return [
        Violation("alive", f"life {life}", f"life {life - 1} died of {cause}, which we did not do")
        for n, (life, cause) in enumerate(_unpaid(story, witness))
        if cause and n >= since.causes
    ]


def never_halted(story: Story, since: Mark = START) -> list[Violation]:
    """Part of invariant 3, known: the daemon never finds what makes it halt itself."""
    return [
        Violation("known", f"halt {seq}", f"the daemon halted itself: {reason}", (f"event {seq}",))
        for seq, reason in story.daemon_halts[since.halts :]
    ]


def _unpaid(story: Story, witness: Witness) -> Iterator[tuple[int, str]]:
    """Each life, with what of the causes before it no injection pays for.

    The first life of a process may tell of a death in the process before: a driver that looks
    only from time to time may have noted too early which life was the last.
    """
    paid: defaultdict[int, Counter[str]] = defaultdict(Counter)
    latest = -1
    for life, cause, number in lives_by_start(story, witness):
        payers = (number,) if number == latest else (number, number - 1)
        latest = number
        parts = [part for part in cause.split(", ") if part]
        unpaid = [part for part in parts if not any(_pays(witness, paid, n, part) for n in payers)]
        yield life, ", ".join(unpaid)


def _pays(witness: Witness, paid: defaultdict[int, Counter[str]], number: int, part: str) -> bool:
    """Whether a start answers for a cause; an injected death does so once."""
    if number < 0:
        return False
    start, kind = witness.starts[number], part.rpartition(" ")[2]
    if part in start.excused:
        return True
    if paid[number][kind] >= start.deaths[kind]:
        return False
    paid[number][kind] += 1
    return True
