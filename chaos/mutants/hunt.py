"""Hunting one mutant through worlds until something shows it.

Runs in a worker process. The mutant's own worlds come first, from the seed at which it was easy to
find when it was written; when they show nothing, the general ones follow. A world ends as soon as
the faults alone have shown one of the invariants that the mutant must violate; others do not count,
since a mutant that is only seen by its side effects is not understood.
"""

import time
import traceback
from typing import final

from msgspec import Struct

from chaos.mutants import MUTANTS, applied
from chaos.mutants.mutant import Mutant
from chaos.report.verdict import Tally, invariant
from chaos.sim.profiles import SHORT, world
from chaos.sim.tally import tally_of
from chaos.sim.world import play
from chaos.world.oracle import Violation

OWN, OTHERS = 8, 4
"""So many worlds of the mutant's profile are played at most, and then so many general ones."""
UNSEEN = 101
"""The first of the worlds of a survey: none of them was chosen for what it shows."""


@final
class Place(Struct, frozen=True, order=True):
    """A world by its name."""

    profile: str
    seed: int

    def __str__(self) -> str:
        return f"seed {self.seed} of {self.profile}"


@final
class Hunt(Struct, frozen=True):
    """What came of it. ``caught_by`` is an invariant, "" when it survived; ``places`` are all
    worlds that were played, ``shown`` those that show it; ``instead`` is what they showed
    otherwise."""

    name: str
    caught_by: str
    text: str
    places: tuple[Place, ...]
    shown: tuple[Place, ...]
    instead: tuple[str, ...]
    seconds: float


def hunt(mutant: Mutant, own: int = OWN, others: int = OTHERS) -> Hunt:
    """Play worlds with the mutant until one shows it, or there are no more."""
    mine = [Place(mutant.profile, mutant.seed + n) for n in range(own)]
    return _play(mutant, [*mine, *(Place(SHORT, 1 + n) for n in range(others))], enough=1)


def survey(mutant: Mutant, worlds: int) -> Hunt:
    """Play so many worlds of the mutant's profile, whatever they show."""
    return _play(mutant, [Place(mutant.profile, UNSEEN + n) for n in range(worlds)], enough=worlds)


def by_name(name: str, worlds: int) -> Hunt:
    """As ``survey``, or as ``hunt`` when ``worlds`` is 0, of a mutant in the registry."""
    return survey(MUTANTS[name], worlds) if worlds else hunt(MUTANTS[name])


def _play(mutant: Mutant, worlds: list[Place], enough: int) -> Hunt:
    """Play them in their order, until so many have shown it."""
    began = time.monotonic()
    places: list[Place] = []
    shown: dict[Place, tuple[str, str]] = {}
    instead: dict[str, None] = {}
    for place in worlds:
        places.append(place)
        for name, text in _shown(mutant, place):
            if name in mutant.by:
                shown[place] = name, text
                break
            instead[f"{name}: {text}"] = None
        if len(shown) == enough:
            break
    caught_by, text = next(iter(shown.values()), ("", ""))
    took = time.monotonic() - began
    return Hunt(mutant.name, caught_by, text, tuple(places), tuple(shown), tuple(instead), took)


def control(place: Place) -> Tally:
    """What the honest daemon makes of a world: it must hold there, else a catch proves nothing."""
    return tally_of(play(world(place.profile, place.seed)))


def _shown(mutant: Mutant, place: Place) -> list[tuple[str, str]]:
    """(invariant, text) of all that a world with the mutant violates, what it must violate first.

    A mutant may break the harness with it, by a log that nobody could have written; such a world
    shows something, but no invariant.
    """

    def enough(violations: list[Violation]) -> bool:
        return any(invariant(v.check) in mutant.by for v in violations)

    try:
        with applied(mutant):
            outcome = play(world(place.profile, place.seed), enough)
    except Exception as error:  # noqa: BLE001 - told, and counted as nothing
        return [("the harness broke", "".join(traceback.format_exception_only(error)).strip())]
    found = [(invariant(v.check), v.text) for v in outcome.violations]
    return sorted(found, key=lambda pair: pair[0] not in mutant.by)
