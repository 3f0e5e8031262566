"""What happens in its turn: by the seed's number and not by chance, when all else is over.

Each of the exchange's faults is provoked in some worlds until it has struck. Most wait for a call
of the daemon's, so it is kept busy; some work on what has to be there first (``BEFORE``). A *drill*
(``DRILLS``) brings about a situation that chance alone brings too seldom.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from chaos.sim.deeds import ARMING_DEEDS, Deed, cut
from chaos.sim.liveness import reconciled, until
from chaos.sim.reaper import ACTORS
from chaos.sim.swarm import CRASH_LOOP, LOST_LONG_AGO, SIGNAL_WAITS
from chaos.world.faults import GROUP_OF
from tradebaas.core.messages import Arm, ClosePosition, Disarm
from tradebaas.core.model import Phase
from tradebaas.core.proof import OLD_MS
from tradebaas.core.state import State
from tradebaas.runtime.crew import Killed

if TYPE_CHECKING:
    from chaos.sim.nemesis import Nemesis

STEPS = 40
"""Half candles that a fault may take to strike."""
TRIES = 8
"""Attempts at a drill: a process may have spent its budget, a day its entries."""
LOST = "order lost, cut"
OFF_MS = OLD_MS + 120_000
"""Of the exchange's time: longer than an order stays in its recent store."""
LONGEST_S = 20.0
"""Until what a drill waits for has come, or is held for impossible in this attempt."""


async def provoke(nemesis: "Nemesis", name: str) -> None:
    """Have a row strike in a world in which nothing else goes wrong."""
    kind, pause_s = f"{GROUP_OF[name]}: {name}", max(0.2, 30.0 / nemesis.world.swarm.rate)
    prepare, before = BEFORE.get(name, _care), nemesis.deeds[kind]
    for stirring in nemesis.rng.choices(STIRRING, k=STEPS):
        await prepare(nemesis)
        done = await nemesis.inflict(name)
        if done and name not in ARMING_DEEDS:
            nemesis.counting(GROUP_OF[name], name)()
        nemesis.world.timeline.tell(kind, f"in its turn: {done}")
        await stirring(nemesis)
        await trio.sleep(pause_s)
        if nemesis.deeds[kind] > before:
            return


# ------------------------------------------------------------------------- what has to be there


async def _care(nemesis: "Nemesis") -> None:
    """It trades, so it calls the exchange."""
    await nemesis.world.operator.care()


async def _stopped_and_flat(nemesis: "Nemesis") -> None:
    """Nothing of ours is there or may come."""
    await nemesis.world.operator.try_command(Disarm(reason="for its turn", close=True))
    await _until(nemesis, lambda state: state.phase is Phase.IDLE and state.position is None)


async def _open(nemesis: "Nemesis") -> None:
    """A position of ours is open."""
    await _care(nemesis)
    await _until(nemesis, lambda state: state.phase is Phase.POSITION_OPEN)


async def _read_soon(nemesis: "Nemesis") -> None:
    """A position of ours is open, and the account is about to be read."""
    await _open(nemesis)
    await cut(nemesis)


async def _owners_order(nemesis: "Nemesis") -> None:
    """An order of the owner's is in the book."""
    await nemesis.inflict("owner's resting order")


async def _dry(nemesis: "Nemesis") -> None:
    """There is little in the book."""
    await nemesis.inflict("thin book")


BEFORE: dict[str, Callable[["Nemesis"], Awaitable[None]]] = {
    "owner opens": _stopped_and_flat,
    "owner cancels the owner's order": _owners_order,
    "liquidity returns": _dry,
    "no stop is taken": _open,
    "fill races a read": _read_soon,
    "part fill races a read": _read_soon,
}


# ------------------------------------------------------------------- what keeps the daemon busy


async def _close(nemesis: "Nemesis") -> str:
    """What the daemon cancels are mostly the legs of a position that it was told to close."""
    await nemesis.world.operator.try_command(ClosePosition(reason="for its cancels"))
    return "close"


async def _wait(_nemesis: "Nemesis") -> str:
    return "nothing"


