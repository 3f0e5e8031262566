"""The exchange's side of the simulated world: the embedded exchange, as a process that can die.

Its code is the product's own (``tradebaas.paper``) behind the simulated network, with a ledger in
memory that the oracle reads. A death loses everything but the ledger; the next start begins from
there. Frames on their way to a client pass through ``post``, where faults delay or change them.
"""

import random
from pathlib import Path
from typing import final

import trio
from msgspec.structs import replace

from chaos.sim.clock import SkewedClock
from chaos.sim.timeline import Tell
from chaos.sim.wire import Host, Listener, Network
from chaos.world.exchange import MemoryJournal
from chaos.world.skew import Skew
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.connections import Connection, Post
from tradebaas.paper.ledger import restore
from tradebaas.paper.market import Market
from tradebaas.paper.recorder import Step
from tradebaas.paper.saved import SavedState
from tradebaas.paper.server import Server
from tradebaas.runtime.ports import Inline, Ports, SeededEntropy, system_ports

PAST = 120
"""Minutes of market before the first start: what its strategies ask for. Each of them is drawn
and counted for the statistics of the first ticker, in every world."""


@final
class _Told(MemoryJournal):
    """A journal that tells the timeline of each line."""

    def __init__(self, remembered: int, tell: Tell) -> None:
        super().__init__(remembered)
        self._tell = tell

    def commit(self, step: Step, state: SavedState) -> None:
        super().commit(step, state)
        for record in step.records:
            self._tell("journal", f"{record.n} {record.at_ms} {record.kind} {record.body.decode()}")


@final
class ExchangeHost:
    """The exchange of one world. ``server`` is the running process, None while it is down.

    ``market`` is used instead of the one that the settings name.
    """

    def __init__(
        self, rng: random.Random, config: ExchangeConfig, network: Network, tell: Tell,
        market: Market | None = None,
    ) -> None:  # fmt: skip
        self.journal = _Told(config.remembered, tell)
        self.config = config
        self.server: Server | None = None
        self.skew = Skew(trio.current_time)
        self.post: Post = Connection.put
        self._market = market
        self._network = network
        self._entropy = SeededEntropy(rng.getrandbits(64))
        self._scope = trio.CancelScope()
        self._host = Host("exchange", brisk=True)

    def running(self) -> bool:
        """Whether the process runs."""
        return self.server is not None

    async def start(self, nursery: trio.Nursery) -> None:
        """Start the process; returns once it listens."""
        await nursery.start(self._run, name="exchange")

    async def _run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self._scope, self._host = trio.CancelScope(), Host("exchange", brisk=True)
        ports = self._ports()
        wall_ms = ports.clock.wall_ms()
        exchange = restore(self.config, self.journal, self._new_token, wall_ms, self._market)
        self._market = exchange.tape.market  # a function of the bar's number: it may live on
        listener = Listener()
        with self._scope:
            async with (
                ports.open_blocking("exchange-journal") as blocking,
                trio.open_nursery() as n,
            ):
                self.server = Server(exchange, self.journal, blocking, ports, self._post)
                await n.start(self.server.run, [listener])
                self._network.serve(self._host, listener)
                task_status.started()

    def kill(self) -> None:
        """SIGKILL the exchange."""
        self.server = None
        self._host.die()
        self._scope.cancel()

    def _post(self, connection: Connection, frame: bytes) -> None:
        self.post(connection, frame)

    def _new_token(self) -> str:
        return self._entropy.token(24)

    def _ports(self) -> Ports:
        real = system_ports()
        return Ports(
            clock=SkewedClock(self.skew),
            entropy=self._entropy,
            open_blocking=lambda _name: Inline(),
            connect=real.connect,
            send_datagram=real.send_datagram,
            run_self=real.run_self,
            measure=real.measure,
        )


def exchange_config(**settings: object) -> ExchangeConfig:
    """The settings of a simulated exchange; there is no directory."""
    return replace(ExchangeConfig(directory=Path("/nowhere"), admin=True, past=PAST), **settings)
