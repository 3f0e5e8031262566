"""Order entry: what ``private/buy``, ``sell``, ``edit``, ``cancel`` and their kin do (section 8).

Everything is checked before anything is changed, so a refused call leaves no trace in the books.
The checks come in the order seen on the wire: shape, instrument, deadline, tick and size, price
band, reduce-only, funds.
"""

from decimal import Decimal

import msgspec

from tradebaas.paper import checks, families, params
from tradebaas.paper.accounts import ZERO
from tradebaas.paper.calls import Call
from tradebaas.paper.instruments import Instrument, Wire
from tradebaas.paper.order_params import Change, Close, Edit, EditByLabel, Entry
from tradebaas.paper.orders import Direction, Order, order_wire
from tradebaas.paper.params import Refused, invalid

LEG_COUNTS = {
    "one_triggers_other": (1, 10),
    "one_cancels_other": (1, 1),
    "one_triggers_one_cancels_other": (2, 2),
}


def place(call: Call, direction: Direction, asked: Entry) -> Wire:
    """Enter an order and return it with its immediate trades.

    Raises:
        Refused: with Deribit's code when the order is not accepted.
    """
    item = params.instrument(asked.instrument_name)
    checks.refuse_foreign(asked)
    checks.check_deadline(call, asked.valid_until)
    order = _primary(call, item, direction, asked)
    legs = _legs(call, item, asked)
    checks.check_band(call, order)
    checks.clip_or_refuse(call, order)
    checks.check_funds(call, order)
    _slide(call, order)
    checks.check_overlap(call, order)
    checks.check_trigger(call, order)
    before = len(call.exchange.recorder.fills)
    _admit(call, order, legs)
    return _placed(call, order, before)


def close_position(call: Call, asked: Close) -> Wire:
    """Close the whole position with a reduce-only order without a label.

    Raises:
        Refused: 10010 when there is no position.
    """
    item = params.instrument(asked.instrument_name)
    size = call.desk.account.positions[item.name].size
    if not size:
        raise Refused(10010, "already_closed")
    entry = Entry(
        instrument_name=item.name,
        amount=abs(size),
        type=asked.type,
        price=asked.price,
        reduce_only=True,
    )
    return place(call, "sell" if size > 0 else "buy", entry)


def edit(call: Call, asked: Edit) -> Wire:
    """Change a live order and return it with its immediate trades.

    Raises:
        Refused: 10003, 10004, 11044, 11054 or -32602.
    """
    return _edit(call, checks.find_live(call, asked.order_id), asked)


def edit_by_label(call: Call, asked: EditByLabel) -> Wire:
    """Change the one live order that bears a label in an instrument.

    Raises:
        Refused: 10004 when none does, 13032 when several do, and as ``edit``.
    """
    name = params.instrument(asked.instrument_name).name
    live = call.desk.live.values()
    found = [o for o in live if o.label == asked.label and o.instrument_name == name]
    if not found:
        raise Refused(10004, "order_not_found")
    if len(found) > 1:
        raise Refused(13032, "non_unique_order_label")
    return _edit(call, found[0], asked)


