"""Everything that goes wrong besides death: network, exchange, owner, operator, disk, clock.

Each kind strikes at random moments, as often as the seed's ``Rates`` say, with a deed drawn from
its table. A deed changes the world at once and says what it did, "" when there was nothing to do
it to; what must end later is ended by a task of the deed's own, or by ``calm``.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar, final

import trio

from chaos.sim.wire import CALM, Weather
from chaos.world.faults import GROUPS, Scene, quiet, strike
from chaos.world.storage import FaultKind
from tradebaas.core.messages import Arm, Disarm
from tradebaas.core.model import Phase
from tradebaas.errors import StoreFault
from tradebaas.paper.server import Stopped

if TYPE_CHECKING:
    from chaos.sim.world import World

Deed = Callable[["Nemesis"], Awaitable[str]]
T = TypeVar("T")
MOST_ARMED = 20
LONGEST_S = 60.0
"""Half an hour of an exchange that runs at 60 times real speed, and more."""
DISK_FULL = "persister DiskFull"
"""What a life may die of while the disk is full, with the ballast gone as well."""
STORM = Weather(latency_s=0.02, tail=0.3, tail_s=0.5, split=0.5)


@final
class Nemesis:
    """Strikes one world."""

    def __init__(self, rng: random.Random, world: "World") -> None:
        self.rng = rng
        self.world = world
        self.deeds: Counter[str] = Counter()
        self.expected_exits: set[int] = set() if world.swarm.patient else {70}
        self.calmed = trio.Event()
        self.cared = True

    def begin(self, nursery: trio.Nursery) -> None:
        """Strike until the nursery is cancelled."""
        for kind, rate in self.world.swarm.rates.items():
            only = self.world.swarm.deeds
            table = {n: d for n, d in TABLES[kind].items() if not only or n in only}
            if rate and table:
                nursery.start_soon(self._strike, kind, rate, table)
        nursery.start_soon(self._care)

    async def _care(self) -> None:
        """An operator who wants it to trade: lifts halts and starts what is stopped."""
        while True:
            await trio.sleep(self.rng.expovariate(1.0))
            if self.cared:
                await self.world.operator.care()

    async def _strike(self, kind: str, rate: float, table: dict[str, Deed]) -> None:
        names = list(table)
        while True:
            await trio.sleep(self.rng.expovariate(rate))
            name = self.rng.choice(names)
            done = await table[name](self)
            if done:
                self.deeds[f"{kind}: {name}"] += 1
                self.world.timeline.tell(kind, f"{name}: {done}")

    async def calm(self) -> None:
        """End all that goes wrong, and have the owner take back what is only the owner's."""
        world = self.world
        self.calmed.set()
        world.network.weather = CALM
        world.network.reachable = True
        world.carrier.late = 0.0
        world.machine.wall.offset_ms = 0
        world.disk.disarm()
        if not world.exchange.running():
            await world.exchange.start(world.machine.nursery)
        scene = self._scene()
        assert scene is not None
        await self._act(lambda: quiet(scene))
        for connection in world.network.connections:
            connection.cut()
        await self.clear()

    async def clear(self) -> None:
        """The owner cancels the owner's orders, and closes a position that is not ours."""
        scene = self._scene()
        if scene is None:
            return
        while await self._act(lambda: strike(scene, "owner cancels the owner's order")):
            pass
        judge = self.world.judge
        judge.read()
        span = judge.books.open_spans.get(scene.instrument)
        if span is not None and not span.ours:
            await self._act(lambda: strike(scene, "owner closes"))

    async def inflict(self, name: str) -> str:
        """One row of the exchange's faults."""
        scene = self._scene()
        if scene is None or (name == "owner opens" and self._may_enter()):
            return ""
        if len(scene.front.faults.rules) > MOST_ARMED:  # of calls that the daemon never makes
            await self._act(lambda: quiet(scene))
        return await self._act(lambda: strike(scene, name)) or ""

    def _may_enter(self) -> bool:
        """Whether an entry of ours may be on its way: one that meets a position which the owner
        has just opened turns it round, and whose fee is whose is then anybody's word."""
        process = self.world.machine.process
        state = process.lives.board.view.value if process is not None else None
        if process is None or state is None:
            return False
        return bool(state.pending) or (process.alive and state.armed and state.halted is None)

    async def _act(self, deed: Callable[[], T]) -> T | None:
        """Do it as a step of the exchange; None when that has just died."""
        server = self.world.exchange.server
        if server is None:
            return None
        try:
            return await server.act(deed)
        except Stopped:
            return None

    def _scene(self) -> Scene | None:
        server = self.world.exchange.server
        if server is None:
            return None
        world = self.world
        return Scene(server.exchange, server.front, world.mail, self.rng, world.swarm.instrument)

    def downtime(self) -> float:
        """Seconds that a dead daemon stays down beyond what systemd waits; mostly none.

        Seldom it is longer than the exchange's recent store of orders reaches back, where the
        exchange's time runs fast enough for that.
        """
        outage_s = self.world.swarm.outage_s
        if outage_s:
            return self.rng.uniform(0.0, 2 * outage_s)
        if self.calmed.is_set() or self.rng.random() < 0.7:
            return 0.0
        if self.rng.random() < 0.95:
            return self.rng.uniform(0.0, 3.0)
        hours = self.rng.choice((0.6, 0.75, 1.0, 5.0))
        return min(hours * 3600 / self.world.swarm.rate, LONGEST_S)


# ----------------------------------------------------------------------------------------- network


