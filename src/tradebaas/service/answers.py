"""What the exchange answers a daemon that was just started: ready means only that its store is.

A key that is refused, or that leads to another account, shows seconds later. So whoever started it
waits for the first answer, within a bound: an exchange that cannot be reached is no reason to go
back, and the daemon goes on trying.
"""

from enum import StrEnum

from msgspec import Struct

from tradebaas.service.daemons import Daemon, Watch, comes_up
from tradebaas.service.system import property_of
from tradebaas.words import NOT_CONNECTED, REFUSED_LOGIN

LOOKS, EVERY_S = 40, 0.5
"""How often, and how many seconds apart: a login takes ten seconds at most."""


class Outcome(StrEnum):
    """How it went."""

    GRANTED = "logged in"
    REFUSED = "REFUSED"
    ENDED = "ended"
    SILENT = "no answer yet"


class Answer(Struct, frozen=True):
    """The outcome, and what the daemon said last."""

    outcome: Outcome
    says: str


def started(daemon: Daemon, watch: Watch) -> Answer:
    """Restart a daemon, and wait for the answer."""
    up = comes_up(daemon, watch)
    return first_answer(daemon, watch) if up else Answer(Outcome.ENDED, "")


def first_answer(daemon: Daemon, watch: Watch) -> Answer:
    """Wait for it, for 20 seconds at most."""
    says = ""
    for _ in range(LOOKS):
        if not daemon.is_up:
            return Answer(Outcome.ENDED, says)
        says = property_of(daemon.unit, "StatusText")
        if REFUSED_LOGIN in says:
            return Answer(Outcome.REFUSED, says)
        if says and NOT_CONNECTED not in says:
            return Answer(Outcome.GRANTED, says)
        watch.pause(EVERY_S)
    return Answer(Outcome.SILENT, says)
