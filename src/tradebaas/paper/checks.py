"""What an order must be like to be accepted, and the refusal that it meets otherwise (section 8).

Nothing here changes the books.
"""

import re
from decimal import Decimal

from tradebaas.paper.accounts import ZERO
from tradebaas.paper.calls import Call
from tradebaas.paper.instruments import Instrument
from tradebaas.paper.order_params import Entry, Foreign, Leg
from tradebaas.paper.orders import MARKET_TYPES, TRIGGER_TYPES, Direction, Order
from tradebaas.paper.params import Refused, invalid
from tradebaas.paper.views import price_band

LEAST_SHOWN, MOST_HIDDEN = 100, 100
"""Of an iceberg: the least amounts that must show, and how many times as much it may hide."""
NEVER_REST = {"immediate_or_cancel", "fill_or_kill"}
ORDER_ID = re.compile(r"^([A-Z]+-){0,2}\d+$")


def check_deadline(call: Call, valid_until: int | None) -> None:
    """Refuse a request that was not started in time.

    Raises:
        Refused: 13888.
    """
    if valid_until is not None and call.exchange.now_ms > valid_until:
        raise Refused(13888, "timed_out")


def refuse_foreign(asked: Foreign) -> None:
    """Refuse what would be promised and not kept.

    Raises:
        Refused: 11038 for an option's price, -32602 for a market maker's or a former parameter.
    """
    if asked.advanced is not None:
        raise Refused(11038, "no_adv_for_futures")
    if asked.mmp:
        raise invalid("mmp", "there is no market maker protection")
    if asked.max_show is not None:
        raise invalid("max_show", "replaced by display_amount")


def find(call: Call, order_id: str) -> Order:
    """Return an order by id.

    Raises:
        Refused: -32602 for a malformed id, 10004 for an unknown one.
    """
    if not ORDER_ID.match(order_id):
        raise invalid("order_id", "invalid_order_id")
    if order_id not in call.desk.orders:
        raise Refused(10004, "order_not_found")
    return call.desk.orders[order_id]


def find_live(call: Call, order_id: str) -> Order:
    """Return a live order by id.

    Raises:
        Refused: as ``find``, and 11044 for one that has ended.
    """
    order = find(call, order_id)
    if not order.is_live:
        raise Refused(11044, "not_open_order")
    return order


def build(
    call: Call, item: Instrument, direction: Direction,
    amount: Decimal, asked: Entry | Leg,
) -> Order:  # fmt: skip
    """Return an order, its shape checked; it has no id yet."""
    converts = asked.type == "market_limit"
    at_market = asked.type in MARKET_TYPES
    if at_market and asked.time_in_force is not None:
        raise invalid("time_in_force", "not allowed for this order type")
    never_rests = at_market or converts or asked.time_in_force in NEVER_REST
    if asked.post_only and never_rests:
        raise Refused(11055, "post_only_not_allowed")
    post_only = asked.post_only
    if post_only is None:
        post_only = call.exchange.terms.readings.post_only == "on" and not never_rests
    price = None if at_market else _limit(call, item, direction, asked)
    trails = asked.type == "trailing_stop"
    waits = asked.type in TRIGGER_TYPES
    if waits and asked.trigger is None:
        raise invalid("trigger", "value is required")
    order = Order(
        order_id="",
        user_id=call.desk.user_id,
        instrument_name=item.name,
        direction=direction,
        order_type="limit" if asked.type == "market_limit" else asked.type,
        original_order_type="market_limit" if converts else None,
        time_in_force=asked.time_in_force or "good_til_cancelled",
        price=price,
        amount=amount,
        label=asked.label,
        post_only=post_only,
        reject_post_only=asked.reject_post_only,
        reduce_only=asked.reduce_only,
        trigger=asked.trigger if waits else None,
        trigger_price=(
            price_of(item, "trigger_price", asked.trigger_price) if waits and not trails else None
        ),
        trigger_offset=(price_of(item, "trigger_offset", asked.trigger_offset) if trails else None),
        creation_ms=call.exchange.now_ms,
        update_ms=call.exchange.now_ms,
        state="untriggered" if waits else "open",
        session=call.session.number,
        web=call.session.admin,
    )
    if asked.display_amount is not None:
        order.display_amount = display_of(order, amount, asked.display_amount)
    return order


