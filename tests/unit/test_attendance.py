"""How long a start may take before systemd ends it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import pytest
import trio
from trio.testing import MockClock

from tradebaas import attendance
from tradebaas.attendance import START_CHECK_S, START_USUAL_S, Attendance
from tradebaas.board import StoreStatus
from tradebaas.config import Config
from tradebaas.core.state import State
from tradebaas.lives import Lives
from tradebaas.runtime.ports import TrioClock, always, system_ports
from tradebaas.runtime.systemd import Notifier
from tradebaas.store.place import Place

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def _told(within: float, *, ready_after: float, full: bool = False) -> list[tuple[int, str]]:
    """At which second systemd was told what, until ``within``."""
    told: list[tuple[int, str]] = []
    ports = replace(system_ports(), clock=TrioClock())
    lives = Lives(Config(), ports, always(""), "secret", lambda _: None)
    began = trio.current_time()

    def note(_address: str, payload: bytes) -> None:
        told.append((round(trio.current_time() - began), payload.decode()))

    async def recover() -> None:
        while trio.current_time() - began < ready_after:
            if full:
                lives.board.store.set(StoreStatus(fault="full", at=trio.current_time()))
            await trio.sleep(1)
        lives.board.view.set(State())

    with trio.move_on_after(within):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recover)
            await Attendance(lives, Notifier({"NOTIFY_SOCKET": "@s"}, note)).attend(lambda: False)
    return told


async def test_a_start_that_replays_for_minutes_asks_for_more_time(
    autojump_clock: MockClock,
) -> None:
    told = await _told(400, ready_after=300)
    more = [second for second, words in told if words == "EXTEND_TIMEOUT_USEC=60000000"]
    assert max(later - sooner for sooner, later in pairwise([0, *more, 300])) <= START_CHECK_S
    assert (300, "READY=1") in told


@pytest.mark.parametrize(("full", "why"), [(False, "its disk hangs"), (True, "not ready: full")])
async def test_a_start_that_hangs_is_never_ended_and_says_why_it_is_not_ready(
    full: bool, why: str, autojump_clock: MockClock
) -> None:
    """A kill does not reach who waits for a disk, and the next one would wait beside it."""
    told = await _told(20_000, ready_after=30_000, full=full)
    last, _ = told[-1]
    assert last >= 20_000 - START_CHECK_S
    said = [(second, words) for second, words in told if words.startswith("STATUS=")]
    assert len(said) == 1, said
    second, words = said[0]
    assert START_USUAL_S <= second <= START_USUAL_S + START_CHECK_S
    assert why in words


class _AtOnce:
    """Runs what blocks where it is asked for."""

    async def run(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        await trio.lowlevel.checkpoint()
        return fn(*args)


@asynccontextmanager
async def _at_once(name: str) -> AsyncIterator[_AtOnce]:
    yield _AtOnce()


async def test_while_another_process_holds_the_store_that_is_all_it_says(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes; what else may keep it is told when it has its turn."""
    told: list[tuple[float, str]] = []
    ports = replace(system_ports(), clock=TrioClock(), open_blocking=_at_once)
    lives = Lives(Config(), ports, always(""), "secret", lambda _: None)
    began = trio.current_time()

    def note(_address: str, payload: bytes) -> None:
        told.append((trio.current_time() - began, payload.decode()))

    def holder(_place: Place, _now_ms: int) -> str:
        return "process 7 has it" if trio.current_time() - began < 60 else ""

    async def say(*_: object, **__: object) -> None:
        """The clock would jump while a thread prints."""

    monkeypatch.setattr(attendance, "_holder", holder)
    monkeypatch.setattr(attendance, "say", say)
    tells = Attendance(lives, Notifier({"NOTIFY_SOCKET": "@s"}, note))
    with trio.move_on_after(90):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tells.attend, lambda: False)
            await tells.turn(Place(Path("/nowhere")))
    said = [(second, words) for second, words in told if words.startswith("STATUS=")]
    waits = "STATUS=waits for the store: process 7 has it"
    assert {words for second, words in said if second < 60} == {waits}
    assert any("not ready: " in words for second, words in said if second >= 60)
