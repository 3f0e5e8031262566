"""Takes a position away when the account can no longer carry it (protocol section 13).

When the maintenance margin of a currency exceeds its equity, all live orders in it are cancelled
(``autoliquidation``), and its positions are closed at market in steps, a quarter of what is held
at a time, until the rest can be carried. Each step costs the liquidation fee; its order and trades
say what they are, and bear no label. This decides nothing: ``Exchange.check_margin`` does.
"""

from decimal import Decimal

from tradebaas.paper.accounts import Position
from tradebaas.paper.desk import Desk
from tradebaas.paper.matching import Matching
from tradebaas.paper.orders import Order

STEP = Decimal("0.25")


def liquidate(matching: Matching, desk: Desk, currency: str) -> None:
    """Cancel an account's orders in a currency and close a step of each of its positions."""
    held = desk.account.in_currency(currency)
    names = {position.instrument_name for position in held}
    for order in list(desk.live.values()):
        if order.instrument_name in names:
            desk.end(order, "cancelled", "autoliquidation")
    for position in held:
        if position.size:
            order = _step(desk, position)
            desk.add(order)
            matching.enter(order, None)


def _step(desk: Desk, position: Position) -> Order:
    item, held = position.instrument, abs(position.size)
    return Order(
        order_id=desk.order_id(item),
        user_id=desk.user_id,
        instrument_name=item.name,
        direction="sell" if position.size > 0 else "buy",
        order_type="market",
        amount=min(held, max(item.floor_amount(held * STEP), item.contract_size)),
        creation_ms=desk.now_ms,
        update_ms=desk.now_ms,
        state="open",
        reduce_only=True,
        is_liquidation=True,
    )
