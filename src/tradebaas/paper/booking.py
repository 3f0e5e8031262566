"""Books an execution for one of its sides: position, money, order and trade."""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from tradebaas.paper.desk import Desk, Trade
from tradebaas.paper.instruments import plain
from tradebaas.paper.orders import Order
from tradebaas.paper.tape import Stand, Tape
from tradebaas.paper.transactions import Filled, Held, of_fill

LIQUIDATION_FEE = Decimal("0.01")
"""Share of the value that a liquidation costs (``max_liquidation_commission``)."""


class Execution(NamedTuple):
    """What both sides of a trade share; ``liquidation`` says whose side was liquidated, if any,
    ``stood`` where the market stood."""

    trade_id: str
    trade_seq: int
    amount: Decimal
    price: Decimal
    stood: Stand
    liquidation: str | msgspec.UnsetType = msgspec.UNSET


def execution(
    desk: Desk, order: Order, amount: Decimal, price: Decimal, tape: Tape, liquidated: str
) -> Execution:
    """Return a new execution, now; ``liquidated`` has the letters of the sides that were."""
    trade_id = f"{order.instrument.id_prefix}{desk.number('trade')}"
    whose = liquidated or msgspec.UNSET
    return Execution(trade_id, desk.trade_seq(), amount, price, tape.stand, whose)


def book(desk: Desk, order: Order, done: Execution, liquidity: str, rate: Decimal) -> None:
    """Book an execution for the account of an order, which was maker (M) or taker (T)."""
    item, amount, price = order.instrument, done.amount, done.price
    before = Held.of(desk.account.positions[item.name])
    profit = desk.account.positions[item.name].fill(order.direction, amount, price)
    fee = item.fee(LIQUIDATION_FEE if order.is_liquidation else rate, item.value(amount, price))
    desk.account.balances[item.settlement_currency] += profit - fee
    order.filled += amount
    order.weight += item.weight(amount, price)
    desk.touch(order)
    desk.filled[order.order_id] = order
    desk.add_trade(
        Trade(
            trade_id=done.trade_id,
            trade_seq=done.trade_seq,
            instrument_name=item.name,
            timestamp=desk.now_ms,
            order_type="liquidation" if order.is_liquidation else order.order_type,
            order_id=order.order_id,
            direction=order.direction,
            tick_direction=0 if order.is_buy else 2,
            index_price=done.stood.price,
            mark_price=done.stood.mark,
            price=price,
            amount=amount,
            contracts=plain(amount / item.contract_size),
            fee=plain(fee),
            fee_currency=item.settlement_currency,
            liquidity=liquidity,
            state="open" if order.remaining else "filled",
            label=order.label,
            reduce_only=order.reduce_only,
            post_only=order.post_only,
            profit_loss=plain(profit),
            api=order.is_api,
            liquidation=done.liquidation,
        )
    )
    fill = Filled(done.trade_id, amount, price, fee, liquidity)
    desk.add_transaction(of_fill(desk.stamp(), desk.account, order, fill, before, done.stood))
