"""The last thing that happens in a world: somebody spoils a file while the daemon is down.

Then one of two things must be true. Either the daemon refuses to start, with words that name the
remedy, and the restore that they name brings it up, halted. Or it starts where it had been. What
must never be: that it trades on a log which lost its end, or begins anew as if there had been
nothing. A bit that flipped far back in the log is found by ``tradebaas verify`` and by each backup,
not by a start.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import trio

from chaos.sim import liveness
from chaos.sim.machine import Process
from chaos.world.oracle import Violation
from tradebaas.core.state import State
from tradebaas.errors import StoreFault, Unusable
from tradebaas.store.catalogue import newest_intact
from tradebaas.store.place import Place
from tradebaas.store.restore import restore

if TYPE_CHECKING:
    from chaos.sim.world import World

START_S = 30.0
CLOSED_S = 10.0
REFUSALS = (StoreFault.exit_code, Unusable.exit_code)


async def spoil(world: "World") -> None:
    """Spoil one file and see what the next start makes of it."""
    machine, disk, rng = world.machine, world.disk, world.rng
    place = Place(machine.root, disk.view())
    files = [path for path in (place.db, place.wal, place.head) if _bytes(place, path)]
    path = rng.choice(files)
    if rng.random() < 0.7:
        at = disk.flip(path)
        what = f"a bit of byte {at} of {path.name} flipped"
    else:
        disk.delete(path)
        what = f"{path.name} deleted"
    world.timeline.tell("damage", what)
    before = world.judge.story.state
    process = machine.start()
    state = await _outcome(process)
    if state is None:
        await _refused(world, process, what)
    elif state.seq <= before.seq or state.life != before.life + 1:
        known = f"seq {before.seq} of life {before.life} was known"
        text = f"{what}; it came up at seq {state.seq} in life {state.life}, but {known}"
        world.find(Violation("durable", "damage", text))


def _bytes(place: Place, path: Path) -> int:
    return place.disk.size(path) if place.disk.exists(path) else 0


async def _outcome(process: Process) -> State | None:
    """The state with which the process came up, or None when it has ended."""
    with trio.move_on_after(START_S):
        while process.alive:
            if process.lives.life_up():
                return process.lives.board.view.value
            await trio.sleep(0.05)
    return None


async def _refused(world: "World", process: Process, what: str) -> None:
    world.outcome.marks["refused a damaged store"] += 1
    told = f"{what}; exit {process.exit}: {process.words}"
    advised = "backup" in process.words and process.exit in REFUSALS
    if not advised:
        world.find(Violation("durable", "damage", f"a damaged store was not refused well: {told}"))
        return
    mount = world.disk.mount()
    place = Place(world.machine.root, mount)
    try:
        name = newest_intact(place)
        if name is not None:
            restore(place, name, now_ms=world.machine.wall.now_ms())
    finally:
        mount.kill()
    if name is None:
        return
    state = await _outcome(world.machine.start())
    if state is None or state.halted is None:
        world.find(
            Violation("alive", "restore", f"the restored store did not come up halted: {told}")
        )
        return
    world.outcome.marks["restored from a backup"] += 1
    await _closes(world, what)


async def _closes(world: "World", what: str) -> None:
    """Soon it has closed whatever is ours, though its log may know nothing of it."""
    with trio.move_on_after(CLOSED_S):
        await liveness.until(lambda: _is_done(world), 0.1)
        return
    text = f"{what}; restored and halted, it has not closed what is ours within {CLOSED_S:g} s"
    world.find(Violation("alive", "restore", text))


def _is_done(world: "World") -> bool:
    return liveness.reconciled(world) and not world.judge.holds()
