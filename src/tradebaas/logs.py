"""How a line of the log is written: for a terminal, as JSON, or with the journal's own fields.

A line is words, a level and fields: ``seq`` and ``kind`` of an event, ``life``, ``actor``,
``order`` (its label), and ``signal``, the id of the signal that began it all: one id from signal to
closed trade, which the core has anyway. Lines that repeat are held back and counted; no secret
passes. Nothing here waits, and nothing here knows what the words mean.
"""

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import final

import msgspec
from msgspec import Struct

from tradebaas.redact import Redactor
from tradebaas.settings import LogSection

Fields = Mapping[str, str | int]
PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3}
"""As syslog and the journal count them; the levels there are."""
SAME_S = 60.0
SAME = 10
"""So many lines that differ only in numbers are written within that time; the rest is counted."""
SHAPES = 500
"""How many shapes are remembered at most; then all are forgotten."""
DIGITS = re.compile(r"\d+")
JOURNAL = "/run/systemd/journal/socket"


class Line(Struct, frozen=True, kw_only=True):
    """One line, clean and to be written."""

    text: str
    level: str = "info"
    fields: Fields = {}
    at_ms: int = 0


@final
class Log:
    """Of one process: what is written, and how."""

    def __init__(self) -> None:
        self.secrets = Redactor()
        self._level = PRIORITY[LogSection().level]
        self._shapes: dict[str, tuple[float, int]] = {}

    def set_level(self, level: str) -> None:
        self._level = PRIORITY[level]

    def line(self, text: str, level: str, fields: Fields, now: float, at_ms: int) -> Line | None:
        """The line, clean; None when it is below the level, or has been written too often.

        What is about an order or a signal is always written. ``now`` is monotonic seconds.
        """
        if PRIORITY[level] > self._level:
            return None
        left_out = 0
        if not fields.keys() & {"order", "signal"}:
            admitted, left_out = self._admit(text, now)
            if not admitted:
                return None
        words = f"{text} ({left_out} more like this were left out)" if left_out else text
        said = dict(fields) | ({"left_out": left_out} if left_out else {})
        return Line(
            text=self.secrets.clean(words),
            level=level,
            fields={name: self._clean(value) for name, value in said.items()},
            at_ms=at_ms,
        )

    def _clean(self, value: str | int) -> str | int:
        return self.secrets.clean(value) if isinstance(value, str) else value

    def _admit(self, text: str, now: float) -> tuple[bool, int]:
        """Whether a line of this shape may be written, and how many were not since the last."""
        shape = DIGITS.sub("#", text)
        began, times = self._shapes.get(shape, (now, 0))
        left_out = 0
        if now - began >= SAME_S:
            left_out, began, times = max(times - SAME, 0), now, 0
        if len(self._shapes) >= SHAPES:
            self._shapes.clear()
        self._shapes[shape] = (began, times + 1)
        return times < SAME, left_out


# ------------------------------------------------------------------------------------- the forms


def as_text(line: Line) -> str:
    """For a person at a terminal: the number of an event in front, where there is one."""
    seq = line.fields.get("seq")
    return line.text if seq is None else f"{seq:>7}  {line.text}"


def as_json(line: Line) -> str:
    """One JSON object in one line."""
    at = datetime.fromtimestamp(line.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    whole = {"at": at, "level": line.level, "message": line.text.strip(), **line.fields}
    return msgspec.json.encode(whole).decode()


def as_journal(line: Line) -> bytes:
    """In the journal's native protocol (systemd.journal-fields(7)); ours begin with TRADEBAAS_."""
    fields = {
        "MESSAGE": line.text.strip(),
        "PRIORITY": str(PRIORITY[line.level]),
        "SYSLOG_IDENTIFIER": "tradebaas",
    }
    fields |= {f"TRADEBAAS_{name.upper()}": str(value) for name, value in line.fields.items()}
    return b"".join(_field(name, value.encode()) for name, value in fields.items())


def _field(name: str, value: bytes) -> bytes:
    if b"\n" not in value:
        return name.encode() + b"=" + value + b"\n"
    return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"


def as_stream(line: Line) -> str:
    """For the journal's other way in, its stream: each line with its priority in front."""
    return "\n".join(f"<{PRIORITY[line.level]}>{part}" for part in line.text.strip().splitlines())


def form_of(settings: LogSection, environ: Mapping[str, str]) -> str:
    """The form that is meant by ``auto``: journal where the output goes there (systemd.exec(5))."""
    if settings.format != "auto":
        return settings.format
    try:
        stream = os.fstat(1)
    except OSError:
        return "console"
    ours = f"{stream.st_dev}:{stream.st_ino}"
    return "journal" if environ.get("JOURNAL_STREAM", "") == ours else "console"


TEXTS: dict[str, Callable[[Line], str]] = {
    "console": as_text,
    "json": as_json,
    "journal": as_stream,
}
"""How a line is printed in each form; what goes to the journal's socket is not printed."""
