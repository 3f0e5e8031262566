"""A file that stalls whoever opens it, as on a disk that hangs: a pipe with nobody behind it."""

import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import final

import trio

LATE_S = 3.0


@final
class Stalled:
    """Lets go when told, or by itself when it is late: then a loop must have been stopped."""

    def __init__(self, file: Path, late_s: float = LATE_S) -> None:
        self.late = False
        self._file = file
        os.mkfifo(file)
        self._timer = threading.Timer(late_s, self._too_late)
        self._timer.start()

    def _too_late(self) -> None:
        self.late = True
        self.let_go()

    def let_go(self, content: bytes = b"") -> None:
        """Whoever waits goes on, and reads ``content``."""
        self._timer.cancel()
        ends = os.open(self._file, os.O_RDWR)
        os.write(ends, content)
        os.close(ends)


async def goes_on_beside(file: Path, use: Callable[[], Awaitable[object]]) -> None:
    """See that a loop turns while one of its tasks uses ``file``, which stalls."""
    stalled = Stalled(file)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(use)
        for _ in range(20):
            await trio.sleep(0.01)
        assert not stalled.late, f"the loop stood still for {file.name}"
        stalled.let_go()
        nursery.cancel_scope.cancel()
