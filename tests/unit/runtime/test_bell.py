"""The bell: rings for any of several values, loses no ring, and merges those that come together."""

import trio
import trio.testing

from tradebaas.runtime.bell import Bell
from tradebaas.runtime.mailbox import Latest

Auto = trio.testing.MockClock


async def rings(bell: Bell, within: float = 1.0) -> bool:
    """Whether the bell rings within so many (virtual) seconds."""
    began = trio.current_time()
    await bell.wait(within)
    return trio.current_time() - began < within


async def test_it_rings_once_at_the_start(autojump_clock: Auto) -> None:
    bell = Bell()
    assert await rings(bell)
    assert not await rings(bell)


async def test_it_rings_for_each_of_its_values(autojump_clock: Auto) -> None:
    numbers, words = Latest[int](), Latest[str]("old")
    async with trio.open_nursery() as nursery:
        bell = Bell().on(nursery, numbers).on(nursery, words)
        assert await rings(bell)
        assert not await rings(bell), "an old value is no news"
        numbers.set(1)
        assert await rings(bell)
        words.set("new")
        assert await rings(bell)
        assert not await rings(bell)
        nursery.cancel_scope.cancel()


async def test_rings_that_come_together_are_one(autojump_clock: Auto) -> None:
    numbers = Latest[int]()
    async with trio.open_nursery() as nursery:
        bell = Bell().on(nursery, numbers)
        await bell.wait()
        for number in range(5):
            numbers.set(number)
        assert await rings(bell)
        assert numbers.value == 4
        assert not await rings(bell)
        nursery.cancel_scope.cancel()


async def test_a_value_set_before_the_listening_tasks_run_rings(autojump_clock: Auto) -> None:
    """The listener may have looked already when the tasks of the bell begin."""
    numbers = Latest[int]()
    async with trio.open_nursery() as nursery:
        bell = Bell().on(nursery, numbers)
        bell._rung = trio.Event()  # the listener has taken the first ring
        numbers.set(1)  # and this came after its look
        assert await rings(bell)
        nursery.cancel_scope.cancel()


async def test_a_ring_during_the_listeners_work_is_not_lost(autojump_clock: Auto) -> None:
    numbers = Latest[int]()
    async with trio.open_nursery() as nursery:
        bell = Bell().on(nursery, numbers)
        await bell.wait()
        numbers.set(1)
        await trio.sleep(5)  # at work
        assert await rings(bell)
        nursery.cancel_scope.cancel()
