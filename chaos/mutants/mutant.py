"""What a mutant is: one deliberate mistake, and what has to show it.

    breaks    what is broken, as a reviewer would write it
    costs     how that loses money, or loses track of it
    by        the invariants of DESIGN section 7 of which one must be violated; others do not count
    needs     the fault of the world without which nobody would ever see it
    profile   the worlds that give that fault a fair chance (``chaos.sim.profiles``)
    seed      the first of them to play: one that showed it when the mutant was written

A mutant whose mistake changes nothing is worthless; one that stops the daemon from starting is
nearly so. What is wanted is the mistake that a careful person makes and that tests with a friendly
exchange pass.
"""

from collections.abc import Callable

from msgspec import Struct

from chaos.mutants.patch import Patch
from chaos.report.verdict import invariant

Apply = Callable[[Patch], None]


class Mutant(Struct, frozen=True, kw_only=True):
    """One broken daemon; ``apply`` breaks the program in this process."""

    name: str
    breaks: str
    costs: str
    by: tuple[str, ...]
    needs: str
    profile: str
    seed: int
    apply: Apply

    def __post_init__(self) -> None:
        if self.by != tuple(map(invariant, self.by)) or not self.by:
            raise ValueError(f"{self.name}: {self.by!r} are not invariants by name")


def mutant(
    name: str,
    *,
    breaks: str,
    costs: str,
    by: str,
    needs: str,
    profile: str = "deaths",
    seed: int = 1,
) -> Callable[[Apply], Mutant]:
    """Make a mutant of the function that applies it; ``by`` may name several, with commas."""

    def make(apply: Apply) -> Mutant:
        return Mutant(
            name=name,
            breaks=breaks,
            costs=costs,
            by=tuple(by.split(", ")),
            needs=needs,
            profile=profile,
            seed=seed,
            apply=apply,
        )

    return make
