"""Complaints from the field, played against the real exchange (docs/field-complaints.md)."""

from decimal import Decimal
from pathlib import Path

import pytest
import trio
from notice_kit import service

from tests.unit.actors.exchange import BRACKET, INSTRUMENT, LIMIT_S, SPEED
from tests.unit.actors.world import World, new_world
from tradebaas.access import NOTICE_VARIABLE
from tradebaas.config import RiskSection
from tradebaas.core.events import (
    CloseRequested,
    Linked,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    Reconciled,
    TradeClosed,
)
from tradebaas.core.model import ZERO, Order, Role
from tradebaas.notices.watch import Watch
from tradebaas.runtime.ports import system_ports

CALL_S = 20.0
"""How long a child process may take that sends a notice on a busy machine."""
PROVABLE_S = 1.0
"""By then the entry's validity and the longest queue of the exchange are over, at 300 times."""


def stop_of(world: World) -> Order:
    (stop,) = (order for order in world.state.orders.values() if order.role is Role.STOP)
    return stop


async def blind(world: World) -> None:
    """Cut the connection, and hold every login back."""
    await world.exchange.admin.call("hold", method="public/auth")
    await world.exchange.admin.call("disconnect")
    await world.until(lambda s: s.connection == 0, "the end of the connection")


async def test_no_network_is_no_proof_that_an_order_is_not_there(tmp_path: Path) -> None:
    """Elsewhere each failed look-up counted as "not found", and after three it was given up."""
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call("hold", method="private/buy", params_match=BRACKET)
        await world.arm()
        await world.poll(world.exchange.entries, "the entry to reach the exchange")
        world.wires.up = False
        await world.exchange.admin.call("disconnect")
        await world.until(lambda s: s.counters.orders_unknown == 1, "an unknown outcome")
        await trio.sleep(PROVABLE_S)
        assert "network is down" in world.link().detail
        assert [p.unknown != "" for p in world.state.pending.values()] == [True]
        await world.exchange.admin.call("release")
        world.wires.up = True
        await world.covered()
        assert len(world.of(OrderAdopted)) == 1
        assert world.of(OrderAbandoned) == []
        assert len(world.exchange.entries()) == 1
        await world.agree()


@pytest.mark.parametrize("method", ["private/get_positions", "private/get_open_orders"])
async def test_an_account_that_cannot_be_read_gives_no_permit(tmp_path: Path, method: str) -> None:
    """It is logged in and hears prices, and must not trade on what it does not know."""
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call(
            "reject", method=method, count=3, code=11094, message="internal error"
        )
        before = world.state.seq
        await world.exchange.admin.call("disconnect")
        await world.until(lambda s: s.connection != 1, "the end of the first connection")
        await world.arm()
        await world.poll(lambda: "11094" in world.link().detail, "a read that fails")
        assert world.exchange.entries() == []
        await world.covered()
        after = [event for seq, event in world.events() if seq > before]
        assert sum(isinstance(event, Linked) for event in after) == 4
        intended = next(n for n, event in enumerate(after) if isinstance(event, OrderIntended))
        assert any(isinstance(event, Reconciled) for event in after[:intended])
        await world.agree()


async def test_a_stop_that_fires_while_the_link_is_down_is_a_trade_on_the_next_one(
    tmp_path: Path,
) -> None:
    async with new_world(tmp_path) as world:
        state = await world.open_position()
        assert state.position is not None
        price = stop_of(world).trigger_price
        assert price is not None
        entries = world.exchange.entries()
        await blind(world)
        await world.exchange.admin.call("price", price=price - 50)

        async def flat() -> bool:
            return await world.exchange.position() == 0

        await world.poll(flat, "the stop to fire")
        assert world.exchange.entries() == entries
        assert world.state.position == state.position, "nobody has told"
        await world.exchange.admin.call("release")
        await world.until(lambda s: s.counters.trades == 1, "the trade")
        (closed,) = world.of(TradeClosed)
        assert isinstance(closed, TradeClosed)
        assert (closed.trade.exit_reason, closed.trade.amount) == ("stop", state.position.size)
        assert world.state.life == 1
        await world.clear()
        await world.agree()


async def test_a_liquidation_is_told_by_its_name_and_nothing_is_left(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.open_position()
        await world.exchange.admin.call("liquidate", steps=100)
        await world.until(lambda s: s.counters.trades == 1, "the trade")
        (closed,) = world.of(TradeClosed)
        assert isinstance(closed, TradeClosed)
        assert closed.trade.exit_reason == "liquidation"
        await world.clear()
        assert await world.exchange.orders() == {}
        await world.agree()


async def test_a_revoked_login_costs_no_stop(tmp_path: Path) -> None:
    """Elsewhere a command that met the moment before the new login counted as refused for good.

    How long the new login takes is this machine's affair: the usual limit of a naked position is
    under half a second here.
    """
    patient = RiskSection(
        risk_percent=Decimal("0.1"), max_entries_per_day=10**6, naked_ms=int(LIMIT_S * SPEED * 1000)
    )
    async with new_world(tmp_path, risk=patient) as world:
        await world.open_position()
        stop = stop_of(world)
        await world.exchange.admin.call("revoke_logins")
        await world.exchange.admin.call("cancel", order_id=stop.order_id)
        await world.until(lambda s: stop.order_id not in s.orders, "the news")
        await world.covered()
        assert world.of(CloseRequested) == []
        assert world.state.counters.trades == 0
        await world.agree()


async def test_a_stop_is_an_order_like_any_other_at_the_exchange(tmp_path: Path) -> None:
    """Whoever sits at the exchange's own page sees it, and what it belongs to."""
    async with new_world(tmp_path) as world:
        state = await world.open_position()
        assert state.position is not None
        stop = stop_of(world)
        listed = (await world.exchange.orders())[stop.order_id]
        assert state.bracket is not None
        assert listed["label"] == stop.label == state.bracket.labels[1], "born with its entry"
        assert stop.label.startswith("tb1-")
        assert (listed["order_type"], listed["reduce_only"]) == ("stop_market", True)
        assert listed["instrument_name"] == INSTRUMENT
        assert Decimal(str(listed["amount"])) >= abs(state.position.size) > ZERO


async def test_somebody_is_called_who_looks_at_no_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop is gone and nothing that would help is taken: a web service is told, by the daemon
    itself, while it lasts and when it is over."""
    with service() as phone:
        monkeypatch.setenv(NOTICE_VARIABLE, phone.address())
        async with new_world(tmp_path) as world, trio.open_nursery() as nursery:
            watch = Watch(lambda: world.config, world.board, system_ports(), (phone.address(),))
            nursery.start_soon(watch.run)
            held = (await world.open_position()).position
            assert held is not None
            for method in ("private/buy", "private/sell"):
                await world.exchange.admin.call(
                    "reject", method=method, count=10**6, code=11098, message="account_locked"
                )
            await world.exchange.admin.call("cancel", order_id=stop_of(world).order_id)
            bare = "position without a full stop"
            await world.poll(lambda: bare in phone.titles, "the call", CALL_S)
            (told,) = (one for one in phone.got if one["title"].endswith(bare))
            assert "is covered by no live stop for longer than" in told["message"]
            assert "Look at the account now" in told["message"]
            assert told["type"] == "failure"
            side, amount = held.direction.opposite, float(abs(held.size))
            await world.exchange.admin.call(
                "order", side=side, instrument_name=INSTRUMENT, amount=amount, type="market",
                reduce_only=True,
            )  # fmt: skip
            await world.poll(lambda: "no longer without a stop" in phone.titles, "its end", CALL_S)
            nursery.cancel_scope.cancel()
