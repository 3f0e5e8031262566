"""What forbids opening positions on this connection, seen from here: its causes of protect-only.

Each is looked for again and again and told to the persister when it comes and when it goes
(``core.guards`` has the rule that ends it). A position that is open is protected and closed in any
case; so nothing here ends a session, and nothing here decides about orders.
"""

import math
from typing import final

import trio

from tradebaas.board import ClockStatus, Context
from tradebaas.core.admission import validity_ms
from tradebaas.core.messages import Guard
from tradebaas.core.state import stands
from tradebaas.deribit import reads
from tradebaas.deribit.clock import SET_IT, skew_text
from tradebaas.deribit.link import Link
from tradebaas.deribit.login import greet

CLOCK = "exchange clock"
SKEW = "clock skew"
COD = "cancel on disconnect"
BLIND = "blind stream"
MAINTENANCE = "maintenance"
CLOSED = "instrument closed"
REFUSED = "entries refused"
LOOK_EVERY_S = 1.0
STATUS_EVERY_S = 10.0
SKEW_EVERY_S = 5.0
ANNOUNCED_S = 3 * 3600.0
"""An announcement is forgotten after that: a maintenance that was called off may never be told."""


@final
class Causes:
    """Of one connection, once it is logged in."""

    def __init__(self, ctx: Context, link: Link) -> None:
        self._ctx = ctx
        self._link = link
        self._announced_until = 0.0
        self._locked = ""
        self._ask_at = 0.0
        self._greet_at = 0.0

    def announced(self, *, coming: bool) -> None:
        """The exchange says that there will be maintenance, or that there is none any more."""
        self._announced_until = self._now() + ANNOUNCED_S if coming else 0.0

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await trio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Tell of what has come and what has gone."""
        await self.tell(CLOCK, self._clock())
        await self.tell(SKEW, await self._skewed())
        await self.tell(COD, self._link.cancels_on_disconnect)
        await self.tell(MAINTENANCE, await self._maintained())
        now_ms = self._link.clock.now_ms(self._now())
        await self.tell(REFUSED, self._ctx.board.refusals.problem(now_ms))

    async def tell(self, cause: str, detail: str) -> None:
        """Say that a cause is there, or with "" that it is not; only news is told."""
        if bool(detail) != stands(self._ctx.view(), cause):
            await self._ctx.asker.ask(Guard(cause=cause, active=bool(detail), detail=detail))

    async def _maintained(self) -> str:
        """What would be opened now might have to be left alone while the exchange is closed."""
        now = self._now()
        if now >= self._ask_at:
            self._locked = "the exchange is locked" if await reads.locked(self._link) else ""
            self._ask_at = now + STATUS_EVERY_S if self._locked else math.inf
        announced = now < self._announced_until
        return self._locked or ("the exchange announces maintenance" if announced else "")

    async def _skewed(self) -> str:
        """No rule of the market asks this machine's clock, but people do: logs, backups and what a
        person decides by them are wrong with it. So nothing new is begun, and somebody is told.

        Before that is believed the exchange is asked: either clock may have been set since.
        """
        skew = self._measured()
        now = self._now()
        if _is_beyond(skew) and now >= self._greet_at:
            self._greet_at = now + SKEW_EVERY_S
            await greet(self._link)
            skew = self._measured()
        self._ctx.board.clock.set(skew)
        if not _is_beyond(skew):
            return ""
        limit = f"exchange.max_skew_seconds is {skew.limit_ms / 1000:g}"
        return f"{skew_text(skew.skew_ms)}, {limit}: {SET_IT}"

    def _measured(self) -> ClockStatus:
        clock, ports = self._link.clock, self._ctx.ports
        now = ports.clock.monotonic()
        return ClockStatus(
            skew_ms=clock.skew_ms(ports.clock.wall_ms(), now),
            error_ms=round(clock.error_ms(now) / float(clock.rate)),
            limit_ms=round(self._ctx.config.exchange.max_skew_seconds * 1000),
        )

    def _now(self) -> float:
        return self._ctx.ports.clock.monotonic()

    def _clock(self) -> str:
        """How long an order is valid cannot be said when the exchange's time is not known."""
        clock = self._link.clock
        error_ms = clock.error_ms(self._now())
        if clock.lockstep or error_ms <= validity_ms(self._ctx.limits, clock.rate):
            return ""
        return f"the exchange's time is known to {error_ms / 1000:.1f} s only, its answers are slow"


def _is_beyond(status: ClockStatus) -> bool:
    return abs(status.skew_ms) > status.limit_ms + status.error_ms
