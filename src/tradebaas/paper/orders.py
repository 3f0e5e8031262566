"""An order as the exchange keeps it, and as Deribit shows it (protocol sections 8.3 and 9).

``Order`` is the one mutable record of this package. Only ``matching`` and ``families`` change it;
everything else reads, or copies ``order_wire``. States and their names are Deribit's own: open,
filled, cancelled, rejected, untriggered, triggered. A trigger order that fires ends as
``triggered`` and a new order with a new id goes to the book.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from tradebaas.paper.instruments import INSTRUMENTS, Instrument, Wire

Direction = Literal["buy", "sell"]
Trigger = Literal["mark_price", "index_price", "last_price"]
OrderType = Literal[
    "limit", "market", "stop_limit", "stop_market", "take_limit", "take_market", "trailing_stop"
]
TimeInForce = Literal["good_til_cancelled", "good_til_day", "immediate_or_cancel", "fill_or_kill"]
State = Literal["open", "filled", "cancelled", "rejected", "untriggered", "triggered"]
FillCondition = Literal["first_hit", "complete_fill", "incremental"]
Linked = Literal["one_triggers_other", "one_cancels_other", "one_triggers_one_cancels_other"]

STOP_TYPES = frozenset({"stop_limit", "stop_market", "trailing_stop"})
TRIGGER_TYPES = STOP_TYPES | {"take_limit", "take_market"}
MARKET_TYPES = frozenset({"market", "stop_market", "take_market", "trailing_stop"})
LIVE_STATES = frozenset({"open", "untriggered"})
FIRST_USER_ID = 4242
"""That of the main account; the others count on from there."""


class Order(msgspec.Struct, kw_only=True):
    """One order. Amounts are in the instrument's unit, prices in its quote currency."""

    order_id: str
    user_id: int
    number: int = 0
    """Its place in the order of creation, for ever."""
    queue: int = 0
    """Its turn among the orders at its price; one that asks for more goes to the end."""
    instrument_name: str
    direction: Direction
    order_type: OrderType
    amount: Decimal
    creation_ms: int
    update_ms: int
    state: State
    time_in_force: TimeInForce = "good_til_cancelled"
    price: Decimal | None = None
    filled: Decimal = Decimal(0)
    weight: Decimal = Decimal(0)
    label: str = ""
    post_only: bool = False
    reject_post_only: bool = False
    reduce_only: bool = False
    trigger: Trigger | None = None
    trigger_price: Decimal | None = None
    trigger_offset: Decimal | None = None
    trigger_reference: Decimal | None = None
    """The best price since a trailing stop went live; its trigger price follows at the offset."""
    original_order_type: str | None = None
    display_amount: Decimal | None = None
    reason: str | None = None
    replaced: bool = False
    web: bool = False
    is_liquidation: bool = False
    session: int | None = None
    trigger_order_id: str | None = None
    child_id: str | None = None
    linked: Linked | None = None
    fill_condition: FillCondition = "first_hit"
    oto_order_ids: list[str] = []
    is_secondary: bool = False
    primary_order_id: str | None = None
    oco_ref: str | None = None
    spawned: Decimal = Decimal(0)
    original: Decimal | None = None
    """Amount of a one-cancels-other leg before its other leg's fills made it smaller."""

    @property
    def instrument(self) -> Instrument:
        """Return the instrument that this order is for."""
        return INSTRUMENTS[self.instrument_name]

    @property
    def remaining(self) -> Decimal:
        """Return what is not filled yet."""
        return self.amount - self.filled

    @property
    def visible(self) -> Decimal:
        """Return what others see of it in the book."""
        return min(self.remaining, self.display_amount or self.remaining)

    @property
    def is_buy(self) -> bool:
        """Return whether it adds to a long or takes from a short."""
        return self.direction == "buy"

    @property
    def is_live(self) -> bool:
        """Return whether it may still do something."""
        return self.state in LIVE_STATES

    @property
    def is_api(self) -> bool:
        """Return whether a client's program sent it, not a person or the exchange itself."""
        return not (self.web or self.is_liquidation)

    @property
    def is_trigger(self) -> bool:
        """Return whether it waits for a trigger price before it enters the book."""
        return self.order_type in TRIGGER_TYPES

    @property
    def is_live_stop(self) -> bool:
        """Return whether it is a stop that will fire by itself when its price comes."""
        return (
            self.state == "untriggered" and self.order_type in STOP_TYPES and not self.is_secondary
        )

    @property
    def rests(self) -> bool:
        """Return whether it stands in the book at its price."""
        return self.state == "open" and self.order_type == "limit"

    @property
    def level(self) -> Decimal | None:
        """Return the market price that sets it off; None for what waits on something else."""
        if self.state == "open":
            return None if self.order_type == "market" else self.price
        if self.state == "untriggered" and not self.is_secondary:
            return self.trigger_price
        return None

    @property
    def waits_for_rise(self) -> bool:
        """Return whether its level is reached from below (stop buys, and limit or take sells)."""
        stop = self.state == "untriggered" and self.order_type in STOP_TYPES
        return self.is_buy if stop else not self.is_buy

    def is_reached(self, level: Decimal, here: Decimal, to: Decimal) -> bool:
        """Return whether a move of the market sets it off, whose level this is.

        A trigger fires when the price is at its level; a resting order trades when the price comes
        to its level or goes beyond it, but not while it merely stays there.
        """
        if to > level if self.waits_for_rise else to < level:
            return True
        return to == level and (self.state == "untriggered" or here != level)


