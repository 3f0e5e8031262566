"""Notices that the prices have stopped coming, which a connection that is alive does not show.

Channels fall silent one by one, and a quiet market looks the same. So after a while without a
price one is read: if it is the one that is known, the market is quiet, and that price is as good
as new; if it is another one, and none comes by itself, the channel is dead, and the session with
it. Never decides about orders: how old a price may be for an entry is the core's to say.
"""

from typing import final

import trio

from tradebaas.actors.feed import Feed
from tradebaas.deribit import reads
from tradebaas.deribit.calls import Caller
from tradebaas.deribit.stream import TickerTick
from tradebaas.runtime.ports import Clock

QUIET_S = 2.0
"""Without a price for so long, one is read."""
GRACE_S = 1.0
"""A price that was read first is told within that time."""
LOOK_EVERY_S = 0.5


class ChannelSilent(Exception):
    """A channel says nothing any more, though there is something to say."""


@final
class PriceWatch:
    """Of one session: ``heard`` is called with each price that comes by itself."""

    def __init__(self, clock: Clock, link: Caller, feed: Feed) -> None:
        self._clock = clock
        self._link = link
        self._feed = feed
        self._heard_at = self._clock.monotonic()

    def heard(self) -> None:
        """A price has come."""
        self._heard_at = self._clock.monotonic()

    def _quiet_s(self) -> float:
        return self._clock.monotonic() - self._heard_at

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            ChannelSilent: prices change and are not told.
            CallFailed, Unanswered, LinkLost: as ``Link.call``.
        """
        while True:
            await trio.sleep(LOOK_EVERY_S)
            if self._quiet_s() >= QUIET_S:
                await self._ask()

    async def _ask(self) -> None:
        name = self._feed.instrument.name
        read = await reads.ticker(self._link, name)
        if self._feed.shows(read):
            self._feed.take(TickerTick(instrument=name, ticker=read))
            self.heard()
            return
        await trio.sleep(GRACE_S)
        if self._quiet_s() >= QUIET_S:
            quiet_s = self._quiet_s()
            raise ChannelSilent(f"no price of {name} for {quiet_s:.1f} s, though a read has others")
