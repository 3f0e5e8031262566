"""The parameters of the methods that change orders (protocol section 8)."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from tradebaas.paper.orders import (
    Direction,
    FillCondition,
    Linked,
    OrderType,
    TimeInForce,
    Trigger,
)
from tradebaas.paper.params import Kind, Label, Params


class Leg(msgspec.Struct, kw_only=True):
    direction: Direction
    amount: Decimal | None = None
    type: OrderType = "limit"
    label: Label = ""
    price: Decimal | None = None
    reduce_only: bool = False
    time_in_force: TimeInForce | None = None
    post_only: bool = False
    reject_post_only: bool = False
    trigger: Trigger | None = None
    trigger_price: Decimal | None = None
    trigger_offset: Decimal | None = None
    display_amount: Decimal | None = None


class Foreign(Params):
    """What Deribit has for options and market makers, and an order here must not ask for."""

    advanced: Literal["usd", "implv"] | None = None
    mmp: bool = False
    max_show: Decimal | None = None


class Entry(Foreign, kw_only=True):
    instrument_name: str
    amount: Decimal | None = None
    contracts: Decimal | None = None
    type: OrderType | Literal["market_limit"] = "limit"
    price: Decimal | None = None
    label: Label = ""
    time_in_force: TimeInForce | None = None
    post_only: bool | None = None
    reject_post_only: bool = False
    reduce_only: bool = False
    trigger: Trigger | None = None
    trigger_price: Decimal | None = None
    trigger_offset: Decimal | None = None
    display_amount: Decimal | None = None
    valid_until: int | None = None
    linked_order_type: Linked | None = None
    trigger_fill_condition: FillCondition = "first_hit"
    otoco_config: Annotated[list[Leg], msgspec.Meta(max_length=10)] = msgspec.field(
        default_factory=list
    )


class Change(Foreign):
    """What an edit may change."""

    amount: Decimal | None = None
    contracts: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    trigger_offset: Decimal | None = None
    display_amount: Decimal | None = None
    post_only: bool | None = None
    reject_post_only: bool | None = None
    reduce_only: bool | None = None
    valid_until: int | None = None


class Edit(Change, kw_only=True):
    order_id: str


class EditByLabel(Change, kw_only=True):
    label: Label
    instrument_name: str


class CancelByLabel(Params):
    label: Label
    currency: str = "any"


class CancelAll(Params):
    kind: Kind = "any"
    type: str = "all"
    detailed: bool = False


class CancelByCurrency(CancelAll, kw_only=True):
    currency: str


class CancelByPair(CancelAll, kw_only=True):
    currency_pair: str


class CancelByInstrument(CancelAll, kw_only=True):
    instrument_name: str


class CancelByKind(CancelAll, kw_only=True):
    currency: str | list[str]


class Close(Params):
    instrument_name: str
    type: Literal["limit", "market"]
    price: Decimal | None = None
