"""One daemon and one exchange in virtual time, for tests of what a full read of the account finds.

The network is calm and the market stands still unless a test moves it. The daemon dies when it is
told to, stays away for as long as it is told to by the exchange's clock, and starts when it is told
to; in between the exchange goes on, with its short memory for ended orders and trades. At the end
of a case the daemon must be able to trade again, and the judge of the simulated worlds must find
nothing.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

import trio

from chaos.enumerate import outcomes
from chaos.enumerate.market import StillMarket
from chaos.enumerate.settings import ASSIGNMENT, RATE, daemon_config
from chaos.enumerate.stage import MARKET_PAUSE_S, PATIENCE
from chaos.sim import kernel
from chaos.sim.exchange import ExchangeHost, exchange_config
from chaos.sim.judge import Judge
from chaos.sim.machine import Machine
from chaos.sim.operator import Operator, free
from chaos.sim.post import Carrier
from chaos.sim.timeline import Timeline
from chaos.sim.wire import CALM, Network
from chaos.world.disk import SimDisk
from chaos.world.faults_mail import Mail
from chaos.world.faults_scene import Scene
from chaos.world.oracle import Witness
from tradebaas.config import Config
from tradebaas.core.events import Event, OrderIntended, Recovered, TradeClosed
from tradebaas.core.messages import Arm, Disarm, Request
from tradebaas.core.model import Role, Trade
from tradebaas.core.state import State, naked_amount
from tradebaas.paper.orders import Order
from tradebaas.store import codec
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader

SEED = 1
LIMIT_S = 10_000.0
WAIT_S = 60.0
LOOK_S = 0.05
SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
DAY_MS = 24 * 60 * MINUTE_MS


@dataclass
class Downtime:
    """The world of one case. Amounts are signed contracts' worth; times are exchange ms."""

    nursery: trio.Nursery
    config: Config = field(default_factory=daemon_config)
    timeline: Timeline = field(default_factory=Timeline)

    def __post_init__(self) -> None:
        rng, tell = random.Random("downtime"), self.timeline.tell
        self.network = Network(kernel.forked(rng, "network"), weather=CALM)
        self.disk = SimDisk(kernel.forked(rng, "disk"))
        exchange = exchange_config(seed=SEED, speed=float(RATE), pause_s=MARKET_PAUSE_S)
        self.exchange = ExchangeHost(
            kernel.forked(rng, "exchange"), exchange, self.network, tell, StillMarket()
        )
        self.mail = Mail(
            kernel.forked(rng, "mail"), Carrier(kernel.forked(rng, "carrier"), self.nursery).post
        )
        self.exchange.post = self.mail.post
        self.machine = Machine(
            rng=kernel.forked(rng, "machine"), config=self.config, disk=self.disk,
            network=self.network, nursery=self.nursery, tell=tell,
        )  # fmt: skip
        journal, witness = self.exchange.journal, Witness()
        self.operator = Operator(
            kernel.forked(rng, "operator"), self.machine, ASSIGNMENT, witness,
            lambda: len(journal.lines),
        )  # fmt: skip
        self.judge = Judge(self.machine, journal, witness, PATIENCE)

    # ------------------------------------------------------------------------ the daemon's process

    def start(self) -> None:
        """Exec the daemon."""
        self.judge.witness.begin(self.judge.last_life(), halt_file=self.judge.halted())
        self.machine.start()

    def kill(self) -> None:
        """SIGKILL."""
        assert self.machine.process is not None
        self.machine.process.kill()

    def lose_disk(self) -> None:
        """From now on it has another disk, with nothing on it."""
        self.disk.close()
        self.disk = SimDisk(random.Random(SEED), "another")
        self.machine.disk = self.disk

    def cut(self) -> None:
        """Break its connections."""
        for connection in self.network.connections:
            connection.cut()

    async def away(self, exchange_ms: int, act: "Act | None" = None) -> None:
        """Kill it, let something happen, and start it after so much exchange time."""
        self.kill()
        if act is not None:
            await self.inflict(act)
        await self.exchange_time(exchange_ms)
        self.start()
        await self.recovered()

    async def exchange_time(self, exchange_ms: int) -> None:
        """Let so much of the exchange's time pass."""
        await trio.sleep(exchange_ms / RATE / 1000)

    async def recovered(self) -> None:
        """Wait for its report: reconciled, everything proven, protected."""
        await self.until(self._has_reported, "a recovery")

    def _has_reported(self) -> bool:
        process = self.machine.process
        return bool(process and process.alive and process.lives.board.recovery.value)

    # ------------------------------------------------------------------------------- what it shows

    @property
    def state(self) -> State:
        """What the living process shows."""
        process = self.machine.process
        assert process is not None
        assert process.alive
        state = process.lives.board.view.value
        assert state is not None, "nothing was published yet"
        return state

    async def shows(self, wanted: Callable[[State], bool], what: str) -> None:
        """Wait until it shows a state as wanted."""
        await self.until(lambda: self._shown(wanted), what)

    def _shown(self, wanted: Callable[[State], bool]) -> bool:
        process = self.machine.process
        state = process.lives.board.view.value if process and process.alive else None
        return state is not None and wanted(state)

    async def until(self, done: Callable[[], bool], what: str) -> None:
        """Wait, but not for ever, until it is so."""
        with trio.move_on_after(WAIT_S):
            while not done():  # noqa: ASYNC110
                await trio.sleep(LOOK_S)
            return
        process = self.machine.process
        shown = process.lives.board.view.value if process else None
        raise AssertionError(f"waited for {what}; it shows {shown}")

    def events(self) -> list[Event]:
        """Its log, as it lies on the disk now."""
        with open_reader(Place(self.machine.root, self.disk.view())) as reader:
            return [codec.decode(record) for record in reader.each(0)]

    def trades(self) -> list[Trade]:
        return [event.trade for event in self.events() if isinstance(event, TradeClosed)]

    def intents(self, role: Role) -> list[str]:
        """The labels of all orders that it ever wanted, of one role."""
        wanted = [e.intent for e in self.events() if isinstance(e, OrderIntended)]
        return [intent.label for intent in wanted if intent.role is role]

    def findings(self) -> dict[str, str]:
        """What its last recovery says of each order and trade that it found."""
        last = [e.report for e in self.events() if isinstance(e, Recovered)][-1]
        return {finding.label: finding.outcome for finding in last.findings}

    # ---------------------------------------------------------------------------- at the exchange

    @property
    def scene(self) -> Scene:
        server = self.exchange.server
        assert server is not None
        return Scene(server.exchange, server.front, self.mail, random.Random(SEED))

    async def inflict(self, act: "Act") -> None:
        """Do something to the exchange, as a step of its own."""
        server, scene = self.exchange.server, self.scene
        assert server is not None
        await server.act(lambda: act(scene))

    def size(self) -> Decimal:
        """The position in the instrument that is traded, by the exchange."""
        return self.scene.size

    def stops(self) -> list[Order]:
        """Our live stops, by the exchange."""
        return [order for order in self.scene.live(ours=True) if order.is_live_stop]

    def sent(self, label: str) -> int:
        """How often the exchange was asked for an order with this label."""
        rows = self.exchange.journal.lines
        return sum(r.kind == "request" and f'"label":"{label}"'.encode() in r.body for r in rows)

    # --------------------------------------------------------------------------------- the course

    async def ask(self, request: Request) -> None:
        await self.operator.command(request)

    async def arm(self) -> None:
        """Start on an empty disk, reach the exchange, and be armed."""
        self.start()
        await self.recovered()
        await self.ask(Arm(assignment=ASSIGNMENT))

    async def enter(self) -> None:
        """Be in a position with its stop and its take profit, and want no other one after it."""
        await self.arm()
        await self.covered()
        await self.ask(Disarm(reason="one trade is enough"))

    async def covered(self) -> None:
        await self.shows(
            lambda s: s.position is not None and not s.pending and not naked_amount(s),
            "a covered position",
        )

    async def flat(self) -> None:
        """Flat, and nothing left at the exchange."""
        await self.shows(lambda s: s.position is None and not s.orders and not s.pending, "flat")
        assert self.size() == 0
        assert not self.scene.live(ours=True)

    async def trades_again(self) -> None:
        """It gets to be free, and takes its next trade."""
        before = len(self.trades())
        await self.operator.insist(free)
        while len(self.trades()) == before:
            if self._shown(lambda state: state.position is not None and not state.pending):
                await self.inflict(outcomes.gap_stop)
            await trio.sleep(LOOK_S)
        await self.ask(Disarm(reason="the case is over", close=True))
        await self.flat()

    async def is_judged(self) -> None:
        """While it is flat: by both ledgers, to the last digit."""
        await self.until(lambda: not self.judge.settled(), "both ledgers to agree")
        server = self.exchange.server
        assert server is not None
        found = self.judge.verdict(server.exchange.now_ms, flat=True)
        assert not found, found


Act = Callable[[Scene], object]
Course = Callable[[Downtime], Awaitable[None]]


def play(course: Course, config: Config | None = None) -> None:
    """Run one case in a world of its own, to its end."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            world = Downtime(nursery, config or daemon_config())
            try:
                await world.exchange.start(nursery)
                await course(world)
            finally:
                nursery.cancel_scope.cancel()
                world.disk.close()

    kernel.run(main, SEED, LIMIT_S)


def owners(method: str, **params: object) -> Act:
    """Something the owner does by hand, which the exchange must accept."""

    def act(scene: Scene) -> None:
        assert scene.own(f"admin/{method}", **params) is not None

    return act
