"""What a nemesis does to a world, as tables: kind -> name -> deed.

A deed changes the world at once, or for a while that it waits for, and says what it did; "" when
there was nothing to do it to. All chance comes from the nemesis's generator. Never judges.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import trio

from chaos.sim.liveness import until
from chaos.sim.wire import Weather
from chaos.world.faults import ARMING, GROUPS
from chaos.world.storage import FaultKind
from tradebaas.core.messages import Arm, Disarm
from tradebaas.core.model import Phase
from tradebaas.core.owners import STANDS_MS
from tradebaas.core.state import State

if TYPE_CHECKING:
    from chaos.sim.nemesis import Nemesis

Deed = Callable[["Nemesis"], Awaitable[str]]
DISK_FULL = "persister DiskFull"
"""What a life may die of while the disk is full, with the ballast gone as well."""
LONGEST_WATCH_S = 5.0
STORM = Weather(latency_s=0.02, tail=0.3, tail_s=0.5, split=0.5)


# ----------------------------------------------------------------------------------------- network


async def cut(nemesis: "Nemesis") -> str:
    connections = nemesis.world.network.connections
    for connection in connections:
        connection.cut()
    return f"{len(connections)} connections"


async def _silence(nemesis: "Nemesis") -> str:
    """Half-open: one direction, or both, swallow everything."""
    up, down = nemesis.rng.choice(((True, False), (False, True), (True, True)))
    connections = nemesis.world.network.connections
    for connection in connections:
        connection.go_silent(up=up, down=down)
    return f"up {up} down {down}" if connections else ""


async def _unreachable(nemesis: "Nemesis") -> str:
    seconds = nemesis.rng.uniform(0.1, 8.0)
    network = nemesis.world.network
    network.reachable = False
    await trio.sleep(seconds)
    network.reachable = True
    return f"{seconds:.3f} s"


async def _storm(nemesis: "Nemesis") -> str:
    seconds = nemesis.rng.uniform(0.5, 5.0)
    network = nemesis.world.network
    before, network.weather = network.weather, STORM
    await trio.sleep(seconds)
    network.weather = before
    return f"{seconds:.3f} s"


async def _slow_reader(nemesis: "Nemesis") -> str:
    """Somebody stops reading: what is written waits, and so does whoever writes more."""
    up = nemesis.rng.random() < 0.6
    seconds = nemesis.rng.uniform(0.1, 8.0)
    pipes = [c.up if up else c.down for c in nemesis.world.network.connections]
    for pipe in pipes:
        pipe.stall()
    await trio.sleep(seconds)
    for pipe in pipes:
        pipe.flow()
    return f"{'up' if up else 'down'} {seconds:.3f} s" if pipes else ""


async def _late_news(nemesis: "Nemesis") -> str:
    """A leg fills while the account is read after a cut; the store and the channel tell it late."""
    with trio.move_on_after(LONGEST_WATCH_S):
        await nemesis.position_is_open()
    nemesis.world.carrier.slow = "user.changes."
    try:
        await nemesis.inflict("recent store lags")
        done = await nemesis.inflict(
            nemesis.rng.choice(("fill races a read", "part fill races a read"))
        )
        await cut(nemesis)
        await trio.sleep(3.0)
    finally:
        nemesis.world.carrier.slow = ""
    return done


ENTRY_TOLD_LATE = ("thin book", "order answered late", "orders before their trades")


async def _late_entry(nemesis: "Nemesis") -> str:
    """An entry fills in part, and the end of its order is told before its fills."""
    done = [await nemesis.inflict(row) for row in ENTRY_TOLD_LATE]
    return "; ".join(filter(None, done))


NETWORK: dict[str, Deed] = {
    "cut": cut,
    "slow reader": _slow_reader,
    "late news of a fill": _late_news,
    "late news of an entry": _late_entry,
    "silence": _silence,
    "unreachable": _unreachable,
    "storm": _storm,
}


# ---------------------------------------------------------------------------------------- exchange


async def _exchange_dies(nemesis: "Nemesis") -> str:
    exchange = nemesis.world.exchange
    if not exchange.running():
        return ""
    seconds = nemesis.rng.choice((0.0, 0.3, 2.0, 10.0))
    exchange.kill()
    await trio.sleep(seconds)
    if not exchange.running():
        await exchange.start(nemesis.world.machine.nursery)
    return f"down for {seconds} s"


EXCHANGE_DEATH: dict[str, Deed] = {"killed": _exchange_dies}


def _rows(group: str) -> dict[str, Deed]:
    """The exchange's own faults of one group as deeds."""

    def deed(name: str) -> Deed:
        return lambda nemesis: nemesis.inflict(name)

    return {name: deed(name) for name in GROUPS[group]}


# -------------------------------------------------------------------------------------------- disk


