"""Many worlds on all cores, and one verdict over them.

Workers are processes; each plays whole worlds and hands back a tally. What is merged does not
depend on which worker played which seed, nor on the order in which they finished.
"""

import time
import traceback
from collections.abc import Callable, Collection, Iterable
from functools import partial

from chaos.cores import cores, in_order
from chaos.report.verdict import Tally, merge
from chaos.sim.swarm import Swarm
from chaos.sim.tally import tally_of
from chaos.sim.world import play

Say = Callable[[str], None]
Drawn = Callable[[int], Swarm]
Names = Collection[str]


def run(
    seeds: Iterable[int], world: Drawn, say: Say, wanted: Names = (), striking: Names = ()
) -> Tally:
    """Play the worlds of ``seeds``, of which ``tally_of`` requires the rest.

    ``world`` draws one from its seed; workers are told of it, so it must be a function of a module.
    """
    total, began = Tally(), time.monotonic()
    seeds = list(seeds)
    one = partial(_one, world=world, wanted=wanted, striking=striking)
    with cores() as pool:
        for number, (seed, tally) in enumerate(in_order(pool, one, seeds), 1):
            total = merge(total, tally)
            for finding in tally.findings:
                say(f"seed {seed}: {finding.invariant}: {finding.text[:300]}")
            if number % 20 == 0 or number == len(seeds):
                passed = time.monotonic() - began
                say(
                    f"{number} of {len(seeds)} seeds, {total.died} deaths, "
                    f"{len(total.findings)} violations, {passed:.0f} s"
                )
    return total


class WorldBroke(Exception):
    """The harness itself failed in a world: a bug in it, never a verdict."""


def _one(seed: int, world: Drawn, wanted: Names, striking: Names) -> Tally:
    try:
        return tally_of(play(world(seed)), wanted, striking)
    except Exception as error:  # noqa: BLE001 - told and raised again
        # Not every exception survives the way between processes; its words do.
        raise WorldBroke(f"seed {seed}:\n{''.join(traceback.format_exception(error))}") from None
