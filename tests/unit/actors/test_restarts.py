"""A restart loop is seen in the log, whatever process its lives were in."""

from pathlib import Path

import pytest

from tests.unit.actors.world import new_world
from tradebaas.actors.restarts import ENDED, RESTART_LOOP, STARTED, restarted_too_often
from tradebaas.config import SupervisorSection
from tradebaas.store.records import NewRecord

USUAL = SupervisorSection(deaths=4, period_seconds=300.0, forgive_seconds=120.0)
NOW_MS = 1_700_000_000_000


def records(*marks: tuple[str, float]) -> list[NewRecord]:
    """Kinds, and how many seconds ago; other events in between."""
    made = []
    for kind, ago_s in marks:
        at_ms = NOW_MS - int(ago_s * 1000)
        made.append(NewRecord(at_ms=at_ms, life=1, kind=kind, version=1, body=b"{}"))
        made.append(NewRecord(at_ms=at_ms, life=1, kind="Linked", version=1, body=b"{}"))
    return made


def judged(*marks: tuple[str, float], settings: SupervisorSection = USUAL) -> str:
    return restarted_too_often(records(*marks), NOW_MS, settings)


def starts(*ago_s: float) -> list[tuple[str, float]]:
    return [(STARTED, ago) for ago in ago_s]


def test_the_fifth_start_after_a_life_without_an_end_is_a_loop() -> None:
    assert judged(*starts(40, 30, 20, 10)) == ""  # this one is the fourth
    told = judged(*starts(50, 40, 30, 20, 10))
    assert told == "5 starts within 300 s followed a life without an end"


def test_orderly_ends_are_no_loop() -> None:
    marks = [mark for ago in (60, 50, 40, 30, 20, 10) for mark in ((STARTED, ago), (ENDED, ago))]
    assert judged(*marks) == ""
    assert judged(*marks, *starts(9)) == ""


def test_starts_of_long_ago_do_not_count() -> None:
    assert judged(*starts(900, 890, 880, 870, 20, 10)) == ""


def test_a_life_that_was_healthy_wipes_out_what_was_before() -> None:
    assert judged(*starts(200, 195, 190, 185, 60, 50)) == ""
    shorter = SupervisorSection(deaths=4, period_seconds=300.0, forgive_seconds=126.0)
    assert judged(*starts(200, 195, 190, 185, 60, 50), settings=shorter) != ""


def test_a_clock_that_went_back_counts_like_one_that_went_on() -> None:
    assert judged(*starts(-50, -40, -30, -20, -10)) != ""


@pytest.mark.parametrize("count", [0, 1])
def test_few_records_are_no_loop(count: int) -> None:
    assert judged(*starts(*range(count))) == ""


async def test_a_daemon_in_a_loop_protects_and_trades_once_it_has_lived(tmp_path: Path) -> None:
    settings = SupervisorSection(deaths=1, period_seconds=60.0, forgive_seconds=1.5)
    async with new_world(tmp_path, supervisor=settings) as world:
        await world.open_position()
        for _ in range(2):
            assert RESTART_LOOP not in world.state.protect
            await world.die()
            world.start()
            await world.until(lambda s: s.reconciled > 0, "a session")
        state = await world.until(lambda s: RESTART_LOOP in s.protect, "the cause")
        assert state.protect[RESTART_LOOP].startswith("2 starts within 60 s")
        assert state.position is not None
        assert await world.exchange.live_stop() >= abs(state.position.size)
        await world.clear()
        await world.arm(active=0)
        await world.until(lambda s: RESTART_LOOP in s.protect, "the cause still")
        before = world.exchange.entries()
        await world.ask(world.propose())
        assert world.exchange.entries() == before
        await world.until(lambda s: RESTART_LOOP not in s.protect, "trust again")
        await world.command(world.propose())
        await world.covered()
        await world.agree()
