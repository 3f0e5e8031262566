"""The supervisor: what a death costs, when it gives up, and that no exception is ever lost."""

import gc
import traceback
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing

from tradebaas.errors import BudgetSpent, ConfigError, Fatal, StoreFault
from tradebaas.runtime.mailbox import LifeEnded
from tradebaas.runtime.ports import SeededEntropy, TrioClock
from tradebaas.runtime.supervisor import (
    BACKOFF_S,
    JITTER,
    ActorDied,
    Budget,
    Cause,
    DeathBook,
    DeathReport,
    LifePlan,
    causes_of,
    find_fatal,
    leaves,
    named,
    supervise,
)

Auto = trio.testing.MockClock  # pytest-trio sees the clock only if a test takes it as an argument

Life = Callable[[LifePlan], Awaitable[None]]
A = (Cause("strategy", "ValueError"),)
B = (Cause("metrics", "KeyError"),)
DEFAULT = Budget()


@dataclass
class Script:
    """A crew that lives through a list of (seconds of life, what it dies of), then returns."""

    lives: list[tuple[float, BaseException | None]]
    plans: list[LifePlan] = field(default_factory=list)
    births: list[float] = field(default_factory=list)
    reports: list[DeathReport] = field(default_factory=list)

    async def start_life(self, plan: LifePlan) -> None:
        self.plans.append(plan)
        self.births.append(trio.current_time())
        lived, error = self.lives.pop(0)
        await trio.sleep(lived)
        if error is not None:
            raise error

    async def run(
        self, *, budget: Budget = DEFAULT, stop: trio.Event | None = None, seed: int = 1
    ) -> None:
        await supervise(
            self.start_life,
            clock=TrioClock(),
            entropy=SeededEntropy(seed),
            budget=budget,
            on_death=self.reports.append,
            stop=trio.Event() if stop is None else stop,
        )


def died(actor: str, *errors: Exception) -> ExceptionGroup[Exception]:
    """A life's exception group as a crew raises it."""
    return ExceptionGroup("crew", [ActorDied(actor, list(errors))])


# --- lives and plans -----------------------------------------------------------------------------


async def test_a_life_that_returns_ends_the_supervision(autojump_clock: Auto) -> None:
    script = Script([(5, None)])
    await script.run()
    assert script.plans == [LifePlan(life=1, causes=(), repeat=False)]
    assert script.reports == []


async def test_a_death_starts_the_next_life_and_tells_it_why(autojump_clock: Auto) -> None:
    error = died("strategy", ValueError("bad candle"))
    script = Script([(7, error), (1, None)])
    await script.run()
    assert script.plans[1] == LifePlan(life=2, causes=A, repeat=False)
    (report,) = script.reports
    assert report.error is error
    assert (report.life, report.causes, report.deaths) == (1, A, 1)
    assert report.lived == pytest.approx(7)
    assert report.backoff == 0


async def test_the_second_death_of_a_kind_in_a_row_asks_for_protect_only(
    autojump_clock: Auto,
) -> None:
    kinds = [ValueError(), KeyError(), ValueError(), ValueError()]
    script = Script([*((1.0, died("strategy", kind)) for kind in kinds), (1, None)])
    await script.run()
    assert [plan.repeat for plan in script.plans] == [False, False, False, False, True]


async def test_the_same_error_in_another_actor_is_another_kind(autojump_clock: Auto) -> None:
    script = Script([(1, died("a", ValueError())), (1, died("b", ValueError())), (1, None)])
    await script.run()
    assert [plan.repeat for plan in script.plans] == [False, False, False]


# --- backoff and budget --------------------------------------------------------------------------


async def test_backoff_follows_the_table_with_jitter(autojump_clock: Auto) -> None:
    script = Script([(1.0, died("a", ValueError())) for _ in range(7)] + [(1, None)])
    await script.run(budget=Budget(deaths=100))
    waits = [
        later - born - 1 for born, later in zip(script.births, script.births[1:], strict=False)
    ]
    for wait, report, nominal in zip(
        waits, script.reports, [*BACKOFF_S, BACKOFF_S[-1], BACKOFF_S[-1]], strict=True
    ):
        assert wait == pytest.approx(report.backoff, abs=1e-6)
        assert nominal * (1 - JITTER) <= wait + 1e-6
        assert wait - 1e-6 <= nominal * (1 + JITTER)
    assert waits[4] != pytest.approx(8.0)


