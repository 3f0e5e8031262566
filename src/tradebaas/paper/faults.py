"""Faults that a test driver arms: answers held, lost or forged, requests swallowed.

Each rule names a method and, if wanted, parameters that the call must have (``params_match``, equal
values at the top level). A counted rule wears off after ``count`` matching calls; a hold stays
until it is released. Only an exchange with ``admin`` can arm any.
"""

import msgspec

from tradebaas.paper.instruments import Wire
from tradebaas.paper.params import Refused

MAX_RULES = 100


class Rule(msgspec.Struct):
    """One armed fault: ``kind`` is hold, swallow, lose or reject.

    ``left`` counts the calls it still meets; None means until it is released.
    """

    kind: str
    method: str
    match: Wire
    left: int | None
    error: Refused | None = None


class Faults:
    """The armed rules, oldest first."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def arm(self, rule: Rule) -> None:
        """Add a rule.

        Raises:
            Refused: when there are too many.
        """
        if len(self.rules) >= MAX_RULES:
            raise Refused(11030, "other_reject", {"reason": f"{MAX_RULES} rules are armed already"})
        self.rules.append(rule)

    def release(self) -> None:
        """End all holds."""
        self.rules = [rule for rule in self.rules if rule.kind != "hold"]

    def take(self, kind: str, method: str, body: bytes) -> Rule | None:
        """Return the first rule of a kind that a call meets, and count it."""
        for rule in self.rules:
            if rule.kind == kind and rule.method == method and _matches(rule.match, body):
                self._count(rule)
                return rule
        return None

    def _count(self, rule: Rule) -> None:
        if rule.left is not None:
            rule.left -= 1
            if rule.left <= 0:
                self.rules.remove(rule)


def _matches(wanted: Wire, body: bytes) -> bool:
    if not wanted:
        return True
    given = msgspec.json.decode(body)
    return isinstance(given, dict) and all(given.get(key) == wanted[key] for key in wanted)
