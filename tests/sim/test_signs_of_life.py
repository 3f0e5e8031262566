"""Heartbeats and idle connections of the embedded exchange, by the clock (sections 1 and 4)."""

import pytest
import trio
from exchange_kit import BTC, Client, World, buy
from trio.testing import MockClock
from trio_websocket import ConnectionClosed

TICKER = f"ticker.{BTC}.100ms"


async def beats(client: Client, count: int, *, answers: bool = True) -> list[tuple[float, str]]:
    """When so many signs of life came, and which, since now."""
    began, seen = trio.current_time(), list[tuple[float, str]]()
    while len(seen) < count:
        frame = await client.next()
        if frame.get("method") == "heartbeat":
            kind = frame["params"]["type"]
            seen.append((round(trio.current_time() - began, 1), kind))
            if answers and kind == "test_request":
                await client.send("public/test")
    return seen


async def test_a_quiet_connection_is_asked_a_little_late(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("public/set_heartbeat", interval=10)
        assert await beats(client, 6) == [
            (12.0, "heartbeat"), (12.0, "test_request"),
            (22.6, "heartbeat"), (22.6, "test_request"),
            (33.2, "heartbeat"), (33.2, "test_request"),
        ]  # fmt: skip


async def test_a_busy_one_is_only_asked_and_less_often(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("public/set_heartbeat", interval=10)
        await client.call("public/subscribe", channels=[TICKER])
        assert await beats(client, 5) == [(n * 12.0, "test_request") for n in range(1, 6)]


async def test_who_does_not_answer_is_cut_ten_seconds_later(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("public/set_heartbeat", interval=10)
        began = trio.current_time()
        with pytest.raises(ConnectionClosed) as closed:
            await beats(client, 9, answers=False)
        assert trio.current_time() - began == pytest.approx(22, abs=0.5)
        assert closed.value.reason is not None
        assert closed.value.reason.code == 4000


@pytest.mark.parametrize(("scope", "left"), [("connection", 0), ("account", 1)])
async def test_who_is_cut_for_it_loses_the_orders_that_were_to_go_with_it(
    autojump_clock: MockClock, scope: str, left: int
) -> None:
    """A choice for the account is for its later connections only."""
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/enable_cancel_on_disconnect", scope=scope)
        await client.call("private/buy", **buy(10, type="limit", price=40_000))
        await client.call("public/set_heartbeat", interval=10)
        with pytest.raises(ConnectionClosed):
            await beats(client, 9, answers=False)
        await trio.sleep(0.1)
        assert len(world.exchange.desk.live) == left


async def test_an_idle_connection_is_cut_without_a_word(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await trio.sleep(50)
        await client.call("public/test")
        began = trio.current_time()
        with pytest.raises(ConnectionClosed) as closed, trio.fail_after(200):
            await client.socket.get_message()
        assert trio.current_time() - began == pytest.approx(60.5, abs=0.5)
        assert closed.value.reason is None or closed.value.reason.code == 1006


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("public/subscribe", {"channels": ["platform_state"]}),
        ("admin/state", {}),
    ],
)
async def test_who_listens_or_drives_may_be_silent(
    autojump_clock: MockClock, method: str, params: dict[str, object]
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call(method, **params)
        await trio.sleep(300)
        assert "result" in await client.answer(await client.send("public/get_time"))
