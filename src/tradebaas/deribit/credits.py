"""Our own account of the exchange's rate credits: a call waits here before it is one too many.

The exchange ends the session of whoever calls too often (10028, protocol dossier section 6), and
every answer that was on its way is lost with it. So calls are counted here as they are there: a
bucket per pool that refills in exchange time. Only a share of what the account is allowed is used,
since its owner and other keys draw from the same buckets; and from each bucket a reserve is kept
for what protects, and for proving what became of an order. Belongs to an account, so it outlives
the connections to it. Pure: whoever calls brings the time.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import final

from msgspec import Struct

from tradebaas.deribit.rpc import Priority

NOTHING = 1e-6
"""Of a call: less is what rounding leaves."""
SHORTEST_S = 0.001
"""A wait that is too short to move a clock would be waited for ever."""
SHARE = 0.8
"""Of what the account is allowed."""
RESERVE: Mapping[Priority, float] = {
    Priority.HEARTBEAT: 0.0,
    Priority.PROTECT: 0.0,
    Priority.PROVE: 0.1,
    Priority.NORMAL: 0.25,
}
"""The share of a full bucket that a call of each priority must leave to those before it."""


class Pool(StrEnum):
    """What is counted together."""

    GENERAL = "general"
    MATCHING = "matching"
    SUBSCRIBE = "subscribe"


MATCHING_METHODS = frozenset({"private/buy", "private/sell", "private/edit", "private/cancel"})
SUBSCRIBE_METHODS = frozenset({"private/subscribe", "public/subscribe"})


def pool_of(method: str) -> Pool:
    """The pool that a call of ours is counted in."""
    if method in MATCHING_METHODS:
        return Pool.MATCHING
    return Pool.SUBSCRIBE if method in SUBSCRIBE_METHODS else Pool.GENERAL


@final
class Allowed(Struct, frozen=True):
    """Calls per second of exchange time, and how many at once."""

    rate: Decimal
    burst: Decimal


USUAL: Mapping[Pool, Allowed] = {
    Pool.GENERAL: Allowed(Decimal(20), Decimal(100)),
    Pool.MATCHING: Allowed(Decimal(5), Decimal(20)),
    Pool.SUBSCRIBE: Allowed(Decimal(10) / 3, Decimal(10)),
}
"""What the lowest tier is allowed (dossier section 6), until the exchange says more."""


@final
class Bucket:
    """The credits of one pool, in calls. Moments are monotonic seconds."""

    def __init__(self, allowed: Allowed) -> None:
        self._at = 0.0
        self._rate = self._burst = self._level = 0.0
        self.allow(allowed)
        self._level = self._burst

    def allow(self, allowed: Allowed) -> None:
        """Take over other figures; what was spent stays spent."""
        spent = self._burst - self._level
        self._rate, self._burst = SHARE * float(allowed.rate), SHARE * float(allowed.burst)
        self._level = self._burst - spent

    def wait_s(self, reserve: float, now: float, pace: float) -> float:
        """Seconds until a call may go that leaves this share of the bucket; 0: it may now.

        ``pace`` is exchange seconds per second.
        """
        self._refill(now, pace)
        missing = 1.0 + reserve * (self._burst - 1.0) - self._level
        if missing <= NOTHING:
            return 0.0
        return max(missing / (self._rate * pace), SHORTEST_S)

    def take(self, now: float, pace: float) -> None:
        """A call has gone."""
        self._refill(now, pace)
        self._level -= 1.0

    def empty(self, now: float) -> None:
        """The exchange says that there was nothing left."""
        self._at, self._level = now, min(self._level, 0.0)

    def _refill(self, now: float, pace: float) -> None:
        gained = max(now - self._at, 0.0) * self._rate * pace
        self._at, self._level = now, min(self._burst, self._level + gained)


@final
class Credits:
    """The buckets of one account."""

    def __init__(self) -> None:
        self._buckets = {pool: Bucket(allowed) for pool, allowed in USUAL.items()}

    def allow(self, limits: Mapping[Pool, Allowed]) -> None:
        """Take over what the exchange says; a pool that it does not speak of stays as it is."""
        for pool, allowed in limits.items():
            self._buckets[pool].allow(allowed)

    def wait_s(self, method: str, priority: Priority, now: float, pace: float) -> float:
        """Seconds until a call may be written; 0: it may now."""
        return self._buckets[pool_of(method)].wait_s(RESERVE[priority], now, pace)

    def take(self, method: str, now: float, pace: float) -> None:
        """A call is written."""
        self._buckets[pool_of(method)].take(now, pace)

    def spent(self, now: float) -> None:
        """The exchange has ended a session for want of credits; it does not say of which."""
        for bucket in self._buckets.values():
            bucket.empty(now)
