"""What the exchange may change while it runs: its hours, its margin, how long its stores look back.

Every day at 08:00 UTC the books are closed for some seconds while positions are settled: orders
can be read, not changed. Maintenance is announced; when it begins all connections are closed, then
nearly nothing is answered, and whoever tries to connect meets the front's own error (protocol
sections 13 and 16). The market stands meanwhile, and opens again where it has got to.
"""

from decimal import Decimal

import msgspec

from tradebaas.paper.accounts import Margin
from tradebaas.paper.config import ExchangeConfig, Windows
from tradebaas.paper.credits import Limits, limits_of
from tradebaas.paper.funding import Funding
from tradebaas.paper.params import Refused
from tradebaas.paper.readings import Readings

DAY_MS = 24 * 3_600_000
SETTLEMENT_AT_MS = 8 * 3_600_000
BAD_GATEWAY = 502
FACTORS = {"known": Decimal(1), "twice": Decimal(2)}
"""How much margin there must be, by the reading."""
ALWAYS_ANSWERED = frozenset({"public/hello", "public/status", "public/test", "public/get_time"})


class Terms(msgspec.Struct, kw_only=True):
    """In exchange time: when the daily settlement begins (ms of the day) and how long it lasts (0 =
    none), and from when to when there is maintenance, if any is planned. ``limits`` are what an
    account is told of and held to."""

    margin: Margin
    windows: Windows
    limits: Limits
    settlement_ms: int
    settlement_at_ms: int = SETTLEMENT_AT_MS
    maintenance: tuple[int, int] | None = None
    funding: Funding
    readings: Readings = Readings()

    @classmethod
    def of(cls, config: ExchangeConfig) -> "Terms":
        """Return the terms that an exchange starts with."""
        terms = cls(
            margin=Margin(config.max_leverage),
            windows=config.windows,
            limits=limits_of(config.tier),
            settlement_ms=config.settlement_ms,
            funding=Funding(config.funding, config.seed),
        )
        terms.read(config.readings)
        return terms

    def read(self, readings: Readings) -> None:
        """Take what nobody knows in another way."""
        factor = FACTORS[readings.margin] / FACTORS[self.readings.margin]
        self.margin = msgspec.structs.replace(self.margin, factor=self.margin.factor * factor)
        self.readings = readings

    def reset(self, to: "Terms") -> None:
        """Take over other terms."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(to, name))

    def open(self, now_ms: int) -> bool:
        """Return whether orders can be traded and changed."""
        return not self.maintained(now_ms) and not self.settling(now_ms)

    def maintained(self, now_ms: int) -> bool:
        """Return whether maintenance is going on."""
        return self.maintenance is not None and (
            self.maintenance[0] <= now_ms < self.maintenance[1]
        )

    def settling(self, now_ms: int) -> bool:
        """Return whether it is the time of the daily settlement."""
        return (now_ms - self.settlement_at_ms) % DAY_MS < self.settlement_ms

    def last_settlement(self, now_ms: int) -> int:
        """Return when the last settlement began."""
        return self.day_end(now_ms) - DAY_MS

    def day_end(self, from_ms: int) -> int:
        """Return the first settlement after a moment: when an order of that day ends."""
        days = (from_ms - self.settlement_at_ms) // DAY_MS + 1
        return days * DAY_MS + self.settlement_at_ms

    def check(self, method: str, changes_orders: bool, now_ms: int) -> None:
        """Refuse a call at the wrong time.

        Raises:
            Refused: 11051 in maintenance, 10041 in the settlement.
        """
        if self.maintained(now_ms) and method not in ALWAYS_ANSWERED:
            raise Refused(11051, "system_maintenance")
        if changes_orders and self.settling(now_ms):
            raise Refused(10041, "settlement_in_progress")

    def state(self, now_ms: int) -> str:
        """Return the state of every instrument: open, settlement or locked."""
        if self.maintained(now_ms):
            return "locked"
        return "settlement" if self.settling(now_ms) else "open"
