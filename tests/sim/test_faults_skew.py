"""The exchange's clock drifts and is set: what a client sees of it, and what becomes of orders."""

from dataclasses import replace

import pytest
import trio
from exchange_kit import Client, World, bracket, buy
from trio.testing import MockClock

from chaos.world.faults import GROUPS, strike
from chaos.world.faults_skew import LEAP_MS, PPM, STEP_MS
from tradebaas.deribit import reads

VALID_MS = 500
"""Less than any leap."""


async def time_at(client: Client) -> int:
    """What the exchange says the time is, in ms."""
    return int(await client.call("public/get_time"))


async def moved(name: str, seconds: float, *, speed: float = 1.0) -> tuple[int, int]:
    """How far the clock has moved after the row, at once and so many seconds later."""
    world = World(speed=speed)
    async with world.running(), world.client() as client:
        before = await time_at(client)
        assert await world.strike(name)
        at_once = await time_at(client)
        await trio.sleep(seconds)
        return at_once - before, await time_at(client) - before


@pytest.mark.parametrize(
    "name, least, most",
    [
        ("exchange's clock set forward", *STEP_MS),
        ("exchange's clock leaps", *LEAP_MS),
    ],
)
@pytest.mark.parametrize("speed", [1, 60])
async def test_set_forward_it_goes_on_from_there(
    name: str, least: int, most: int, speed: int, autojump_clock: MockClock
) -> None:
    at_once, later = await moved(name, 10.0, speed=speed)
    assert least * speed <= at_once <= most * speed
    assert later == pytest.approx(at_once + 10_000 * speed, abs=1)


async def test_set_back_it_stands_and_stays_behind(autojump_clock: MockClock) -> None:
    at_once, later = await moved("exchange's clock set back", 10.0)
    assert at_once == 0
    assert STEP_MS[0] <= 10_000 - later <= STEP_MS[1]


async def test_it_drifts_until_all_is_quiet(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.stay()
        assert await world.strike("exchange's clock drifts")
        before = await time_at(client)
        await trio.sleep(100)
        drifted = await time_at(client) - before - 100_000
        assert min(abs(abs(drifted) - ppm / 10) for ppm in PPM) <= 1
        await world.quiet()
        await trio.sleep(100)
        assert await time_at(client) - before == pytest.approx(200_000 + drifted, abs=1)


async def test_an_order_that_a_leap_made_late_is_refused(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        until = await time_at(client) + VALID_MS
        assert (await client.call("private/buy", **buy(10, valid_until=until)))["order"]
        assert await world.strike("exchange's clock leaps")
        late = await client.call("private/buy", **bracket(1000, valid_until=until))
        assert late["code"] == 13888
        assert world.size == 10


async def test_what_was_leapt_over_is_told_to_the_judge(autojump_clock: MockClock) -> None:
    """From no later than the last line before it, to no earlier than the first one after it."""
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **buy(10))
        before = world.journal.lines[-1].at_ms
        assert await world.strike("exchange's clock leaps")
        await client.call("private/buy", **buy(10))
        after = world.journal.lines[-1].at_ms
        (leap,) = world.skew.leaps
        assert leap.from_ms == before
        assert after <= leap.to_ms
        assert leap.within(before, after) == after - before


@pytest.mark.parametrize("name", [name for name in GROUPS["skew"] if "drifts" not in name])
async def test_the_link_follows_with_its_next_answer(name: str, autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.link() as link:
        assert await world.strike(name)
        await trio.sleep(1.0)  # longer than it stands
        told = await reads.server_time(link)
        assert link.clock.now_ms(trio.current_time()) == pytest.approx(told, abs=2)


async def test_where_no_clock_can_be_set_nothing_is_done(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running():
        scene = replace(world.scene(), skew=None)
        assert [strike(scene, name) for name in GROUPS["skew"]] == [""] * len(GROUPS["skew"])
