"""A machine's clock that is off: nothing is opened while it is, and it is told everywhere."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.actors.world import World, new_world
from tradebaas.actors.causes import SKEW
from tradebaas.commands.rows import Level, clock_row
from tradebaas.core.events import ProtectOnlyEntered, SignalDropped
from tradebaas.deribit.clock import ExchangeClock
from tradebaas.runtime.ports import Clock, Ports, SystemClock


class Off:
    """A clock that is set now and then."""

    def __init__(self) -> None:
        self.by_ms = 0
        self._true = SystemClock()

    def monotonic(self) -> float:
        return self._true.monotonic()

    def wall_ms(self) -> int:
        return self._true.wall_ms() + self.by_ms


def set_off(world: World, clock: Clock) -> None:
    """The daemon's next process has this clock; the exchange keeps its own."""
    honest = world.wires.ports

    def ports() -> Ports:
        return replace(honest(), clock=clock)

    world.wires.ports = ports  # type: ignore[method-assign]
    world.start()


@pytest.mark.parametrize("by_ms", [31_000, -31_000, 86_400_000])
async def test_nothing_is_opened_while_the_clock_is_off(tmp_path: Path, by_ms: int) -> None:
    async with new_world(tmp_path) as world:
        await world.ready()
        await world.stop()
        clock = Off()
        set_off(world, clock)
        await world.ready()
        assert SKEW not in world.state.protect, "300 times real speed is no skew"
        assert world.board.clock.value is not None
        assert abs(world.board.clock.value.skew_ms) < 1_000
        clock.by_ms = by_ms
        await world.until(lambda s: SKEW in s.protect, "a skew that is noticed")
        assert "timedatectl" in world.state.protect[SKEW]
        assert abs(world.board.clock.value.skew_ms - by_ms) < 1_000
        await world.arm()
        answer = await world.command(world.propose())
        (dropped,) = (event for event in answer.events if isinstance(event, SignalDropped))
        assert SKEW in dropped.reason
        clock.by_ms = 29_000
        await world.until(lambda s: SKEW not in s.protect, "the end of it")
        assert world.state.connection == 1
        entered = [event for event in world.of(ProtectOnlyEntered) if SKEW in str(event)]
        assert len(entered) == 1
        await world.covered()


def test_each_clock_is_asked_as_it_runs() -> None:
    """Deribit's time is its clock; of an embedded market only the wall clock says anything."""
    deribit, embedded = ExchangeClock(), ExchangeClock()
    for clock in (deribit, embedded):
        clock.learn(10.0, 10.0, 5_000_000_000, 5_000_000_000)
    embedded.configure(Decimal(60), lockstep=False, wall_ms=7_000_000)
    assert deribit.skew_ms(5_001_500, 11.0) == 500
    assert embedded.skew_ms(7_001_500, 11.0) == 500
    assert embedded.skew_ms(7_000_500, 11.0) == -500


@pytest.mark.parametrize(
    "skew_ms, level",
    [(0, Level.OK), (1_001, Level.WARN), (-30_000, Level.WARN), (30_001, Level.FAIL)],
)
def test_check_tells_by_the_limit(skew_ms: int, level: Level) -> None:
    row = clock_row(skew_ms, 30.0)
    assert row.level is level
    assert bool(row.exit_code) is (level is Level.FAIL)
    assert f"{abs(skew_ms) / 1000:.3f} s" in row.detail