async def _cut(nemesis: Nemesis) -> str:
    connections = nemesis.world.network.connections
    for connection in connections:
        connection.cut()
    return f"{len(connections)} connections"


async def _silence(nemesis: Nemesis) -> str:
    """Half-open: one direction, or both, swallow everything."""
    up, down = nemesis.rng.choice(((True, False), (False, True), (True, True)))
    connections = nemesis.world.network.connections
    for connection in connections:
        connection.go_silent(up=up, down=down)
    return f"up {up} down {down}" if connections else ""


async def _unreachable(nemesis: Nemesis) -> str:
    seconds = nemesis.rng.uniform(0.1, 8.0)
    network = nemesis.world.network
    network.reachable = False
    await trio.sleep(seconds)
    network.reachable = True
    return f"{seconds:.3f} s"


async def _storm(nemesis: Nemesis) -> str:
    seconds = nemesis.rng.uniform(0.5, 5.0)
    network = nemesis.world.network
    before, network.weather = network.weather, STORM
    await trio.sleep(seconds)
    network.weather = before
    return f"{seconds:.3f} s"


async def _slow_reader(nemesis: Nemesis) -> str:
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


async def _late_news(nemesis: Nemesis) -> str:
    """A leg fills while the account is read after a cut; the store and the channel tell it late."""
    nemesis.world.carrier.slow = "user.changes."
    try:
        await nemesis.inflict("recent store lags")
        done = await nemesis.inflict(
            nemesis.rng.choice(("fill races a read", "part fill races a read"))
        )
        await _cut(nemesis)
        await trio.sleep(3.0)
    finally:
        nemesis.world.carrier.slow = ""
    return done


ENTRY_TOLD_LATE = ("thin book", "order answered late", "orders before their trades")


async def _late_entry(nemesis: Nemesis) -> str:
    """An entry fills in part, and the end of its order is told before its fills."""
    done = [await nemesis.inflict(row) for row in ENTRY_TOLD_LATE]
    return "; ".join(filter(None, done))


NETWORK: dict[str, Deed] = {
    "cut": _cut,
    "slow reader": _slow_reader,
    "late news of a fill": _late_news,
    "late news of an entry": _late_entry,
    "silence": _silence,
    "unreachable": _unreachable,
    "storm": _storm,
}


# ---------------------------------------------------------------------------------------- exchange


async def _exchange_dies(nemesis: Nemesis) -> str:
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


async def _sync_fails(nemesis: Nemesis) -> str:
    return _arm_io_error(nemesis, "sync")


async def _write_fails(nemesis: Nemesis) -> str:
    return _arm_io_error(nemesis, "write")


async def _read_fails(nemesis: Nemesis) -> str:
    return _arm_io_error(nemesis, "read")


async def _read_comes_short(nemesis: Nemesis) -> str:
    return _arm_io_error(nemesis, "short read")


def _arm_io_error(nemesis: Nemesis, kind: FaultKind) -> str:
    """The n-th such operation from now fails; whoever meets that exits with 75."""
    nth = nemesis.rng.randint(1, 12)
    nemesis.world.disk.arm(kind, nth=nth)
    nemesis.expected_exits.add(StoreFault.exit_code)
    return f"the next {kind} but {nth - 1}"


async def _slow(nemesis: Nemesis) -> str:
    seconds = nemesis.rng.uniform(0.5, 3.0)
    nemesis.world.disk.arm("slow sync", chance=0.3, seconds=nemesis.rng.choice((0.05, 0.5, 2.0)))
    await trio.sleep(seconds)
    nemesis.world.disk.arm("slow sync")
    return f"{seconds:.3f} s"


async def _full(nemesis: Nemesis) -> str:
    """Nothing but a few blocks is free for a while; the ballast is the daemon's own reserve."""
    disk, seconds = nemesis.world.disk, nemesis.rng.uniform(0.5, 12.0)
    nemesis.world.witness.excuse(DISK_FULL)
    disk.capacity = disk.used() + nemesis.rng.choice((0, 4096, 65_536))
    await trio.sleep(seconds)
    disk.capacity = None
    return f"{seconds:.3f} s"


async def _read_only(nemesis: Nemesis) -> str:
    disk, seconds = nemesis.world.disk, nemesis.rng.uniform(0.1, 2.0)
    nemesis.expected_exits.add(StoreFault.exit_code)
    disk.read_only = True
    outage = nemesis.world.operator.note_outage()
    try:
        await trio.sleep(seconds)
    finally:
        disk.read_only = False
        outage.last_n = nemesis.world.operator.journal_n()
    return f"{seconds:.3f} s"


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


async def _command(nemesis: Nemesis) -> str:
    count = nemesis.rng.randint(1, nemesis.world.swarm.burst)
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(nemesis.world.operator.act)
    return f"{count} at once"


async def _arm_unlinked(nemesis: Nemesis) -> str:
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


async def _step_clock(nemesis: Nemesis) -> str:
    by = nemesis.rng.choice(
        (-86_400_000, -3_600_000, -500, 700, 60_000, 3_600_000, 40 * 86_400_000)
    )
    nemesis.world.machine.wall.step(by)
    return f"{by} ms"


CLOCK: dict[str, Deed] = {"step": _step_clock}

TABLES: dict[str, dict[str, Deed]] = {
    "network": NETWORK,
    "exchange death": EXCHANGE_DEATH,
    "operator": OPERATOR,
    "disk": DISK,
    "clock": CLOCK,
    **{group: _rows(group) for group in GROUPS},
}
