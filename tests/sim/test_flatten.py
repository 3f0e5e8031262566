"""The deed of a halt without a daemon: what it leaves, and that no death in it bares a position.

In virtual time, at the embedded exchange on a simulated wire. A process dies at each of the frames
that it sends, before the frame has left and after: whatever is open then has its full stop at the
exchange, and doing it again ends flat.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
import trio

from chaos.enumerate.market import StillMarket
from chaos.enumerate.settings import RATE
from chaos.sim import kernel
from chaos.sim.clock import SimClock, WallClock
from chaos.sim.exchange import ExchangeHost, exchange_config
from chaos.sim.timeline import Timeline
from chaos.sim.wire import CALM, End, Host, Network
from chaos.world.ledger import RequestRow
from tradebaas.config import Config, ExchangeSection
from tradebaas.core.model import Direction, Intent, Leg, Role
from tradebaas.core.state import State
from tradebaas.deribit import orders, trade
from tradebaas.deribit.auth import Credentials, Endpoint
from tradebaas.deribit.calls import Caller
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import open_link
from tradebaas.direct.flatten import Left, flatten
from tradebaas.direct.life import Setting
from tradebaas.errors import Unusable
from tradebaas.paper.desk import Desk
from tradebaas.runtime.ports import Inline, Ports, SeededEntropy, always, system_ports

BTC = "BTC-PERPETUAL"
URL = "ws://exchange.simulated:8022/ws/api/v2"
AMOUNT = Decimal(20_000)
LIMIT_S = 60.0
WITHIN_S = 20.0
CONFIG = Config(exchange=ExchangeSection(url=URL))
ENTRY = "tb1-0badcafe-7-e"


@dataclass
class Line:
    """How a process reaches the network."""

    network: Network
    process: Host

    async def connect(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        assert URL.startswith(f"ws://{host}:{port}/")
        assert not tls
        return await self.network.connect(self.process)


@dataclass
class World:
    """An exchange with something of ours on it, and processes that come and go."""

    network: Network
    exchange: ExchangeHost
    steps: list[tuple[str, str]] = field(default_factory=list)
    processes: int = 0

    def ports(self, process: Host) -> Ports:
        self.processes += 1

        return replace(
            system_ports(), clock=SimClock(WallClock()), entropy=SeededEntropy(self.processes),
            open_blocking=lambda _: Inline(), connect=Line(self.network, process).connect,
        )  # fmt: skip

    @property
    def size(self) -> Decimal:
        return self._desk.account.positions[BTC].size

    @property
    def covered(self) -> bool:
        return bool(self._desk.live_stop_amount(BTC) >= abs(self.size))

    @property
    def live(self) -> set[str]:
        return {order.label for order in self._desk.live.values()}

    @property
    def _desk(self) -> Desk:
        assert self.exchange.server is not None
        return self.exchange.server.exchange.desk

    async def flatten(self, host: Host, state: State) -> Left:
        setting = Setting(
            config=CONFIG, ports=self.ports(host), locate=always(URL), secret="paper-secret",
            state=state, cause="test", tell=lambda _: None,
        )  # fmt: skip
        say = lambda step, detail: self.steps.append((step, detail))  # noqa: E731
        return await flatten(setting, "operator", "enough", WITHIN_S, say)

    def requests(self) -> list[str]:
        """What changed orders, in order: the role of the order, or which was cancelled."""
        rows = (row.body for row in self.exchange.journal.rows(0))
        return [
            row.label[-1] if row.label else f"cancel {row.params['order_id']}"
            for row in rows
            if isinstance(row, RequestRow)
        ]


Prepare = Callable[[World, Caller], object]


async def a_position(_world: World, link: Caller) -> None:
    """Open, with its stop and its take profit."""
    outcome = await trade.place(link, entry(Decimal(50_100)), lambda: True)
    assert isinstance(outcome, trade.Accepted), outcome


async def a_resting_entry(_world: World, link: Caller) -> None:
    """An entry that the book has not met."""
    method, params = orders.request(entry(Decimal(49_500), ENTRY.replace("7", "9")))
    await link.call(method, params | {"time_in_force": "good_til_cancelled"})


async def both(world: World, link: Caller) -> None:
    await a_position(world, link)
    await a_resting_entry(world, link)


async def the_owners(world: World, link: Caller) -> None:
    """A position of ours, and an order of the owner's."""
    await a_position(world, link)
    params = {"instrument_name": BTC, "amount": 10, "type": "limit", "price": 49_500}
    await link.call("private/buy", params | {"label": "mine"})


async def nothing(_world: World, _link: Caller) -> None:
    """A flat account."""
    await trio.lowlevel.checkpoint()


