"""The parameters of the methods that report: what was, and what an account is."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from tradebaas.paper.instruments import Wire
from tradebaas.paper.params import Count, IndexNames, Params, offset_of


class Expirations(Params):
    currency: str
    kind: Literal["future", "option", "any"]
    currency_pair: str = "any"


class IndexChart(Params):
    index_name: str
    range: Literal["1h", "1d", "2d", "1m", "1y", "all"]


class SupportedIndices(IndexNames):
    type: Literal["all", "spot", "derivative"] = "all"


class OneCurrency(Params):
    currency: str


class DeliveryPrices(Params):
    index_name: str
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    count: Count = 10


class VolatilityIndex(Params):
    currency: str
    start_timestamp: int
    end_timestamp: int
    resolution: str


class Paged(Params):
    """A page of what there is; ``continuation`` is how many rows have been told."""

    count: Count = 20
    continuation: str = ""


class Settlements(Paged):
    instrument_name: str = ""
    currency: str = ""
    type: Literal["settlement", "delivery", "bankruptcy"] | None = None
    search_start_timestamp: int | None = None


class ListedOrders(Params, kw_only=True):
    ids: Annotated[list[str], msgspec.Meta(max_length=100)]


class MarginsOf(Params):
    instrument_name: str
    amount: Decimal
    price: Decimal


class Subaccounts(Params):
    with_portfolio: bool = False


class SubaccountDetails(Params):
    currency: str
    with_open_orders: bool = False


class AccessLog(Params):
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    count: Count = 10


class TransactionLog(Params, kw_only=True):
    currency: str
    start_timestamp: int
    end_timestamp: int
    query: str = ""
    count: Annotated[int, msgspec.Meta(ge=1, le=250)] = 100
    continuation: int | None = None


def page_of(name: str, rows: Sequence[object], asked: Paged) -> Wire:
    """Return a page of rows under a name, and how to ask for the next one."""
    start = offset_of(asked.continuation)
    end = start + asked.count
    return {name: rows[start:end], "continuation": str(end) if end < len(rows) else None}