async def _gap(nemesis: "Nemesis") -> str:
    name = nemesis.rng.choice(("gap through the stop", "gap through the take"))
    return await nemesis.inflict(name)


STIRRING: tuple[Deed, ...] = (_wait, _wait, _gap, _close, cut)
"""What has the daemon call the exchange, in a world in which nothing else happens."""


# ---------------------------------------------------------------------------------------- drills


async def drill(nemesis: "Nemesis", name: str) -> None:
    """Bring a situation about, with as many attempts as it takes."""
    for _ in range(TRIES):
        done = await DRILLS[name](nemesis)
        nemesis.world.timeline.tell(f"drill: {name}", done or "not in this attempt")
        if done:
            break
    await nemesis.calm()


async def _crash_loop(nemesis: "Nemesis") -> str:
    """The same actor dies once more, soon after its start, as of poison in its food."""
    world = nemesis.world
    actor = ACTORS[world.swarm.seed % len(ACTORS)]
    await _until(nemesis, lambda state: 0 < state.connection == state.reconciled)
    process = world.machine.process
    if process is None or not process.alive or process.lives.crew is None:
        return ""
    lost = process.deaths
    process.lives.kill(actor)
    world.witness.injected(Killed.__name__)
    with trio.move_on_after(LONGEST_S):
        await until(lambda: process.deaths > lost or not process.alive, 0.01)
        await until(lambda: process.lives.life_up() or not process.alive, 0.01)
    state = process.lives.board.view.value
    return f"of its {actor}" if state is not None and "crash loop" in state.protect else ""


async def _signal_waits(nemesis: "Nemesis") -> str:
    """Started on a new candle without a connection, so the signal waits; and there it dies."""
    world, died = nemesis.world, len(nemesis.world.reaper.deaths)
    await _stopped_and_flat(nemesis)
    await trio.sleep(1.5 * 60.0 / world.swarm.rate)
    world.network.reachable = False
    await cut(nemesis)
    await trio.sleep(0.05)
    await world.operator.try_command(Arm(assignment=world.swarm.assignment()))
    waits = await _until(nemesis, lambda state: state.phase is Phase.SIGNAL_DETECTED)
    if waits:
        world.reaper.strike_in(Phase.SIGNAL_DETECTED)
        with trio.move_on_after(LONGEST_S):
            await until(lambda: len(world.reaper.deaths) > died, 0.01)
    world.network.reachable = True
    return "a signal waited" if len(world.reaper.deaths) > died else ""


async def _lost_long_ago(nemesis: "Nemesis") -> str:
    """An order never arrives, and the machine is off until such an order would be in the archive:
    whether it is there is only told by two looks, some time apart."""
    world, kind = nemesis.world, f"{GROUP_OF[LOST]}: {LOST}"
    before = nemesis.deeds[kind]
    await _stopped_and_flat(nemesis)  # else the next order may take as long as a position lasts
    await _care(nemesis)
    await nemesis.inflict(LOST)
    with trio.move_on_after(LONGEST_S):
        await until(lambda: nemesis.deeds[kind] > before, 0.001)
    process, lost = world.machine.process, set(nemesis.pending())
    if process is None or not lost:
        return ""
    process.kill()
    world.off_until_ms = world.now_ms() + OFF_MS
    with trio.move_on_after(OFF_MS / 1000 / world.swarm.rate + LONGEST_S):
        await until(lambda: world.machine.process is not process, 0.25)
        await until(lambda: reconciled(world) and not nemesis.pending(), 0.05)
    world.judge.read()
    looks = [world.judge.story.absences[o][1] for o in lost & world.judge.story.absences.keys()]
    return "absent by two looks" if any(look.first_read_ms for look in looks) else ""


DRILLS: dict[str, Deed] = {
    CRASH_LOOP: _crash_loop,
    SIGNAL_WAITS: _signal_waits,
    LOST_LONG_AGO: _lost_long_ago,
}


async def _until(nemesis: "Nemesis", wanted: Callable[[State], bool]) -> bool:
    """Whether the daemon shows such a state in time."""
    with trio.move_on_after(LONGEST_S):
        await nemesis.world.operator.wait(wanted)
        return True
    return False
