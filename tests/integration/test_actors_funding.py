"""What holding a position costs at the real exchange is in the net of the trade, whatever dies.

The exchange's own table of transactions is what is compared with, read from outside.
"""

import json
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from tests.unit.actors.world import World, new_world
from tradebaas.core.events import TradeClosed
from tradebaas.core.funding_events import FundingCharged
from tradebaas.core.messages import ClosePosition
from tradebaas.core.state import State

PREMIUM = Decimal("0.01")
STOOD_MS = 600_000
"""Two seconds, at 300 times real speed."""


def told(world: World) -> Decimal:
    """What the exchange says that all positions have cost."""
    query = "SELECT body FROM transactions ORDER BY id"
    path = str(world.exchange.directory / "exchange.db")
    connection = apsw.Connection(path, apsw.SQLITE_OPEN_READONLY)
    try:
        rows = [json.loads(str(body)) for (body,) in connection.execute(query)]
    finally:
        connection.close()
    return -sum((Decimal(str(row.get("interest_pl", 0))) for row in rows), Decimal(0))


def is_read(state: State) -> bool:
    """Whether the funding of the last trade is known."""
    last = state.last_trade
    return last is not None and state.funding.through_ms >= last.closed_ms


async def holds_for_a_while(world: World) -> None:
    await world.arm()
    await world.command(world.propose())
    opened_ms = (await world.covered()).read_through_ms
    await world.poll(lambda: _now_ms(world) > opened_ms + STOOD_MS, "the position to stand")


def _now_ms(world: World) -> int:
    market = world.board.market.value
    return market.at_ms if market is not None else 0


def agrees(world: World, state: State) -> None:
    """The log's trade, the totals and the exchange's rows say the same."""
    last = state.last_trade
    assert last is not None
    assert last.funding == told(world) != 0
    assert last.net == last.gross - last.fees - last.funding
    assert state.counters.funding == {"BTC": last.funding}
    assert state.counters.net == {"BTC": last.net}
    assert world.log()[0] == world.state, "the fold of the log is the state"


async def test_a_trade_is_told_net_of_its_funding(tmp_path: Path) -> None:
    async with new_world(tmp_path, funding=PREMIUM) as world:
        await holds_for_a_while(world)
        await world.command(ClosePosition(reason="enough"))
        agrees(world, await world.until(is_read, "the funding", 15))


@pytest.mark.parametrize("when", ["while it stands", "before it is read", "as it is read"])
async def test_no_death_costs_or_doubles_a_row(tmp_path: Path, when: str) -> None:
    async with new_world(tmp_path, funding=PREMIUM) as world:
        await holds_for_a_while(world)
        if when == "while it stands":
            await world.die()
            world.start()
            await world.ready()
        await world.command(ClosePosition(reason="enough"))
        await world.until(lambda s: s.last_trade is not None, "the end of the trade")
        if when == "as it is read":
            await world.poll(lambda: world.of(FundingCharged), "the first row", 15)
        if when != "while it stands":
            await world.die()
            world.start()
        agrees(world, await world.until(is_read, "the funding", 15))
        assert len(world.of(TradeClosed)) == 1


async def test_an_exchange_that_does_not_tell_costs_no_trading(tmp_path: Path) -> None:
    async with new_world(tmp_path, funding=PREMIUM) as world:
        await world.exchange.admin.call(
            "reject", method="private/get_transaction_log", code=13021, message="forbidden",
            count=1000,
        )  # fmt: skip
        await holds_for_a_while(world)
        connection = world.state.connection
        await world.command(ClosePosition(reason="enough"))
        await world.poll(lambda: "13021" in world.board.funding_refused, "the refusal", 15)
        await world.until(lambda s: s.position is None, "the end of it")
        assert world.state.connection == connection
        assert world.state.last_trade is not None
        assert world.state.last_trade.funding == 0
        await world.covered()  # and trades on
