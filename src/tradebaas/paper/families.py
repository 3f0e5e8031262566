"""Linked orders: one-triggers-other, one-cancels-other and both (protocol section 9.1).

A primary's secondaries exist from birth as untriggered ``OTO-`` orders. When the primary fills,
new live orders with new ids are made from them; under ``incremental`` once per execution, in
proportion, so a primary that fills in parts has several pairs of legs. Two legs that share an
``oco_ref`` end each other. ``settle`` is called after each execution and runs until nothing
follows from anything any more; it never calls itself.
"""

from decimal import Decimal, localcontext

from tradebaas.paper.desk import Desk
from tradebaas.paper.instruments import CONTEXT
from tradebaas.paper.matching import Matching
from tradebaas.paper.orders import TRIGGER_TYPES, Order, trigger_id_prefix


def leg_id(desk: Desk, order: Order) -> str:
    """Return the id of a new live order: letters for a trigger order, digits for the book."""
    item = order.instrument
    if order.order_type not in TRIGGER_TYPES:
        return desk.order_id(item)
    assert order.trigger is not None
    letters = trigger_id_prefix(order.order_type, order.trigger, order.direction)
    return f"{item.id_prefix}{letters}-{desk.number('trigger')}"


def settle(matching: Matching) -> None:
    """Do everything that the fills and ends since the last call lead to."""
    while due := [desk for desk in matching.desks.values() if desk.filled or desk.closed]:
        for desk in due:
            _settle_desk(matching, desk)


def _settle_desk(matching: Matching, desk: Desk) -> None:
    filled, desk.filled = desk.filled, {}
    closed, desk.closed = desk.closed, {}
    for order in filled.values():
        _reduce_peers(desk, order)
        if order.oto_order_ids:
            _spawn_legs(matching, desk, order)
    for order in closed.values():
        if order.state != "triggered":
            _close_family(matching, desk, order)


def _reduce_peers(desk: Desk, order: Order) -> None:
    """Shrink the other leg by the part of this one that has filled (its end cancels it)."""
    if not order.is_live:
        return
    for peer in desk.oco_peers(order):
        with localcontext(CONTEXT):
            whole = order.original or order.amount
            share = (peer.original or peer.amount) * order.remaining / whole
        keep = _ceil_amount(peer, share)
        if keep < peer.remaining:
            peer.amount = peer.filled + keep
            desk.touch(peer)


def _ceil_amount(order: Order, amount: Decimal) -> Decimal:
    return -order.instrument.floor_amount(-amount)


def _spawn_legs(matching: Matching, desk: Desk, primary: Order) -> None:
    due = [(item, _due(primary, item)) for item in desk.secondaries(primary)]
    if not any(amount for _, amount in due):
        return
    # What rounds to nothing is no leg, and nothing ends the other one, which protects.
    pairs = primary.linked == "one_triggers_one_cancels_other" and all(n for _, n in due)
    oco_ref = str(desk.number("oco")) if pairs else None
    legs = [_leg(desk, primary, item, amount, oco_ref) for item, amount in due if amount]
    for leg in legs:
        desk.add(leg)
    # Both legs exist before either may trade, so the first can end the second.
    for leg in legs:
        if leg.is_live:
            matching.activate(leg)


def _due(primary: Order, item: Order) -> Decimal:
    """Return how much of a secondary should go live now."""
    match primary.fill_condition:
        case "first_hit":
            target = item.amount
        case "complete_fill":
            target = item.amount if primary.state == "filled" else Decimal(0)
        case "incremental":
            with localcontext(CONTEXT):
                share = item.amount * primary.filled / primary.amount
            target = item.instrument.floor_amount(share)
    # An edit that made the primary larger lowers the share of what has filled.
    return max(Decimal(0), target - item.spawned)


def _leg(desk: Desk, primary: Order, item: Order, amount: Decimal, oco_ref: str | None) -> Order:
    leg_type = item.order_type
    leg = Order(
        order_id=leg_id(desk, item),
        user_id=desk.user_id,
        instrument_name=item.instrument_name,
        direction=item.direction,
        order_type=leg_type,
        time_in_force=item.time_in_force,
        price=item.price,
        amount=amount,
        original=amount,
        label=item.label,
        reduce_only=item.reduce_only,
        post_only=item.post_only,
        reject_post_only=item.reject_post_only,
        trigger=item.trigger,
        trigger_price=item.trigger_price,
        trigger_offset=item.trigger_offset,
        display_amount=item.display_amount,
        creation_ms=desk.now_ms,
        update_ms=desk.now_ms,
        state="untriggered" if leg_type in TRIGGER_TYPES else "open",
        web=item.web,
        session=item.session,
        primary_order_id=primary.order_id,
        oco_ref=oco_ref,
    )
    item.spawned += amount
    item.child_id = leg.order_id
    desk.touch(item)
    if item.spawned == item.amount:
        desk.end(item, "triggered")
    return leg


def _close_family(matching: Matching, desk: Desk, order: Order) -> None:
    if order.filled and order.state == "cancelled" and matching.terms.readings.part_legs == "go":
        legs = [leg for leg in desk.live.values() if leg.primary_order_id == order.order_id]
        for leg in legs:
            if not leg.is_secondary:
                matching.end_as_read(leg, "cancelled", "oto_primary_closed")
    for peer in desk.oco_peers(order):
        desk.end(peer, "cancelled", "oco_other_closed")
    for item in desk.secondaries(order):
        if item.spawned:
            desk.end(item, "triggered")
        else:
            desk.end(item, "cancelled", "oto_primary_closed")
