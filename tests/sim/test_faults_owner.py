"""The owner's acts and the market's: true in the books, and sabotage by the judge's own fold."""

from decimal import Decimal

import pytest
import trio
from exchange_kit import BTC, CHANGES, World, bracket, buy
from trio.testing import MockClock

from chaos.world.faults import GROUPS

D = Decimal


async def test_an_act_of_the_owner_is_journalled_as_one(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **bracket())
        assert "our stop" in await world.strike("owner cancels our stop")
        kinds = [line.kind for line in world.journal.lines][-6:]
        assert kinds[0] == "session"
        assert kinds[-2:] == ["admin", "session"]
        (naked,) = world.books().naked_all()
        assert naked.amount == 1000
        assert naked.sabotage


async def test_nakedness_that_the_market_began_is_no_sabotage_of_a_later_act(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **buy(1000, label="tb1-aa-1-e"))
        assert await world.strike("owner reduces")
        (naked,) = world.books().naked_all()
        assert naked.sabotage is False


@pytest.mark.parametrize("side", ["buy", "sell"])
async def test_no_act_of_the_owner_crosses_zero(side: str, autojump_clock: MockClock) -> None:
    world = World(seed=7)
    async with world.running(), world.client() as client:
        await client.call(f"private/{side}", **buy(200, label="tb1-aa-1-e"))
        sign = 1 if side == "buy" else -1
        names = [name for name in GROUPS["owner"] if name != "owner closes"]
        for _ in range(40):
            await world.strike(world.rng.choice(names))
            assert world.size * sign >= 0
        await world.strike("owner closes")
        assert world.size == 0
        assert await world.strike("owner adds") == ""
        assert await world.strike("owner opens")
        assert world.size != 0


@pytest.mark.parametrize("side", ["buy", "sell"])
async def test_the_owner_leaves_stops_of_any_size_where_none_covers(
    side: str, autojump_clock: MockClock
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call(f"private/{side}", **buy(1000, label="tb1-aa-1-e"))
        for _ in range(12):
            assert await world.strike("owner's stop beside ours")
        stops = [order for order in world.scene().live(ours=False) if order.is_live_stop]
        prices = [order.trigger_price for order in stops if order.trigger_price is not None]
        away = [abs(price / world.exchange.tape.price - 1) for price in prices]
        assert len(away) == 12
        assert len({order.amount for order in stops}) > 6
        assert len(set(away)) > 6
        assert D("0.05") < min(away) < D("0.12") < max(away) < D("0.31")
        sign = 1 if side == "buy" else -1
        assert all((world.exchange.tape.price - price) * sign > 0 for price in prices)
        assert all(order.reduce_only and order.amount <= 1000 for order in stops)


async def test_the_owner_does_nothing_while_the_books_are_closed(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **bracket())
        await world.strike("settlement")
        for name in (*GROUPS["owner"], "market jumps", "liquidation"):
            assert await world.strike(name) == "", name


async def test_a_gap_through_the_stop_fills_beyond_it(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **bracket())
        assert await world.strike("gap through the stop")
        trades = world.kinds("trade")
        assert trades[-1]["label"] == "tb1-aa-1-s"
        assert trades[-1]["price"] < 48_500
        assert world.size == 0


async def test_a_touched_take_fills_as_far_as_the_book_holds(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **bracket())
        world.exchange.matching.levels.depth[BTC] = D(300)
        assert await world.strike("touch of the take")
        assert world.size == 700
        # The stop shrinks with what the take has closed.
        stop = [o for o in world.exchange.desk.live.values() if o.is_live_stop]
        assert [order.amount for order in stop] == [700]


async def test_without_liquidity_a_stop_is_cut_short_and_that_is_sabotage(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES])
        await client.call("private/buy", **bracket())
        assert await world.strike("no liquidity, rest cancelled")
        world.exchange.matching.levels.depth[BTC] = D(0)
        # Not by an act of the driver's, but because the market went there.
        await world.server.act(lambda: world.exchange.shock(D(48_400)))
        assert world.size == 1000
        live = {order.label for order in world.exchange.desk.live.values()}
        assert "tb1-aa-1-s" not in live
        (naked,) = world.books().naked_all()
        assert naked.sabotage


