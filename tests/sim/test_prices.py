"""The watch over the prices: a channel that is silent is told from a market that is quiet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from exchange_kit import World
from trio.testing import MockClock

from tradebaas.actors.feed import Feed
from tradebaas.actors.prices import ChannelSilent, PriceWatch
from tradebaas.deribit import reads, stream
from tradebaas.deribit.link import Link
from tradebaas.runtime.ports import TrioClock
from tradebaas.strategies.protocol import TIMEFRAMES

BTC = "BTC-PERPETUAL"
LONG_S = 60.0


@asynccontextmanager
async def watched(world: World, link: Link) -> AsyncIterator[Feed]:
    """A feed that takes what comes, and the watch over its prices."""
    instrument, timeframe = await reads.instrument(link, BTC), TIMEFRAMES["1m"]
    await stream.subscribe(link, instrument, timeframe)
    feed = Feed(1, instrument, timeframe.ms, Decimal(1))
    account = await reads.account(link, instrument.currency)
    feed.load((), await reads.ticker(link, BTC), account)
    watch = PriceWatch(TrioClock(0), link, feed)

    async def listen() -> None:
        async for item in link.notifications:
            if isinstance(item, stream.TickerTick):
                watch.heard()
                feed.take(item)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        nursery.start_soon(watch.run)
        yield feed
        nursery.cancel_scope.cancel()


def silence(world: World, channel: str) -> None:
    """As when a subscription is dropped without a word."""
    for session in world.exchange.sessions.values():
        session.channels.pop(channel, None)


async def test_a_silent_channel_ends_the_session_when_prices_move(
    autojump_clock: MockClock,
) -> None:
    world, began = World(), 0.0
    with pytest.RaisesGroup(ChannelSilent, flatten_subgroups=True, allow_unwrapped=True):
        async with world.running(), world.link() as link, watched(world, link):
            await trio.sleep(1.0)
            silence(world, f"ticker.{BTC}.100ms")
            began = trio.current_time()
            await trio.sleep(LONG_S)
    assert trio.current_time() - began < 6.0


async def test_prices_that_come_are_never_asked_for(autojump_clock: MockClock) -> None:
    world, asked = World(), 0

    def count(method: str, _body: bytes) -> None:
        nonlocal asked
        asked += method == "public/ticker"

    async with world.running(), world.link() as link, watched(world, link):
        world.server.front.before = count
        await trio.sleep(LONG_S)
        assert asked == 0


async def test_in_a_quiet_market_the_known_price_is_as_good_as_new(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    world = World(candles=flat(tmp_path / "flat.csv"), start_ms=None)
    async with world.running(), world.link() as link, watched(world, link) as feed:
        silence(world, f"ticker.{BTC}.100ms")  # it would tell of the passing of time
        await trio.sleep(LONG_S)
        market = feed.market(0)
        assert market is not None
        assert world.exchange.now_ms - market.ticker.at_ms < 4_000


def flat(path: Path) -> Path:
    """Ten minutes in which nothing happens."""
    rows = [f"2022-01-01 00:{minute:02}:00,50000,50000,50000,50000,1000" for minute in range(10)]
    path.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]) + "\n")
    return path
