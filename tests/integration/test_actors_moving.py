"""A stop that is moved at a real exchange: the same order, at another price, and never none."""

from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.actors.exchange import LIMIT_S, SPEED
from tests.unit.actors.world import World, new_world
from tradebaas.board import limits_of
from tradebaas.config import RiskSection
from tradebaas.core.events import Event
from tradebaas.core.messages import MoveStop
from tradebaas.core.model import Order, Role
from tradebaas.core.moving import present
from tradebaas.core.state import State, live_orders
from tradebaas.core.stop_events import EditEnded

PATIENT = RiskSection(
    risk_percent=Decimal("0.1"), max_entries_per_day=10**6,
    naked_ms=int(4 * LIMIT_S * SPEED * 1000),
)  # fmt: skip
"""At the exchange's speed the bracket's stop has 100 ms to be told of before the daemon adds one of
its own, which then stays. A quarter of this is as long as the tests wait for anything.
"""


def stop_of(world: World) -> Order:
    (stop,) = live_orders(world.state, Role.STOP)
    return stop


async def ask_for_less(world: World) -> tuple[str, Decimal]:
    """The id of the stop, and a price a little closer to the market that was asked for."""
    position, stop = world.state.position, stop_of(world)
    assert position is not None
    price = (
        present(world.state, position, limits_of(world.lives.config)) + position.direction.sign * 50
    )
    await world.command(MoveStop(stop=price, by="operator"))
    return stop.order_id, price


async def moved(world: World, price: Decimal) -> None:
    await world.until(
        lambda s: s.editing is None and [o.trigger_price for o in live_orders(s, Role.STOP)]
        == [price],
        "the stop at its new price",
    )  # fmt: skip


async def test_it_is_the_same_order_at_another_price(tmp_path: Path) -> None:
    async with new_world(tmp_path, risk=PATIENT) as world:
        await world.open_position()
        order_id, price = await ask_for_less(world)
        await moved(world, price)
        assert stop_of(world).order_id == order_id
        order = (await world.exchange.orders())[order_id]
        assert Decimal(str(order["trigger_price"])) == price
        assert order["reduce_only"] is True
        await world.agree()


@pytest.mark.parametrize("executed", [True, False])
async def test_an_answer_that_is_lost_with_the_connection_leaves_one_stop(
    tmp_path: Path, executed: bool
) -> None:
    async with new_world(tmp_path, risk=PATIENT) as world:
        await world.open_position()
        before = world.state.connection
        how = "lose_answer" if executed else "refuse_before"
        await world.exchange.admin.call(how, method="private/edit", count=1)
        order_id, price = await ask_for_less(world)
        await world.until(lambda s: s.connection == s.reconciled > before, "the next connection")
        await moved(world, price)
        assert stop_of(world).order_id == order_id
        await world.agree()


@pytest.mark.parametrize("agrees", [True, False])
async def test_only_a_commit_that_is_not_applied_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agrees: bool
) -> None:
    """What these tests conclude with: the writer's thread is ahead of the memory for a moment."""
    async with new_world(tmp_path, risk=PATIENT) as world:
        disk, ahead = world.log, [1]

        def log() -> tuple[State, list[tuple[int, Event]]]:
            folded, events = disk()
            seq = folded.seq + (ahead.pop() if ahead else 0)
            return replace(folded, seq=seq, closing="" if agrees else "another"), events

        monkeypatch.setattr(world, "log", log)
        with nullcontext() if agrees else pytest.raises(AssertionError, match="differs from mem"):
            await world.agree()
        assert ahead == []


async def test_one_that_is_refused_for_now_is_made_again(tmp_path: Path) -> None:
    async with new_world(tmp_path, risk=PATIENT) as world:
        await world.open_position()
        await world.exchange.admin.call(
            "reject", method="private/edit", count=2, code=10047, message="queue full"
        )
        order_id, price = await ask_for_less(world)
        await moved(world, price)
        assert stop_of(world).order_id == order_id
        ends = [event.reason for event in world.of(EditEnded) if isinstance(event, EditEnded)]
        assert [bool(reason) for reason in ends] == [True, True, False]
        await world.agree()
