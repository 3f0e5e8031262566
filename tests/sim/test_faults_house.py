"""Sessions, maintenance, settlement, stores: what everybody meets, as the protocol describes it."""

from typing import Any

import msgspec
import pytest
import trio
from exchange_kit import BTC, CHANGES, Client, World, bracket, buy
from trio.testing import MockClock
from trio_websocket import ConnectionRejected

from chaos.sim.clock import EPOCH_MS

MINUTE_S = 60
RESTING = {"type": "limit", "price": 48_900}


async def history(client: Client, **params: Any) -> list[str]:
    """Labels of the ended orders that a store shows, newest first."""
    method = "private/get_order_history_by_instrument"
    every = {"include_old": True, "include_unfilled": True, "count": 100}
    found = await client.call(method, instrument_name=BTC, **every, **params)
    return [order["label"] for order in found]


async def traded(client: Client, **params: Any) -> list[str]:
    """Labels of the trades that a store shows, oldest first."""
    method = "private/get_user_trades_by_instrument"
    found = await client.call(method, instrument_name=BTC, sorting="asc", **params)
    return [trade["label"] for trade in found["trades"]]


async def test_revoked_logins_refuse_private_calls_until_a_new_one(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        assert await world.strike("logins revoked")
        answer = await client.call("private/get_position", instrument_name=BTC)
        assert (answer["code"], answer["data"]) == (13009, {"reason": "invalid_token"})
        assert "last_price" in await client.call("public/ticker", instrument_name=BTC)
        await client.login()
        assert "size" in await client.call("private/get_position", instrument_name=BTC)


async def test_a_channel_falls_silent_and_the_connection_lives(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES])
        assert CHANGES in await world.strike("channel falls silent")
        await client.call("private/buy", **buy(10))
        await client.call("public/get_time")
        assert client.notes == []
        assert await client.call("private/subscribe", channels=[CHANGES]) == [CHANGES]
        await client.call("private/buy", **buy(10))
        await client.call("public/get_time")
        assert [note["params"]["channel"] for note in client.notes] == [CHANGES]


async def test_maintenance_is_announced_then_closes_everything(autojump_clock: MockClock) -> None:
    world = World(seed=3)
    async with world.running():
        async with world.client() as client:
            await client.call("public/subscribe", channels=["platform_state"])
            await client.call("private/buy", **bracket())
            assert await world.strike("maintenance")
            assert (await client.next())["params"]["data"] == {"maintenance": True}
            begins_ms, ends_ms = world.exchange.terms.maintenance or (0, 0)
            assert await client.gone()
            assert begins_ms <= world.exchange.now_ms < begins_ms + 1_000

        def bad_gateway(rejected: ConnectionRejected) -> bool:
            return bool(rejected.status_code == 502)

        with pytest.RaisesGroup(pytest.RaisesExc(ConnectionRejected, check=bad_gateway)):
            async with world.client():
                pass
        live = dict(world.exchange.desk.live)
        await trio.sleep((ends_ms - world.exchange.now_ms) / 1000 + 1)
        async with world.client() as client:
            assert (await client.call("private/get_position", instrument_name=BTC))["size"] == 1000
            assert world.exchange.desk.live == live


