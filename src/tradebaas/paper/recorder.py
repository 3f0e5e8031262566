"""What a step of the exchange leaves behind: lines of the journal, rows to remember, news.

Each event, an execution or a call, ends here: its orders, trades, position and stop are recorded
with one time and told to their account. A line names the account that it is about, unless that is
the main one or none.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from tradebaas.paper.accounts import ZERO, Position
from tradebaas.paper.desk import Desk, Fill, Trade
from tradebaas.paper.display import Display
from tradebaas.paper.encoding import encode
from tradebaas.paper.instruments import CURRENCIES, INSTRUMENTS, Wire, plain
from tradebaas.paper.matching import Matching
from tradebaas.paper.orders import Order, order_wire
from tradebaas.paper.saved import MAIN, SavedState, Settlement
from tradebaas.paper.tape import Stand
from tradebaas.paper.transactions import Held, Moved, Transaction, of_settlement, of_start

MAX_SETTLEMENTS = 2 * 31
"""How many are told to the public: a month of both instruments."""


class Record(msgspec.Struct, frozen=True):
    """One line of the journal; ``body`` is JSON."""

    n: int
    at_ms: int
    kind: str
    body: bytes


class Step(msgspec.Struct, frozen=True):
    """What one call led to: to be made durable first, then sent, then dropped."""

    records: list[Record]
    orders: list[Order]
    fills: list[Fill]
    transactions: list[Transaction]
    frames: list[tuple[int, bytes]]
    drops: list[int]


class Recorder:
    """Collects the lines and rows of the running step."""

    def __init__(self, saved: SavedState, matching: Matching, display: Display) -> None:
        self._saved = saved
        self._matching = matching
        self._display = display
        self._records: list[Record] = []
        self._orders: dict[str, Order] = {}
        self.fills: list[Fill] = []

    def write(self, kind: str, body: object, account: str = MAIN) -> None:
        """Add a line to the journal."""
        if account != MAIN:
            named = msgspec.to_builtins(body, builtin_types=(Decimal,))
            assert isinstance(named, dict)
            body = named | {"account": account}
        saved = self._saved
        record = Record(saved.next_record, saved.tape.now_ms, kind, encode(body))
        self._records.append(record)
        saved.next_record += 1

    def take(self) -> tuple[list[Record], list[Order], list[Fill], list[Transaction]]:
        """Return what there is since the last call."""
        rows = [row for desk in self._matching.desks.values() for row in desk.take_transactions()]
        taken = self._records, list(self._orders.values()), self.fills, rows
        self._records, self._orders, self.fills = [], {}, []
        return taken

    def end_event(self) -> None:
        """Record what an event changed for each account, and tell it."""
        changes = [(desk, *desk.take_changes()) for desk in self._matching.desks.values()]
        takers = {trade.trade_seq for _, _, new in changes for trade in new if trade.took}
        for desk, orders, trades in changes:
            self._end_event_of(desk, orders, trades, takers)
        self._matching.ended_as_read.clear()

    def _end_event_of(
        self, desk: Desk, orders: list[Order], trades: list[Trade], takers: set[int]
    ) -> None:
        for order in orders:
            self._orders[order.order_id] = order
            self.write("order", order_wire(order), desk.name)
        for trade in trades:
            self.fills.append(Fill(desk.user_id, trade))
            self.write("trade", trade, desk.name)
        for name in INSTRUMENTS:
            self._write_exposure(desk, name)
            mine = [item for item in orders if item.instrument_name == name]
            fills = [item for item in trades if item.instrument_name == name]
            if mine or fills:
                self._display.tell_changes(desk, name, mine, fills)
                # Of two sides that have one trade, the public is told of the taker's.
                public = [t for t in fills if t.took or t.trade_seq not in takers]
                self._display.feeds.tell_orders(name, public)
        for currency in CURRENCIES:
            self._write_balance(desk, currency)
        levels = self._matching.levels
        cut = [o for o in orders if o.order_type == "market" and o.state == "cancelled"]
        if levels.thin == "cancel":
            self._blame(cut, "admin/thin")
        else:
            self._blame((o for o in cut if o.instrument_name in levels.depth), "admin/depth")
        read = (o for o in self._matching.ended_as_read if o.user_id == desk.user_id)
        self._blame(read, "admin/reading")

    def settle_day(self, stood: Stand) -> None:
        """Move what the session has brought to each account's balance."""
        saved = self._saved
        for name in INSTRUMENTS:
            held = [(desk, desk.account.positions[name]) for desk in self._matching.desks.values()]
            moved = [self._settle(desk, position, stood) for desk, position in held]
            settlement = Settlement(
                instrument_name=name,
                at_ms=saved.tape.now_ms,
                mark=stood.mark,
                index=stood.price,
                position=plain(sum((position.size for _, position in held), ZERO)),
                profit=plain(sum((each.profit for each in moved), ZERO)),
                funding=plain(sum((each.funding for each in moved), ZERO)),
            )
            saved.settlements = [*saved.settlements, settlement][-MAX_SETTLEMENTS:]

    def _settle(self, desk: Desk, position: Position, stood: Stand) -> Moved:
        """Settle one position of an account."""
        before = Held.of(position)
        moved = Moved(*desk.account.settle(position, stood.mark))
        if before.size or any(moved):
            row = of_settlement(desk.stamp(), desk.account, position, before, moved, stood)
            desk.add_transaction(row)
        if any(moved):
            currency = position.instrument.settlement_currency
            line: Wire = {"currency": currency, "profit": moved.profit, "funding": moved.funding}
            self.write("settlement", line, desk.name)
            self._write_balance(desk, currency)
            self._display.tell_balance(desk, currency)
        return moved

    def open_account(self, desk: Desk) -> None:
        """Note what a new account begins with."""
        for currency in CURRENCIES:
            if desk.account.balances[currency]:
                desk.add_transaction(of_start(desk.stamp(), desk.account, currency))

    def trades_since(self, mark: int, order: Order) -> list[Trade]:
        """Return the trades of an order among the fills of this step, but the first ``mark``."""
        trades = (fill.trade for fill in self.fills[mark:])
        return [trade for trade in trades if trade.order_id == order.order_id]

    def _blame(self, orders: Iterable[Order], method: str) -> None:
        """The driver chose to be without liquidity, or how the protocol is read: what that did to
        an order is the driver's doing."""
        for order in orders:
            what: Wire = {"order_id": order.order_id, "remaining": order.remaining}
            line: Wire = {"method": method, "params": what, "outcome": {"result": "cut"}}
            self.write("admin", line)

    def _write_exposure(self, desk: Desk, name: str) -> None:
        position, told = desk.account.positions[name], desk.saved.exposures
        exposure = position.size, desk.live_stop_amount(name)
        if told.get(name, (ZERO, ZERO)) == exposure:
            return
        told[name] = exposure
        body: Wire = {
            "instrument_name": name,
            "size": position.size,
            "average_price": position.average_price,
            "live_stop_amount": exposure[1],
        }
        self.write("position", body, desk.name)

    def _write_balance(self, desk: Desk, currency: str) -> None:
        balance, told = desk.account.balances[currency], desk.saved.balances
        if told.get(currency) == balance:
            return
        told[currency] = balance
        self.write("balance", {"currency": currency, "balance": plain(balance)}, desk.name)
        self._display.tell_balance(desk, currency)
