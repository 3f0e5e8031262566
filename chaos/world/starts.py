"""Which process a life belongs to, as far as the log and the driver can tell.

The driver notes at each start of a process which life the log ended with; the lives after it are
that process's own, up to the next start. Pure.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from chaos.world.oracle import Witness
from chaos.world.story import Story


def lives_by_start(story: Story, witness: Witness) -> Iterator[tuple[int, str, int]]:
    """Each life in the log, the cause of the death before it, and the start of its process.

    Starts are counted from 0; -1 stands for whatever was before the driver's first one.
    """
    # A power cut may take lives back: of all starts from here on, the one that saw fewest counts.
    lives = (start.life for start in reversed(witness.starts))
    least = [*accumulate(lives, min)][::-1]
    for life, cause in story.causes.items():
        yield life, cause, bisect_left(least, life) - 1


def first_life(story: Story, witness: Witness, number: int) -> int | None:
    """The first life of the process that start ``number`` made; None when it came to none.

    It knows of no death before it; one that does had a forerunner that was never committed.
    """
    after = witness.starts[number].life
    later = witness.starts[number + 1 :]
    last = later[0].life if later else story.state.life
    lives = range(after + 1, last + 1)
    return next((life for life in lives if story.causes.get(life) == ""), None)
