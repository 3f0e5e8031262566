"""Serves the embedded exchange over a WebSocket on loopback: the only I/O of this package.

One lock makes every step whole: change the books, commit the journal, send the frames. Nothing is
answered and nobody is notified before the commit, so whatever a client was told is still true
after a SIGKILL. A client that reads too slowly, or that was armed to lose its connection, is cut
off; no client can hold up another one or the market.
"""

import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from tradebaas.errors import ConfigError, Fatal
from tradebaas.paper.candles import read_candles
from tradebaas.paper.config import ExchangeConfig, check
from tradebaas.paper.directory import address, locked
from tradebaas.paper.exchange import Exchange, SavedState
from tradebaas.paper.journal import Journal
from tradebaas.paper.market import GeneratedMarket, Market, ReplayMarket
from tradebaas.paper.pace import Pace
from tradebaas.paper.rpc import Front
from tradebaas.runtime.ports import Blocking, Ports, system_ports

PATH = "/ws/api/v2"
MAX_QUEUED_FRAMES = 4_096
MAX_CONNECTIONS = 32
MAX_MESSAGE_BYTES = 256 * 1024
HANDSHAKE_S = 5.0
HEARTBEAT_ANSWER_S = 10.0
CLOCK_ROW_S = 1.0
HEARTBEAT = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}'
TEST_REQUEST = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'


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
    config.directory.mkdir(parents=True, exist_ok=True)
    with locked(config.directory), _journal(config.directory / "exchange.db") as journal:
        exchange = _restore(config, journal, ports)
        async with ports.open_blocking("exchange-journal") as blocking:
            server = Server(exchange, journal, blocking, ports)
            await server.run(task_status)


class _Stopped(Exception):
    """An earlier step failed; its exception is on its way up and ends the exchange."""