def trigger_id_prefix(order_type: str, trigger: str, direction: str) -> str:
    """Return letters such as SLMS: stop loss, mark price, sell."""
    kind = "SL" if order_type in STOP_TYPES else "TP"
    kind = "TS" if order_type == "trailing_stop" else kind
    reference = {"mark_price": "M", "index_price": "I", "last_price": "T"}[trigger]
    return f"{kind}{reference}{direction[0].upper()}"


def order_wire(order: Order) -> Wire:
    """Return the order as Deribit shows it."""
    item = order.instrument
    wire: Wire = {
        "order_id": order.order_id,
        "order_state": order.state,
        "order_type": order.order_type,
        "time_in_force": order.time_in_force,
        "instrument_name": order.instrument_name,
        "direction": order.direction,
        "price": _price(order),
        "amount": order.amount,
        "contracts": order.amount / item.contract_size,
        "label": order.label,
        "post_only": order.post_only,
        "reject_post_only": order.reject_post_only,
        "reduce_only": order.reduce_only,
        "creation_timestamp": order.creation_ms,
        "last_update_timestamp": order.update_ms,
        "api": order.is_api,
        "web": order.web,
        "mmp": False,
        "replaced": order.replaced,
        "is_liquidation": order.is_liquidation,
        "risk_reducing": False,
        "user_id": order.user_id,
    }
    if not _waits(order):
        wire["filled_amount"] = order.filled
        wire["average_price"] = item.average(order.filled, order.weight)
    if order.reason is not None:
        wire["cancel_reason"] = order.reason
    _add_links(order, wire)
    return wire


def _waits(order: Order) -> bool:
    return order.state == "untriggered" or order.is_trigger or order.is_secondary


def _price(order: Order) -> Decimal | str | None:
    at_market = order.order_type in MARKET_TYPES and (_waits(order) or order.price is None)
    return "market_price" if at_market else order.price


def _add_links(order: Order, wire: Wire) -> None:
    if order.trigger is not None:
        wire["trigger"] = order.trigger
        if order.trigger_price is not None:
            wire["trigger_price"] = order.trigger_price
    if order.trigger_offset is not None:
        wire["trigger_offset"] = order.trigger_offset
        wire["trigger_reference_price"] = order.trigger_reference
    if order.original_order_type is not None:
        wire["original_order_type"] = order.original_order_type
    if order.display_amount is not None:
        wire["display_amount"] = wire["refresh_amount"] = order.display_amount
    if order.trigger is not None or order.is_secondary:
        wire["triggered"] = order.state == "triggered"
    if order.oto_order_ids:
        wire["oto_order_ids"] = order.oto_order_ids
        wire["trigger_fill_condition"] = order.fill_condition
        wire["is_primary_otoco"] = order.linked == "one_triggers_one_cancels_other"
    if order.is_secondary:
        wire["is_secondary_oto"] = True
    for name in ("trigger_order_id", "primary_order_id", "oco_ref"):
        value: str | None = getattr(order, name)
        if value is not None:
            wire[name] = value


def trigger_history_wire(order: Order, child: Order | None) -> Wire:
    """Return the entry of a closed trigger order in ``private/get_trigger_order_history``.

    ``child`` is the order that it fired as, if that is known: its ``order_id`` is the entry's, and
    so is its ``price``, which of a market order is the protective one.
    """
    fired = order.state == "triggered"
    state = f"rejected:{order.reason}" if order.state == "rejected" else order.state
    return {
        "timestamp": order.creation_ms,
        "last_update_timestamp": order.update_ms,
        "trigger": order.trigger,
        "trigger_price": order.trigger_price,
        "trigger_offset": order.trigger_offset,
        "trigger_order_id": order.order_id,
        "order_id": order.child_id,
        "order_state": state,
        "instrument_name": order.instrument_name,
        "request": "cancel" if order.state == "cancelled" else "trigger:order",
        "direction": order.direction,
        "price": _price(child or order),
        "amount": order.amount,
        "reduce_only": order.reduce_only,
        "post_only": order.post_only,
        "order_type": "market" if order.order_type in MARKET_TYPES else "limit",
        "label": order.label,
        "is_secondary_oto": order.is_secondary,
        "oco_ref": order.oco_ref,
        "source": "web" if order.web else "api",
        "triggered": fired,
    }
