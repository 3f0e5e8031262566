"""The two private names of Trio that the simulation stands on: these tests fail when they move."""

import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import blake2b

import pytest
import trio
from trio._core import _run as private

from chaos.sim import kernel

SCRIPT = "from tests.sim.test_kernel import schedule; print(schedule({seed}))"


def schedule(seed: int) -> str:
    """A digest of the order in which some busy tasks ran."""
    digest = blake2b(digest_size=16)

    async def work(name: int, send: trio.MemorySendChannel[int]) -> None:
        rng = random.Random(name)
        with send:
            for _ in range(20):
                await trio.sleep(rng.choice((0.0, 0.1, 0.1, 0.25)))
                await send.send(name)

    async def main() -> None:
        send, receive = trio.open_memory_channel[int](3)
        async with trio.open_nursery() as nursery:
            for name in range(8):
                nursery.start_soon(work, name, send.clone())
            send.close()
            async for name in receive:
                digest.update(f"{name} {trio.current_time():.6f};".encode())

    kernel.run(main, seed, 1000.0)
    return digest.hexdigest()


def test_equal_seeds_give_equal_schedules_also_in_another_process() -> None:
    here = schedule(7)
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "src:."}
        there = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(seed=7)],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert there.stdout.strip() == here


def test_other_seeds_give_other_schedules() -> None:
    assert len({schedule(seed) for seed in range(20)}) == 20


def test_the_scheduler_is_left_as_it_was() -> None:
    before = private._ALLOW_DETERMINISTIC_SCHEDULING, private._r.getstate()
    schedule(3)
    assert (private._ALLOW_DETERMINISTIC_SCHEDULING, private._r.getstate()) == before


class Thrower(trio.abc.Instrument):
    """Throws at the n-th step of the task named ``victim``."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name == "victim":
            self.steps += 1
            if self.steps == self.at:
                kernel.throw(task, ZeroDivisionError("at a step of our choice"))


@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_an_exception_is_raised_at_the_chosen_step(at: int) -> None:
    done: list[int] = []
    caught: list[BaseException] = []

    async def victim() -> None:
        for number in range(1, 6):
            done.append(number)
            await trio.sleep(1)

    async def main() -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(victim, name="victim")
        except* ZeroDivisionError as group:
            caught.extend(group.exceptions)

    kernel.run(main, 1, 100.0, [Thrower(at)])
    assert len(caught) == 1
    assert done == list(range(1, at))


class Asker(trio.abc.Instrument):
    """Asks at each step of the task named ``parent`` whether it may be thrown at."""

    def __init__(self) -> None:
        self.answers: list[bool] = []

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name == "parent":
            self.answers.append(kernel.may_throw(task))


@asynccontextmanager
async def opened() -> AsyncIterator[trio.Nursery]:
    """A nursery inside an async generator, as that of a connection is."""
    async with trio.open_nursery() as nursery:
        yield nursery


@pytest.mark.parametrize("open_nursery", [trio.open_nursery, opened])
def test_nothing_is_thrown_at_a_nursery_that_waits_for_its_children(
    open_nursery: Callable[[], AbstractAsyncContextManager[trio.Nursery]],
) -> None:
    asker = Asker()

    async def parent() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)
        await trio.sleep(1)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(parent, name="parent")

    kernel.run(main, 1, 10.0, [asker])
    assert asker.answers[0]
    assert False in asker.answers
    assert asker.answers[-1]


def test_a_world_that_waits_for_ever_is_told_of() -> None:
    with pytest.raises(kernel.Stalled, match="did not end within 50 s"):
        kernel.run(trio.sleep_forever, 1, 50.0)


def test_a_world_that_spins_is_told_of() -> None:
    async def spin() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    with pytest.raises(kernel.Stalled, match="spun without time passing"):
        kernel.run(spin, 1, 50.0)


def test_an_exception_of_the_world_comes_out() -> None:
    async def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        kernel.run(main, 1, 50.0)
