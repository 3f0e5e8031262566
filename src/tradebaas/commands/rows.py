"""A row of ``check``: what was looked at, how it turned out, and what to do about it."""

from enum import StrEnum

from msgspec import Struct

NOTHING = 0


class Level(StrEnum):
    """How a row turned out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Row(Struct, frozen=True):
    """One row of the table; ``exit_code`` counts when it is a failure."""

    what: str
    level: Level
    detail: str
    exit_code: int = NOTHING
