"""How often an account may call: the rate credits of protocol section 6.

Each pool is a bucket that refills in exchange time. A call that finds it empty is refused with
10028, and its session is ended. All sessions of the account draw from the same buckets.
"""

from typing import NamedTuple, final

from tradebaas.paper.params import Refused

UNIT = 1_000_000
"""Of a call: levels are counted in millionths, so that whole numbers suffice."""


class Limit(NamedTuple):
    """Calls per second, and how many at once."""

    rate: int
    burst: int


Limits = dict[str, Limit]
TIERS = {1: Limit(30, 100), 2: Limit(20, 50), 3: Limit(10, 30), 4: Limit(5, 20)}
"""What may be asked of the matching engine; the more an account trades, the lower its tier."""
LOWEST_TIER = 4


def limits_of(tier: int) -> Limits:
    """Return the limits of every pool for an account of a tier."""
    return {
        "general": Limit(20, 100),
        "matching": TIERS[tier],
        "cancel_all": Limit(5, 20),
        "subscribe": Limit(3, 10),
        "instruments": Limit(1, 50),
        "transaction_log": Limit(1, 8),
    }


SPECIAL = {
    "public/subscribe": "subscribe",
    "private/subscribe": "subscribe",
    "public/get_instruments": "instruments",
    "private/get_transaction_log": "transaction_log",
}


def pool_of(method: str, *, changes_orders: bool) -> str:
    """Return the pool that a call is counted in."""
    if "/cancel_all" in method:
        return "cancel_all"
    return "matching" if changes_orders else SPECIAL.get(method, "general")


@final
class Credits:
    """The buckets of one account."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._levels = {pool: limit.burst * UNIT for pool, limit in limits.items()}
        self._at_ms = dict.fromkeys(limits, 0)

    def take(self, method: str, *, changes_orders: bool, now_ms: int) -> None:
        """Count a call.

        Raises:
            Refused: 10028, there are no credits left for it.
        """
        pool = pool_of(method, changes_orders=changes_orders)
        limit, passed_ms = self._limits[pool], max(now_ms - self._at_ms[pool], 0)
        level = self._levels[pool] + passed_ms * limit.rate * (UNIT // 1000)
        self._levels[pool], self._at_ms[pool] = min(level, limit.burst * UNIT), now_ms
        if self._levels[pool] < UNIT:
            raise Refused(10028, "too_many_requests")
        self._levels[pool] -= UNIT