async def _sync_fails(nemesis: "Nemesis") -> str:
    return _arm_io_error(nemesis, "sync", "sync fails")


async def _write_fails(nemesis: "Nemesis") -> str:
    return _arm_io_error(nemesis, "write", "write fails")


async def _read_fails(nemesis: "Nemesis") -> str:
    return _arm_io_error(nemesis, "read", "read fails")


async def _read_comes_short(nemesis: "Nemesis") -> str:
    return _arm_io_error(nemesis, "short read", "read comes short")


def _arm_io_error(nemesis: "Nemesis", kind: FaultKind, name: str) -> str:
    """The n-th such operation from now fails; whoever meets that may exit with 75."""
    nth = nemesis.rng.randint(1, 12)
    nemesis.world.disk.arm(kind, nth=nth, struck=nemesis.counting("disk", name))
    return f"the next {kind} but {nth - 1}"


async def _slow(nemesis: "Nemesis") -> str:
    seconds = nemesis.rng.uniform(0.5, 3.0)
    nemesis.world.disk.arm(
        "slow sync", chance=0.3, seconds=nemesis.rng.choice((0.05, 0.5, 2.0)),
        struck=nemesis.counting("disk", "slow"),
    )  # fmt: skip
    await trio.sleep(seconds)
    nemesis.world.disk.arm("slow sync")
    return f"{seconds:.3f} s"


async def _full(nemesis: "Nemesis") -> str:
    """Nothing but a few blocks is free for a while; the ballast is the daemon's own reserve."""
    disk, seconds = nemesis.world.disk, nemesis.rng.uniform(0.5, 12.0)
    nemesis.world.witness.excuse(DISK_FULL)
    disk.capacity = disk.used() + nemesis.rng.choice((0, 4096, 65_536))
    before = disk.refusals
    await trio.sleep(seconds)
    disk.capacity = None
    _count_refusals(nemesis, "full", before)
    return f"{seconds:.3f} s"


async def _read_only(nemesis: "Nemesis") -> str:
    disk, seconds = nemesis.world.disk, nemesis.rng.uniform(0.1, 2.0)
    disk.read_only, before = True, disk.refusals
    outage = nemesis.world.operator.note_outage()
    try:
        await trio.sleep(seconds)
    finally:
        disk.read_only = False
        outage.last_n = nemesis.world.operator.journal_n()
    _count_refusals(nemesis, "read only", before)
    return f"{seconds:.3f} s"


def _count_refusals(nemesis: "Nemesis", name: str, before: int) -> None:
    """A state of the disk has struck when something was refused for it."""
    if nemesis.world.disk.refusals > before:
        nemesis.counting("disk", name)()


DISK: dict[str, Deed] = {
    "sync fails": _sync_fails,
    "write fails": _write_fails,
    "read fails": _read_fails,
    "read comes short": _read_comes_short,
    "slow": _slow,
    "full": _full,
    "read only": _read_only,
}


# ---------------------------------------------------------------------------- operator and clock


async def _command(nemesis: "Nemesis") -> str:
    count = nemesis.rng.randint(1, nemesis.world.swarm.burst)
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(nemesis.world.operator.act)
    return f"{count} at once"


async def _arm_unlinked(nemesis: "Nemesis") -> str:
    """Stopped, cut off, and started again on a new candle: the signal has to wait for a permit."""
    world = nemesis.world
    if nemesis.rng.random() < 0.7:  # it takes long, and nothing trades meanwhile
        return ""
    minute_s = 60.0 / world.swarm.rate
    await world.operator.try_command(Disarm(reason="before the cut"))
    nemesis.cared = False
    try:
        await trio.sleep(1.5 * minute_s)
        world.network.reachable = False
        for connection in world.network.connections:
            connection.cut()
        await trio.sleep(0.05)
        if nemesis.rng.random() < 0.7:
            world.reaper.wait_for(Phase.SIGNAL_DETECTED)
        await world.operator.try_command(Arm(assignment=world.swarm.assignment()))
        await trio.sleep(minute_s)
    finally:
        nemesis.cared = True
        world.network.reachable = True
    return "armed without a link"


OPERATOR: dict[str, Deed] = {
    "command": _command,
    "start without a link": _arm_unlinked,
}


async def _step_clock(nemesis: "Nemesis") -> str:
    by = nemesis.rng.choice(
        (-86_400_000, -3_600_000, -500, 700, 60_000, 3_600_000, 40 * 86_400_000)
    )
    nemesis.world.machine.wall.step(by)
    return f"{by} ms"


CLOCK: dict[str, Deed] = {"step": _step_clock}


OUR_STOP = "owner cancels our stop"
MOMENTS_S = (0.0, 0.0005, 0.005, 0.05)
SET_MEANWHILE = "exchange's clock set while an intent was open"


