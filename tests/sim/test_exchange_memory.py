"""The exchange without sockets and files: in virtual time, killed, started again, never slower."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import msgspec
import trio
from exchange_kit import BTC, CHANGES, World, buy
from trio.testing import MockClock

from chaos.sim.clock import EPOCH_MS
from chaos.world.books import Books
from chaos.world.exchange import MemoryJournal, lane
from tradebaas.paper.connections import Connection


async def test_a_killed_exchange_goes_on_from_its_journal(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/enable_cancel_on_disconnect")
        await client.call("private/buy", **buy(100, label="kept"))
        resting = await client.call(
            "private/buy", **buy(10, type="limit", price=49_000, label="resting")
        )
        events = [row["event"] for row in world.kinds("session")]
        lines = len(world.journal.lines)
    # Its death told the journal nothing ...
    assert len(world.journal.lines) == lines
    assert "disconnect" not in events
    first = world.server.exchange
    async with world.running(), world.client() as client:
        assert (await client.call("private/get_position", instrument_name=BTC))["size"] == 100
        found = await client.call("private/get_order_state", order_id=resting["order"]["order_id"])
        # ... and the next start parts from the client that was connected then.
        assert (found["order_state"], found["cancel_reason"]) == (
            "cancelled",
            "cancel_on_disconnect",
        )
    second = world.server.exchange
    assert second is not first
    assert second.desk.orders.keys() == first.desk.orders.keys()
    assert all(second.desk.orders[key] is not order for key, order in first.desk.orders.items())
    books = Books()
    books.take(world.journal.rows(0))
    assert books.size(BTC) == 100
    assert [session.end_n is None for session in books.sessions.values()] == [False, True]


async def test_the_journal_reads_as_a_judge_reads_it(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **buy(10))
    rows = world.journal.rows(0)
    assert [row.n for row in rows] == list(range(1, len(rows) + 1))
    assert world.journal.rows(rows[2].n) == rows[3:]
    del world.journal.lines[:2]
    assert world.journal.rows(rows[2].n) == rows[3:]


async def test_a_client_that_goes_is_in_the_books(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running():
        async with world.client():
            pass
        await trio.sleep(1)
        events = [row["event"] for row in world.kinds("session")]
        assert events == ["connect", "login", "disconnect"]


async def test_frames_go_through_the_post(autojump_clock: MockClock) -> None:
    """A post that holds answers back lets a notification go before; late ones are dropped."""
    late: list[Callable[[], None]] = []

    def post(connection: Connection, frame: bytes) -> None:
        if lane(frame) or b"order_id" not in frame:
            connection.put(frame)
        else:
            late.append(lambda: connection.put(frame))

    world = World(post)
    async with world.running():
        async with world.client() as client:
            await client.call("private/subscribe", channels=[CHANGES])
            number = await client.send("private/buy", **buy())
            assert (await client.next())["params"]["channel"] == CHANGES
            late.pop()()
            assert (await client.next())["id"] == number
            await client.send("private/buy", **buy())
            assert (await client.next())["params"]["channel"] == CHANGES
        await trio.sleep(1)
        late.pop()()
        async with world.client() as client:
            assert (await client.call("private/get_position", instrument_name=BTC))["size"] == 20


async def test_an_act_is_a_step_of_its_own(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        price = world.server.exchange.tape.price + 100
        await client.call("public/subscribe", channels=[f"ticker.{BTC}.100ms"])
        await world.server.act(lambda: world.server.exchange.shock(price))
        ticks = [await client.next() for _ in range(2)]
        assert any(tick["params"]["data"]["index_price"] == price for tick in ticks)


async def test_the_market_steps_as_often_as_it_is_told_to(autojump_clock: MockClock) -> None:
    world = World(pause_s=5.0)
    async with world.running(), world.client() as client:
        await client.call("public/subscribe", channels=[f"ticker.{BTC}.100ms"])
        await client.next()
        stamps = [(await client.next())["params"]["data"]["timestamp"] for _ in range(9)]
        assert stamps[-1] - EPOCH_MS <= 60_000
        gaps = {later - earlier for earlier, later in pairwise(stamps)}
        assert max(gaps) <= 5_000


async def test_only_so_much_is_remembered(autojump_clock: MockClock) -> None:
    world = World(remembered=8, rate_limits=False)
    async with world.running(), world.client() as client:
        resting = await client.call("private/buy", **buy(type="limit", price=49_000))
        for number in range(40):
            await client.call("private/buy", **buy(label=f"n{number}"))
        desk = world.server.exchange.desk
        assert len(desk.orders) <= 8 + 8 // 8 + 1
        assert len(desk.trades) <= 8 + 8 // 8
        assert resting["order"]["order_id"] in desk.live
    async with world.running(), world.client() as client:
        desk = world.server.exchange.desk
        assert len(desk.orders) == 9
        history = await client.call("private/get_order_history_by_instrument", instrument_name=BTC)
        assert [order["label"] for order in history[:2]] == ["n39", "n38"]
        assert (await client.call("private/get_position", instrument_name=BTC))["size"] == 400


def test_the_lanes_of_frames() -> None:
    encode = msgspec.json.encode
    told = {"channel": CHANGES, "data": {}}
    note = {"jsonrpc": "2.0", "method": "subscription", "params": told}
    assert lane(encode(note)) == CHANGES
    assert lane(encode({"jsonrpc": "2.0", "id": 7, "result": told})) == ""
    assert lane(encode({"jsonrpc": "2.0", "method": "heartbeat"})) == "heartbeat"


def test_a_new_journal_is_empty() -> None:
    assert MemoryJournal(5).load(5) == (None, [], [], [])
    assert Decimal(0) == Books().size(BTC)
