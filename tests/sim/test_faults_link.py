"""The daemon's own link and reads against every odd form and every error of the table.

What it reads must not depend on the words that it is told in; an error must not become an answer;
and an answer to an order must never prove more than the exchange did.
"""

from typing import Any

import pytest
import trio
from exchange_kit import BTC, CHANGES, World, bracket, buy
from msgspec.structs import replace
from trio.testing import MockClock

from chaos.world.faults_dress import FORMS
from chaos.world.faults_errors import BOOK, BROKEN, BUSY, KINDS, OPEN, PARAMS, RIGHTS
from tradebaas.core.model import Order
from tradebaas.deribit import histories, reads, stream, wire
from tradebaas.deribit.calls import ask
from tradebaas.deribit.errors import CallFailed, proves_no_order
from tradebaas.deribit.link import Link
from tradebaas.paper.params import Refused

SEEDS = range(4)
UNKNOWN = "unknown states"


class Minute:
    ms = 60_000
    resolution = "1"


async def everything(link: Link) -> dict[str, Any]:
    """All that the daemon reads of an account and its market."""
    instrument = await reads.instrument(link, BTC)
    now_ms = await reads.server_time(link)
    return {
        "instrument": instrument,
        "account": (await reads.account(link, "BTC")).currency,
        "id": (await reads.identity(link, "BTC")).account,
        "positions": (await reads.positions(link)).found,
        "open": ours(await reads.open_orders(link)),
        "label": ours(await reads.orders_by_label(link, "BTC", "tb1-aa-1-s")),
        "history": ours(await histories.order_history(link, instrument, now_ms - 60_000, False)),
        "triggers": await histories.trigger_history(link, instrument, now_ms - 60_000),
        "trades": await reads.trades(link, instrument, now_ms - 60_000),
        "candles": (await reads.history(link, instrument, Minute(), 50))[:-2],
    }


def ours(orders: tuple[Order, ...]) -> list[Order]:
    """Our orders, without the reason of their end, which need not be told."""
    return [replace(order, cancel_reason="") for order in orders if order.label]


async def lived(world: World) -> None:
    """Some history: a bracket that was stopped, one that rests, an order of the owner's."""
    async with world.client() as client:
        await client.call("private/buy", **bracket())
        await world.strike("gap through the stop")
        await client.call("private/buy", **buy(30, label="tb1-aa-2-e", type="limit", price=100))
        await client.call("private/sell", **bracket(500))
        await world.strike("owner's resting order")


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_read_does_not_depend_on_its_form(
    form: str, autojump_clock: MockClock
) -> None:
    for seed in SEEDS:
        world = World(seed=seed)
        async with world.running():
            await lived(world)
            async with world.link() as link:
                plain = await everything(link)
            await world.strike(form)
            async with world.link() as link:
                again = await everything(link)
            for name, value in plain.items():
                if form == UNKNOWN:
                    assert wordless(again[name]) == wordless(value), name
                else:
                    assert again[name] == value, name


def wordless(value: Any) -> Any:
    """The same without the words for the state and the type of an order, which may be strange."""
    if not isinstance(value, list | tuple):
        return value
    return [
        replace(item, state="", order_type="") if isinstance(item, Order) else item
        for item in value
    ]


async def test_a_live_order_in_a_state_that_nobody_knows_is_live(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running():
        await lived(world)
        async with world.link() as link:
            plain = await reads.open_orders(link)
        await world.strike(UNKNOWN)
        async with world.link() as link:
            strange = await reads.open_orders(link)
    assert {order.state for order in strange}.isdisjoint(order.state for order in plain)
    assert [order.live for order in strange] == [True] * len(plain)


async def test_all_forms_at_once_leave_every_notification_readable(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.link() as link:
        instrument = await reads.instrument(link, BTC)
        for form in FORMS:
            await world.strike(form)
        await stream.subscribe(link, instrument, Minute())
        async with world.client() as client:
            await client.call("private/buy", **bracket())
            await world.strike("owner's resting order")
            await world.strike("gap through the stop")
            await world.strike("owner opens")
            await world.strike("liquidation")
        await trio.sleep(5)
        items = list(link.waiting())
        assert [item for item in items if isinstance(item, stream.Unreadable)] == []
        changes = [item for item in items if isinstance(item, stream.Changes)]
        fills = {fill.trade_id: fill for item in changes for fill in item.fills}
        assert len(fills) == len(world.kinds("trade"))
        assert sum(fill.direction.sign * fill.amount for fill in fills.values()) == world.size
        assert {type(item) for item in items} >= {stream.TickerTick, stream.BarTick}


@pytest.mark.parametrize("target", ["read", "cancel", "order", "subscription", "session"])
async def test_an_error_never_becomes_an_answer(target: str, autojump_clock: MockClock) -> None:
    """Each code once; the link answers with the failure, or ends when the session does."""
    codes = {code for _, where, table in KINDS.values() if where == target for code, _ in table}
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "read": ("private/get_positions", {"currency": "any"}),
        "cancel": ("private/cancel", {"order_id": "90000000001"}),
        "order": ("private/buy", buy(10)),
        "subscription": ("private/subscribe", {"channels": [CHANGES]}),
        "session": ("public/test", {}),
    }
    method, params = calls[target]
    world = World()
    async with world.running(), world.link(call_s=60.0) as link:  # credits may be waited for
        for code in sorted(codes):
            error = Refused(code, "an error")
            # A read that lacks a login is tried again with a new one, and nothing else is.
            count = 2 if target == "read" and code in (10000, 13009) else 1
            scene = world.scene()
            scene.arm("reject", target, count=count, error=error)
            with pytest.raises(CallFailed) as failed:
                await link.call(method, params)
            assert failed.value.code == code
            assert await ask(link, "public/get_time", {}, lambda raw: wire.parse(raw, int))


def test_what_may_have_been_done_is_never_taken_for_a_refusal() -> None:
    """The harness's reading of the protocol against the daemon's: it may doubt more, never less."""
    assert [code for code, _ in OPEN if proves_no_order(code)] == []


def test_a_plain_refusal_is_taken_for_one() -> None:
    """Else each ordinary refusal would cost a search of seconds."""
    assert [code for code, _ in (*BOOK, *PARAMS, *RIGHTS) if not proves_no_order(code)] == []
    assert {code for code, _ in (*BUSY, *BROKEN)}.isdisjoint(code for code, _ in BOOK)