async def _set_meanwhile(nemesis: "Nemesis") -> str:
    """The exchange's clock is set while an order is on its way to it, or waits there."""
    await nemesis.inflict("order queued")
    with trio.move_on_after(LONGEST_WATCH_S):
        await nemesis.intent_is_open()
        await trio.sleep(nemesis.rng.choice(MOMENTS_S))
        row, still_open = nemesis.rng.choice(SETTINGS), bool(nemesis.pending())
        done = await nemesis.inflict(row)
        nemesis.world.machine.marks[SET_MEANWHILE] += bool(done) and still_open
        return f"{row}: {done}" if done else ""
    return ""


async def _cut_unsent(nemesis: "Nemesis") -> str:
    """Nobody reads what the daemon writes, and the connection goes with an intent behind that: the
    link writes one call at a time, and asks whether an order may still go when it is its turn.

    The exchange asks for a sign of life, so that there is something to be behind, and the owner
    takes the stop of an open position away, so that there is something to send."""
    await until(nemesis.rests, 0.01)
    pipes = [connection.up for connection in nemesis.world.network.connections]
    with trio.move_on_after(LONGEST_WATCH_S):
        for pipe in pipes:
            pipe.stall()
        await nemesis.ask_for_life()
        await until(lambda: any(pipe.under_way for pipe in pipes), 0.01)
        if await nemesis.inflict(OUR_STOP):
            nemesis.counting("owner", OUR_STOP)()
        await nemesis.intent_is_open()
        return await cut(nemesis)
    for pipe in pipes:
        pipe.flow()
    return ""


LEFT_S = 4.0
"""So long a position that was the owner's is there: longer than it may be naked."""
GAPS = 100
"""Attempts to have the market gap through a stop that is still to come."""


async def _opened_unseen(nemesis: "Nemesis") -> str:
    """The daemon has just logged in, and may not trade yet, when its position is closed and the
    owner opens another one; the store of trades tells of both late. A stop of ours may have closed
    that one as well by then, which is told at once."""
    with trio.move_on_after(LONGEST_WATCH_S):
        await nemesis.position_is_open()
        await cut(nemesis)
        await until(nemesis.has_logged_in, 0.001)
        await nemesis.inflict("recent store lags")
        await nemesis.inflict(nemesis.rng.choice(("gap through the take", "gap through the stop")))
        if not (done := await nemesis.inflict("owner opens", permitted=False)):
            return ""
        for _ in range(GAPS):
            await trio.sleep(0.02)
            if await nemesis.inflict("gap through the stop"):
                break
        return done
    return ""


def _is_flat(state: State) -> bool:
    """Whether it has read the account, and found nothing there."""
    return 0 < state.connection == state.reconciled and not (state.position or state.orders)


async def _opened_and_left(nemesis: "Nemesis") -> str:
    """The daemon is stopped and flat when the owner opens a position, which then stands for so long
    that a daemon which is to do so takes it over. The judge is told of that while it is open."""
    world = nemesis.world
    nemesis.cared = False
    try:
        await world.operator.try_command(Disarm(reason="for the owner", close=True))
        with trio.move_on_after(LONGEST_WATCH_S):
            await world.operator.wait(_is_flat)
        done = await nemesis.inflict("owner opens")
        if done:
            await trio.sleep(2 * STANDS_MS / 1000 / world.swarm.rate)
            await cut(nemesis)  # so that the account is read anew
            with trio.move_on_after(LONGEST_WATCH_S):
                await nemesis.position_is_adopted()
                world.judge.read()
                await trio.sleep(LEFT_S)
    finally:
        nemesis.cared = True
    return done


UNSENT: dict[str, Deed] = {"cut with an intent behind a slow reader": _cut_unsent}
SKEW: dict[str, Deed] = {**_rows("skew"), "set while an intent is open": _set_meanwhile}
SETTINGS = tuple(name for name in GROUPS["skew"] if "drifts" not in name)

TABLES: dict[str, dict[str, Deed]] = {
    "network": NETWORK,
    "exchange death": EXCHANGE_DEATH,
    "operator": OPERATOR,
    "disk": DISK,
    "clock": CLOCK,
    **{group: _rows(group) for group in GROUPS},
    "skew": SKEW,
    "unsent": UNSENT,
    "unseen": {
        "owner opens, told late": _opened_unseen,
        "owner opens and leaves it": _opened_and_left,
    },
}
ARMING_DEEDS = ARMING | DISK.keys()
"""What is counted when it strikes, by ``Nemesis.counting``, and not when it is done."""


def kinds(groups: Iterable[str]) -> list[str]:
    """What may strike in worlds that have these groups, as it is counted."""
    return [f"{group}: {name}" for group in groups for name in TABLES[group]]
