"""One round: lead the daemon into a state, let a fault strike, bring it back, clear the mess.

What happens in a round is drawn from shuffled decks, so that each kind comes up often and none is
left to luck alone; the seed fixes the draws. What the machine and the market make of them differs
from run to run: the processes are real. Judges nothing but what the fault itself demands.
"""

import time

from chaos.real import nemesis, steer
from chaos.real.driver import Driver
from chaos.real.fault import End, Fault
from chaos.real.scene import Scene
from tradebaas.core.model import Phase
from tradebaas.core.state import State

CLEAN_LIMIT_S = 3.0
UNDISTURBED = (Phase.SIGNAL_DETECTED, Phase.ENTERING_POSITION)
"""States in which a lost connection would undo what the round was led to."""


def play(driver: Driver, fault: Fault, ends: list[End], scene: Scene) -> None:
    """Play one round up to a recovered daemon with a clean account.

    Raises:
        Stuck: something that had to happen did not.
    """
    began, played = time.monotonic(), scene.played
    if fault.steered:
        scene.note(steer.steer(driver, played.target))
    early = scene.owner and driver.rng.random() < 0.5
    if early and played.target not in UNDISTURBED:
        scene.note(nemesis.disturb(driver))
    driver.look()
    scene.begin()
    fault.inject(scene)
    fault.lasting(scene)
    fault.heal(scene)
    played.end = scene.end()
    scene.demand(played.end in ends, "alive", _wrong(played.end, ends))
    steer.relax(driver)
    scene.come_back()
    fault.after(scene)
    if scene.owner and not early:
        scene.note(nemesis.disturb(driver))
    clear(driver, scene)
    scene.finish(fault.kind)
    played.took = time.monotonic() - began


def _wrong(end: End, ends: list[End]) -> str:
    return f"the process ended with {end}, right would be {' or '.join(ends)}"


def clear(driver: Driver, scene: Scene) -> None:
    """Undo the driver's own mess; then nothing may keep the daemon from trading but a halt.

    A protect-only that the mess caused ends with a full read that finds nothing of ours, so the
    position is closed and the connection cut, which makes the daemon read at once.

    Raises:
        Stuck: it stays protect-only or in quarantine.
    """
    if _free(driver.read_store()):
        return
    scene.note(nemesis.clear_mess(driver))
    if not driver.state.protect and driver.try_wait(_free, CLEAN_LIMIT_S):
        return
    steer.flatten(driver)
    driver.admin.call("admin/disconnect")
    driver.wait(_free, "the end of quarantine and protect-only after the mess was cleared")


def _free(state: State) -> bool:
    owners = state.position is not None and not state.position.ours
    return not state.foreign and not state.protect and not owners
