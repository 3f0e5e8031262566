"""The faults that an operator can ask for by name: with a chance for each call that changes orders.

Only names and words, so that the command line can list them without the exchange. What each does
to a call is a rule of ``faults``; a code is the error that the call is answered with.
"""

import difflib
from collections.abc import Mapping
from typing import NamedTuple

from tradebaas.errors import ConfigError


class Mishap(NamedTuple):
    """A named fault: the kind of rule that it is, and what it needs."""

    kind: str
    says: str
    code: int = 0
    message: str = ""
    ends: bool = False
    delay_ms: int = 0


MISHAPS = {
    "call-lost": Mishap("swallow", "not executed; the connection is cut"),
    "call-ignored": Mishap("deaf", "not executed and never answered"),
    "call-refused": Mishap(
        "reject", "not executed; answered with 10047", 10047, "matching_engine_queue_full"
    ),
    "call-limited": Mishap(
        "reject", "not executed; 10028 and the end of the session", 10028, "too_many_requests", True
    ),
    "call-late": Mishap("queue", "executed 1 s later", delay_ms=1_000),
    "call-denied": Mishap(
        "defer", "answered with 13028, executed 1 s later all the same",
        13028, "temporarily_unavailable", delay_ms=1_000,
    ),
    "ack-lost": Mishap("lose", "executed; the connection is cut before the answer"),
    "ack-unsent": Mishap("mute", "executed and never answered"),
    "ack-wrong": Mishap(
        "deny", "executed, but answered with 11094", 11094, "internal_server_error"
    ),
    "ack-late": Mishap("late", "executed; answered 1 s later", delay_ms=1_000),
}  # fmt: skip


def read_chances(texts: tuple[str, ...]) -> dict[str, float]:
    """Return what texts like ``ack-lost=0.01,call-late=0.1`` ask for.

    Raises:
        ConfigError: naming what is wrong and what there is.
    """
    chances: dict[str, float] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        name, equals, number = part.partition("=")
        try:
            chances[name] = float(number)
        except ValueError:
            given = f"{number!r} is no number" if equals else "the chance is missing"
            raise ConfigError(f"fault {part!r}: {given}; write {name or 'NAME'}=0.01") from None
    check_chances(chances)
    return chances


def check_chances(chances: Mapping[str, float]) -> None:
    """Refuse faults that there are not, and chances that are none.

    Raises:
        ConfigError: naming what is wrong and what there is.
    """
    for name, chance in chances.items():
        if name not in MISHAPS:
            near = difflib.get_close_matches(name, MISHAPS, n=1, cutoff=0.4)
            guess = f"did you mean {near[0]!r}? " if near else ""
            known = ", ".join(MISHAPS)
            raise ConfigError(f"there is no fault {name!r}; {guess}there are: {known}")
        if not 0 <= chance <= 1:
            raise ConfigError(f"fault {name}: {chance:g} is no chance; give a number from 0 to 1")
