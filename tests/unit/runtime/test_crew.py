"""The crew: order of start and end, one for all, deadlines, and killing one actor."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from tradebaas.runtime.crew import ActorSpec, Crew, Drain
from tradebaas.runtime.ports import SeededEntropy, TrioClock
from tradebaas.runtime.supervisor import Budget, Cause, LifePlan, causes_of, leaves, supervise

Auto = trio.testing.MockClock  # pytest-trio sees the clock only if a test takes it as an argument


class Stage:
    """Builds actors that write down what they do."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def actor(
        self, name: str, *, start: float = 1, end: float = 1, body: Callable[[], Any] | None = None
    ) -> ActorSpec:
        """An actor that is ready after ``start`` s and ends ``end`` s after it is asked to.

        ``body`` is called after the actor became ready; it may be asynchronous.
        """

        async def run(drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
            self.seen.append(f"{name} starts")
            try:
                await trio.sleep(start)
                task_status.started()
                self.seen.append(f"{name} ready")
                if body is not None:
                    await body()
                await drain.wait()
                self.seen.append(f"{name} drains")
                await trio.sleep(end)
                self.seen.append(f"{name} finished")
            except trio.Cancelled:
                self.seen.append(f"{name} cancelled")
                raise

        return ActorSpec(name, run)


def fails(error: BaseException, after: float = 1) -> Callable[[], Any]:
    async def body() -> None:
        await trio.sleep(after)
        raise error

    return body


async def start_in(nursery: trio.Nursery, crew: Crew) -> list[tuple[str, ...]]:
    """Start the crew in the background; its result is appended to the returned list."""
    results: list[tuple[str, ...]] = []

    async def run() -> None:
        results.append(await crew.run())

    nursery.start_soon(run)
    await trio.testing.wait_all_tasks_blocked()
    return results


async def run_until(crew: Crew, act: Callable[[], None]) -> None:
    """Run the crew and do something to it after 10 s."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crew.run)
        await trio.sleep(10)
        act()


async def test_actors_start_in_order_and_end_in_reverse(autojump_clock: Auto) -> None:
    stage, drain = Stage(), Drain()
    crew = Crew([stage.actor(name) for name in ("one", "two", "three")], drain)
    async with trio.open_nursery() as nursery:
        results = await start_in(nursery, crew)
        await trio.sleep(100)
        drain.ask()
    assert stage.seen == [
        *("one starts", "one ready", "two starts", "two ready", "three starts", "three ready"),
        *("three drains", "three finished", "two drains", "two finished"),
        *("one drains", "one finished"),
    ]
    assert results == [()]


async def test_one_death_ends_all_and_names_the_actor(autojump_clock: Auto) -> None:
    stage, bug = Stage(), ValueError("bug")
    crew = Crew([stage.actor("one"), stage.actor("two", body=fails(bug))], Drain())
    with pytest.raises(ExceptionGroup) as got:
        await crew.run()
    assert list(leaves(got.value)) == [("two", bug)]
    assert "one cancelled" in stage.seen


async def test_all_exceptions_of_all_actors_are_in_the_group(autojump_clock: Auto) -> None:
    first, second = ValueError("first"), KeyError("while cleaning up")

    async def bad_cleanup() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise second

    stage = Stage()
    actors = [stage.actor("one", body=bad_cleanup), stage.actor("two", body=fails(first))]
    with pytest.raises(ExceptionGroup) as got:
        await Crew(actors, Drain()).run()
    assert set(leaves(got.value)) == {("one", second), ("two", first)}


@pytest.mark.parametrize("ready", [True, False])
async def test_an_actor_that_returns_unasked_is_a_death(autojump_clock: Auto, ready: bool) -> None:
    async def run(_drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        if ready:
            task_status.started()

    crew = Crew([Stage().actor("one"), ActorSpec("two", run)], Drain())
    with pytest.raises(ExceptionGroup) as got:
        await crew.run()
    assert causes_of(got.value) == (Cause("two", "ActorReturned"),)


async def test_a_death_while_another_actor_starts_is_the_only_cause(autojump_clock: Auto) -> None:
    stage = Stage()
    actors = [stage.actor("one", body=fails(ValueError())), stage.actor("two", start=100)]
    with pytest.raises(ExceptionGroup) as got:
        await Crew(actors, Drain()).run()
    assert causes_of(got.value) == (Cause("one", "ValueError"),)


async def test_a_death_before_ready_is_named_too(autojump_clock: Auto) -> None:
    async def run(_drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
        raise OSError("cannot open")

    stage = Stage()
    crew = Crew([stage.actor("one"), ActorSpec("two", run), stage.actor("three")], Drain())
    with pytest.raises(ExceptionGroup) as got:
        await crew.run()
    assert causes_of(got.value) == (Cause("two", "OSError"),)
    assert "three starts" not in stage.seen


async def test_drain_has_one_deadline_for_all_and_names_who_missed_it(autojump_clock: Auto) -> None:
    stage, drain = Stage(), Drain(timeout=20)
    actors = [stage.actor("one"), stage.actor("two", end=1e6), stage.actor("three", end=5)]
    async with trio.open_nursery() as nursery:
        results = await start_in(nursery, Crew(actors, drain))
        await trio.sleep(10)
        drain.ask()
        asked = trio.current_time()
    assert trio.current_time() - asked == pytest.approx(20)
    assert results == [("one", "two")]
    assert stage.seen[-4:-2] == ["three finished", "two drains"]
    assert set(stage.seen[-2:]) == {"one cancelled", "two cancelled"}


async def test_a_second_signal_ends_at_once(autojump_clock: Auto) -> None:
    stage, drain = Stage(), Drain()
    async with trio.open_nursery() as nursery:
        results = await start_in(nursery, Crew([stage.actor("one", end=15)], drain))
        await trio.sleep(10)
        drain.ask()
        asked = trio.current_time()
        await trio.sleep(2)
        drain.ask()
    assert trio.current_time() - asked == pytest.approx(2)
    assert results == [("one",)]
    assert stage.seen[-1] == "one cancelled"


async def test_drain_during_the_start_cancels_the_start_and_ends_the_started(
    autojump_clock: Auto,
) -> None:
    stage, drain = Stage(), Drain()
    actors = [stage.actor("one"), stage.actor("two", start=1e6), stage.actor("three")]
    async with trio.open_nursery() as nursery:
        results = await start_in(nursery, Crew(actors, drain))
        await trio.sleep(10)
        drain.ask()
    assert results == [()]
    assert stage.seen[-3:] == ["two cancelled", "one drains", "one finished"]


@pytest.mark.parametrize("order", range(20))
async def test_drain_at_the_instant_of_becoming_ready_misses_nobody(
    autojump_clock: Auto, order: int
) -> None:
    """The drain is asked at the same moment as "two" reports that it is ready."""
    stage, drain = Stage(), Drain()

    async def ask() -> None:
        await trio.sleep(1)
        for _ in range(order % 5):
            await trio.lowlevel.checkpoint()
        drain.ask()

    crew = Crew([stage.actor("one", start=0), stage.actor("two", start=1)], drain)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        results = await start_in(nursery, crew)
    assert results == [()]
    assert "one finished" in stage.seen
    assert ("two ready" in stage.seen) == ("two finished" in stage.seen)


async def test_a_drain_asked_before_the_start_ends_the_life_at_once(autojump_clock: Auto) -> None:
    stage, drain = Stage(), Drain()
    drain.ask()
    assert await Crew([stage.actor("one")], drain).run() == ()
    assert "one ready" not in stage.seen


async def test_a_death_during_the_drain_is_raised(autojump_clock: Auto) -> None:
    stage, drain = Stage(), Drain()

    async def run(drain: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await drain.wait()
        raise ValueError("could not close")

    crew = Crew([stage.actor("one"), ActorSpec("two", run)], drain)
    with pytest.raises(ExceptionGroup) as got:
        await run_until(crew, drain.ask)
    assert causes_of(got.value) == (Cause("two", "ValueError"),)


@pytest.mark.parametrize("victim", ["one", "two", "three"])
async def test_kill_makes_exactly_that_actor_die(autojump_clock: Auto, victim: str) -> None:
    stage = Stage()
    crew = Crew([stage.actor(name) for name in ("one", "two", "three")], Drain())
    with pytest.raises(ExceptionGroup) as got:
        await run_until(crew, lambda: crew.kill(victim))
    assert causes_of(got.value) == (Cause(victim, "Killed"),)
    assert sorted(stage.seen[-3:]) == ["one cancelled", "three cancelled", "two cancelled"]


async def test_kill_reaches_an_actor_that_is_still_starting(autojump_clock: Auto) -> None:
    crew = Crew([Stage().actor("one", start=1e6)], Drain())
    with pytest.raises(ExceptionGroup) as got:
        await run_until(crew, lambda: crew.kill("one"))
    assert causes_of(got.value) == (Cause("one", "Killed"),)


async def test_kill_refuses_an_unknown_name_and_lists_the_known(autojump_clock: Auto) -> None:
    crew = Crew([Stage().actor("one"), Stage().actor("two")], Drain())
    with pytest.raises(LookupError, match="no actor named 'three'; it has: one, two"):
        crew.kill("three")


def test_two_actors_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="one name"):
        Crew([Stage().actor("one"), Stage().actor("one")], Drain())


async def test_supervised_crew_recovers_from_kills_and_drains_in_the_end(
    autojump_clock: Auto,
) -> None:
    """Crew and supervisor together, as the daemon uses them."""
    stage, drain = Stage(), Drain()
    crews: list[Crew] = []
    plans: list[LifePlan] = []

    async def start_life(plan: LifePlan) -> None:
        plans.append(plan)
        crews.append(Crew([stage.actor("one"), stage.actor("two")], drain))
        await crews[-1].run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: supervise(
                start_life,
                clock=TrioClock(),
                entropy=SeededEntropy(1),
                budget=Budget(),
                on_death=lambda _report: None,
                stop=drain.asked,
            )
        )
        for _ in range(2):
            await trio.sleep(10)
            crews[-1].kill("two")
        await trio.sleep(10)
        drain.ask()
    killed = (Cause("two", "Killed"),)
    assert plans == [LifePlan(1), LifePlan(2, killed), LifePlan(3, killed, repeat=True)]
    assert stage.seen[-2:] == ["one drains", "one finished"]