def _edit(call: Call, order: Order, asked: Change) -> Wire:
    checks.refuse_foreign(asked)
    checks.check_deadline(call, asked.valid_until)
    item = order.instrument
    amount = checks.amount_of(item, asked.amount, asked.contracts, order.amount)
    if amount <= max(order.filled, order.spawned):
        raise invalid("amount", "must be above the filled amount")
    price = _edited_price(order, "price", order.price, asked.price)
    trigger_price = _edited_price(order, "trigger_price", order.trigger_price, asked.trigger_price)
    offset = _edited_price(order, "trigger_offset", order.trigger_offset, asked.trigger_offset)
    post_only = order.post_only if asked.post_only is None else asked.post_only
    reduce_only = order.reduce_only if asked.reduce_only is None else asked.reduce_only
    becomes = msgspec.structs.replace(
        order, amount=amount, price=price, trigger_price=trigger_price, reduce_only=reduce_only
    )
    if order.rests and asked.price is not None:
        checks.check_band(call, becomes)
        price = becomes.price
    if not order.is_secondary:
        checks.check_funds(call, becomes, ZERO if order.reduce_only else order.remaining)
    if order.rests and not post_only:
        checks.check_overlap(call, becomes)
    if not order.is_secondary:
        checks.check_trigger(call, becomes)
    if asked.display_amount is not None:
        order.display_amount = checks.display_of(order, amount, asked.display_amount)
    if order.rests and (price != order.price or amount > order.amount):
        call.desk.requeue(order)
    order.amount = order.original = amount
    order.price, order.trigger_price, order.trigger_offset = price, trigger_price, offset
    for flag in ("post_only", "reject_post_only", "reduce_only"):
        value: bool | None = getattr(asked, flag)
        if value is not None:
            setattr(order, flag, value)
    order.replaced = True
    call.desk.touch(order)
    before = len(call.exchange.recorder.fills)
    if not order.is_secondary:
        _rematch(call, order)
    return _placed(call, order, before)


def cancel(call: Call, order_id: str) -> Wire:
    """Cancel a live order and return what the answer shows of it.

    Raises:
        Refused: 10004, 11044 or -32602.
    """
    order = checks.find_live(call, order_id)
    call.desk.end(order, "cancelled", "user_request")
    call.exchange.settle()
    wire = order_wire(order)
    if order.is_trigger and call.exchange.terms.readings.cancelled == "untriggered":
        wire["order_state"] = "untriggered"
    return wire


def _primary(call: Call, item: Instrument, direction: Direction, asked: Entry) -> Order:
    amount = checks.amount_of(item, asked.amount, asked.contracts, None)
    order = checks.build(call, item, direction, amount, asked)
    order.linked = asked.linked_order_type
    order.fill_condition = asked.trigger_fill_condition
    return order


def _legs(call: Call, item: Instrument, asked: Entry) -> list[Order]:
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
        amount = checks.amount_of(item, leg.amount, None, None)
        legs.append(checks.build(call, item, leg.direction, amount, leg))
    return legs


def _admit(call: Call, order: Order, legs: list[Order]) -> None:
    desk = call.desk
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
            leg.primary_order_id = order.order_id
            leg.oco_ref = oco_ref if call.exchange.terms.readings.oco_ref == "birth" else None
            order.oto_order_ids = [*order.oto_order_ids, leg.order_id]
    for new in (*legs, order):
        desk.add(new)
    for new in starts:
        if new.is_live:
            call.exchange.matching.activate(new)
    call.exchange.settle()


def _placed(call: Call, order: Order, before: int) -> Wire:
    trades = call.exchange.recorder.trades_since(before, order)
    return {"order": order_wire(order), "trades": trades}


def _edited_price(
    order: Order, name: str, old: Decimal | None, new: Decimal | None
) -> Decimal | None:
    if new is None or old is None:
        return old
    return checks.price_of(order.instrument, name, new)


def _slide(call: Call, order: Order) -> None:
    """Keep a post-only limit out of the other side: reject it or move it inside its own."""
    if not order.post_only or order.order_type != "limit":
        return
    assert order.price is not None
    item, sign = order.instrument, 1 if order.is_buy else -1
    best = call.exchange.matching.levels.best(item, order.direction, order.order_id)
    if best is not None and sign * order.price >= sign * best:
        if order.reject_post_only:
            raise Refused(11054, "post_only_reject")
        order.price = best - sign * item.tick_size


def _rematch(call: Call, order: Order) -> None:
    try:
        if order.state == "open":
            _slide(call, order)
    except Refused:
        call.desk.end(order, "cancelled", "edit_post_only_reject")
    else:
        call.exchange.matching.activate(order)
    call.exchange.settle()
