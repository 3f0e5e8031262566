"""The orders and trades of one account, its money, and what changed since anybody was told.

Every change of an order, a trade or the account goes through here, so that nothing can change
without being journalled and announced. It decides nothing. Ended orders, trades and the rows of the
transaction log are also kept in the order of time, and only the newest ``remembered`` of each, so
that a question costs as much as its answer however long the exchange has run.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple, Protocol

import msgspec

from tradebaas.paper.instruments import Instrument
from tradebaas.paper.orders import LIVE_STATES, Order, State
from tradebaas.paper.saved import Counters, Login, SavedAccount
from tradebaas.paper.transactions import Stamp, Transaction

SEQ_PER_MS = 1_000
"""Sequence numbers of trades in a millisecond; the first of them is the market's own."""
MAX_LOGINS = 20
"""How many logins an account is told of."""
_ENDED_MS = attrgetter("update_ms")
_TRADED_MS = attrgetter("timestamp")


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
    liquidation: str | msgspec.UnsetType = msgspec.UNSET
    """Whose side was liquidated, M, T or both; absent when nobody was."""

    @property
    def took(self) -> bool:
        """Return whether it took what another order offered."""
        return self.liquidity == "T"


class Fill(NamedTuple):
    """A trade, and whose it is."""

    user_id: int
    trade: Trade


class Clock(Protocol):
    """Where the exchange time stands."""

    now_ms: int


class Desk:
    """All orders of an account by id, the live ones apart, its recent trades, and its money.

    ``orders`` is in the order of creation, ``ended`` and ``trades`` in the order of time.
    """

    def __init__(
        self, saved: SavedAccount, counters: Counters, remembered: int, clock: Clock
    ) -> None:
        self.saved = saved
        self.name = saved.name
        self.user_id = saved.user_id
        self.account = saved.account
        self.counters = counters
        self._clock = clock
        self.orders: dict[str, Order] = {}
        self.live: dict[str, Order] = {}
        self.ended: list[Order] = []
        self.trades: list[Trade] = []
        self._most = remembered + remembered // 8
        self._kept = remembered
        self.changed: dict[str, Order] = {}
        self.new_trades: list[Trade] = []
        self.transactions: list[Transaction] = []
        self.new_transactions: list[Transaction] = []
        self.filled: dict[str, Order] = {}
        self.closed: dict[str, Order] = {}

    @property
    def now_ms(self) -> int:
        """Return the exchange time."""
        return self._clock.now_ms

    def number(self, kind: str) -> int:
        """Return the next number of a kind and count on."""
        value: int = getattr(self.counters, kind)
        setattr(self.counters, kind, value + 1)
        return value

    def trade_seq(self) -> int:
        """Return the next sequence number of a trade: above all before it, and of this time."""
        self.counters.trade_seq = max(self.counters.trade_seq, self.now_ms * SEQ_PER_MS + 1)
        return self.number("trade_seq")

    def order_id(self, item: Instrument) -> str:
        """Return the id of a new order in the book."""
        return f"{item.id_prefix}{self.number('order')}"

    def add(self, order: Order) -> None:
        """Take in a new order of this account."""
        assert order.user_id == self.user_id, order.order_id
        order.number, order.queue = self.number("created"), self.number("queue")
        self._keep(order)
        self.changed[order.order_id] = order

    def restore(
        self, orders: Iterable[Order], trades: Iterable[Trade], rows: Iterable[Transaction]
    ) -> None:
        """Take in what the journal already knows: orders by creation, the others by time."""
        for order in orders:
            self._keep(order)
        self.ended = sorted(
            (order for order in self.orders.values() if not order.is_live), key=_ENDED_MS
        )
        self.trades = list(trades)
        self.transactions = [*rows, *self.new_transactions]

    def _keep(self, order: Order) -> None:
        assert order.order_id not in self.orders, order.order_id
        self.orders[order.order_id] = order
        if order.is_live:
            self.live[order.order_id] = order

    def requeue(self, order: Order) -> None:
        """Send an order to the end of the queue at its price."""
        order.queue = self.number("queue")

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
        self.ended.append(order)
        if len(self.ended) > self._most:
            self._forget()

    def add_trade(self, trade: Trade) -> None:
        """Take in a new trade."""
        self.trades.append(trade)
        self.new_trades.append(trade)
        if len(self.trades) > self._most:
            del self.trades[: -self._kept]

    def stamp(self) -> Stamp:
        """Return what tells the next row of the transaction log from all others."""
        self.saved.transactions += 1
        number = self.number("transaction")
        return Stamp(number, self.user_id, self.saved.transactions, self.now_ms)

    def add_transaction(self, row: Transaction) -> None:
        """Take in a new row of the transaction log."""
        self.transactions.append(row)
        self.new_transactions.append(row)
        if len(self.transactions) > self._most:
            del self.transactions[: -self._kept]

    def add_login(self, ip: str, log: str) -> Login:
        """Note that somebody tried to log in."""
        made = Login(id=self.number("login"), timestamp=self.now_ms, ip=ip, log=log)
        self.saved.logins = [*self.saved.logins, made][-MAX_LOGINS:]
        return made

    def take_transactions(self) -> list[Transaction]:
        """Return the rows that were added since the last call."""
        taken, self.new_transactions = self.new_transactions, []
        return taken

    def ended_since(self, after_ms: int) -> list[Order]:
        """Return the orders that ended after a moment, by creation."""
        first = bisect_right(self.ended, after_ms, key=_ENDED_MS)
        return sorted(self.ended[first:], key=attrgetter("number"))

    def trades_between(self, first_ms: int, last_ms: int) -> list[Trade]:
        """Return the trades of a stretch of time, both ends included, oldest first."""
        first = bisect_left(self.trades, first_ms, key=_TRADED_MS)
        return self.trades[first : bisect_right(self.trades, last_ms, key=_TRADED_MS)]

    def pending(self, instrument_name: str) -> tuple[Decimal, Decimal]:
        """Return how much live orders may buy and sell besides what only reduces."""
        bought = sold = Decimal(0)
        for order in self.live.values():
            if (
                order.instrument_name == instrument_name
                and not order.reduce_only
                and not order.is_secondary
            ):
                bought += order.remaining if order.is_buy else 0
                sold += 0 if order.is_buy else order.remaining
        return bought, sold

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
        """Forget the orders that ended longest ago."""
        for order in self.ended[: -self._kept]:
            del self.orders[order.order_id]
        del self.ended[: -self._kept]
