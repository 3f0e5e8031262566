"""Part of invariant 1, durable: what an operator has started is armed until an operator stops it.

The log is held against what the driver asked for. Each event after which nothing is armed any more
must be the stop of an answered command; one that nobody was told of is owed to a stop whose answer
never came, asked of the process that wrote it, and each of those pays for one. So it does not
matter that a driver starts again whatever it finds stopped. Pure.
"""

from collections import Counter

from chaos.world.mark import START, Mark
from chaos.world.oracle import Violation, Witness
from chaos.world.starts import lives_by_start
from chaos.world.story import Story

STOPPED = "Disarmed"


def armed(story: Story, witness: Witness, since: Mark = START) -> list[Violation]:
    """Nothing that is armed is so no longer unless an operator has asked for it."""
    answered = _answered(witness)
    unasked = [event for event in story.unarmed[since.unarmed :] if event[0] not in answered]
    if not unasked:
        return []
    process = {life: number for life, _, number in lives_by_start(story, witness)}
    doubts = Counter({number: start.stops for number, start in enumerate(witness.starts)})
    return [
        Violation("durable", f"armed {seq}", f"life {life} is not armed, and nobody had stopped it",
                  (f"event {seq}: {kind}",))
        for seq, life, kind in unasked
        if kind != STOPPED or not _pays(doubts, process[life])
    ]  # fmt: skip


def _answered(witness: Witness) -> set[int]:
    """The events of all answers that say that it was stopped."""
    return {
        seq
        for promise in witness.promises
        for seq, event in enumerate(promise.events, promise.seq - len(promise.events) + 1)
        if event.get("type") == STOPPED
    }


def _pays(doubts: Counter[int], number: int) -> bool:
    """Whether a stop may have been obeyed that a process was asked for, or the one before it: a
    driver that looks only from time to time may have noted too early which life was the last."""
    payer = next((n for n in (number, number - 1) if doubts[n] > 0), None)
    if payer is None:
        return False
    doubts[payer] -= 1
    return True
