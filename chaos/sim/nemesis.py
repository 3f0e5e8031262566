"""Everything that goes wrong besides death: network, exchange, owner, operator, disk, clock.

Each kind strikes at random moments, as often as the seed's rates say, with a deed drawn from its
table (``chaos.sim.deeds``). What must end later is ended by the deed itself, or by ``calm``.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, TypeVar, final

import trio

from chaos.sim.deeds import ARMING_DEEDS, TABLES, Deed
from chaos.sim.operator import free
from chaos.sim.wire import CALM
from chaos.world.faults import GROUP_OF, Scene, quiet, strike
from chaos.world.faults_scene import CANCEL, EDIT
from tradebaas.core.model import Phase
from tradebaas.core.state import State
from tradebaas.paper.steps import Stopped
from tradebaas.paper.websockets import TEST_REQUEST

if TYPE_CHECKING:
    from chaos.sim.world import World

T = TypeVar("T")
MOST_ARMED = 10
"""Faults of other calls than cancels, which come too seldom to be met before all are taken back."""
RESTING = (Phase.ANALYZING, Phase.POSITION_OPEN)
LONGEST_S = 60.0
"""Half an hour of an exchange that runs at 60 times real speed, and more."""


@final
class Nemesis:
    """Strikes one world. ``deeds`` counts what has struck; what was only armed is not in it."""

    def __init__(self, rng: random.Random, world: "World") -> None:
        self.rng = rng
        self.world = world
        self.deeds: Counter[str] = Counter()
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
                if name not in ARMING_DEEDS:
                    self.counting(kind, name)()
                self.world.timeline.tell(kind, f"{name}: {done}")

    def counting(self, kind: str, name: str) -> Callable[[], None]:
        """What counts one more strike of a deed."""

        def count() -> None:
            self.deeds[f"{kind}: {name}"] += 1

        return count

    async def calm(self) -> None:
        """End all that goes wrong, and have the owner take back what is only the owner's."""
        world = self.world
        self.calmed.set()
        world.network.weather = CALM
        world.network.reachable = True
        world.carrier.late = 0.0
        ahead_s = world.exchange.skew.now_s() - trio.current_time()
        world.machine.wall.offset_ms = round(ahead_s * 1000)  # set right, by the exchange's
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

    async def inflict(self, name: str, *, permitted: bool = True) -> str:
        """One row of the exchange's faults; the daemon may be ``permitted`` to enter meanwhile."""
        scene = self._scene()
        if scene is None or (name == "owner opens" and self._may_enter(permitted)):
            return ""
        scene.struck = self.counting(GROUP_OF[name], name)
        seldom = [rule for rule in scene.front.faults.rules if rule.methods in (CANCEL, EDIT)]
        if len(scene.front.faults.rules) - len(seldom) > MOST_ARMED:
            await self._act(lambda: quiet(scene))
            scene.front.faults.rules = seldom
        return await self._act(lambda: strike(scene, name)) or ""

    def _may_enter(self, permitted: bool) -> bool:
        """Whether an entry of ours may be on its way: one that meets a position which the owner
        has just opened turns it round, and whose fee is whose is then anybody's word."""
        process, state = self.world.machine.process, self._view()
        if process is None or state is None:
            return False
        free = permitted and process.alive and state.armed and state.halted is None
        return bool(state.pending) or free

    def pending(self) -> Collection[str]:
        """The labels of the orders that are durable and not yet proven."""
        state = self._view()
        return () if state is None else state.pending.keys()

    def _view(self) -> State | None:
        process = self.world.machine.process
        return process.lives.board.view.value if process is not None else None

    def has_logged_in(self) -> bool:
        """Whether the daemon has logged in, and has not told yet that it has read the account."""
        state, scene = self._view(), self._scene()
        if state is None or scene is None or 0 < state.connection == state.reconciled:
            return False
        sessions = scene.exchange.sessions.values()
        return any(session.logged_in for session in sessions if not session.admin)

    async def intent_is_open(self) -> None:
        """Wait until the process of now has one; for ever if that ends."""
        await self._shows(lambda state: bool(state.pending))

    async def position_is_open(self) -> None:
        """Likewise for a position of ours."""
        await self._shows(lambda state: state.phase is Phase.POSITION_OPEN)

    async def position_is_adopted(self) -> None:
        """Likewise for one that was the owner's before, and is ours by now."""
        await self._shows(lambda state: state.position is not None and state.position.ours)

    def rests(self) -> bool:
        """Whether nothing is pending, and there is a position or there may soon be one."""
        process, state = self.world.machine.process, self._view()
        if process is None or state is None:
            return False
        return process.alive and free(state) and state.phase in RESTING

    async def ask_for_life(self) -> None:
        """The exchange asks each client for a sign of life, as it may at any time."""
        scene = self._scene()
        if scene is not None:
            for number in scene.clients():
                await self._act(partial(scene.exchange.outbox.send, number, TEST_REQUEST))

    async def _shows(self, wanted: Callable[[State], bool]) -> None:
        process, version = self.world.machine.process, 0
        while process is not None and ((state := self._view()) is None or not wanted(state)):
            _, version = await process.lives.board.view.wait_newer(version)

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
        return Scene(
            server.exchange, server.front, world.mail, self.rng, world.swarm.instrument,
            world.exchange.skew,
        )  # fmt: skip

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
