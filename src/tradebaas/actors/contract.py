"""Notices that the exchange has changed the contract, or closed it.

Ticks, steps and minimums are the exchange's to change on any day (protocol dossier section 6). What
a session began with is read again each hour, and at once when an order was refused for it; other
terms need another session. A contract that takes no orders is a cause of protect-only. Never rounds
and never decides about orders.
"""

from typing import final

import trio
from msgspec.structs import replace

from tradebaas.actors.causes import CLOSED, Causes
from tradebaas.actors.desk import Desk
from tradebaas.core.model import Instrument
from tradebaas.deribit import reads
from tradebaas.deribit.calls import Caller

READ_EVERY_S = 3600.0
CLOSED_EVERY_S = 2.0
"""While it is closed."""


class TermsChanged(Exception):
    """The contract is another one than it was at the login; after the next one it is read anew."""


@final
class ContractWatch:
    """Of one session, on one contract."""

    def __init__(self, link: Caller, known: Instrument, desk: Desk, causes: Causes) -> None:
        self._link = link
        self._known = known
        self._desk = desk
        self._causes = causes

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            TermsChanged: they are other ones.
            CallFailed, Unanswered, LinkLost: as ``Link.call``.
        """
        now = self._known
        while True:
            closed = "" if now.is_open else f"{now.name} takes no orders now"
            await self._causes.tell(CLOSED, closed)
            with trio.move_on_after(READ_EVERY_S if now.is_open else CLOSED_EVERY_S):
                await self._desk.terms_doubted.wait()
            self._desk.terms_doubted = trio.Event()
            now = await reads.instrument(self._link, now.name)
            if replace(now, is_open=self._known.is_open) != self._known:
                raise TermsChanged(f"the exchange has changed the terms of {now.name}")