async def test_what_a_small_book_leaves_of_a_stop_is_sabotage(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **bracket())
        world.exchange.matching.levels.depth[BTC] = D(10)
        await world.server.act(lambda: world.exchange.shock(D(48_400)))
        assert world.size == 1000 - 20 * 10
        (naked,) = world.books().naked_all()
        assert naked.sabotage


async def test_without_liquidity_a_stop_waits_and_fills_late(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **bracket())
        await world.strike("no liquidity, rest waits")
        world.exchange.matching.levels.depth[BTC] = D(10)
        assert await world.strike("gap through the stop")
        waiting = [o for o in await client.call("private/get_open_orders") if "price" in o]
        child = next(order for order in waiting if order["order_type"] == "market")
        assert child["order_state"] == "open"
        assert 0 < child["filled_amount"] < 1000
        # It goes no further than its protective price.
        prices = [trade["price"] for trade in world.kinds("trade")[1:]]
        assert min(prices) >= child["price"]
        assert world.books().naked_all() == []
        assert 0 < world.size < 1000
        # Liquidity returns by itself, else nothing could ever be protected again.
        await trio.sleep(5)
        assert world.size == 0
        assert child["order_id"] not in world.exchange.desk.live
        last = world.kinds("trade")[-1]
        assert last["order_id"] == child["order_id"]
        assert last["timestamp"] > child["creation_timestamp"]


@pytest.mark.parametrize(
    ("name", "left"), [("fill races a cancel", 1000), ("part fill races a cancel", 500)]
)
async def test_a_fill_races_a_cancel(name: str, left: int, autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES])
        entry = buy(1000, type="limit", price=49_000, label="tb1-aa-1-e")
        order_id = (await client.call("private/buy", **entry))["order"]["order_id"]
        await world.strike(name)
        answer = await client.call("private/cancel", order_id=order_id)
        assert world.size == left
        again = await client.call("private/cancel", order_id=order_id)
        assert again["code"] == 11044
        states = [
            (order["order_state"], order["filled_amount"])
            for note in client.notes
            for order in note["params"]["data"]["orders"]
        ]
        if left == 1000:
            assert (answer["code"], answer["message"]) == (11044, "not_open_order")
            assert states[-1] == ("filled", 1000)
        else:
            assert (answer["order_state"], answer["filled_amount"]) == ("cancelled", 500)
            assert states[-2:] == [("open", 500), ("cancelled", 500)]


async def test_a_liquidation_says_what_it_is(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES])
        await client.call("private/buy", **bracket())
        await client.call("public/get_time")
        client.notes.clear()
        done = await world.server.act(lambda: world.scene().own("admin/liquidate", steps=2))
        assert done == 2
        await client.call("public/get_time")
        changes = [note["params"]["data"] for note in client.notes]
        reasons = {o.get("cancel_reason") for c in changes for o in c["orders"]}
        assert reasons == {"autoliquidation", None}
        trades = [trade for change in changes for trade in change["trades"]]
        assert [trade["amount"] for trade in trades] == [250, 180]
        assert {(t["order_type"], t["liquidation"], t["label"]) for t in trades} == {
            ("liquidation", "T", "")
        }
        orders = {o["order_id"]: o for change in changes for o in change["orders"]}
        taken = orders[trades[0]["order_id"]]
        assert (taken["is_liquidation"], taken["api"], taken["web"]) == (True, False, False)
        fee = D(str(trades[0]["fee"])) * D(str(trades[0]["price"])) / 250
        assert fee.quantize(D("0.0001")) == D("0.01")
        assert world.size == 570
        (naked,) = world.books().naked_all()
        assert naked.sabotage


async def test_an_account_that_cannot_carry_its_position_is_liquidated(
    autojump_clock: MockClock,
) -> None:
    world = World(balance_btc=D("0.01"))
    async with world.running(), world.client() as client:
        await client.call("private/buy", **buy(20_000))
        assert world.size == 20_000
        price = world.exchange.tape.price
        await world.server.act(lambda: world.exchange.shock(price - 800))
        await trio.sleep(0.15)
        assert 0 < world.size < 20_000
        await trio.sleep(10)
        summary = await client.call("private/get_account_summary", currency="BTC")
        assert world.size == 0 or summary["maintenance_margin"] <= summary["equity"]
