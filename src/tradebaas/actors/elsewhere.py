"""Tends positions of ours on instruments that this session does not watch.

There is no feed for them, so their prices are read when one of them is naked. What is done is the
core's to say (``core.elsewhere``); nothing here decides.
"""

from collections.abc import Callable
from typing import final

import trio

from tradebaas.actors.desk import Desk
from tradebaas.board import Context
from tradebaas.core.elsewhere import naked
from tradebaas.core.messages import Tend
from tradebaas.core.model import Market
from tradebaas.deribit import reads
from tradebaas.deribit.calls import Caller

LOOK_EVERY_S = 0.5
READ_EVERY = 4
"""So many looks between two full reads, while something has to be done."""


@final
class Elsewhere:
    """Of one session; ``market`` is that of the managed instrument, as it is known now."""

    def __init__(
        self, ctx: Context, link: Caller, desk: Desk, market: Callable[[], Market | None]
    ) -> None:
        self._ctx = ctx
        self._link = link
        self._desk = desk
        self._market = market

    async def run(self) -> None:
        """Look again and again, until cancelled.

        Raises:
            CallFailed, Unanswered, LinkLost: as ``Link.call``.
        """
        looks = 0
        while True:
            await trio.sleep(LOOK_EVERY_S)
            view, main = self._ctx.view(), self._market()
            if not view.elsewhere or main is None:
                continue
            bare = naked(view)
            looks += 1
            if (bare or view.position is None) and looks % READ_EVERY == 0:
                self._desk.survey_wanted.set()
            if bare:
                markets = [await self._read(main, name) for name in bare]
                await self._ctx.asker.ask(
                    Tend(
                        connection=main.connection,
                        at_ms=main.at_ms,
                        market=main,
                        elsewhere=tuple(markets),
                    )
                )

    async def _read(self, main: Market, name: str) -> Market:
        """What is needed of a market to protect a position: its contract and its prices."""
        return Market(
            connection=main.connection,
            at_ms=main.at_ms,
            instrument=await reads.instrument(self._link, name),
            timeframe_ms=main.timeframe_ms,
            candles=(),
            ticker=await reads.ticker(self._link, name),
            account=main.account,
            rate=main.rate,
        )
