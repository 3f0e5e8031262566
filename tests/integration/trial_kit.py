"""Plays the transcript of a trial to the trial's own code, in virtual time, and records one.

Such a transcript was recorded on a real clock and with real chance, perhaps at the test network:
so the token of its labels is dealt out again, and what depends on the moment is taken out of both
sides (``transcript.steady``). Everything else must be said again, in the same order.
"""

import random
import re
from dataclasses import replace

import trio
from golden_kit import Player

from chaos.enumerate.market import StillMarket
from chaos.sim import kernel
from chaos.sim.clock import EPOCH_MS, SimClock, WallClock
from chaos.sim.exchange import ExchangeHost, exchange_config
from chaos.sim.timeline import Timeline
from chaos.sim.wire import CALM, Host, Network
from tradebaas.config import Config, ExchangeSection, StrategySection
from tradebaas.core.model import Trade
from tradebaas.deribit import transcript
from tradebaas.deribit.transcript import Recorder
from tradebaas.direct import trial
from tradebaas.direct.look import Trial
from tradebaas.runtime.ports import Inline, SeededEntropy, system_ports

LIMIT_S = 120.0
LABEL = re.compile(r"tb1-([0-9a-f]{8})-")
WALL = re.compile(r'"wall_now":(\d+)|"usIn":(\d+)\d{3}')


class Dealt:
    """Entropy that deals the token of a life's labels once more."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._others = SeededEntropy(1)

    def token(self, nbytes: int) -> str:
        return self._token if nbytes == len(self._token) // 2 else self._others.token(nbytes)

    def uniform(self, low: float, high: float) -> float:
        return self._others.uniform(low, high)


def play_trial(text: str) -> Trade:
    """The trade that the trial's code makes of a transcript."""
    head, lines = transcript.read(text)
    assert head.session == "trial"
    token = LABEL.search(text)
    assert token is not None, "the transcript has no order of ours"
    url = head.about["url"]
    config = _config(url, head.about["instrument"])
    trades: list[Trade] = []

    async def main() -> None:
        player = Player(head, lines, transcript.steady)

        async def connect(host: str, port: int, tls: bool) -> trio.abc.Stream:
            assert url.startswith(f"{'wss' if tls else 'ws'}://{host}:{port}/")
            return await player.connect(None)

        clock = SimClock(WallClock(_wall_ms(text) - EPOCH_MS))
        ports = replace(
            system_ports(), clock=clock, entropy=Dealt(token[1]),
            open_blocking=lambda _: Inline(), connect=connect,
        )  # fmt: skip
        async with trio.open_nursery() as player.nursery:
            asked = Trial(config, ports, url, "S3CRET", lambda _step, _detail: None, _unheard)
            trades.append(await trial.run(asked))
            player.nursery.cancel_scope.cancel()
        player.check_whole()

    kernel.run(main, 1, LIMIT_S, shuffled=False)
    return trades[0]


def _wall_ms(text: str) -> int:
    """What a right clock showed when the transcript was recorded."""
    said = WALL.search(text)
    assert said is not None, "the transcript has no time"
    return int(said[1] or said[2])


def record_trial() -> str:
    """The transcript of a trial at the embedded exchange, whose market stands still."""
    lines: list[str] = []
    url = "ws://127.0.0.1:8022/ws/api/v2"

    async def main() -> None:
        network = Network(random.Random("network"), CALM)
        market = StillMarket()
        config = exchange_config(seed=1, speed=1.0, pause_s=0.5, start_ms=market.start_ms)
        exchange = ExchangeHost(random.Random("exchange"), config, network, Timeline().tell, market)

        async def connect(host: str, port: int, tls: bool) -> trio.abc.Stream:
            assert (host, port, tls) == ("127.0.0.1", 8022, False)
            return await network.connect(Host("a trial"))

        ports = replace(
            system_ports(), clock=SimClock(WallClock()), entropy=SeededEntropy(1),
            open_blocking=lambda _: Inline(), connect=connect,
        )  # fmt: skip
        recorder = Recorder(lines.append, trio.current_time, ("paper-secret",))
        recorder.begin("trial", {"instrument": "BTC-PERPETUAL", "url": url})
        async with trio.open_nursery() as nursery:
            await exchange.start(nursery)
            asked = Trial(_config(url), ports, url, "paper-secret", lambda *_: None, recorder)
            await trial.run(asked)
            nursery.cancel_scope.cancel()

    kernel.run(main, 1, LIMIT_S, shuffled=False)
    return "".join(lines)


def _config(url: str, instrument: str = "BTC-PERPETUAL") -> Config:
    strategy = StrategySection(instrument=instrument)
    return Config(exchange=ExchangeSection(url=url), strategy=strategy)


def _unheard(_way: str, _text: str) -> None:
    """It is recorded already."""
