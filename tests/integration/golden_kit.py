"""Records a whole session of the daemon with the embedded exchange, and plays it again without one.

Recorded is the real crew in virtual time, on a simulated disk and wire, with the embedded exchange
on the other side: it logs in, enters with a bracket that fills at several prices, is taken out by
its stop or its take profit, and leaves. Played, the same crew finds at the other end of its socket
nobody but the transcript: each frame comes when it came, provided that all that the daemon had said
until then was said again. In both, nothing but the seed decides what happens, so a request that
differs by one byte is a change of the client. After one that is meant, record anew:
``python scripts/golden.py``.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import cast, final

import msgspec
import trio
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from chaos.enumerate import outcomes
from chaos.enumerate.market import StillMarket
from chaos.enumerate.settings import ASSIGNMENT, RATE, daemon_config
from chaos.sim import kernel
from chaos.sim.exchange import ExchangeHost, exchange_config
from chaos.sim.machine import SECRET, Machine, Process
from chaos.sim.timeline import Timeline
from chaos.sim.wire import CALM, Host, Network
from chaos.world.disk import SimDisk
from chaos.world.faults_mail import Mail
from chaos.world.faults_scene import Scene
from tradebaas.core.events import Event, Filled, TradeClosed
from tradebaas.core.messages import Arm, Disarm
from tradebaas.core.model import Fill, Phase, Trade
from tradebaas.core.state import State, naked_amount
from tradebaas.deribit import transcript
from tradebaas.deribit.rpc import text_of
from tradebaas.deribit.transcript import IN, OUT, Head, Line, Recorder

GOLDEN = Path(__file__).parents[1] / "golden"
SEED = 7
LIMIT_S = 60.0
LOOK_S = 0.02
PAUSE_S = 1.0


Steady = Callable[[msgspec.Raw], msgspec.Raw]
"""Takes out of a request what may differ."""


@dataclass(frozen=True)
class Session:
    """What is recorded: the instrument, how much each price level holds, and how it is ended."""

    name: str
    instrument: str
    level: Decimal
    out: Callable[[Scene], bool]

    @property
    def file(self) -> Path:
        return GOLDEN / f"{self.name}.jsonl"


SESSIONS = {
    "inverse": Session("inverse", "BTC-PERPETUAL", Decimal(7_000), outcomes.gap_stop),
    "linear": Session("linear", "BTC_USDC-PERPETUAL", Decimal("0.15"), outcomes.gap_take),
}


@dataclass
class Came:
    """What a session came to: everything the daemon said, its fills, and its trade."""

    requests: list[msgspec.Raw] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)

    def take(self, event: Event) -> None:
        match event:
            case Filled(fill=fill):
                self.fills.append(fill)
            case TradeClosed(trade=trade):
                self.trades.append(trade)
            case _:
                pass


def record(session: Session) -> tuple[str, Came]:
    """The transcript of a session, and what it came to."""
    lines: list[str] = []

    async def main() -> None:
        stage = _Stage(session, Recorder(lines.append, trio.current_time, (SECRET,)))
        about = {"instrument": session.instrument, "exchange": "embedded", "seed": str(SEED)}
        stage.recorder.begin("daemon", about)
        await stage.record()
        came.append(stage.came)

    came: list[Came] = []
    kernel.run(main, SEED, LIMIT_S, shuffled=False)
    return "".join(lines), came[0]


def play(session: Session, text: str) -> Came:
    """Play the exchange's half of a transcript to the crew; what the crew made of it."""
    came: list[Came] = []

    async def main() -> None:
        stage = _Stage(session, Recorder(lambda _: None, trio.current_time, ()))
        await stage.play(Player(*transcript.read(text)))
        came.append(stage.came)

    kernel.run(main, SEED, LIMIT_S, shuffled=False)
    return came[0]


