"""Others on the account, against a real exchange: by configuration, elsewhere, and liquidated."""

from decimal import Decimal
from pathlib import Path

import trio

from tests.unit.actors.exchange import INSTRUMENT, SPEED, Json, exchange_on
from tests.unit.actors.world import World, new_world, world_on
from tradebaas.config import ForeignSection
from tradebaas.core.events import (
    CancelIntended,
    ForeignFound,
    Halted,
    Liquidated,
    PositionAdopted,
    TradeClosed,
)
from tradebaas.core.messages import Halt, Resume
from tradebaas.core.model import Phase
from tradebaas.core.owners import STANDS_MS
from tradebaas.deribit.auth import GRANTS, Credentials, Endpoint
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import open_link
from tradebaas.deribit.rpc import Params
from tradebaas.runtime.ports import system_ports

LINEAR = "BTC_USDC-PERPETUAL"
CLOSE = ForeignSection(orders="close", positions="close")
ADOPT = ForeignSection(orders="adopt", positions="adopt")


async def by_hand(world: World, side: str, amount: object, **more: object) -> None:
    order: Json = {"side": side, "instrument_name": INSTRUMENT, "amount": amount}
    await world.exchange.admin.call("order", **(order | more))


async def reread(world: World) -> None:
    """The next full read is 30 s away, that of a new connection is not. It comes once what is there
    has stood for long enough to be acted on."""
    await trio.sleep(1.2 * STANDS_MS / (1000 * SPEED))
    connection = world.state.connection
    await world.exchange.admin.call("disconnect")
    await world.until(lambda s: s.connection == s.reconciled > connection, "the next full read")


async def armed(world: World) -> None:
    """There is a managed instrument, and nothing is entered on it."""
    await world.arm(active=0)
    await world.ready()


async def enter_elsewhere(world: World) -> None:
    """What a daemon with another store would have left: a position with its take profit only."""
    owner = Endpoint(world.exchange.url, Credentials("paper", "paper-secret"), GRANTS[0], "")
    order: Params = {"instrument_name": LINEAR, "amount": Decimal("0.01"), "post_only": False}
    async with open_link(owner, system_ports(), Credits(), inbox=16) as link:
        entry: Params = {"type": "market", "label": "tb1-zz-3-e", "reduce_only": False}
        await link.call("private/buy", order | entry)
        take: Params = {"type": "limit", "price": 300_000, "reduce_only": True}
        await link.call("private/sell", order | take | {"label": "tb1-zz-3-t"})


async def test_with_close_the_owners_order_and_position_go(tmp_path: Path) -> None:
    async with new_world(tmp_path, foreign=CLOSE) as world:
        await armed(world)
        await by_hand(world, "buy", 10, type="limit", price=40_000)
        await world.until(lambda s: bool(s.foreign), "the foreign order")
        await world.until(lambda s: not s.foreign, "its end")
        assert await world.exchange.orders() == {}
        (meant,) = world.of(CancelIntended)
        assert isinstance(meant, CancelIntended)
        found = [e.key for e in world.of(ForeignFound) if isinstance(e, ForeignFound)]
        assert found == [meant.key]
        await by_hand(world, "sell", 500, type="market")
        await world.until(lambda s: s.position is not None, "the foreign position")
        await reread(world)
        await world.until(lambda s: bool(s.counters.trades) and s.position is None, "its end")
        (adopted,) = world.of(PositionAdopted)
        assert isinstance(adopted, PositionAdopted)
        assert adopted.position.size == -500
        (closed,) = world.of(TradeClosed)
        assert isinstance(closed, TradeClosed)
        assert closed.trade.exit_reason == "close"
        assert await world.exchange.position() == 0
        await world.phase(Phase.ANALYZING)


async def test_with_adopt_the_owners_position_gets_a_stop(tmp_path: Path) -> None:
    async with new_world(tmp_path, foreign=ADOPT) as world:
        await armed(world)
        await by_hand(world, "buy", 500, type="market")
        await world.until(lambda s: s.position is not None, "the foreign position")
        await reread(world)
        await world.covered()
        await world.agree()
        assert await world.exchange.live_stop() == 500


async def test_what_was_there_before_the_store_is_left_alone(tmp_path: Path) -> None:
    async with exchange_on(tmp_path / "exchange") as exchange:
        hedge: Json = {"side": "sell", "instrument_name": INSTRUMENT, "amount": 500}
        await exchange.admin.call("order", **hedge, type="market")
        await exchange.admin.call("order", **hedge, type="limit", price=300_000)
        async with world_on(exchange, tmp_path / "data", foreign=CLOSE) as world:
            await world.ready()
            await armed(world)
            await reread(world)
            await reread(world)
            assert len(world.state.foreign) == 2
            assert world.of(PositionAdopted) == []
            assert await exchange.position() == -500
            assert len(await exchange.orders()) == 1


async def test_ours_on_another_instrument_is_protected_and_a_halt_closes_it(
    tmp_path: Path,
) -> None:
    async with new_world(tmp_path) as world:
        await world.open_position()
        await enter_elsewhere(world)
        await reread(world)
        state = await world.until(
            lambda s: LINEAR in s.elsewhere and any(o.role == "s" and o.instrument == LINEAR
                                                    for o in s.orders.values()),
            "its stop",
        )  # fmt: skip
        assert state.foreign == {}
        assert state.position is not None
        assert state.position.instrument == INSTRUMENT
        amounts = (await world.exchange.ledger())["live_stop_amount"]
        assert isinstance(amounts, dict)
        assert Decimal(str(amounts[LINEAR])) == Decimal("0.01")
        await world.command(Halt(by="operator", reason="test"))
        await world.until(lambda s: not s.elsewhere and s.position is None, "flat everywhere", 30)
        ledger = await world.exchange.ledger()
        assert isinstance(ledger["positions"], list)
        assert not any(Decimal(str(row["size"])) for row in ledger["positions"])


async def test_a_liquidation_halts_until_somebody_has_looked(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.open_position()
        await world.exchange.admin.call("liquidate", steps=1)
        await world.until(lambda s: s.halted is not None and s.position is None, "the halt")
        assert world.of(Liquidated)
        (closed,) = world.of(TradeClosed)
        assert isinstance(closed, TradeClosed)
        assert closed.trade.exit_reason == "liquidation"
        (halted,) = world.of(Halted)
        assert isinstance(halted, Halted)
        assert "tradebaas resume" in halted.reason
        await world.command(Resume(by="operator"))
        await world.clear()
        await world.open_position()
        await world.agree()
