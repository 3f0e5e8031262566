"""The byte stream under a client's WebSocket: asks before it writes, and breaks where it must.

The WebSocket library takes a lock, and so lets other tasks run, between a decision to send and the
write. Here nothing can come between any more: ``before`` is called immediately before the writer's
bytes go out. And as long as the handshake is not over the library would wait for ever on a stream
that has broken: so that becomes an error of its own here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import trio
from trio_websocket import HandshakeError


@final
class Carrier(trio.abc.Stream):
    """``established`` is set once the handshake is over, ``writer`` to the task that asks."""

    def __init__(self, inner: trio.abc.Stream, before: Callable[[], None]) -> None:
        self._inner = inner
        self.established = False
        self.writer: trio.lowlevel.Task | None = None
        self.before = before

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if trio.lowlevel.current_task() is self.writer:
            self.before()
        with self._shaking_hands():
            await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        with self._shaking_hands():
            data = await self._inner.receive_some(max_bytes)
            if not data and not self.established:
                raise trio.BrokenResourceError("closed by the other side")
            return data

    async def aclose(self) -> None:
        await self._inner.aclose()

    @contextmanager
    def _shaking_hands(self) -> Iterator[None]:
        try:
            yield
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            if self.established:
                raise
            raise HandshakeError("closed in the middle of the handshake") from error
