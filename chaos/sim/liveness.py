"""The last phases of a world in which nothing goes wrong any more: is the daemon really alive?

What was ordered must be done, a stop that is taken away must come back, a process that is killed
must be followed by one that recovers at once, and that does what the one before it had been ordered
to do; and it must trade, be it a fresh process, or one that has lived through the loss of its
connection or the death of an actor.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from chaos.sim.operator import free
from chaos.sim.reaper import ACTORS
from chaos.world.books import Books
from chaos.world.oracle import Violation
from tradebaas.core.messages import ClosePosition, Disarm, Halt, Request
from tradebaas.runtime.crew import Killed

if TYPE_CHECKING:
    from chaos.sim.machine import Process
    from chaos.sim.world import World

LIVE_S = 20.0
HALF_HOUR_S = 1_800
"""Of the exchange's time: thirty candles."""
DAY_MS = 86_400_000
EVENING_MS = 600_000
"""Before midnight; long enough for an entry that is refused, and for one that no longer is."""
PROVOKE_S = 10.0
STIRRING = ("market jumps", "gap through the stop", "gap through the take")
"""What makes trades in a quiet world."""
STOP_BACK = "a stop that was taken away came back"
RESTART_S = 0.1
"""systemd's RestartSec."""
RECOVERY_S = 0.5
"""From the start of a process to reconciled and protected, when nothing is wrong."""
ORDERS: tuple[Request | None, ...] = (
    None,
    Halt(by="operator", reason="the last drill"),
    ClosePosition(reason="the last drill"),
    Disarm(reason="the last drill", close=True),
)
CLOSE_S = 3.0
"""From a reconcile to the end of what has to be closed, when nothing is wrong."""
LOOK_S = 0.1
UNDER_WAY_S = 0.05
"""Longer than what a connection or an actor has sent before its end is on its way."""


async def closes(world: "World") -> bool:
    """Whether all that answered commands close is closed, soon after the last fault or death.

    Only time in which the daemon has read the account counts; when that never comes, others see it.
    """
    left_s = CLOSE_S
    with trio.move_on_after(world.swarm.quiet_s):
        while owed := world.judge.owed():
            if left_s <= 0:
                for violation in owed:
                    world.find(violation)
                return False
            await trio.sleep(LOOK_S)
            left_s -= LOOK_S if reconciled(world) else 0.0
    return True


async def protects(world: "World") -> None:
    """A stop that the owner takes away is back within the limit, now that all is well; and an entry
    that fills meanwhile has one.

    A world in which no entry comes in time has shown nothing here; a batch must have one that has.
    """
    ends = trio.current_time() + PROVOKE_S
    while not await world.nemesis.inflict("owner cancels our stop"):
        if not await _covers(world, "its entry had filled"):
            return
        if trio.current_time() > ends:
            world.timeline.tell("phase", "no stop was there to be taken away")
            return
        await trio.sleep(0.05)
    world.timeline.tell("phase", "a stop was taken away")
    if await _covers(world, "the owner had cancelled it"):
        world.machine.marks[STOP_BACK] += 1


async def _covers(world: "World", since: str) -> bool:
    """Whether our position, if there is one, is covered within the limit."""
    limit_s = world.swarm.naked_limit_s
    with trio.move_on_after(limit_s):
        await until(lambda: not world.judge.uncovered(), 0.01)
        return True
    world.find(Violation("protected", "provoked", f"no stop {limit_s:g} s after {since}"))
    return False


async def recovers(world: "World") -> None:
    """A process that is killed now is followed by one that is soon reconciled and protected.

    It may have been ordered to close, and have answered just before that.
    """
    order = world.rng.choice(ORDERS)
    if order is not None and world.judge.holds():
        await world.operator.command(order)
    killed = world.machine.process
    assert killed is not None
    world.timeline.tell("phase", "killed in a healthy world")
    killed.kill()
    began = trio.current_time()
    with trio.move_on_after(RESTART_S + RECOVERY_S) as limit:
        await until(lambda: reconciled(world, killed) and not world.judge.uncovered(), 0.005)
    if limit.cancelled_caught:
        text = f"a recovery in a healthy world took more than {RECOVERY_S:g} s"
        world.find(Violation("alive", "recovery", f"{text}: {world.described()}"))
    else:
        took = trio.current_time() - began - RESTART_S
        world.timeline.tell("phase", f"recovered within {took:.3f} s")


