"""A row of ``check``: what was looked at, how it turned out, and what to do about it."""

from enum import StrEnum

from msgspec import Struct

from tradebaas.deribit.clock import SET_IT, skew_text
from tradebaas.errors import Unusable

NOTHING = 0
SKEW_WARN_MS = 1_000


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


def clock_row(skew_ms: int, most_s: float) -> Row:
    """What a difference of clocks means; beyond the limit nothing would be opened."""
    detail = skew_text(skew_ms)
    if abs(skew_ms) > most_s * 1000:
        limit = f"more than exchange.max_skew_seconds, {most_s:g}"
        words = f"{detail}, {limit}: nothing is opened; {SET_IT}"
        return Row("clock", Level.FAIL, words, Unusable.exit_code)
    if abs(skew_ms) > SKEW_WARN_MS:
        return Row("clock", Level.WARN, f"{detail}: {SET_IT}")
    return Row("clock", Level.OK, detail)
