"""Order entry: what ``private/buy``, ``sell``, ``edit``, ``cancel`` and their kin do (section 8).

Everything is checked before anything is changed, so a refused call leaves no trace in the books.
The checks come in the order seen on the wire: shape, instrument, deadline, tick and size, price
band, reduce-only, funds.
"""

import re
from decimal import Decimal, localcontext

from tradebaas.paper import families, params
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.instruments import CONTEXT, Instrument, Wire
from tradebaas.paper.orders import MARKET_TYPES, TRIGGER_TYPES, Direction, Order, order_wire
from tradebaas.paper.params import Refused, invalid
from tradebaas.paper.sessions import Session
from tradebaas.paper.views import price_band

ORDER_ID = re.compile(r"^([A-Z]+-){0,2}\d+$")
LEG_COUNTS = {
    "one_triggers_other": (1, 10),
    "one_cancels_other": (1, 1),
    "one_triggers_one_cancels_other": (2, 2),
}


def check_deadline(exchange: Exchange, valid_until: int | None) -> None:
    """Refuse a request that was not started in time.

    Raises:
        Refused: 13888.
    """
    if valid_until is not None and exchange.now_ms > valid_until:
        raise Refused(13888, "timed_out")


def place(exchange: Exchange, session: Session, direction: Direction, asked: params.Entry) -> Wire:
    """Enter an order and return it with its immediate trades.

    Raises:
        Refused: with Deribit's code when the order is not accepted.
    """
    item = params.instrument(asked.instrument_name)
    check_deadline(exchange, asked.valid_until)
    order = _primary(exchange, session, item, direction, asked)
    legs = _legs(exchange, session, item, asked)
    _check_band(exchange, order)
    _clip_or_refuse(exchange, order)
    _check_funds(exchange, order)
    _slide(exchange, order)
    before = len(exchange.step_trades)
    _admit(exchange, order, legs)
    return _placed(exchange, order, before)


def close_position(exchange: Exchange, session: Session, asked: params.Close) -> Wire:
    """Close the whole position with a reduce-only order without a label.

    Raises:
        Refused: 10010 when there is no position.
    """
    item = params.instrument(asked.instrument_name)
    size = exchange.desk.account.positions[item.name].size
    if not size:
        raise Refused(10010, "already_closed")
    entry = params.Entry(
        instrument_name=item.name,
        amount=abs(size),
        type=asked.type,
        price=asked.price,
        reduce_only=True,
    )
    return place(exchange, session, "sell" if size > 0 else "buy", entry)


def edit(exchange: Exchange, asked: params.Edit) -> Wire:
    """Change a live order and return it with its immediate trades.

    Raises:
        Refused: 10004, 11044, 11054 or -32602.
    """
    order = find_live(exchange, asked.order_id)
    check_deadline(exchange, asked.valid_until)
    item = order.instrument
    amount = _amount(item, asked.amount, asked.contracts, order.amount)
    if amount <= max(order.filled, order.spawned):
        raise invalid("amount", "must be above the filled amount")
    price = _edited_price(order, "price", order.price, asked.price)
    trigger_price = _edited_price(order, "trigger_price", order.trigger_price, asked.trigger_price)
    order.amount = order.original = amount
    order.price, order.trigger_price = price, trigger_price
    for flag in ("post_only", "reject_post_only", "reduce_only"):
        value: bool | None = getattr(asked, flag)
        if value is not None:
            setattr(order, flag, value)
    order.replaced = True
    exchange.desk.touch(order)
    before = len(exchange.step_trades)
    if not order.is_secondary:
        _rematch(exchange, order)
    return _placed(exchange, order, before)


def cancel(exchange: Exchange, order_id: str) -> Order:
    """Cancel a live order.

    Raises:
        Refused: 10004, 11044 or -32602.
    """
    order = find_live(exchange, order_id)
    exchange.desk.end(order, "cancelled", "user_request")
    exchange.settle()
    return order


def cancel_many(exchange: Exchange, chosen: list[Order]) -> int:
    """Cancel orders and return how many; one that ends through another's end is counted too."""
    for order in chosen:
        if order.is_live:
            exchange.desk.end(order, "cancelled", "user_request")
    exchange.settle()
    return len(chosen)


