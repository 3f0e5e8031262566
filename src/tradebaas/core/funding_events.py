"""The events of funding; a part of ``events.Event``.

Holding a perpetual costs or earns funding, which the exchange tells in the rows of its transaction
log: each has what came up on a position since the row before it. So the rows of a trade, from after
its first fill to its last, add up to its funding (protocol dossier section 13).
"""

from decimal import Decimal

from msgspec import Struct


class FundingRow(Struct, frozen=True, kw_only=True):
    """A row of the exchange's log that has funding; ``paid`` is negative when it was received."""

    row_id: str
    instrument: str
    currency: str
    paid: Decimal
    at_ms: int


class FundingCharged(Struct, frozen=True, tag=True, kw_only=True):
    """A row that was not known. ``trade`` is the closed one that it belongs to, with its money;
    0 for a position that is still open, or whose end is not told yet."""

    row: FundingRow
    trade: int = 0


class FundingRead(Struct, frozen=True, tag=True, kw_only=True):
    """All rows of before ``through_ms`` (exchange time) are known."""

    through_ms: int