async def test_who_is_let_in_late_hears_of_the_maintenance(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        now = world.exchange.now_ms
        await world.server.act(
            lambda: setattr(world.exchange.terms, "maintenance", (now, now + 500))
        )
        refused = await client.call("private/get_position", instrument_name=BTC)
        assert (refused["code"], refused["message"]) == (11051, "system_maintenance")
        assert await client.call("public/status") == {"locked": "true"}


async def test_the_books_are_closed_in_the_settlement(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        placed = await client.call("private/buy", **buy(10, **RESTING))
        assert await world.strike("settlement")
        pause_s = world.exchange.terms.settlement_ms / 1000
        for method, params in (
            ("private/buy", buy(10)),
            ("private/cancel", {"order_id": placed["order"]["order_id"]}),
        ):
            refused = await client.call(method, **params)
            assert (refused["code"], refused["message"]) == (10041, "settlement_in_progress")
        assert len(await client.call("private/get_open_orders")) == 1
        ticker = await client.call("public/ticker", instrument_name=BTC)
        assert ticker["state"] == "settlement"
        await trio.sleep(pause_s)
        assert (await client.call("private/buy", **buy(10)))["order"]["order_state"] == "filled"


async def test_the_market_stands_in_the_settlement_and_gaps_after_it(
    autojump_clock: MockClock,
) -> None:
    """The exchange's own settlement at 08:00 UTC: a stop fires at the reopening, and beyond."""
    eight = EPOCH_MS // 86_400_000 * 86_400_000 + 8 * 3_600_000 + 86_400_000
    world = World(start_ms=eight - 60_000, settlement_ms=240_000)
    async with world.running(), world.client() as client:
        await client.stay()
        price = world.exchange.tape.price
        await client.call("private/buy", **buy(100))
        for amount, level in ((30, float(price) - 92), (70, float(price) - 90)):
            stop = {"type": "stop_market", "trigger": "mark_price", "trigger_price": level}
            await client.call("private/sell", **buy(amount, **stop, reduce_only=True))
        await trio.sleep(61)
        assert not world.exchange.terms.open(world.exchange.now_ms)
        stood = world.exchange.tape.price
        await trio.sleep(230)
        assert world.exchange.tape.price == stood != price
        assert world.size == 100
        await trio.sleep(20)
        assert world.size == 0
        first, second = world.kinds("trade")[-2:]
        assert (first["amount"], second["amount"]) == (70, 30), "the nearer stop fires first"
        assert first["price"] == second["price"] < float(price) - 92
        assert world.exchange.tape.price != stood
        assert world.exchange.terms.open(world.exchange.now_ms)
        chart = await client.call(
            "public/get_tradingview_chart_data", instrument_name=BTC, resolution="1",
            start_timestamp=eight - 60_000, end_timestamp=world.exchange.now_ms,
        )  # fmt: skip
        assert len(chart["ticks"]) == 6


async def test_the_recent_store_lags_but_open_orders_do_not(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await world.strike("recent store lags")
        lag_s = world.exchange.terms.windows.recent_lag_ms / 1000
        await client.call("private/buy", **buy(10, label="filled"))
        resting = await client.call("private/buy", **buy(10, label="resting", **RESTING))
        order_id = resting["order"]["order_id"]
        by_label = {"currency": "BTC", "label": "resting"}
        assert await history(client) == await traded(client) == []
        assert await client.call("private/get_order_state_by_label", **by_label) == []
        assert len(await client.call("private/get_open_orders")) == 1
        state = await client.call("private/get_order_state", order_id=order_id)
        assert state["order_state"] == "open"
        await trio.sleep(lag_s)
        assert await history(client) == await traded(client) == ["filled"]
        assert len(await client.call("private/get_order_state_by_label", **by_label)) == 1


async def test_the_archive_lags_behind_the_recent_store(autojump_clock: MockClock) -> None:
    world = World(pause_s=20.0)
    async with world.running(), world.client() as client:
        await client.stay()
        await world.strike("archive lags")
        lag_s = world.exchange.terms.windows.archive_lag_ms / 1000
        await client.call("private/buy", **buy(10, label="old"))
        assert (await history(client), await history(client, historical=True)) == (["old"], [])
        windows = msgspec.structs.replace(world.exchange.terms.windows, trades_ms=60_000)
        world.exchange.terms.windows = windows
        await trio.sleep(MINUTE_S + 1)
        assert (await traded(client), await traded(client, historical=True)) == ([], [])
        await trio.sleep(lag_s)
        assert (await traded(client), await traded(client, historical=True)) == ([], ["old"])
        await trio.sleep(29 * MINUTE_S - lag_s)
        assert (await history(client), await history(client, historical=True)) == ([], [])
        await trio.sleep(lag_s + 1)
        assert (await history(client), await history(client, historical=True)) == ([], ["old"])


async def test_the_recent_stores_shrink(autojump_clock: MockClock) -> None:
    world = World(pause_s=60.0)
    async with world.running(), world.client() as client:
        await client.stay()
        await world.strike("recent orders shrink")
        await world.strike("recent trades shrink")
        windows = world.exchange.terms.windows
        assert windows.orders_ms < 30 * 60_000
        assert windows.trades_ms < 24 * 3_600_000
        await client.call("private/buy", **buy(10, label="one"))
        await trio.sleep(windows.orders_ms / 1000 + 1)
        assert (await history(client), await history(client, historical=True)) == ([], ["one"])
        assert (await traded(client), await traded(client, historical=True)) == (["one"], [])
        await trio.sleep((windows.trades_ms - windows.orders_ms) / 1000)
        assert (await traded(client), await traded(client, historical=True)) == ([], ["one"])
        await world.quiet()
        assert await traded(client) == ["one"]


async def test_doors_close_for_moments_of_a_clients_time(autojump_clock: MockClock) -> None:
    """However fast the exchange runs, it is closed for at most half a second of its clients'."""
    world = World(speed=60.0)
    async with world.running(), world.client() as client:
        assert await world.strike("settlement")
        assert 60 * 50 <= world.exchange.terms.settlement_ms <= 60 * 500
        assert (await client.call("private/buy", **buy(10)))["code"] == 10041
        await trio.sleep(0.6)
        assert "order" in await client.call("private/buy", **buy(10))
