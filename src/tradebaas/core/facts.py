"""What the exchange said, translated from the wire; volatile until ``decide`` makes events of it.

A fact is never refused: one that contradicts what the state holds is stored and answered with
protect-only, because the exchange is right about its own books.
"""

from decimal import Decimal

from msgspec import Struct

from tradebaas.core.funding_events import FundingRow
from tradebaas.core.model import Absence, ContractKind, Fill, Order


class OrderFact(Struct, frozen=True, tag=True, kw_only=True):
    """The exchange described an order, ours or foreign."""

    order: Order


class FillFact(Struct, frozen=True, tag=True, kw_only=True):
    """The exchange reported an execution on the account."""

    fill: Fill


class PositionFact(Struct, frozen=True, tag=True, kw_only=True):
    """The exchange's net position (signed), read together with all trades that led to it.

    ``at_ms`` is when that reading began, ``asked_ms`` when the position itself was asked for: any
    fill from before that is in ``size`` (exchange time, ms). A full read has one for the managed
    instrument and for each position held or quarantined, with size zero where there is none.
    """

    instrument: str
    contract: ContractKind
    currency: str
    size: Decimal
    average_price: Decimal
    at_ms: int
    asked_ms: int


class OpenOrdersFact(Struct, frozen=True, tag=True, kw_only=True):
    """The ids of every open order on the account at ``read_ms``: what is missing is gone.

    The trades of the same report were read after it, so what an order did before it went is told.
    """

    order_ids: tuple[str, ...]
    read_ms: int


class RejectFact(Struct, frozen=True, tag=True, kw_only=True):
    """An explicit refusal that created no order."""

    label: str
    code: int
    message: str


class NotSentFact(Struct, frozen=True, tag=True, kw_only=True):
    """This life never wrote the order to the wire."""

    label: str
    reason: str


class LostFact(Struct, frozen=True, tag=True, kw_only=True):
    """No usable answer to an order call came."""

    label: str
    reason: str


class EditFact(Struct, frozen=True, tag=True, kw_only=True):
    """An edit is over, and its order described; ``reason`` is "" if it was carried out."""

    order_id: str
    reason: str


class AbsentFact(Struct, frozen=True, tag=True, kw_only=True):
    """All the places where the order could be were read and it was in none."""

    evidence: Absence


class FundingFact(Struct, frozen=True, tag=True, kw_only=True):
    """Rows of the transaction log that have funding; all of before ``through_ms``, and of what
    lies between that and the last such fact."""

    rows: tuple[FundingRow, ...]
    through_ms: int


class FrameFact(Struct, frozen=True, tag=True, kw_only=True):
    """A frame that could not be understood."""

    raw: str
    reason: str


Fact = (
    OrderFact
    | FillFact
    | PositionFact
    | OpenOrdersFact
    | RejectFact
    | NotSentFact
    | LostFact
    | EditFact
    | AbsentFact
    | FrameFact
    | FundingFact
)
