"""The ports: real threads, real sockets, and the deterministic forms beside them."""

import socket
import threading
import time
from pathlib import Path

import pytest
import trio
import trio.testing

from tradebaas.runtime.ports import (
    ChildFailed,
    Inline,
    SeededEntropy,
    SystemClock,
    SystemEntropy,
    TrioClock,
    Worker,
    connect_tcp,
    run_self,
    send_datagram,
    system_ports,
)

LONG_S = 0.1  # long enough that an abandoned call would be noticed


async def test_worker_returns_results_and_runs_off_the_loop() -> None:
    async with Worker() as worker:
        assert await worker.run(divmod, 7, 3) == (2, 1)
        assert await worker.run(threading.get_ident) != threading.get_ident()


async def test_worker_uses_one_thread_for_all_calls() -> None:
    async with Worker() as worker:
        first = await worker.run(threading.get_ident)
        assert {await worker.run(threading.get_ident) for _ in range(20)} == {first}


async def test_worker_raises_the_exception_of_the_call_and_goes_on() -> None:
    async with Worker() as worker:
        with pytest.raises(ZeroDivisionError):
            await worker.run(divmod, 1, 0)
        assert await worker.run(divmod, 1, 1) == (1, 0)


async def test_worker_runs_calls_in_the_order_of_asking() -> None:
    seen: list[int] = []
    gate = threading.Event()
    async with Worker() as worker, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: worker.run(gate.wait))
        await trio.testing.wait_all_tasks_blocked()
        for number in range(10):
            nursery.start_soon(worker.run, seen.append, number)
            await trio.testing.wait_all_tasks_blocked()
        assert seen == []
        gate.set()
    assert seen == list(range(10))


async def count_turns(turns: list[float]) -> None:
    """Write down that the loop turns."""
    while True:
        await trio.sleep(LONG_S / 20)
        turns.append(trio.current_time())


async def test_worker_does_not_block_the_loop() -> None:
    turns: list[float] = []
    async with Worker() as worker, trio.open_nursery() as nursery:
        nursery.start_soon(count_turns, turns)
        await worker.run(time.sleep, LONG_S)
        nursery.cancel_scope.cancel()
    assert len(turns) > 3


async def test_leaving_the_worker_does_not_block_the_loop() -> None:
    turns: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(count_turns, turns)
        async with Worker() as worker:
            nursery.start_soon(worker.run, time.sleep, LONG_S)
            await trio.testing.wait_all_tasks_blocked()
        assert len(turns) > 3
        nursery.cancel_scope.cancel()


async def test_a_cancelled_call_is_waited_for_and_then_the_cancellation_goes_through() -> None:
    finished: list[str] = []
    reached: list[str] = []

    def slow() -> None:
        time.sleep(LONG_S)
        finished.append("slow")

    async with Worker() as worker:
        with trio.move_on_after(LONG_S / 10) as scope:
            await worker.run(slow)
            reached.append("a line after a cancelled call")
        assert finished == ["slow"]
        assert reached == []
        assert scope.cancelled_caught


async def test_an_exception_of_a_cancelled_call_is_not_lost() -> None:
    def slow_failure() -> None:
        time.sleep(LONG_S)
        raise OSError("disk")

    async with Worker() as worker:
        with trio.move_on_after(LONG_S / 10), pytest.raises(OSError, match="disk"):
            await worker.run(slow_failure)


async def test_a_call_cancelled_beforehand_does_not_run() -> None:
    seen: list[int] = []
    async with Worker() as worker:
        with trio.CancelScope() as scope:
            scope.cancel()
            await worker.run(seen.append, 1)
    assert seen == []


async def test_leaving_the_worker_drains_it_and_ends_the_thread() -> None:
    before = threading.active_count()
    seen: list[int] = []

    def slow(number: int) -> None:
        time.sleep(LONG_S / 10)
        seen.append(number)

    async with trio.open_nursery() as nursery:
        async with Worker() as worker:
            for number in range(5):
                nursery.start_soon(worker.run, slow, number)
            await trio.testing.wait_all_tasks_blocked()
        assert sorted(seen) == list(range(5))
        assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="not running"):
        await worker.run(seen.append, 9)


