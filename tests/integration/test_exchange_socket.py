"""The embedded exchange over a real socket, served inside the test's own event loop."""

import dataclasses
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import apsw
import pytest
import trio
from exchange_socket_kit import BTC, BUY, CHANGES, CHART, connect, dialled, drained, serving
from trio.testing import MockClock
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
)

from tradebaas.errors import ConfigError, StoreBusy
from tradebaas.paper import connections
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.process import serve
from tradebaas.runtime.ports import Ports, system_ports


async def test_a_bracket_over_the_wire_in_lockstep(tmp_path: Path) -> None:
    async with serving(tmp_path, lockstep=True) as url, connect(url) as client:
        hello = await client.call("public/hello", client_name="t", client_version="1")
        assert hello["clock"]["lockstep"] is True
        assert hello["clock"]["rate"] == 1
        await client.login()
        assert await client.call("private/subscribe", channels=[CHART, CHANGES]) == [CHART, CHANGES]
        tick = client.notes.pop()["params"]["data"]["tick"] if client.notes else None
        if tick is None:
            tick = (await client.next())["params"]["data"]["tick"]
        price = (await client.call("public/ticker", instrument_name=BTC))["best_ask_price"]
        leg = {"direction": "sell", "amount": 1000, "reduce_only": True}
        placed = await client.call(
            "private/buy",
            instrument_name=BTC,
            amount=1000,
            price=price,
            time_in_force="immediate_or_cancel",
            label="e",
            linked_order_type="one_triggers_one_cancels_other",
            trigger_fill_condition="incremental",
            otoco_config=[
                {**leg, "type": "limit", "price": price + 60},
                {
                    **leg,
                    "type": "stop_market",
                    "trigger": "mark_price",
                    "trigger_price": price - 60,
                },
            ],
        )
        assert placed["order"]["order_state"] == "filled"
        position = {"size": 1000}
        for _ in range(50):
            await client.call("public/candle_done", instrument_name=BTC, tick=tick - 60_000)
            tick += 60_000
            position = await client.call("private/get_position", instrument_name=BTC)
            if position["size"] == 0:
                break
        assert position["size"] == 0
        assert await client.call("private/get_open_orders") == []
    frames = [note["params"]["channel"] for note in client.notes]
    assert frames.count(CHANGES) >= 2


