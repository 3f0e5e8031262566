"""The notifications of one connection, in their order: bounded, and honest about its end.

Whoever reads it gets what came before the connection was lost, and then the reason of the loss.
When there is no room the link ends: a notification that was dropped could be a fill.
"""

from collections.abc import Iterator
from typing import Self, final

import trio

from tradebaas.deribit import stream
from tradebaas.deribit.errors import LinkLost


@final
class Inbox:
    """Notifications in their order; iterating raises ``LinkLost`` after the last one."""

    def __init__(self, size: int) -> None:
        self._put, self._take = trio.open_memory_channel[stream.Item](size)
        self._reason = ""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> stream.Item:
        try:
            return await self._take.receive()
        except trio.EndOfChannel:
            raise LinkLost(self._reason) from None

    def put(self, item: stream.Item) -> bool:
        """Add an item; False when there is no room."""
        try:
            self._put.send_nowait(item)
        except trio.WouldBlock:
            return False
        return True

    @property
    def depth(self) -> int:
        """How many items wait."""
        return self._put.statistics().current_buffer_used

    def take_waiting(self) -> Iterator[stream.Item]:
        """All items that are there now."""
        while True:
            try:
                yield self._take.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                return

    def close(self, reason: str) -> None:
        """Take in nothing more."""
        self._reason = reason
        self._put.close()
