"""What is told of a unit that failed: the words for each unit and how it ended. How often: see
``repeats``.
"""

from pathlib import Path
from typing import NamedTuple

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
    """The notice of a unit that has failed. ``data`` is the data directory of the daemon whose name
    is no instance's; the newest audit left its note there.
    """
    name, instance = _parts(unit)
    if name == AUDIT and status == DIFFERENT:
        return _differs(unit, data.with_name(f"{data.name}-{instance}") if instance else data)
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


def is_of_a_timer(unit: str) -> bool:
    """Whether it will be started again by itself; what is not is down."""
    return _parts(unit)[0] in TURNS


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


def _parts(unit: str) -> tuple[str, str]:
    """The name of a unit and of its instance, "" where it is none."""
    name, _, instance = unit.removesuffix(".service").partition("@")
    return name, instance


def _goes_on(turn: Turn) -> str:
    return f"The daemon trades on. Its timer runs {turn.work} again."