async def test_held_lost_and_swallowed_answers(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, connect(url) as driver:
        async with connect(url) as client:
            await client.login()
            await driver.call("admin/hold", method="private/buy")
            held = await client.send("private/buy", {**BUY, "label": "held"})
            assert (await client.call("private/get_position", instrument_name=BTC))["size"] == 10
            assert await driver.call("admin/release") == 1
            assert (await client.next())["id"] == held
            await driver.call("admin/lose_answer", method="private/buy")
            await client.send("private/buy", {**BUY, "label": "lost"})
            with pytest.raises(ConnectionClosed):
                await client.next()
        async with connect(url) as client:
            await client.login()
            await driver.call("admin/refuse_before", method="private/buy")
            await client.send("private/buy", {**BUY, "label": "swallowed"})
            with pytest.raises(ConnectionClosed):
                await client.next()
        async with connect(url) as client:
            await client.login()
            assert await driver.call("admin/frame", text="{bad frame") == 1
            with trio.fail_after(5):
                assert await client.socket.get_message() == "{bad frame"
            assert await driver.call("admin/disconnect") == 1
            with pytest.raises(ConnectionClosed):
                await client.next()
        ledger = await driver.call("admin/ledger")
        assert [trade["label"] for trade in ledger["trades"]] == ["held", "lost"]
        assert (ledger["positions"][0]["size"], ledger["more"]) == (20, False)


async def test_what_is_answered_is_in_the_journal(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, connect(url) as client:
        await client.login()
        for number in range(5):
            order = await client.call("private/buy", **BUY, label=f"n{number}")
            database = apsw.Connection(str(tmp_path / "exchange.db"), apsw.SQLITE_OPEN_READONLY)
            rows = database.execute(
                "SELECT body ->> '$.order_id' FROM journal WHERE kind = 'trade' ORDER BY n"
            ).fetchall()
            assert rows[-1] == (order["order"]["order_id"],)
            assert database.pragma("journal_mode") == "wal"
            database.close()


HTTP_BUY = (
    b"GET /api/v2/private/buy?instrument_name=BTC-PERPETUAL&amount=10&type=market HTTP/1.1\r\n"
    b"Host: localhost\r\nAuthorization: Basic cGFwZXI6cGFwZXItc2VjcmV0\r\n\r\n"
)


async def test_nobody_is_answered_or_told_before_the_commit(tmp_path: Path) -> None:
    """Hold the commit back: while it waits, no client may hear of the order."""
    commits: list[str] = []
    may_commit = trio.Event()
    may_commit.set()

    class SlowDisk:
        async def run(self, fn: Any, *args: Any) -> Any:
            await may_commit.wait()
            commits.append(fn.__name__)
            return fn(*args)

    @asynccontextmanager
    async def open_slow_disk(name: str) -> AsyncIterator[SlowDisk]:
        assert name
        yield SlowDisk()

    ports = dataclasses.replace(system_ports(), open_blocking=cast(Any, open_slow_disk))
    config = ExchangeConfig(directory=tmp_path, lockstep=True)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(run_with, config, ports))
        async with connect(url) as client:
            await client.login()
            await client.call("private/subscribe", channels=[CHANGES])
            may_commit = trio.Event()
            before = len(commits)
            await client.send("private/buy", BUY)
            with trio.move_on_after(0.3) as waited:
                await client.socket.get_message()
            assert waited.cancelled_caught
            assert len(commits) == before
            may_commit.set()
            assert "result" in await client.next()
            assert (await client.next())["params"]["channel"] == CHANGES
        async with dialled(url) as stream:
            may_commit = trio.Event()
            await stream.send_all(HTTP_BUY)
            with trio.move_on_after(0.3) as waited:
                await stream.receive_some()
            assert waited.cancelled_caught
            may_commit.set()
            with trio.fail_after(30):
                assert b'"order_state":"filled"' in await stream.receive_some()
        nursery.cancel_scope.cancel()


async def run_with(config: ExchangeConfig, ports: Ports, task_status: Any) -> None:
    await serve(config, ports=ports, task_status=task_status)


async def test_a_reader_that_does_not_read_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_QUEUED_FRAMES", 20)
    async with serving(tmp_path) as url, connect(url) as driver:
        async with connect(url) as lazy:
            await lazy.login()
            text = "x" * 20_000
            with trio.fail_after(20):
                while await driver.call("admin/frame", text=text):
                    pass
            await drained(lazy)
        assert (await driver.call("admin/state"))["clients"] == 0


async def test_too_many_connections_and_wrong_paths_are_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    async with serving(tmp_path) as url:
        with pytest.RaisesGroup(ConnectionRejected):
            async with connect(url.replace("v2", "v1")):
                pass
        async with connect(url):
            with pytest.RaisesGroup(ConnectionRejected):
                async with connect(url):
                    pass


def test_heartbeats(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as url, connect(url) as client:
            assert (await client.call("public/set_heartbeat", interval=5))["code"] == -32602
            assert await client.call("public/set_heartbeat", interval=10) == "ok"
            for _ in range(2):
                kinds = {(await client.next())["params"]["type"] for _ in range(2)}
                assert kinds == {"heartbeat", "test_request"}
                await client.call("public/test")
            await client.next()
            await client.next()
            with pytest.raises(ConnectionClosed) as closed:
                with trio.fail_after(100):
                    await client.socket.get_message()
            reason = closed.value.reason
            assert reason is not None
            assert (reason.code, reason.reason) == (4000, "heartbeat close")

    trio.run(run, clock=MockClock(rate=30))


async def test_a_second_exchange_names_the_first(tmp_path: Path) -> None:

    async with serving(tmp_path):
        address = json.loads((tmp_path / "address").read_text())
        assert address["pid"] == os.getpid()
        with pytest.raises(StoreBusy, match=str(os.getpid())):
            await serve(ExchangeConfig(directory=tmp_path))
    assert not (tmp_path / "address").exists()


async def test_another_market_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, seed=1) as url, connect(url) as client:
        await client.call("public/get_time")
    with pytest.raises(ConfigError, match="another market"):
        await serve(ExchangeConfig(directory=tmp_path, seed=2))


async def test_it_ends_itself_when_its_last_client_has_gone(tmp_path: Path) -> None:
    config = ExchangeConfig(directory=tmp_path, idle_exit_s=0.5, admin=True)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(lambda task_status: serve(config, task_status=task_status))
            async with connect(url) as driver:
                await driver.call("admin/state")
                async with connect(url):
                    await trio.sleep(1.0)
                    await driver.call("admin/state")
                await drained(driver)


async def test_the_market_goes_on_while_a_client_is_being_dropped() -> None:
    connection = connections.Connection(1)
    connection.put(b"last words")
    connection.finish()
    connection.put(b"a price that came while the writer was still at work")
    assert [frame async for frame in connection.frames] == [b"last words"]
