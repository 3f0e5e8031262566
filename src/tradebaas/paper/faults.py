"""What can be armed to go wrong with a call: lost, late, held or forged on either side of it.

Each rule names methods and, if wanted, parameters that the call must have (``match``, equal values
at the top level). A counted rule wears off after that many calls; others stay until they are
released. Nothing here happens to a call by itself: only a driver arms any.

    swallow   not executed; the connection is cut instead of an answer
    deaf      not executed and never answered
    queue     executed ``delay_ms`` after it was received, whatever has become of its connection
    defer     as queue, but answered with ``error`` when it is received
    reject    not executed; answered with ``error``
    lose      executed; the connection is cut before anything of it was heard
    mute      executed and never answered
    deny      executed, and answered with ``error`` all the same
    late      executed; the answer goes out ``delay_ms`` later, what it set off at once
    hold      executed; the answer and the account's notifications wait for the release

Besides, each fault of ``mishaps`` may have a chance to meet a call that changes orders. Whether it
does is drawn from a seed and the number of draws before, so the same calls meet the same faults.

``ends`` cuts the connection after the answer, as Deribit does when credits run out. ``met`` is told
of each call that the rule meets: one that is armed has done nothing yet.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Literal, cast

import msgspec

from tradebaas.paper.instruments import Wire
from tradebaas.paper.mishaps import MISHAPS, Mishap
from tradebaas.paper.params import Refused, anything

MAX_RULES = 100
Kind = Literal[
    "swallow", "deaf", "queue", "defer", "reject", "lose", "mute", "deny", "late", "hold"
]  # fmt: skip


class Rule(msgspec.Struct):
    """One armed fault; ``left`` counts the calls it still meets, None means until released."""

    kind: Kind
    methods: frozenset[str]
    match: Wire = {}
    left: int | None = 1
    error: Refused | None = None
    delay_ms: int = 0
    ends: bool = False
    met: Callable[[], None] | None = None


class Faults:
    """The armed rules, oldest first, and the chances of faults by their names.

    ``prone`` are the methods that chance may strike.
    """

    def __init__(self, prone: frozenset[str] = frozenset(), seed: int = 0) -> None:
        self.rules: list[Rule] = []
        self.chances: dict[str, float] = {}
        self._prone = prone
        self._seed = seed
        self._draws = 0

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

    def take(self, kind: Kind, method: str, body: bytes) -> Rule | None:
        """Return the first rule of a kind that a call meets, and count it."""
        for rule in self.rules:
            if rule.kind == kind and method in rule.methods and _matches(rule.match, body):
                self._count(rule)
                return rule
        return self._by_chance(kind, method) if self.chances else None

    def _by_chance(self, kind: Kind, method: str) -> Rule | None:
        if method not in self._prone:
            return None
        for name, chance in self.chances.items():
            if MISHAPS[name].kind == kind and self._draw() < chance:
                return _rule(MISHAPS[name], method)
        return None

    def _draw(self) -> float:
        self._draws += 1
        digest = blake2b(f"{self._seed}:fault:{self._draws}".encode(), digest_size=4).digest()
        return int.from_bytes(digest) / 2**32

    def _count(self, rule: Rule) -> None:
        if rule.met is not None:
            rule.met()
        if rule.left is not None:
            rule.left -= 1
            if rule.left <= 0:
                self.rules.remove(rule)


def _rule(mishap: Mishap, method: str) -> Rule:
    return Rule(
        cast(Kind, mishap.kind),
        frozenset({method}),
        error=Refused(mishap.code, mishap.message) if mishap.code else None,
        delay_ms=mishap.delay_ms,
        ends=mishap.ends,
    )


def _matches(wanted: Wire, body: bytes) -> bool:
    if not wanted:
        return True
    given = anything(body)
    return isinstance(given, dict) and all(given.get(key) == wanted[key] for key in wanted)