class Connection:
    """One client: a bounded queue of outgoing frames and the scope that cuts it off."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.scope = trio.CancelScope()
        self.answered = trio.Event()
        self._send, self.frames = trio.open_memory_channel[bytes](MAX_QUEUED_FRAMES)

    def put(self, frame: bytes) -> None:
        """Queue a frame; a client that has let the queue fill up is cut off.

        Nothing is queued for one that is being dropped: its writer may still be at work.
        """
        try:
            self._send.send_nowait(frame)
        except trio.WouldBlock:
            self.scope.cancel()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def finish(self) -> None:
        """Queue nothing more: the writer cuts the connection when it has sent what is queued."""
        self._send.close()


class Server:
    """The running exchange: market, connections, journal."""

    def __init__(
        self, exchange: Exchange, journal: Journal, blocking: Blocking, ports: Ports
    ) -> None:
        self._exchange = exchange
        self._front = Front(exchange)
        self._journal = journal
        self._blocking = blocking
        self._clock = ports.clock
        self._lock = trio.Lock()
        self._connections: dict[int, Connection] = {}
        self._broken = False
        self._saved_at = -CLOCK_ROW_S
        self._saved_now = -1
        self._used_at = self._clock.monotonic()
        config = exchange.config
        self._pace = Pace(
            config.speed,
            config.lockstep,
            exchange.now_ms,
            self._clock.monotonic(),
            self._clock.wall_ms(),
        )
        self._follow()

    async def run(self, task_status: trio.TaskStatus[str]) -> None:
        """Serve until cancelled or idle."""
        config = self._exchange.config
        try:
            listeners = await trio.open_tcp_listeners(config.port, host=config.host)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {config.host}:{config.port}: {error}; choose another port"
            ) from error
        port = listeners[0].socket.getsockname()[1]
        url = f"ws://{config.host}:{port}{PATH}"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_market)
            nursery.start_soon(self._watch_idle, nursery.cancel_scope)
            with address(config.directory, url):
                await nursery.start(trio.serve_listeners, self._serve_stream, listeners)
                task_status.started(url)
                await trio.sleep_forever()

    # -- the market ---------------------------------------------------------------------------

    async def _run_market(self) -> None:
        config = self._exchange.config
        pause_s = 0.05 if config.speed > 60 else 0.1
        with contextlib.suppress(_Stopped):
            while True:
                async with self._step():
                    now_ms = self._now_us() // 1000
                    if config.lockstep or self._exchange.paused:
                        self._exchange.set_now(now_ms)
                    else:
                        self._exchange.advance(now_ms)
                await trio.sleep(pause_s)

    def _now_us(self) -> int:
        return self._pace.now_us(self._clock.monotonic())

    def _follow(self) -> None:
        exchange = self._exchange
        stands = exchange.config.lockstep and not exchange.tape.ended
        close_ms = exchange.tape.open_ms + 60_000 if stands else None
        self._pace.follow(
            exchange.now_ms,
            close_ms,
            exchange.paused,
            self._clock.monotonic(),
            self._clock.wall_ms(),
        )

    @asynccontextmanager
    async def _step(self) -> AsyncIterator[None]:
        """Run the body as one step: alone, then durable, then told.

        A step that fails leaves the books half changed, so nothing may be committed after it.
        """
        async with self._lock:
            if self._broken:
                raise _Stopped
            self._broken = True
            yield
            self._follow()
            step = self._exchange.take_step()
            now = self._clock.monotonic()
            moved = self._exchange.now_ms != self._saved_now
            if step.records or step.orders or (moved and now - self._saved_at >= CLOCK_ROW_S):
                saved = self._exchange.saved
                # A client that is cut off during the commit must not take the step with it.
                with trio.CancelScope(shield=True):
                    await self._blocking.run(
                        self._journal.commit, step.records, step.orders, step.trades, saved
                    )
                self._saved_at, self._saved_now = now, self._exchange.now_ms
            self._broken = False
            for number, frame in step.frames:
                if number in self._connections:
                    self._connections[number].put(frame)
            for number in step.drops:
                if number in self._connections:
                    self._connections[number].finish()

    # -- connections --------------------------------------------------------------------------

    async def _serve_stream(self, stream: trio.SocketStream) -> None:
        try:
            await self._serve_websocket(stream)
        finally:
            await trio.aclose_forcefully(stream)

    async def _serve_websocket(self, stream: trio.SocketStream) -> None:
        try:
            async with trio.open_nursery() as nursery:
                with trio.move_on_after(HANDSHAKE_S) as handshake:
                    request = await wrap_server_stream(
                        nursery, stream, max_message_size=MAX_MESSAGE_BYTES
                    )
                    if request.path != PATH:
                        await request.reject(404)
                    elif len(self._connections) >= MAX_CONNECTIONS:
                        await request.reject(429)
                    else:
                        websocket = await request.accept()
                        handshake.deadline = float("inf")
                        await self._converse(websocket)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, ConnectionClosed, _Stopped):
            # The client went away, and the books were told in _converse; or the failed step,
            # wherever it was, is ending the exchange already.
            pass

    async def _converse(self, websocket: WebSocketConnection) -> None:
        async with self._step():
            connection = Connection(self._exchange.connect().number)
            self._connections[connection.number] = connection
        try:
            with connection.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, websocket, connection)
                    nursery.start_soon(self._beat, websocket, connection)
                    await self._read(websocket, connection)
                    nursery.cancel_scope.cancel()
        finally:
            del self._connections[connection.number]
            # Cancelled or not, the books must learn that the client has gone.
            with trio.CancelScope(shield=True):
                async with self._step():
                    self._exchange.disconnect(connection.number)

    async def _read(self, websocket: WebSocketConnection, connection: Connection) -> None:
        while True:
            try:
                message = await websocket.get_message()
            except ConnectionClosed:
                return
            text = message if isinstance(message, str) else message.decode(errors="replace")
            number = connection.number
            async with self._step():
                if number not in self._exchange.sessions:
                    return
                method = self._front.receive(
                    number, text, self._now_us(), self._clock.wall_ms(), self._pace.wire()
                )
            if method == "public/test":
                connection.answered.set()

    async def _write(self, websocket: WebSocketConnection, connection: Connection) -> None:
        async for frame in connection.frames:
            try:
                await websocket.send_message(frame.decode())
            except ConnectionClosed:
                break
        connection.scope.cancel()

    async def _beat(self, websocket: WebSocketConnection, connection: Connection) -> None:
        """Ask for signs of life once the client has set a heartbeat; close 4000 without one."""
        while True:
            session = self._exchange.sessions.get(connection.number)
            interval = session.heartbeat_s if session is not None else 0
            await trio.sleep(interval or 1.0)
            if not interval:
                continue
            connection.answered = trio.Event()
            connection.put(HEARTBEAT)
            connection.put(TEST_REQUEST)
            with trio.move_on_after(HEARTBEAT_ANSWER_S) as waiting:
                await connection.answered.wait()
            if waiting.cancelled_caught:
                with trio.move_on_after(1.0):
                    await websocket.aclose(4000, "heartbeat close")
                connection.scope.cancel()

    async def _watch_idle(self, scope: trio.CancelScope) -> None:
        limit = self._exchange.config.idle_exit_s
        if not limit:
            return
        while True:
            now = self._clock.monotonic()
            if any(not session.admin for session in self._exchange.sessions.values()):
                self._used_at = now
            elif now - self._used_at >= limit:
                scope.cancel()
                return
            await trio.sleep(min(1.0, limit / 4))


def _restore(config: ExchangeConfig, journal: Journal, ports: Ports) -> Exchange:
    saved, orders, trades = journal.load()
    market = _market(config, saved, ports)
    if saved is not None and saved.source != market.name:
        raise ConfigError(
            f"{config.directory} holds an exchange on another market ({saved.source}; asked for: "
            f"{market.name}); give the same settings or another directory"
        )
    exchange = Exchange(config, market, saved, lambda: ports.entropy.token(24))
    for order in orders:
        exchange.desk.restore(order)
    for trade in trades:
        exchange.desk.trades[trade.trade_id] = trade
    return exchange


def _market(config: ExchangeConfig, saved: SavedState | None, ports: Ports) -> Market:
    if config.candles is not None:
        first_open_ms, candles = read_candles(config.candles)
        if config.history >= len(candles):
            raise ConfigError(
                f"history {config.history} leaves nothing to play: {config.candles} has "
                f"{len(candles)} rows"
            )
        return ReplayMarket(first_open_ms, candles, config.history)
    start_ms = config.start_ms if config.start_ms is not None else ports.clock.wall_ms()
    return GeneratedMarket(config.seed, saved.tape.start_ms if saved else start_ms)


async def _serve_until_signal(config: ExchangeConfig) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_signal, signals, nursery.cancel_scope)
            await serve(config)
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


@contextmanager
def _journal(path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(path)) as journal:
        yield journal