def entry(price: Decimal, label: str = ENTRY) -> Intent:
    stem = label.removesuffix("e")
    return Intent(
        label=label, role=Role.ENTRY, instrument=BTC, direction=Direction.BUY, amount=AMOUNT,
        order_type="limit", price=price, reduce_only=False, life=1, connection=1, intended_ms=0,
        valid_until_ms=10**14, signal_id="s",
        legs=(
            Leg(label=f"{stem}s", order_type="stop_market", trigger_price=Decimal(49_000)),
            Leg(label=f"{stem}t", order_type="limit", price=Decimal(51_000)),
        ),
    )  # fmt: skip


@asynccontextmanager
async def world(prepare: Prepare) -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        network = Network(random.Random("network"), CALM)
        settings = exchange_config(seed=1, speed=float(RATE), pause_s=0.5)
        exchange = ExchangeHost(
            random.Random("exchange"), settings, network, Timeline().tell, StillMarket()
        )
        await exchange.start(nursery)
        made = World(network, exchange)
        endpoint = Endpoint(URL, Credentials("paper", "paper-secret"), "client_credentials", "")
        ports = made.ports(Host("a daemon that is dead"))
        async with open_link(endpoint, ports, Credits(), inbox=256) as link:
            await prepare(made, link)  # type: ignore[misc]
        yield made
        nursery.cancel_scope.cancel()


def run(main: Callable[[], object]) -> None:
    kernel.run(main, 1, LIMIT_S)  # type: ignore[arg-type]


@pytest.mark.parametrize("prepare", [a_position, a_resting_entry, both, nothing])
def test_without_any_store_it_ends_flat(prepare: Prepare) -> None:
    async def main() -> None:
        async with world(prepare) as made:
            left = await made.flatten(Host("halt"), State())
            assert left == Left(problem="")
            assert (made.size, made.live) == (Decimal(0), set())

    run(main)


def test_each_step_is_said_and_the_legs_go_last() -> None:
    async def main() -> None:
        async with world(both) as made:
            await made.flatten(Host("halt"), State())
            said = [step for step, _ in made.steps]
            assert said[0] == "logged in"
            assert said[-1] == "flat"
            order = [said.index(step) for step in ("logged in", "read", "close", "closed", "flat")]
            assert order == sorted(order)
            before, (close, entry_, *legs) = made.requests()[:2], made.requests()[2:]
            assert before == ["e", "e"]
            assert (close, entry_) == ("c", "cancel 90000000003")
            assert "cancel SLMS-7001" in legs

    run(main)


def test_the_owners_is_left_alone_and_named() -> None:
    async def main() -> None:
        async with world(the_owners) as made:
            left = await made.flatten(Host("halt"), State())
            assert left.problem == ""
            assert made.live == {"mine"}
            assert len(left.foreign) == 1
            assert "foreign order" in left.foreign[0]

    run(main)


def test_an_exchange_that_is_gone_is_named() -> None:
    async def main() -> None:
        async with world(a_position) as made:
            made.exchange.kill()
            left = await made.flatten(Host("halt"), State())
            assert "not flat within 20 s: the account was not read" in left.problem
            assert "nobody listens there" in left.problem

    run(main)


def test_another_account_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(a_position) as made:
            with pytest.raises(Unusable, match="belongs to account"):
                await made.flatten(Host("halt"), State(life=1, account="77 of elsewhere"))
            assert made.size == AMOUNT

    run(main)


# ------------------------------------------------------------------------------------------ deaths


@dataclass
class Doomed:
    """A process that dies at a frame that it sends: before the frame leaves, or right after."""

    at: int
    after: bool
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    sent: int = 0
    died: bool = False

    def host(self) -> Host:
        host = Host("halt")

        def send(end: End, data: bytes) -> None:
            self.sent += 1
            if self.died or (self.sent == self.at and not self.after):
                self.died = True
            else:
                end.put(data)
                self.died = self.sent == self.at
            if self.died:
                host.die()
                self.scope.cancel()

        host.sends = send
        return host


def test_no_death_at_any_frame_bares_the_position() -> None:
    frames = 1
    while True:
        deaths = [die_at(both, frames, after=after) for after in (False, True)]
        if not any(deaths):
            break
        frames += 1
    assert frames > 15, "it must have died in the midst of it"


def die_at(prepare: Prepare, at: int, *, after: bool) -> bool:
    """Whether it died there; judges what it left, and that a second time ends flat."""
    doomed = Doomed(at, after)

    async def main() -> None:
        async with world(prepare) as made:
            with doomed.scope:
                await made.flatten(doomed.host(), State())
            await trio.sleep(1.0)  # what was on its way has arrived
            assert made.covered, f"{made.size} is open and {made.live} is live"
            left = await made.flatten(Host("again"), State())
            assert left.problem == ""
            assert (made.size, made.live) == (Decimal(0), set())

    run(main)
    return doomed.died
