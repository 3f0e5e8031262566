"""Runs the embedded exchange: directory, lock, journal and sockets around ``server.Server``.

``main`` is the whole life of a process of its own; ``serve`` is that without the signals, for
whoever has a loop already. Only here does the exchange meet the real world.
"""

import contextlib
import functools
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from tradebaas.errors import ConfigError, Fatal, StoreBusy
from tradebaas.paper.config import ExchangeConfig, check
from tradebaas.paper.directory import JOURNAL, Lock, address, locked
from tradebaas.paper.journal import Journal
from tradebaas.paper.ledger import restore
from tradebaas.paper.server import Server
from tradebaas.paper.websockets import PATH
from tradebaas.runtime.ports import Ports, system_ports

LOCK_TRIES = 40
LOCK_PAUSE_S = 0.05


def main(config: ExchangeConfig) -> int:
    """Serve until SIGTERM, SIGINT or ``idle_exit_s`` without clients; return the exit code."""
    exit_code = 0
    try:
        trio.run(_serve_until_signal, config)
    except* Fatal as faults:
        fault = _first(faults)
        print(f"tradebaas exchange: {fault}", file=sys.stderr)
        exit_code = fault.exit_code
    return exit_code


async def serve(
    config: ExchangeConfig,
    *,
    ports: Ports | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled or idle; ``task_status`` is started with the URL once it listens.

    Raises:
        ConfigError: the settings, the candle file or an earlier run's market do not fit.
        StoreBusy: another exchange holds the directory.
        StoreFault: the journal cannot be read or written.
    """
    ports = ports or system_ports()
    check(config)
    try:
        config.directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{config.directory} cannot be made a directory: {error}; choose another one"
        ) from error
    path = config.directory / JOURNAL
    with contextlib.ExitStack() as stack:
        lock = await _lock(stack, config.directory)
        journal = stack.enter_context(contextlib.closing(Journal(path, made=lock.made)))
        new_token = functools.partial(ports.entropy.token, 24)
        exchange = restore(config, journal, new_token, ports.clock.wall_ms())
        journal.commit(exchange.take_step(), exchange.saved)
        lock.mark_made()  # an account without a row would pass for one that got lost
        async with ports.open_blocking("exchange-journal") as blocking:
            server = Server(exchange, journal, blocking, ports)
            listeners, url = await _listen(config)
            with address(config.directory, url):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(server.watch_idle, nursery.cancel_scope)
                    await nursery.start(server.run, listeners)
                    task_status.started(url)


async def _lock(stack: contextlib.ExitStack, directory: Path) -> Lock:
    """Take the directory's lock, with a little patience: who looks whether an exchange lives holds
    it for a moment, and one that is ending until its journal is closed."""
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(StoreBusy):
            return stack.enter_context(locked(directory))
        await trio.sleep(LOCK_PAUSE_S)
    return stack.enter_context(locked(directory))


async def _listen(config: ExchangeConfig) -> tuple[list[trio.SocketListener], str]:
    try:
        listeners = await trio.open_tcp_listeners(config.port, host=config.host)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {config.host}:{config.port}: {error}; choose another address or port"
        ) from error
    port = listeners[0].socket.getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    return listeners, f"ws://{host}:{port}{PATH}"


async def _serve_until_signal(config: ExchangeConfig) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_signal, signals, nursery.cancel_scope)
            async with trio.open_nursery() as life:
                url = await life.start(functools.partial(serve, config))
                http = url.replace("ws://", "http://").replace(PATH, "/api/v2")
                print(f"serving at {url} and {http}; Ctrl-C ends it", flush=True)
            nursery.cancel_scope.cancel()


async def _cancel_on_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()
        return


def _first(faults: BaseExceptionGroup[Fatal]) -> Fatal:
    leaf: BaseException = faults
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    assert isinstance(leaf, Fatal)
    return leaf
