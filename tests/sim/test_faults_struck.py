"""What was armed counts when it strikes: once for each call or frame that meets it, else never."""

from pathlib import Path
from random import Random

import pytest
import trio
from exchange_kit import BTC, CHANGES, World, bracket, buy
from trio.testing import MockClock

from chaos.sim.deeds import ARMING_DEEDS, TABLES
from chaos.world.disk import SimDisk
from chaos.world.faults import ARMING
from chaos.world.faults_errors import NO_STOP_MS

NO_STOP = "no stop is taken"


async def test_a_lost_call_strikes_when_it_is_made(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await world.strike("order failed")
        assert world.struck == []
        await client.call("private/get_open_orders")
        assert world.struck == []
        await client.call("private/buy", **buy())
        assert world.struck == ["order failed"]


async def test_what_is_ended_before_anybody_meets_it_never_strikes(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        for name in ("order failed", "answers twice", "notification spoilt", "odd errors"):
            await world.strike(name)
        await world.quiet()
        await client.call("private/subscribe", channels=[CHANGES])
        await client.call("private/buy", **buy())
        await client.call("private/cancel", order_id="none")
        assert world.struck == []


async def test_a_form_strikes_with_the_first_frame_that_wears_it(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await world.strike("odd errors")
        await world.strike("odd numbers")
        await client.call("public/get_time")
        assert world.struck == []
        for _ in range(3):
            await client.call("private/cancel", order_id="none")
        assert world.struck == ["odd errors"]
        for _ in range(3):
            await client.call("public/ticker", instrument_name=BTC)
        assert world.struck == ["odd errors", "odd numbers"]


async def test_each_doubled_frame_counts(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await world.strike("answers twice")
        armed = world.mail.answers_twice.left
        for _ in range(armed + 2):
            await client.call("private/buy", **buy())
        assert world.struck == ["answers twice"] * armed


@pytest.mark.parametrize("name", ["fill races a cancel", "cancel of what has ended"])
async def test_a_race_strikes_when_the_fill_comes_first(
    name: str, autojump_clock: MockClock
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **bracket())
        (take,) = (order for order in world.scene().live(ours=True) if not order.is_live_stop)
        await world.strike(name)
        await client.call("private/cancel", order_id="none")
        assert world.struck == []
        await client.call("private/cancel", order_id=take.order_id)
        assert world.struck == [name]


STOP = {
    "instrument_name": BTC, "type": "stop_market", "trigger": "mark_price", "reduce_only": True,
    "trigger_price": 48_500, "label": "tb1-aa-2-s",
}  # fmt: skip


async def test_no_stop_is_taken_for_a_while_and_everything_else_is(
    autojump_clock: MockClock,
) -> None:
    """One that comes after that while is met as well, and is the last."""
    world = World()
    async with world.running(), world.client() as client:
        assert await world.strike(NO_STOP) == ""
        await client.call("private/buy", **bracket())
        said = await world.strike(NO_STOP)
        assert "refused" in said
        assert not any(order.is_live_stop for order in world.scene().live(ours=True))
        assert world.struck == []
        for _ in range(8):
            assert "code" in await client.call("private/sell", amount=1000, **STOP)
        assert "order" in await client.call("private/sell", **{**buy(500), "reduce_only": True})
        assert world.struck == [NO_STOP] * 8
        await trio.sleep(NO_STOP_MS[1] / 1000)
        assert "code" in await client.call("private/sell", amount=500, **STOP)
        assert "order" in await client.call("private/sell", amount=500, **STOP)
        assert world.struck == [NO_STOP] * 9


def test_a_fault_of_the_disk_strikes_at_its_operation() -> None:
    disk, struck = SimDisk(Random(1)), []
    mount = disk.mount()
    disk.arm("sync", nth=2, struck=lambda: struck.append(1))
    file = mount.open(Path("/a"), "create")
    file.sync()
    assert struck == []
    with pytest.raises(OSError, match="Input/output error"):
        file.sync()
    assert struck == [1]


def test_only_what_somebody_meets_later_is_counted_later() -> None:
    assert {name for table in TABLES.values() for name in table} >= ARMING_DEEDS >= ARMING