def _limit(call: Call, item: Instrument, direction: Direction, asked: Entry | Leg) -> Decimal:
    """Return the limit of an order; that of a ``market_limit`` is the best opposite price, or where
    that would be if anybody offered."""
    if asked.type == "market_limit":
        tape = call.exchange.tape
        best = call.exchange.matching.levels.best(item, direction)
        return best or (tape.ask if direction == "buy" else tape.bid)
    return price_of(item, "price", asked.price)


def display_of(order: Order, amount: Decimal, shown: Decimal) -> Decimal:
    """Return how much of an iceberg shows.

    Raises:
        Refused: 10036 unless it is a limit order, and shows whole contracts, at least a hundred
            times the least amount and at least a hundredth of what it hides.
    """
    item = order.instrument
    if (
        order.order_type in MARKET_TYPES
        or not is_sane(shown)
        or shown % item.contract_size
        or not LEAST_SHOWN * item.contract_size <= shown <= amount
        or amount - shown >= MOST_HIDDEN * shown
    ):
        raise Refused(10036, "invalid_max_show_amount")
    return shown


def is_sane(number: Decimal) -> bool:
    """Return whether it is a finite number of a size that the arithmetic is exact for."""
    if not number.is_finite():
        return False
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    return exponent >= -12 and exponent + len(digits) <= 12


def amount_of(
    item: Instrument, amount: Decimal | None, contracts: Decimal | None, default: Decimal | None
) -> Decimal:
    """Return the amount that is asked for, in whole contracts."""
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


def price_of(item: Instrument, name: str, price: Decimal | None) -> Decimal:
    """Return a price, or a distance between prices, that is on the tick."""
    if price is None:
        raise invalid(name, "value is required")
    if not is_sane(price):
        raise invalid(name, "invalid value")
    if price <= 0:
        raise invalid(name, "must be above zero")
    if price % item.tick_size:
        raise invalid(name, "must conform to tick size")
    return price


def check_band(call: Call, order: Order) -> None:
    """Refuse a limit that is too far on the wrong side of the mark, or move it to the edge."""
    if order.order_type != "limit":
        return
    assert order.price is not None
    low, high = price_band(call.exchange.tape)
    if call.exchange.terms.readings.band == "clamp":
        order.price = min(order.price, high) if order.is_buy else max(order.price, low)
    if order.is_buy and order.price > high:
        raise Refused(10007, f"price_too_high {high}", {"limit": high})
    if not order.is_buy and order.price < low:
        raise Refused(10005, f"price_too_low {low}", {"limit": low})


def clip_or_refuse(call: Call, order: Order) -> None:
    """Make a reduce-only order no larger than what it can reduce."""
    if not order.reduce_only:
        return
    position = call.desk.account.positions[order.instrument_name]
    reducible = position.reducible(order.direction)
    if not reducible:
        raise Refused(11030, "other_reject", {"reason": "reduce_direction"})
    if order.is_trigger:
        return
    if order.amount > reducible and call.exchange.terms.readings.reduce_only == "refuse":
        raise Refused(11030, "other_reject", {"reason": "reduce_only"})
    order.amount = min(order.amount, reducible)


def check_funds(call: Call, order: Order, waits: Decimal = ZERO) -> None:
    """Refuse an order whose initial margin, with all else that is held and waits, is not there.

    ``waits`` is how much of the order itself is among what waits, when it is edited.

    Raises:
        Refused: 10009.
    """
    if order.reduce_only:
        return
    item, desk = order.instrument, call.desk
    held = desk.account.positions[item.name].size
    bought, sold = desk.pending(item.name)
    more = order.remaining - waits
    if more <= 0:
        return
    reach = held + bought + more if order.is_buy else held - sold - more
    if abs(reach) <= abs(held):
        return
    price = call.exchange.tape.mark
    needed, _ = call.exchange.terms.margin.of(item, reach, price)
    if needed > desk.account.equity(item.settlement_currency, price):
        raise Refused(10009, "not_enough_funds")


def check_trigger(call: Call, order: Order) -> None:
    """Refuse a trigger price that the market has passed already, if that is how it is read.

    Raises:
        Refused: 10034 or 10035.
    """
    matching = call.exchange.matching
    if not matching.refuses_trigger(order):
        return
    if order.waits_for_rise:
        raise Refused(10035, "trigger_price_too_low")
    raise Refused(10034, "trigger_price_too_high")


def check_overlap(call: Call, order: Order) -> None:
    """Refuse an order that would trade with one of its own account.

    Raises:
        Refused: 10003.
    """
    if not order.is_trigger and call.exchange.matching.overlaps(order):
        raise Refused(10003, "order_overlap")
