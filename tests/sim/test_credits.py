"""Rate credits, end to end: the exchange ends sessions for them, and ours never comes so far."""

from typing import Literal

import pytest
import trio
from exchange_kit import World, buy
from trio.testing import MockClock
from trio_websocket import ConnectionClosed

from tradebaas.deribit.errors import CallFailed, LinkLost
from tradebaas.deribit.link import Link
from tradebaas.deribit.rpc import Priority
from tradebaas.paper.readings import Readings

RESTING = buy(10, type="limit", price=40_000)
AT_ONCE = 60


async def test_who_calls_too_often_is_told_so_and_has_to_leave(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        codes = [(await client.call("private/buy", **RESTING)).get("code") for _ in range(21)]
        assert codes == [None] * 20 + [10028]
        assert await client.gone()
        assert len(world.exchange.desk.live) == 20


@pytest.mark.parametrize(("reading", "code"), [("bare", 1006), ("coded", 1008)])
async def test_how_the_connection_ends_then(
    autojump_clock: MockClock, reading: Literal["bare", "coded"], code: int
) -> None:
    world = World(readings=Readings(close=reading))
    async with world.running(), world.client() as client:
        for _ in range(21):
            await client.call("private/buy", **RESTING)
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
        reason = closed.value.reason
        assert (1006 if reason is None else reason.code) == code


async def test_our_link_waits_before_it_is_one_too_many(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.link(call_s=30.0) as link:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(_order, link)
        assert link.alive
        assert len(world.exchange.desk.live) == AT_ONCE
        # 12 at once, since a reserve is kept, and then 4 a second: four fifths of what is allowed.
        assert 11.9 < trio.current_time() - began < 12.5


async def test_what_protects_does_not_wait_behind_what_does_not(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.link(call_s=30.0) as link, trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(_order, link)
        await trio.sleep(1.0)
        began = trio.current_time()
        with pytest.raises(CallFailed):
            await link.call("private/cancel", {"order_id": "none"}, priority=Priority.PROTECT)
        assert trio.current_time() - began < 0.05
        nursery.cancel_scope.cancel()


async def test_a_session_that_was_ended_for_it_leaves_nothing(autojump_clock: MockClock) -> None:
    """Another client of the account has used up what we reckoned with."""
    world = World()
    async with world.running(), world.client() as other, world.link() as link:
        for _ in range(80):
            await other.call("public/get_time")
        with pytest.raises(LinkLost, match="10028"):
            await _read_often(link)
        assert link.credits.wait_s("public/get_time", Priority.NORMAL, 0.0, 1.0) > 1.0


async def _read_often(link: Link) -> None:
    for _ in range(20):
        await link.call("public/get_time", {})


async def _order(link: Link) -> None:
    await link.call("private/buy", RESTING)