async def test_leaving_a_worker_by_an_exception_keeps_the_exception() -> None:
    async def use() -> None:
        async with Worker() as worker:
            await worker.run(divmod, 1, 1)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await use()


async def test_a_worker_is_for_one_use() -> None:
    worker = Worker()
    async with worker:
        pass
    with pytest.raises(RuntimeError, match="one use"):
        async with worker:
            pass


async def test_inline_runs_in_the_loop_with_the_same_rules() -> None:
    seen: list[int] = []
    async with Inline() as inline:
        assert await inline.run(divmod, 7, 3) == (2, 1)
        assert await inline.run(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await inline.run(divmod, 1, 0)
        with trio.CancelScope() as scope:
            scope.cancel()
            await inline.run(seen.append, 1)
        assert seen == []
        with trio.CancelScope() as scope:
            await inline.run(scope.cancel)
            seen.append(2)
        assert seen == []


def test_system_clock_is_the_operating_systems() -> None:
    clock = SystemClock()
    assert abs(clock.monotonic() - time.monotonic()) < 1
    assert abs(clock.wall_ms() - time.time() * 1000) < 1000


async def test_trio_clock_follows_virtual_time(autojump_clock: trio.testing.MockClock) -> None:
    clock = TrioClock(epoch_ms=1_000)
    start = clock.monotonic()
    await trio.sleep(3600)
    assert clock.monotonic() - start == pytest.approx(3600)
    assert clock.wall_ms() == 1_000 + int(autojump_clock.current_time() * 1000)


def test_seeded_entropy_repeats_and_system_entropy_does_not() -> None:
    def draw(source: SeededEntropy | SystemEntropy) -> tuple[str, float]:
        return source.token(8), source.uniform(1.0, 2.0)

    assert draw(SeededEntropy(1)) == draw(SeededEntropy(1)) != draw(SeededEntropy(2))
    assert draw(SystemEntropy()) != draw(SystemEntropy())
    for source in (SeededEntropy(1), SystemEntropy()):
        token, number = draw(source)
        assert len(token) == 16
        assert set(token) <= set("0123456789abcdef")
        assert 1.0 <= number <= 2.0


async def test_connect_reaches_a_real_server_and_refuses_with_oserror() -> None:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]

        async def echo(stream: trio.SocketStream) -> None:
            await stream.send_all(await stream.receive_some(100))

        nursery.start_soon(trio.serve_listeners, echo, listeners)
        stream = await connect_tcp("127.0.0.1", port, tls=False)
        async with stream:
            await stream.send_all(b"hello")
            assert await stream.receive_some(100) == b"hello"
        nursery.cancel_scope.cancel()
    with pytest.raises(OSError):
        await connect_tcp("127.0.0.1", port, tls=False)


async def test_connect_with_tls_checks_the_certificate() -> None:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]

        async def not_tls(stream: trio.SocketStream) -> None:
            await stream.receive_some(1000)
            await stream.send_all(b"this is not TLS\n")

        nursery.start_soon(trio.serve_listeners, not_tls, listeners)
        stream = await connect_tcp("127.0.0.1", port, tls=True)
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"secret")
        await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_send_datagram_reaches_a_unix_socket(kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    address, bound = (path, path) if kind == "path" else ("@" + path, "\0" + path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(bound)
        receiver.settimeout(5)
        send_datagram(address, b"READY=1")
        assert receiver.recv(100) == b"READY=1"


def test_send_datagram_never_blocks_on_a_full_queue(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)

        def flood() -> None:
            for _ in range(100_000):
                send_datagram(path, b"x" * 100)

        with pytest.raises(BlockingIOError):
            flood()


async def test_the_program_can_run_itself() -> None:
    assert "tradebaas" in await run_self(("--version",), 20.0)


async def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(ChildFailed, match=r"exited 2: (.|\n)*No such command"):
        await run_self(("no-such-command",), 20.0)


async def test_a_child_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(ChildFailed, match="took longer than 0 s"):
        await run_self(("--version",), 0.0)


async def test_system_ports_work_together() -> None:
    ports = system_ports()
    async with ports.open_blocking("store") as blocking:
        assert await blocking.run(lambda: threading.current_thread().name) == "store"
    assert ports.entropy.token(4) != ports.entropy.token(4)
    assert ports.clock.monotonic() <= ports.clock.monotonic()
