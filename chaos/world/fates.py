"""What becomes of changes that were not synced: the dice of a power cut, and of a failed sync."""

from random import Random

from chaos.world.inodes import Fate, Judge


def draw_fates(random: Random, oldest: int, newest: int) -> Judge:
    """How a power cut treats what was not synced: nothing is kept, or all, or what came before
    some moment, or any of it."""
    mood = random.randrange(6)
    if mood == 0:
        return lambda _: "lost"
    if mood == 1:
        return lambda _: "kept"
    if mood == 2:
        moment = random.randint(oldest, newest)
        return lambda serial: _before(serial, moment)
    keep = (0.1, 0.5, 0.9)[mood - 3]
    return lambda _: _any_of_it(random, keep)


def _before(serial: int, moment: int) -> Fate:
    if serial == moment:
        return "torn"
    return "kept" if serial < moment else "lost"


def _any_of_it(random: Random, keep: float) -> Fate:
    roll = random.random()
    if roll < 0.15:
        return "torn"
    if roll < 0.25:
        return "grown"
    return "kept" if random.random() < keep else "lost"
