"""The server itself: an address in use is one clear message; stopping is quick and orderly."""

import httpx
import pytest
import trio

from tests.unit.web.harness import World
from tradebaas.errors import Unusable
from tradebaas.web.app import create_app
from tradebaas.web.server import serve


async def test_a_port_in_use_says_which_and_what_to_do() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with listeners[0]:
        with pytest.raises(Unusable) as caught:
            await serve(create_app(World().shell()), "127.0.0.1", port, shutdown=trio.Event())
    message = str(caught.value)
    assert caught.value.exit_code == 78
    assert f"127.0.0.1:{port}" in message
    assert "--port" in message


async def test_shutdown_ends_it_with_an_idle_connection_open() -> None:
    shutdown = trio.Event()
    app = create_app(World().shell())

    async def run(*, task_status: trio.TaskStatus[str]) -> None:
        await serve(app, "127.0.0.1", 0, shutdown=shutdown, task_status=task_status)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(run)
            async with httpx.AsyncClient(base_url=url) as client:
                assert (await client.get("/health/live")).status_code == 200
                shutdown.set()
                await trio.sleep(0.1)
    with pytest.raises(httpx.ConnectError):
        await httpx.AsyncClient().get(url)


async def test_localhost_listens_on_its_addresses() -> None:
    shutdown = trio.Event()
    app = create_app(World().shell())

    async def run(*, task_status: trio.TaskStatus[str]) -> None:
        await serve(app, "localhost", 0, shutdown=shutdown, task_status=task_status)

    async with trio.open_nursery() as nursery:
        url = await nursery.start(run)
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/health/live")).status_code == 200
        shutdown.set()


async def test_a_crash_beside_it_cancels_it_at_once() -> None:
    app = create_app(World().shell())

    async def run(*, task_status: trio.TaskStatus[str]) -> None:
        await serve(app, "127.0.0.1", 0, shutdown=trio.Event(), task_status=task_status)

    async def crash_beside_it() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            raise ValueError("beside")

    with trio.fail_after(5), pytest.raises(ExceptionGroup) as caught:
        await crash_beside_it()
    assert caught.group_contains(ValueError, match="beside")