def find(exchange: Exchange, order_id: str) -> Order:
    """Return an order by id.

    Raises:
        Refused: -32602 for a malformed id, 10004 for an unknown one.
    """
    if not ORDER_ID.match(order_id):
        raise invalid("order_id", "invalid_order_id")
    if order_id not in exchange.desk.orders:
        raise Refused(10004, "order_not_found")
    return exchange.desk.orders[order_id]


def find_live(exchange: Exchange, order_id: str) -> Order:
    """Return a live order by id.

    Raises:
        Refused: as ``find``, and 11044 for one that has ended.
    """
    order = find(exchange, order_id)
    if not order.is_live:
        raise Refused(11044, "not_open_order")
    return order


def _primary(
    exchange: Exchange, session: Session, item: Instrument, direction: Direction,
    asked: params.Entry,
) -> Order:  # fmt: skip
    amount = _amount(item, asked.amount, asked.contracts, None)
    order = _build(exchange, session, item, direction, amount, asked)
    order.linked = asked.linked_order_type
    order.fill_condition = asked.trigger_fill_condition
    return order


def _legs(
    exchange: Exchange, session: Session, item: Instrument, asked: params.Entry
) -> list[Order]:
    linked = asked.linked_order_type
    if linked is None:
        if asked.otoco_config:
            raise invalid("linked_order_type", "value is required")
        return []
    low, high = LEG_COUNTS[linked]
    if not low <= len(asked.otoco_config) <= high:
        raise invalid("otoco_config", "invalid value")
    legs = []
    for leg in asked.otoco_config:
        amount = _amount(item, leg.amount, None, None)
        legs.append(_build(exchange, session, item, leg.direction, amount, leg))
    return legs


def _build(
    exchange: Exchange, session: Session, item: Instrument, direction: Direction,
    amount: Decimal, asked: params.Entry | params.Leg,
) -> Order:  # fmt: skip
    """Return an order, its shape checked; it has no id yet."""
    at_market = asked.type in MARKET_TYPES
    if at_market and asked.time_in_force is not None:
        raise invalid("time_in_force", "not allowed for this order type")
    if at_market and asked.post_only:
        raise Refused(11055, "post_only_not_allowed")
    if asked.post_only and asked.time_in_force in {"immediate_or_cancel", "fill_or_kill"}:
        raise Refused(11055, "post_only_not_allowed")
    price = None if at_market else _price(item, "price", asked.price)
    waits = asked.type in TRIGGER_TYPES
    if waits and asked.trigger is None:
        raise invalid("trigger", "value is required")
    return Order(
        order_id="",
        instrument_name=item.name,
        direction=direction,
        order_type=asked.type,
        time_in_force=asked.time_in_force or "good_til_cancelled",
        price=price,
        amount=amount,
        label=asked.label,
        post_only=asked.post_only,
        reject_post_only=asked.reject_post_only,
        reduce_only=asked.reduce_only,
        trigger=asked.trigger if waits else None,
        trigger_price=_price(item, "trigger_price", asked.trigger_price) if waits else None,
        creation_ms=exchange.now_ms,
        update_ms=exchange.now_ms,
        state="untriggered" if waits else "open",
        session=session.number,
        web=session.admin,
    )


def _admit(exchange: Exchange, order: Order, legs: list[Order]) -> None:
    desk = exchange.desk
    order.order_id = families.leg_id(desk, order)
    starts = [order]
    if order.linked == "one_cancels_other":
        order.oco_ref = legs[0].oco_ref = str(desk.number("oco"))
        legs[0].order_id = families.leg_id(desk, legs[0])
        starts += legs
        for peer in starts:
            peer.original = peer.amount
    else:
        paired = order.linked == "one_triggers_one_cancels_other"
        oco_ref = str(desk.number("oco")) if paired else None
        for leg in legs:
            leg.order_id = f"{order.instrument.id_prefix}OTO-{desk.number('secondary')}"
            leg.is_secondary, leg.state = True, "untriggered"
            leg.primary_order_id, leg.oco_ref = order.order_id, oco_ref
            order.oto_order_ids = [*order.oto_order_ids, leg.order_id]
    for new in (*legs, order):
        desk.add(new)
    for new in starts:
        if new.is_live:
            exchange.matching.activate(new)
    exchange.settle()


