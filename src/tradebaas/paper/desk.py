"""The orders, trades and account of the exchange, and what changed since anybody was told.

Every change of an order, a trade or the account goes through here, so that nothing can change
without being journalled and announced. It decides nothing.
"""

from decimal import Decimal

import msgspec

from tradebaas.paper.accounts import Account
from tradebaas.paper.instruments import Instrument
from tradebaas.paper.orders import LIVE_STATES, Order, State

REMEMBERED = 50_000
"""Closed orders, and trades, kept for queries; older ones are in the journal only."""


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One fill, field by field as Deribit shows it (protocol section 10)."""

    trade_id: str
    trade_seq: int
    instrument_name: str
    timestamp: int
    order_type: str
    order_id: str
    direction: str
    tick_direction: int
    index_price: Decimal
    mark_price: Decimal
    price: Decimal
    amount: Decimal
    contracts: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: str
    state: str
    label: str
    reduce_only: bool
    post_only: bool
    profit_loss: Decimal
    matching_id: None = None
    mmp: bool = False
    risk_reducing: bool = False
    api: bool = True
    self_trade: bool = False


class Counters(msgspec.Struct, kw_only=True):
    """The next number of each kind of id; part of what survives a restart."""

    created: int = 1
    order: int = 90_000_000_001
    trigger: int = 7_001
    secondary: int = 5_001
    oco: int = 71_001
    trade: int = 410_000_001
    trade_seq: int = 300_000_001


class Desk:
    """All orders by id, the live ones apart, recent trades, the account, and the exchange time."""

    def __init__(self, account: Account, counters: Counters) -> None:
        self.account = account
        self.counters = counters
        self.orders: dict[str, Order] = {}
        self.live: dict[str, Order] = {}
        self.trades: dict[str, Trade] = {}
        self.now_ms = 0
        self.changed: dict[str, Order] = {}
        self.new_trades: list[Trade] = []
        self.filled: dict[str, Order] = {}
        self.closed: dict[str, Order] = {}

    def number(self, kind: str) -> int:
        """Return the next number of a kind and count on."""
        value: int = getattr(self.counters, kind)
        setattr(self.counters, kind, value + 1)
        return value

    def order_id(self, item: Instrument) -> str:
        """Return the id of a new order in the book."""
        return f"{item.id_prefix}{self.number('order')}"

    def add(self, order: Order) -> None:
        """Take in a new order."""
        order.number = self.number("created")
        self.restore(order)
        self.changed[order.order_id] = order
        if len(self.orders) > REMEMBERED:
            self._forget()

    def restore(self, order: Order) -> None:
        """Take in an order that the journal already knows."""
        assert order.order_id not in self.orders, order.order_id
        self.orders[order.order_id] = order
        if order.is_live:
            self.live[order.order_id] = order

    def touch(self, order: Order) -> None:
        """Note that an order changed now."""
        order.update_ms = self.now_ms
        self.changed[order.order_id] = order

    def end(self, order: Order, state: State, reason: str | None = None) -> None:
        """Give a live order its last state."""
        assert state not in LIVE_STATES, state
        assert order.is_live, f"{order.order_id} has ended as {order.state}"
        order.state = state
        order.reason = reason
        self.touch(order)
        del self.live[order.order_id]
        self.closed[order.order_id] = order

    def add_trade(self, trade: Trade) -> None:
        """Take in a new trade."""
        self.trades[trade.trade_id] = trade
        self.new_trades.append(trade)
        if len(self.trades) > REMEMBERED:
            del self.trades[next(iter(self.trades))]

    def live_stop_amount(self, instrument_name: str) -> Decimal:
        """Return how much of the position live stops would close by themselves."""
        position = self.account.positions[instrument_name]
        closing = "sell" if position.size > 0 else "buy"
        stops = (
            order.amount
            for order in self.live.values()
            if order.is_live_stop
            and order.instrument_name == instrument_name
            and order.direction == closing
        )
        return sum(stops, Decimal(0)) if position.size else Decimal(0)

    def oco_peers(self, order: Order) -> list[Order]:
        """Return the live orders that an order shares a one-cancels-other link with."""
        if order.oco_ref is None or order.is_secondary:
            return []
        return [
            other
            for other in self.live.values()
            if other.oco_ref == order.oco_ref and other is not order and not other.is_secondary
        ]

    def secondaries(self, order: Order) -> list[Order]:
        """Return the secondaries of a primary that still wait for it."""
        return [self.live[id_] for id_ in order.oto_order_ids if id_ in self.live]

    def take_changes(self) -> tuple[list[Order], list[Trade]]:
        """Return the orders and trades that changed since the last call."""
        changes = list(self.changed.values()), self.new_trades
        self.changed, self.new_trades = {}, []
        return changes

    def _forget(self) -> None:
        """Forget the oldest order that has ended."""
        oldest = next((id_ for id_ in self.orders if id_ not in self.live), None)
        if oldest is not None:
            del self.orders[oldest]
