"""Where the lines of this process go: to its output, or to the journal's socket.

A terminal may stall (a stopped pager, a full pipe), so lines are written from a thread that the
loop never waits for. It may also go away (a closed window, ``| head``); then nothing more is
written, and nobody minds. There is one output in a process, ``OUTPUT``, as there is one descriptor.
"""

import os
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import final

from tradebaas.logs import JOURNAL, TEXTS, Line, Log, as_journal, form_of
from tradebaas.runtime.ports import SystemClock, print_line, send_datagram
from tradebaas.settings import LogSection


@final
class Output:
    """Writes lines in the form that is configured."""

    def __init__(self) -> None:
        self.log = Log()
        self._clock = SystemClock()
        self._form = "console"

    def configure(self, settings: LogSection, secrets: Iterable[str] = ()) -> None:
        """Take settings, and learn what must never be written."""
        self.log.set_level(settings.level)
        self.log.secrets.add(*secrets)
        self._form = form_of(settings, os.environ)
        sys.excepthook = self._last_words

    async def say(self, text: str, level: str = "info", **fields: str | int) -> None:
        """Write a line, unless it is below the level or comes too often."""
        line = self._line(text, level, fields)
        if line is None or self._to_journal(line):
            return
        try:
            await print_line(TEXTS[self._form](line))
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())  # else the exit code would tell of the lost lines
            os.close(nowhere)

    def say_last(self, text: str, level: str = "error") -> None:
        """Write a line at once, to stderr: nobody will be there to write it later."""
        line = self._line(text, level, {})
        if line is not None and not self._to_journal(line):
            with suppress(OSError):
                print(TEXTS[self._form](line), file=sys.stderr)

    def _line(self, text: str, level: str, fields: dict[str, str | int]) -> Line | None:
        return self.log.line(text, level, fields, self._clock.monotonic(), self._clock.wall_ms())

    def _to_journal(self, line: Line) -> bool:
        """Whether the journal has taken it; what is too long for it goes the other way."""
        if self._form != "journal":
            return False
        try:
            send_datagram(JOURNAL, as_journal(line))
        except OSError:
            return False
        return True

    def _last_words(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """What Python prints of an exception that nobody has caught, without secrets."""
        self.say_last("".join(traceback.format_exception(kind, error, trace)).rstrip())


OUTPUT = Output()
say = OUTPUT.say
say_last = OUTPUT.say_last
