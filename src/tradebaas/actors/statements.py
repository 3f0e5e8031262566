"""Reads what holding positions has cost, and tells the core: the funding of each trade.

A trade is over with its last fill, and its net is known but for funding then. That is read soon
after, and once more when no row can be late any more; while a position is open now and then, since
a settlement charges it too; and otherwise seldom. What was read is durable with its rows in one
commit, so a death anywhere leads to the same read again, and each row counts once by its id.

An exchange that refuses the log (a key without account:read, a gateway that lacks it), does not
answer, or tells nonsense costs no trading: it is asked again, less and less often, and what is
shown says that funding is not known.
"""

import math
from typing import final

import trio

from tradebaas.board import Context
from tradebaas.core.facts import FundingFact
from tradebaas.core.funding import LATE_MS
from tradebaas.core.messages import Report
from tradebaas.core.state import State, ready
from tradebaas.deribit import reads
from tradebaas.deribit.errors import CallFailed, Unanswered
from tradebaas.deribit.link import Link
from tradebaas.deribit.statements import statement

LOOK_EVERY_S = 1.0
READ_EVERY_S = 5.0
OPEN_EVERY_S = 60.0
PAGE_EVERY_S = 1.0
"""In exchange time: what it allows of this method (its burst is left to others)."""
SELDOM_S = 600.0
"""The longest pause after refusals, which double it."""
SELDOM_MS = 3_600_000
"""Of the exchange's time."""


@final
class Statements:
    """Of one session. ``currency`` is that of the contract which is traded."""

    def __init__(self, ctx: Context, link: Link, connection: int, currency: str) -> None:
        self._ctx = ctx
        self._link = link
        self._connection = connection
        self._currency = currency
        self._read_at = -math.inf
        self._pause_s = READ_EVERY_S

    async def run(self) -> None:
        """Read whenever it is due, until cancelled.

        Raises:
            LinkLost: as ``Link.call``.
        """
        while True:
            await trio.sleep(LOOK_EVERY_S)
            view, now = self._ctx.view(), self._ctx.ports.clock.monotonic()
            if not ready(view) or not self._is_due(view, now - self._read_at):
                continue
            self._read_at = now
            try:
                await self._read(view)
                self._ctx.board.funding_refused, self._pause_s = "", READ_EVERY_S
            except (CallFailed, Unanswered) as error:
                self._ctx.board.funding_refused = str(error)
                self._pause_s = min(2 * self._pause_s, SELDOM_S)

    def _is_due(self, view: State, passed_s: float) -> bool:
        if passed_s < self._pause_s:
            return False
        funding, now_ms = view.funding, self._now_ms()
        waits = any(trade.closed_ms > funding.through_ms for trade in funding.closed)
        settled = any(now_ms > trade.closed_ms + 2 * LATE_MS for trade in funding.closed)
        held = view.position is not None and view.position.ours and passed_s >= OPEN_EVERY_S
        return waits or settled or held or now_ms - funding.through_ms > SELDOM_MS

    async def _read(self, view: State) -> None:
        now_ms = await reads.server_time(self._link)
        funding = view.funding
        started_ms = funding.horizon_ms if funding.through_ms else _beginning(view)
        currencies = self._currencies(view)
        taken = await statement(self._link, currencies, started_ms, now_ms, self._pause)
        fact = FundingFact(rows=taken.rows, through_ms=taken.through_ms)
        await self._ctx.asker.ask(
            Report(connection=self._connection, at_ms=self._now_ms(), facts=(fact,))
        )

    async def _pause(self) -> None:
        await trio.sleep(PAGE_EVERY_S / float(self._link.clock.rate))

    def _currencies(self, view: State) -> tuple[str, ...]:
        """In which a trade that waits for its rows was settled, besides the present one."""
        last = view.last_trade
        return tuple(sorted({self._currency, *((last.currency,) if last is not None else ())}))

    def _now_ms(self) -> int:
        return self._link.clock.now_ms(self._ctx.ports.clock.monotonic())


def _beginning(view: State) -> int:
    """Where a store begins that has never read the log: with what is open, or with now."""
    position = view.position
    opened = position.opened_ms if position is not None and position.ours else view.read_through_ms
    closed = min((trade.opened_ms for trade in view.funding.closed), default=opened)
    return min(opened, closed) - LATE_MS