def reconciled(world: "World", after: "Process | None" = None) -> bool:
    """Whether the process that lives has read the account in full, and is not ``after``."""
    process = world.machine.process
    if process is None or process is after:
        return False
    state = process.lives.board.view.value
    return state is not None and 0 < state.connection == state.reconciled


# ----------------------------------------------------------------------------------------- trading


async def sleeps(world: "World") -> None:
    """Where a day's limits may be used up, the machine is off until the evening: to be refused all
    day long shows nothing more, and costs more than all the rest of the world."""
    off_until_ms = midnight_after(world.now_ms()) - EVENING_MS
    process = world.machine.process
    assert process is not None
    if not world.swarm.waits_for_days or world.now_ms() >= off_until_ms:
        return
    world.timeline.tell("phase", "the machine is off until the evening")
    world.off_until_ms = off_until_ms
    process.kill()
    with trio.move_on_after(DAY_MS / 1000 / world.swarm.rate + world.swarm.quiet_s):
        await until(lambda: reconciled(world, process), 0.5)


def midnight_after(at_ms: int) -> int:
    """The end of the UTC day of ``at_ms``, when a day's limits begin anew."""
    return at_ms - at_ms % DAY_MS + DAY_MS


async def starts(world: "World") -> bool:
    """Whether the operator gets it to be free to trade again, whatever was ordered before."""
    with trio.move_on_after(world.swarm.quiet_s):
        await world.operator.insist(free)
        return True
    world.fail(f"not free to trade {world.swarm.quiet_s:g} s after its recovery", [])
    return False


async def _leave_be(_world: "World") -> str:
    return "a fresh process"


async def _cut(world: "World") -> str:
    for connection in world.network.connections:
        connection.cut()
    return "a process that has lost its connection"


async def _kill_an_actor(world: "World") -> str:
    process, actor = world.machine.process, world.rng.choice(ACTORS)
    assert process is not None
    if process.lives.crew is None:
        return await _cut(world)
    process.lives.kill(actor)
    world.witness.injected(Killed.__name__)
    return f"a process whose {actor} has died"


SHOCKS = (_leave_be, _cut, _cut, _kill_an_actor)


async def trades(world: "World") -> bool:
    """Whether a position whose entry is taken from now on is closed again, whatever was before."""
    who = await world.rng.choice(SHOCKS)(world)
    world.timeline.tell("phase", f"trading: {who}")
    await trio.sleep(UNDER_WAY_S)
    world.judge.look()
    books, swarm = world.judge.books, world.swarm
    line, known = books.n, len(books.our_spans)
    limit_s = LIVE_S + (DAY_MS // 1000 if swarm.waits_for_days else HALF_HOUR_S) / swarm.rate
    began = trio.current_time()
    with trio.move_on_after(limit_s):
        while not _has_traded(books, line, known):
            await world.nemesis.inflict(world.rng.choice(STIRRING))
            await trio.sleep(0.5)
            world.judge.look()
        took = trio.current_time() - began
        world.timeline.tell("phase", f"traded within {took:.1f} s")
        return True
    world.fail(f"no trade within {limit_s:g} s of quiet by {who}", [])
    return False


def _has_traded(books: Books, line: int, known: int) -> bool:
    """Whether one of the positions after the ``known`` ones had its entry after a line."""
    return any(books.ordered.get(span.label, 0) > line for span in books.our_spans[known:])


async def until(done: Callable[[], bool], pause_s: float) -> None:
    """Look every so many virtual seconds until it is done."""
    while True:
        if done():
            return
        await trio.sleep(pause_s)
