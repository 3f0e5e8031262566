"""How a campaign is ended from outside: by SIGINT (Ctrl-C) or SIGTERM, one like the other.

The first one lets the round under way come to its end, and the campaign to its verdict. A second
one ends it at once, without a verdict. Whatever was started and mounted is taken down both times.
Ctrl-C goes to the whole process group, so everything that a campaign starts has a session apart.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from chaos.cores import SIGNALS

TOLD = b"ending after this round, with a verdict; once more ends it at once\n"


class Ending:
    """What was asked for: ``signal`` is the first that came, 0 while there was none."""

    def __init__(self) -> None:
        self.signal = 0

    @property
    def code(self) -> int:
        """The exit code of a process that a signal ended, as shells have it."""
        return 128 + self.signal

    def words(self, done: int, wanted: int, unit: str) -> str:
        """That it was ended early, and how far it was."""
        name = signal.Signals(self.signal).name
        return f"ended early by {name} after {done} of {wanted} {unit}"

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Take signals within the block."""
        before = {number: signal.signal(number, self._take) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.signal:
            for each in SIGNALS:
                signal.signal(each, signal.SIG_IGN)  # a third would cut the taking down short
            raise SystemExit(128 + number)
        self.signal = number
        os.write(2, TOLD)  # print is not reentrant