@final
class _Stage:
    """The daemon's machine, and who is at the other end of its wire."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self.session = session
        self.recorder = recorder
        self.came = Came()
        self.disk = SimDisk(random.Random("disk"))
        self.network = Network(random.Random("network"), CALM)
        config = daemon_config()
        strategy = msgspec.structs.replace(config.strategy, instrument=session.instrument)
        self._config = msgspec.structs.replace(config, strategy=strategy)

    async def record(self) -> None:
        """With the embedded exchange."""
        try:
            async with trio.open_nursery() as nursery:
                settings = exchange_config(seed=SEED, speed=float(RATE), pause_s=0.5)
                exchange = ExchangeHost(
                    random.Random("exchange"), settings, self.network, Timeline().tell,
                    StillMarket(),
                )  # fmt: skip
                await exchange.start(nursery)
                server = exchange.server
                assert server is not None
                mail = Mail(random.Random("mail"), exchange.post)
                scene = Scene(
                    server.exchange, server.front, mail, random.Random(), self.session.instrument
                )
                await server.act(lambda: self._deal(scene))
                process = self._start(nursery)
                await self._trade(process, lambda: server.act(lambda: self._end(scene)))
                nursery.cancel_scope.cancel()
        finally:
            self.disk.close()

    async def play(self, player: "Player") -> None:
        """With a transcript."""
        self.network.connect = player.connect  # type: ignore[method-assign, assignment]
        try:
            async with trio.open_nursery() as nursery:
                player.nursery = nursery
                process = self._start(nursery)
                await self._trade(process, _nothing)
                nursery.cancel_scope.cancel()
        finally:
            self.disk.close()
        player.check_whole()

    def _deal(self, scene: Scene) -> None:
        params = {"instrument_name": self.session.instrument, "amount": self.session.level}
        scene.front.own("admin/depth", params)

    def _end(self, scene: Scene) -> None:
        assert self.session.out(scene), "there is nothing that the market could gap through"

    def _start(self, nursery: trio.Nursery) -> Process:
        machine = Machine(
            rng=random.Random("machine"), config=self._config, disk=self.disk,
            network=self.network, nursery=nursery, tell=Timeline().tell, prepare=self._prepare,
        )  # fmt: skip
        return machine.start()

    def _prepare(self, process: Process) -> None:
        process.lives.ports = replace(process.lives.ports, tap=self._hear)

    def _hear(self, way: str, text: str) -> None:
        self.recorder(way, text)
        if way == OUT:
            self.came.requests.append(transcript.safe(text))

    async def _trade(self, process: Process, out: Callable[[], object]) -> None:
        """The script: the same for both, but that only a real exchange can be told to gap."""
        with process.lives.board.events.subscribe(1000) as events:
            await _until(process, lambda s: 0 < s.connection == s.reconciled)
            wanted = msgspec.structs.replace(ASSIGNMENT, instrument=self.session.instrument)
            await process.lives.door.ask(Arm(assignment=wanted), 5.0)
            await _until(process, _is_covered)
            await trio.sleep(PAUSE_S)
            happened = out()
            if happened is not None:
                await happened  # type: ignore[misc]
            await _until(process, lambda s: s.counters.trades > 0 and not s.orders)
            await process.lives.door.ask(Disarm(reason="the end"), 5.0)
            await _until(process, lambda s: s.phase is Phase.IDLE)
            process.lives.drain.ask()
            await process.ended.wait()
            events.close()
            async for _, event in events:
                self.came.take(event)


def _nothing() -> None:
    """The transcript does it."""


def _is_covered(state: State) -> bool:
    return state.position is not None and not state.pending and not naked_amount(state)


async def _until(process: Process, wanted: Callable[[State], bool]) -> None:
    while True:
        assert process.alive, f"the daemon ended with {process.exit}: {process.words}"
        state = process.lives.board.view.value
        if state is not None and wanted(state):
            return
        await trio.sleep(LOOK_S)


@final
class Player:
    """The exchange's half of a transcript, at the other end of the daemon's socket."""

    def __init__(
        self, _head: Head, lines: list[Line], steady: Steady = lambda frame: frame
    ) -> None:
        self._steady = steady
        self._lines = iter(lines)
        self._next: Line | None = next(self._lines, None)
        self.nursery: trio.Nursery

    def _take(self) -> Line | None:
        taken, self._next = self._next, next(self._lines, None)
        return taken

    async def connect(self, _client: Host | None) -> trio.abc.Stream:
        """What ``Network.connect`` is to the daemon; the handshake ends when it ended."""
        while (line := self._take()) is not None and line.way != "connect":
            pass
        assert line is not None, "the daemon connects once more than it did"
        near, far = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self._serve, far)
        return near

    async def _serve(self, stream: trio.abc.Stream) -> None:
        try:
            async with trio.open_nursery() as nursery:
                request = await wrap_server_stream(nursery, cast(trio.SocketStream, stream))
                assert self._next is not None
                await trio.sleep_until(self._next.at)
                await self._converse(await request.accept())
                nursery.cancel_scope.cancel()
        except* (ConnectionClosed, trio.BrokenResourceError):
            pass  # the daemon has gone

    async def _converse(self, websocket: WebSocketConnection) -> None:
        """Say what was said, when it was said; listen whenever it was listened."""
        while (line := self._next) is not None and line.way in (IN, OUT):
            if line.way == IN:
                await trio.sleep_until(line.at)
                await websocket.send_message(text_of(line.frame))
            else:
                said = transcript.safe(str(await websocket.get_message()))
                wanted = self._steady(line.frame)
                assert self._steady(said) == wanted, f"it says something else: {text_of(said)}"
            self._take()
        await trio.sleep_forever()

    def check_whole(self) -> None:
        """Everything was said."""
        left = [line for line in (self._next, *self._lines) if line and line.way in (IN, OUT)]
        assert not left, f"{len(left)} frames were not played, first {text_of(left[0].frame)}"
