"""What forbids opening positions on this connection, seen from here: its causes of protect-only.

Each is looked for again and again and told to the persister when it comes and when it goes
(``core.guards`` has the rule that ends it). A position that is open is protected and closed in any
case; so nothing here ends a session, and nothing here decides about orders.
"""

from typing import final

import trio

from tradebaas.board import Context
from tradebaas.core.admission import validity_ms
from tradebaas.core.messages import Guard
from tradebaas.core.state import stands
from tradebaas.deribit.link import Link

CLOCK = "exchange clock"
COD = "cancel on disconnect"
BLIND = "blind stream"
LOOK_EVERY_S = 1.0


@final
class Causes:
    """Of one connection, once it is logged in."""

    def __init__(self, ctx: Context, link: Link) -> None:
        self._ctx = ctx
        self._link = link

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await trio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Tell of what has come and what has gone."""
        await self.tell(CLOCK, self._clock())
        await self.tell(COD, self._link.cancels_on_disconnect)

    async def tell(self, cause: str, detail: str) -> None:
        """Say that a cause is there, or with "" that it is not; only news is told."""
        if bool(detail) != stands(self._ctx.view(), cause):
            await self._ctx.asker.ask(Guard(cause=cause, active=bool(detail), detail=detail))

    def _clock(self) -> str:
        """How long an order is valid cannot be said when the exchange's time is not known."""
        clock = self._link.clock
        error_ms = clock.error_ms(self._ctx.ports.clock.monotonic())
        if clock.lockstep or error_ms <= validity_ms(self._ctx.limits, clock.rate):
            return ""
        return f"the exchange's time is known to {error_ms / 1000:.1f} s only, its answers are slow"
