"""What each client of the exchange is given: a bounded queue of frames, and one of the few seats.

A client that reads too slowly is cut off; no client can hold up another one or the market.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import trio

MAX_QUEUED_FRAMES = 4_096
MAX_CONNECTIONS = 32


class Connection:
    """One client: a bounded queue of outgoing frames and the scope that cuts it off."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.scope = trio.CancelScope()
        self.answered = trio.Event()
        self.beats = trio.Event()
        self.close_code: int | None = None
        self.used_at = trio.current_time()
        self.busy = False
        """Whether more than signs of life has passed since the last of these."""
        self._send, self.frames = trio.open_memory_channel[bytes](MAX_QUEUED_FRAMES)

    def put(self, frame: bytes) -> None:
        """Queue a frame; a client that has let the queue fill up is cut off.

        Nothing is queued for one that has gone or is being dropped: its writer may still be at
        work.
        """
        try:
            self._send.send_nowait(frame)
        except trio.WouldBlock:
            self.scope.cancel()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def finish(self, code: int | None = None) -> None:
        """Queue nothing more: the writer cuts the connection when it has sent what is queued.

        With a ``code`` it says goodbye first.
        """
        self.close_code = code
        self._send.close()

    def close(self) -> None:
        """Forget what is queued; whatever is put from now on is dropped."""
        self._send.close()
        self.frames.close()


Post = Callable[[Connection, bytes], None]
"""Takes a frame for a connection and puts it there, sooner or later, or never."""


@final
class Seats:
    """How many clients are served at once, over WebSocket and HTTP together."""

    def __init__(self) -> None:
        self._taken = 0

    @property
    def full(self) -> bool:
        """Whether one more has to be turned away."""
        return self._taken >= MAX_CONNECTIONS

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take a seat for as long as the client is served."""
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
