"""What is told of a unit that failed: the words for each unit and how it ended, and how often.

A unit of a timer fails again at each turn until its cause is mended. The same words are told once
within an hour, others at most ``AT_MOST`` times; what is held back is counted, and told with the
next one. That the daemon is down is always told.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from tradebaas.notices.model import Notice
from tradebaas.store.audited import read_audited
from tradebaas.store.place import Place

MEANINGS = {
    "2": "It was started in a wrong way (2): see its ExecStart.",
    "70": "Its crew died again and again (70): the journal has each traceback.",
    "75": "The store or its disk cannot be used (75): see docs/recovery.md before you start it.",
    "78": "The configuration is wrong, or something else that only a person can mend (78): the "
    "last line of the journal says what.",
}
"""What the exit codes of a failed unit mean."""
DOWN = (
    "It is down and is not started again. A position that is open keeps its stop at the exchange; "
    "nobody moves it or replaces it."
)
AUDIT, DIFFERENT = "tradebaas-audit", "1"
ROWS, ROW = 10, 200
"""So many rows of what differs are told, and so many characters of each."""
WITHIN_MS = 3_600_000
AT_MOST = 4


class Turn(NamedTuple):
    """A unit that a timer starts: what it does, and what its failure means."""

    work: str
    means: str


TURNS = {
    AUDIT: Turn("the audit", "The account was not compared with what the daemon believes."),
    "tradebaas-drill": Turn(
        "the drill", "The newest backup was not restored and started on trial: do not rely on it."
    ),
    "tradebaas-verify": Turn("the check", "The log or a backup did not pass the check."),
}
"""By unit."""


def failure(unit: str, result: str, status: str, data: Path) -> Notice:
    """The notice of a unit that has failed; ``data`` is where the newest audit left its note."""
    name = unit.partition(".")[0]
    if name == AUDIT and status == DIFFERENT:
        return _differs(unit, data)
    ended = f"{result}, exit status {status}" if status else result
    turn = TURNS.get(name)
    if turn is None:
        happened, did = f"systemd has given up on {unit}: {ended}.", DOWN
        again = f"`systemctl reset-failed {unit}; systemctl start {unit}`"
    else:
        happened = f"{turn.work.capitalize()} failed: {ended}. {turn.means}"
        did = _goes_on(turn)
        again = f"`systemctl start {unit}`"
    return Notice(
        kind="failed",
        title=f"{unit} has FAILED",
        happened=f"{happened} {MEANINGS.get(status, 'The journal has its last words.')}",
        did=did,
        todo=f"Read `journalctl -u {unit} -n 50`, mend the cause, then {again}.",
        urgent=True,
    )


def _differs(unit: str, data: Path) -> Notice:
    found = read_audited(Place(data))
    rows = [row[:ROW] for row in found.differences[:ROWS]] if found else []
    left = len(found.differences) - len(rows) if found else 0
    rows += [f"and {left} more"] if left else []
    what = "; ".join(rows) or f"`journalctl -u {unit} -n 50` has what differs"
    return Notice(
        kind="failed",
        title="the account is NOT what the daemon believes",
        happened=f"The audit looked twice and found: {what}.",
        did=f"{_goes_on(TURNS[AUDIT])} It corrects nothing.",
        todo="Look at the account now. A row that begins with `protection` is a position without "
        "a full stop: place one or close it by hand, unless `tradebaas status` says that the "
        "daemon does so. Then docs/runbook.md, Exit 1.",
        urgent=True,
    )


def _goes_on(turn: Turn) -> str:
    return f"The daemon trades on. Its timer runs {turn.work} again."


# ------------------------------------------------------------------------------ how often


class Told(Struct, frozen=True):
    """Of one unit: when it was told lately (wall ms), in which words, and what was held back."""

    times: tuple[int, ...] = ()
    words: str = ""
    held: int = 0


def told_of(file: Path) -> Told:
    """What is remembered there; nothing where there is nothing, or nothing that can be read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Told)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Told()


def is_due(unit: str, notice: Notice, told: Told, now_ms: int) -> bool:
    """Whether it is to be told now."""
    lately = _lately(told, now_ms)
    if unit.partition(".")[0] not in TURNS or not lately:
        return True
    return told.words != notice.happened and len(lately) < AT_MOST


def after(told: Told, notice: Notice, now_ms: int, *, sent: bool) -> Told:
    """What to remember once it was sent, or held back."""
    lately = _lately(told, now_ms)
    if not sent:
        return Told(lately, told.words, told.held + 1)
    return Told((*lately, now_ms), notice.happened)


def with_held(notice: Notice, told: Told) -> Notice:
    """The notice, with how many were held back since the last one."""
    if not told.held:
        return notice
    more = f"{notice.happened} {told.held} notices of this unit were held back before."
    return msgspec.structs.replace(notice, happened=more)


def _lately(told: Told, now_ms: int) -> tuple[int, ...]:
    return tuple(at for at in told.times if 0 <= now_ms - at < WITHIN_MS)