async def test_jitter_is_the_same_for_the_same_seed(autojump_clock: Auto) -> None:
    async def backoffs(seed: int) -> list[float | None]:
        script = Script([(1.0, died("a", ValueError())) for _ in range(4)] + [(1, None)])
        await script.run(seed=seed)
        return [report.backoff for report in script.reports]

    assert await backoffs(1) == await backoffs(1) != await backoffs(2)


async def test_four_deaths_are_allowed_and_the_fifth_spends_the_budget(
    autojump_clock: Auto,
) -> None:
    script = Script([(1.0, died("strategy", ValueError("x"))) for _ in range(4)] + [(1, None)])
    await script.run()
    assert len(script.plans) == 5

    script = Script([(1.0, died("strategy", ValueError("x"))) for _ in range(6)])
    last = script.lives[4][1]
    with pytest.raises(
        BudgetSpent, match=r"5 deaths within 300 s \(strategy ValueError x5\)"
    ) as got:
        await script.run()
    assert got.value.__cause__ is last
    assert len(script.plans) == 5
    assert [report.backoff is None for report in script.reports] == [False] * 4 + [True]


async def test_deaths_older_than_the_period_are_forgotten(autojump_clock: Auto) -> None:
    """Lives of 76 s: at most four deaths fit into any 300 s."""
    script = Script([(76.0, died("a", ValueError())) for _ in range(20)] + [(1, None)])
    await script.run()
    assert len(script.plans) == 21
    script = Script([(70.0, died("a", ValueError())) for _ in range(20)])
    with pytest.raises(BudgetSpent):
        await script.run()
    assert len(script.plans) == 5


async def test_health_wipes_the_slate(autojump_clock: Auto) -> None:
    burst = [(1.0, died("a", ValueError())) for _ in range(4)]
    script = Script([*burst, (120.0, died("a", ValueError())), *burst[:3], (1, None)])
    await script.run()
    assert [plan.repeat for plan in script.plans] == [
        *(False, False, True, True, True),  # the last of these lives lasts 120 s ...
        *(False, True, True, True),  # ... so that the count begins again
    ]
    assert script.reports[4].deaths == 1
    assert script.reports[4].backoff == 0

    script = Script([*burst, (119.0, died("a", ValueError()))])
    with pytest.raises(BudgetSpent):
        await script.run()


def test_death_book_counts_exactly_at_its_edges() -> None:
    book = DeathBook(Budget(deaths=1, period=300, forgive_after=120))
    book.record(A, born=0, died=10)
    assert (book.count, book.spent, book.repeat) == (1, False, False)
    book.record(A, born=191, died=310)
    assert (book.count, book.spent, book.repeat) == (2, True, True)
    book.record(B, born=311, died=310.5 + 120)
    assert (book.count, book.repeat) == (2, True)
    book.record(B, born=500, died=620)
    assert (book.count, book.spent, book.repeat) == (1, False, False)


def test_death_book_stays_small() -> None:
    book = DeathBook(Budget(deaths=4, period=10, forgive_after=1e9))
    for at in range(1000):
        book.record(A, born=at, died=at)
    assert book.count == 11


# --- stopping ------------------------------------------------------------------------------------


async def test_stop_during_the_backoff_ends_at_once(autojump_clock: Auto) -> None:
    stop = trio.Event()
    script = Script([(1.0, died("a", ValueError())) for _ in range(5)])
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: script.run(budget=Budget(deaths=9), stop=stop))
        await trio.sleep(5.5)  # four lives of 1 s and 0 + 0.1 + 0.5 s: inside the wait of 2 s
        stop.set()
    assert trio.current_time() - start == pytest.approx(5.5)
    assert len(script.plans) == 4


async def test_a_death_after_stop_is_reported_and_not_followed_by_a_life(
    autojump_clock: Auto,
) -> None:
    stop = trio.Event()
    stop.set()
    script = Script([(1, died("a", ValueError()))])
    await script.run(stop=stop)
    assert len(script.reports) == 1


async def test_cancellation_passes_through(autojump_clock: Auto) -> None:
    script = Script([(1e6, None)])
    with trio.move_on_after(3) as scope:
        await script.run()
    assert scope.cancelled_caught
    assert script.reports == []


async def test_a_death_under_a_cancellation_is_not_swallowed(autojump_clock: Auto) -> None:
    """Errors raised while being cancelled reach whoever cancelled; no new life starts."""
    plans: list[LifePlan] = []

    async def dies_of_cancellation() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while cleaning up")

    async def start_life(plan: LifePlan) -> None:
        plans.append(plan)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dies_of_cancellation)
            nursery.start_soon(trio.sleep_forever)

    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="while cleaning up")):
        with trio.move_on_after(3):
            await supervise(
                start_life,
                clock=TrioClock(),
                entropy=SeededEntropy(1),
                budget=Budget(),
                on_death=lambda report: pytest.fail(f"counted as a death: {report}"),
                stop=trio.Event(),
            )
    assert len(plans) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
