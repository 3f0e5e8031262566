"""How often an account may call: the rate credits of protocol section 6.

Each pool is a bucket that refills in exchange time. A call that finds it empty is refused with
10028, and its session is ended. All sessions of the account draw from the same buckets; what a
driver does (``admin/``) costs nothing.
"""

from typing import NamedTuple, final

from tradebaas.paper.params import Refused

UNIT = 1_000_000
"""Of a call: levels are counted in millionths, so that whole numbers suffice."""


class Limit(NamedTuple):
    """Calls per second, and how many at once; the lowest tier's."""

    rate: int
    burst: int


LIMITS = {
    "general": Limit(20, 100),
    "matching": Limit(5, 20),
    "cancel_all": Limit(5, 20),
    "subscribe": Limit(3, 10),
    "instruments": Limit(1, 50),
}
SPECIAL = {
    "public/subscribe": "subscribe",
    "private/subscribe": "subscribe",
    "public/get_instruments": "instruments",
}


def pool_of(method: str, *, changes_orders: bool) -> str:
    """Return the pool that a call is counted in."""
    if "/cancel_all" in method:
        return "cancel_all"
    return "matching" if changes_orders else SPECIAL.get(method, "general")


@final
class Credits:
    """The buckets of one account; ``counting`` is False where nothing costs anything."""

    def __init__(self, counting: bool) -> None:
        self._counting = counting
        self._levels = {pool: limit.burst * UNIT for pool, limit in LIMITS.items()}
        self._at_ms = dict.fromkeys(LIMITS, 0)

    def take(self, method: str, *, changes_orders: bool, now_ms: int) -> None:
        """Count a call.

        Raises:
            Refused: 10028, there are no credits left for it.
        """
        if not self._counting or method.startswith("admin/"):
            return
        pool = pool_of(method, changes_orders=changes_orders)
        limit, passed_ms = LIMITS[pool], max(now_ms - self._at_ms[pool], 0)
        level = self._levels[pool] + passed_ms * limit.rate * (UNIT // 1000)
        self._levels[pool], self._at_ms[pool] = min(level, limit.burst * UNIT), now_ms
        if self._levels[pool] < UNIT:
            raise Refused(10028, "too_many_requests")
        self._levels[pool] -= UNIT