def _placed(exchange: Exchange, order: Order, before: int) -> Wire:
    trades = [t for t in exchange.step_trades[before:] if t.order_id == order.order_id]
    return {"order": order_wire(order), "trades": trades}


def is_sane(number: Decimal) -> bool:
    """Return whether it is a finite number of a size that the arithmetic is exact for."""
    if not number.is_finite():
        return False
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    return exponent >= -12 and exponent + len(digits) <= 12


def _amount(
    item: Instrument, amount: Decimal | None, contracts: Decimal | None, default: Decimal | None
) -> Decimal:
    for name, number in (("amount", amount), ("contracts", contracts)):
        if number is not None and not is_sane(number):
            raise invalid(name, "invalid value")
    if amount is None and contracts is not None:
        amount = contracts * item.contract_size
    if amount is None:
        amount = default
    if amount is None:
        raise invalid("amount", "value is required")
    if contracts is not None and contracts * item.contract_size != amount:
        raise invalid("contracts", "must agree with amount")
    if amount < item.contract_size:
        raise invalid("amount", "must be a multiple of the minimum order size")
    if amount % item.contract_size:
        raise invalid("amount", "must be a multiple of contract size")
    return amount


def _price(item: Instrument, name: str, price: Decimal | None) -> Decimal:
    if price is None:
        raise invalid(name, "value is required")
    if not is_sane(price) or price <= 0:
        raise invalid(name, "must be above zero")
    if price % item.tick_size:
        raise invalid(name, "must conform to tick size")
    return price


def _edited_price(
    order: Order, name: str, old: Decimal | None, new: Decimal | None
) -> Decimal | None:
    if new is None or old is None:
        return old
    return _price(order.instrument, name, new)


def _check_band(exchange: Exchange, order: Order) -> None:
    if order.order_type != "limit":
        return
    assert order.price is not None
    low, high = price_band(exchange.tape)
    if order.is_buy and order.price > high:
        raise Refused(10007, f"price_too_high {high}", {"limit": high})
    if not order.is_buy and order.price < low:
        raise Refused(10005, f"price_too_low {low}", {"limit": low})


def _clip_or_refuse(exchange: Exchange, order: Order) -> None:
    if not order.reduce_only:
        return
    position = exchange.desk.account.positions[order.instrument_name]
    reducible = position.reducible(order.direction)
    if not reducible:
        raise Refused(11030, "other_reject", {"reason": "reduce_direction"})
    if not order.is_trigger:
        order.amount = min(order.amount, reducible)


def _check_funds(exchange: Exchange, order: Order) -> None:
    """Refuse an order that could take the position's value beyond max_leverage times equity."""
    if order.reduce_only:
        return
    item, desk = order.instrument, exchange.desk
    held = desk.account.positions[item.name].size
    waiting = sum(
        (
            other.remaining
            for other in desk.live.values()
            if other.instrument_name == item.name
            and other.direction == order.direction
            and not other.reduce_only
            and not other.is_secondary
        ),
        order.amount,
    )
    reach = held + waiting if order.is_buy else held - waiting
    if abs(reach) <= abs(held):
        return
    price = exchange.tape.price
    equity = desk.account.equity(item.settlement_currency, price)
    with localcontext(CONTEXT):
        allowed = equity * exchange.config.max_leverage
    if item.value(abs(reach), price) > allowed:
        raise Refused(10009, "not_enough_funds")


def _slide(exchange: Exchange, order: Order) -> None:
    """Keep a post-only limit out of the other side: reject it or move it inside its own."""
    if not order.post_only or order.order_type != "limit":
        return
    assert order.price is not None
    if exchange.matching.is_marketable(order, order.price):
        if order.reject_post_only:
            raise Refused(11054, "post_only_reject")
        order.price = exchange.tape.bid if order.is_buy else exchange.tape.ask


def _rematch(exchange: Exchange, order: Order) -> None:
    try:
        if order.state == "open":
            _slide(exchange, order)
    except Refused:
        exchange.desk.end(order, "cancelled", "edit_post_only_reject")
    else:
        exchange.matching.activate(order)
    exchange.settle()