async def test_what_is_no_ordinary_exception_passes_through(
    autojump_clock: Auto, error: BaseException
) -> None:
    script = Script([(1, error)])
    with pytest.raises(type(error)) as got:
        await script.run()
    assert got.value is error
    assert script.reports == []


# --- fatal ---------------------------------------------------------------------------------------


async def test_a_fatal_in_the_group_ends_the_process_with_the_whole_group_as_cause(
    autojump_clock: Auto,
) -> None:
    fatal = StoreFault("fsync failed")
    error = ExceptionGroup(
        "crew", [ActorDied("metrics", [ValueError("noise")]), ActorDied("persister", [fatal])]
    )
    script = Script([(1, error)])
    with pytest.raises(StoreFault) as got:
        await script.run()
    assert got.value is fatal
    assert got.value.__cause__ is error
    assert [report.backoff for report in script.reports] == [None]
    printed = "".join(traceback.format_exception(got.value))
    assert "noise" in printed
    assert "actor persister died" in printed


async def test_a_bare_fatal_is_raised_as_it_is(autojump_clock: Auto) -> None:
    fatal = ConfigError("no")
    with pytest.raises(ConfigError) as got:
        await Script([(1, fatal)]).run()
    assert got.value is fatal
    assert got.value.__cause__ is None


def test_of_several_fatals_the_one_that_forbids_most_wins() -> None:
    class Newer(Fatal):
        exit_code = 78

    store, newer = StoreFault("a"), Newer("b")
    assert find_fatal(ExceptionGroup("", [store, ExceptionGroup("", [newer])])) is newer
    assert find_fatal(ExceptionGroup("", [newer, store])) is newer
    assert find_fatal(ExceptionGroup("", [ValueError()])) is None


# --- names and leaves ----------------------------------------------------------------------------


def test_named_names_every_leaf_and_loses_none() -> None:
    one, two = ValueError("one"), KeyError("two")
    with pytest.raises(ExceptionGroup) as got, named("strategy"):
        raise ExceptionGroup("inner", [one, ExceptionGroup("deeper", [two])])
    assert list(leaves(got.value)) == [("strategy", one), ("strategy", two)]


def test_named_lets_other_exceptions_pass_beside_it() -> None:
    interrupt, bug = KeyboardInterrupt(), ValueError()
    with pytest.raises(BaseExceptionGroup) as got, named("strategy"):
        raise BaseExceptionGroup("", [interrupt, bug])
    assert set(leaves(got.value)) == {("crew", interrupt), ("strategy", bug)}
    with pytest.raises(KeyboardInterrupt), named("strategy"):
        raise KeyboardInterrupt


def test_splitting_a_group_keeps_the_actors_name() -> None:
    group = died("metrics", ValueError(), KeyError())
    part, rest = group.split(ValueError)
    assert part is not None
    assert rest is not None
    assert causes_of(part) == (Cause("metrics", "ValueError"),)
    assert causes_of(rest) == (Cause("metrics", "KeyError"),)


def test_causes_are_distinct_and_leave_out_consequences() -> None:
    group = ExceptionGroup(
        "crew",
        [
            ActorDied("strategy", [LifeEnded()]),
            ActorDied("persister", [ValueError("1"), ValueError("2")]),
            RuntimeError("outside"),
        ],
    )
    assert causes_of(group) == (Cause("persister", "ValueError"), Cause("crew", "RuntimeError"))
    assert causes_of(died("strategy", LifeEnded())) == (Cause("strategy", "LifeEnded"),)


async def test_a_dead_life_is_not_kept_in_memory_by_the_next(autojump_clock: Auto) -> None:
    class Big:
        """Stands for everything that a dead life's frames hold."""

    held: list[weakref.ref[Big]] = []

    async def start_life(plan: LifePlan) -> None:
        if plan.life == 1:
            big = Big()
            held.append(weakref.ref(big))
            raise ValueError("with a frame that holds", id(big))
        await trio.sleep(1)
        gc.collect()
        assert held[0]() is None

    await supervise(
        start_life,
        clock=TrioClock(),
        entropy=SeededEntropy(1),
        budget=Budget(),
        on_death=lambda _report: None,
        stop=trio.Event(),
    )
