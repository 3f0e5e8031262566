"""The exchange announces that it will close, closes, and opens again."""

from pathlib import Path

import msgspec

from tests.unit.actors.world import World, new_world
from tradebaas.actors.causes import MAINTENANCE
from tradebaas.core.events import (
    Event,
    OrderIntended,
    ProtectOnlyEntered,
    ProtectOnlyLeft,
    SignalDropped,
)

AFTER_MS, FOR_MS = 900_000, 300_000
"""Three seconds, and one, at 300 times real speed."""


def of_maintenance(world: World, kind: type[msgspec.Struct]) -> list[Event]:
    return [event for event in world.of(kind) if getattr(event, "cause", "") == MAINTENANCE]


async def test_nothing_is_opened_before_a_maintenance_and_its_end_needs_nobody(
    tmp_path: Path,
) -> None:
    async with new_world(tmp_path) as world:
        await world.ready()
        await world.exchange.admin.call("maintenance", after_ms=AFTER_MS, for_ms=FOR_MS)
        await world.until(lambda s: MAINTENANCE in s.protect, "the announcement")
        assert world.state.connection == 1, "it is announced while all goes on"
        await world.arm()
        answer = await world.command(world.propose())
        (dropped,) = (event for event in answer.events if isinstance(event, SignalDropped))
        assert MAINTENANCE in dropped.reason
        await world.until(lambda s: s.connection == 0, "the closing")
        await world.until(lambda s: not s.protect, "the opening", 20)
        await world.covered()
        left_at = next(seq for seq, e in world.events() if isinstance(e, ProtectOnlyLeft))
        assert all(seq > left_at for seq, e in world.events() if isinstance(e, OrderIntended))
        assert len(of_maintenance(world, ProtectOnlyEntered)) == 1


async def test_a_maintenance_that_is_called_off_is_over(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.ready()
        await world.exchange.admin.call("maintenance", after_ms=10**9, for_ms=FOR_MS)
        await world.until(lambda s: MAINTENANCE in s.protect, "the announcement")
        frame = '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"platform_state",'
        await world.exchange.admin.call("frame", text=frame + '"data":{"maintenance":false}}}')
        await world.until(lambda s: MAINTENANCE not in s.protect, "the end of it")
        assert world.state.connection == 1
        assert len(of_maintenance(world, ProtectOnlyLeft)) == 1


async def test_a_person_is_told_of_a_maintenance_in_words(tmp_path: Path) -> None:
    """By the front, which lets nobody in, or by the exchange, which answers nothing."""
    async with new_world(tmp_path) as world:
        await world.ready()
        await world.exchange.admin.call(
            "reject", method="private/get_open_orders", count=1, code=11051,
            message="system_maintenance",
        )  # fmt: skip
        await world.exchange.admin.call("disconnect")
        called = "the exchange is in maintenance (private/get_open_orders: 11051"
        await world.poll(lambda: called in world.link().detail, "the exchange's own words")
        await world.ready()
        await world.exchange.admin.call("maintenance", after_ms=0, for_ms=FOR_MS)
        await world.poll(lambda: "maintenance (HTTP status 502)" in world.link().detail, "a front")
        assert "b'" not in world.link().detail
        await world.until(lambda s: not s.protect and s.connection != 0, "the opening", 20)
