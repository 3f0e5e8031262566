"""How often a failed unit is told of. Each time another process tells, so what it told lies in a
file.

A unit of a timer fails again at each turn until its cause is mended. The same words are told once
within an hour, others at most ``AT_MOST`` times; what is held back is counted, and told with the
next one. That the daemon is down is always told.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from tradebaas.notices.failures import is_of_a_timer
from tradebaas.notices.model import Notice
from tradebaas.notices.window import Window

WITHIN_MS = 3_600_000
AT_MOST = 4


class Repeats(Struct, frozen=True):
    """Of one unit: when it was told (wall ms), in which words last, and what was held back."""

    passed: Window = Window()
    words: str = ""
    held: int = 0


def load(file: Path) -> Repeats:
    """What is remembered there; nothing where there is nothing, or nothing that can be read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Repeats)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Repeats()


def save(file: Path, repeats: Repeats) -> None:
    """Replace what is remembered.

    Raises:
        OSError: It cannot be written.
    """
    file.write_bytes(msgspec.json.encode(repeats))


def is_due(unit: str, notice: Notice, repeats: Repeats, now_ms: int) -> bool:
    """Whether it is to be told now."""
    lately = repeats.passed.slid(now_ms, WITHIN_MS).times
    if not is_of_a_timer(unit) or not lately:
        return True
    return repeats.words != notice.happened and len(lately) < AT_MOST


def after(repeats: Repeats, notice: Notice, now_ms: int, *, sent: bool) -> Repeats:
    """What to remember once it was sent, or held back."""
    lately = repeats.passed.slid(now_ms, WITHIN_MS)
    if not sent:
        return Repeats(lately, repeats.words, repeats.held + 1)
    return Repeats(lately.noted(now_ms), notice.happened)


def with_held(notice: Notice, repeats: Repeats) -> Notice:
    """The notice, with how many were held back since the last one."""
    if not repeats.held:
        return notice
    more = f"{notice.happened} {repeats.held} notices of this unit were held back before."
    return msgspec.structs.replace(notice, happened=more)
