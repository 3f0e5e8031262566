"""A tiny exchange for one linear contract, to be interleaved with the core in any order.

It shares nothing with the embedded exchange of the product. Every change goes into ``stream`` as
one notification (a tuple of facts); whether, when and how often those reach the core is up to the
test. One clock tick passes with every change, so timestamps never tie.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from tests.unit.core.core_kit import BUY, LINEAR, SELL, D
from tradebaas.core.facts import (
    Fact,
    FillFact,
    OpenOrdersFact,
    OrderFact,
    PositionFact,
    RejectFact,
)
from tradebaas.core.model import (
    LABEL_PREFIX,
    ZERO,
    ContractKind,
    Direction,
    Fill,
    Intent,
    Order,
    Role,
)
from tradebaas.core.state import State, fills_known_before

NAME = LINEAR.name
FEE = D("0.1")
START = D(80_000)


@dataclass
class SimOrder:
    """An order as the exchange keeps it; ``pair`` links the two legs that cancel each other."""

    order_id: str
    label: str
    direction: Direction
    kind: str
    amount: Decimal
    state: str
    level: Decimal | None = None
    filled: Decimal = ZERO
    waiting: bool = False
    pair: int = 0
    created: int = 0
    updated: int = 0
    parent: str | None = None

    @property
    def live(self) -> bool:
        return self.state in ("open", "untriggered")

    @property
    def ours(self) -> bool:
        return self.label.startswith(LABEL_PREFIX)

    def fact(self) -> OrderFact:
        return OrderFact(
            order=Order(
                order_id=self.order_id,
                label=self.label,
                instrument=NAME,
                direction=self.direction,
                order_type=self.kind,
                state=self.state,
                amount=self.amount,
                filled=self.filled,
                reduce_only=not self.label.endswith("-e"),
                waiting=self.waiting,
                trigger_order_id=self.parent,
                created_ms=self.created,
                updated_ms=self.updated,
            )
        )


@dataclass
class Sim:
    """The account: orders, trades, the net position and the one price."""

    now: int
    price: Decimal = START
    size: Decimal = ZERO
    orders: dict[str, SimOrder] = field(default_factory=dict)
    trades: list[Fill] = field(default_factory=list)
    stream: list[tuple[Fact, ...]] = field(default_factory=list)
    numbers: int = 0
    _news: list[Fact] = field(default_factory=list)

    # ------------------------------------------------------------------------- requests

    def place(self, intent: Intent, parts: tuple[Decimal, ...]) -> tuple[Fact, ...]:
        """Accept or refuse an order; ``parts`` is how an entry fills. Returns the answer."""
        self.now += 1
        if self.now > intent.valid_until_ms:
            return (RejectFact(label=intent.label, code=13888, message="timed_out"),)
        if intent.role is not Role.ENTRY and not self._reducible(intent.direction):
            return (RejectFact(label=intent.label, code=11030, message="reduce_only"),)
        match intent.role:
            case Role.ENTRY:
                order = self._enter(intent, parts)
            case Role.STOP:
                order = self._new(intent.label, intent.direction, "stop_market", intent.amount)
                order.state, order.level = "untriggered", intent.trigger_price
                self._fire_if_met(order)
            case _:
                order = self._new(intent.label, intent.direction, "market", intent.amount)
                self._take(order)
                self._end(order, "filled" if order.filled == order.amount else "cancelled")
        news = self._publish()
        mine = [f for f in news if isinstance(f, FillFact) and f.fill.order_id == order.order_id]
        return (*mine, order.fact())

    def cancel(self, order_id: str) -> tuple[Fact, ...]:
        """Cancel at anyone's request; the answer is the order as it then is."""
        self.now += 1
        order = self.orders[order_id]
        if order.live:
            self._end(order, "cancelled")
            self._publish()
        return (order.fact(),)

    def by_label(self, label: str) -> list[SimOrder]:
        return [order for order in self.orders.values() if order.label == label]

    def read(self, state: State, lag_ms: int = 0) -> tuple[Fact, ...]:
        """Everything that a full read finds, as of now; the trades are known ``lag_ms`` late."""
        self.now += 1
        live = {o.order_id: o for o in self.orders.values() if o.live}
        gone = [i for i in state.orders if i not in live and i in self.orders]
        facts: list[Fact] = []
        if state.read_through_ms:
            since, until = fills_known_before(state), self.now - lag_ms
            facts += [FillFact(fill=f) for f in self.trades if since <= f.at_ms <= until]
        facts += [order.fact() for order in live.values()]
        facts += [self.orders[order_id].fact() for order_id in gone]
        facts.append(OpenOrdersFact(order_ids=tuple(sorted(live)), read_ms=self.now))
        facts.append(
            PositionFact(
                instrument=NAME,
                contract=ContractKind.LINEAR,
                currency="USDC",
                size=self.size,
                average_price=self.price if self.size else D(0),
                at_ms=self.now,
                asked_ms=self.now,
            )
        )
        return tuple(facts)

    # ------------------------------------------------------------------- market and owner

    def move(self, price: Decimal) -> None:
        """The price jumps; stops and take profits that it meets execute."""
        self.now += 1
        self.price = price
        for order in list(self.orders.values()):
            if order.live and not order.waiting:
                self._fire_if_met(order)
        self._publish()

    def owner_trades(self, direction: Direction, amount: Decimal) -> None:
        self.now += 1
        order = self._new("", direction, "market", amount)
        self._fill(order, amount)
        self._end(order, "filled")
        self._publish()

    def owner_rests(self) -> None:
        self.now += 1
        self._new("mine", BUY, "limit", D(1)).level = D(1)
        self._publish()

    def cash(self) -> Decimal:
        """What all trades brought after fees, once the account is flat."""
        paid = sum((f.direction.sign * f.amount * f.price for f in self.trades), D(0))
        return -paid - sum((f.fee for f in self.trades), D(0))

    def earned(self) -> Decimal:
        """What the positions in which an entry of ours took part brought, each from flat to flat.

        The fill that crosses zero pays its fee for what it closes.
        """
        total = net = size = D(0)
        ours = False
        for fill in self.trades:
            left = fill.direction.sign * fill.amount
            while left:
                crosses = size * left < 0 and abs(left) > abs(size)
                part = -size if crosses else left
                net -= part * fill.price + (
                    fill.fee if left == fill.direction.sign * fill.amount else 0
                )
                ours = ours or (fill.label.endswith("-e") and size * part >= 0)
                size, left = size + part, left - part
                if size == 0:
                    total, net, ours = total + (net if ours else 0), D(0), False
        return total

    # ------------------------------------------------------------------------- mechanics

    def _enter(self, intent: Intent, parts: tuple[Decimal, ...]) -> SimOrder:
        entry = self._new(intent.label, intent.direction, "limit", intent.amount)
        side = intent.direction.opposite
        stop, take = intent.legs
        legs = [
            self._new(stop.label, side, "stop_market", intent.amount, waiting=True),
            self._new(take.label, side, "limit", intent.amount, waiting=True),
        ]
        levels = (stop.trigger_price, take.price)
        for part in parts:
            amount = (intent.amount * part).quantize(LINEAR.amount_step)
            if not amount:
                continue
            self._fill(entry, amount)
            self.numbers += 1
            pair = self.numbers
            for leg, level in zip(legs, levels, strict=True):
                live = self._new(leg.label, side, leg.kind, amount)
                live.level, live.pair = level, pair
                live.state = "untriggered" if leg.kind == "stop_market" else "open"
        self._end(entry, "filled" if entry.filled == entry.amount else "cancelled")
        for leg in legs:
            self._end(leg, "triggered" if entry.filled else "cancelled")
        return entry

    def _fire_if_met(self, order: SimOrder) -> None:
        if order.level is None or not order.ours or order.label.endswith("-e"):
            return
        falls = (order.kind == "stop_market") is (order.direction is SELL)
        if self.price > order.level if falls else self.price < order.level:
            return
        if order.kind == "stop_market":
            self._end(order, "triggered")
            child = self._new(order.label, order.direction, "market", order.amount)
            child.parent, child.pair = order.order_id, order.pair
            order = child
        self._take(order)
        self._end(order, "filled" if order.filled == order.amount else "cancelled")

    def _take(self, order: SimOrder) -> None:
        amount = min(order.amount - order.filled, self._reducible(order.direction))
        if amount:
            self._fill(order, amount)

    def _reducible(self, direction: Direction) -> Decimal:
        return max(-self.size * direction.sign, D(0))

    def _new(
        self, label: str, side: Direction, kind: str, amount: Decimal, waiting: bool = False
    ) -> SimOrder:
        self.numbers += 1
        state = "untriggered" if waiting else "open"
        order = SimOrder(f"o{self.numbers}", label, side, kind, amount, state, waiting=waiting)
        order.created = order.updated = self.now
        self.orders[order.order_id] = order
        self._news.append(order.fact())
        return order

    def _fill(self, order: SimOrder, amount: Decimal) -> None:
        self.numbers += 1
        order.filled += amount
        order.updated = self.now
        self.size += amount * order.direction.sign
        fill = Fill(
            trade_id=f"t{self.numbers}",
            order_id=order.order_id,
            label=order.label,
            instrument=NAME,
            contract=ContractKind.LINEAR,
            direction=order.direction,
            amount=amount,
            price=self.price,
            fee=FEE,
            currency="USDC",
            at_ms=self.now,
        )
        self.trades.append(fill)
        self._news += [FillFact(fill=fill), order.fact()]

    def _end(self, order: SimOrder, state: str) -> None:
        """End an order, and with it the other leg of its pair unless it fired into a child."""
        order.state, order.updated = state, self.now
        self._news.append(order.fact())
        if not order.pair or state == "triggered":
            return
        for other in list(self.orders.values()):
            if other.pair == order.pair and other.live and other is not order:
                self._end(other, "cancelled")

    def _publish(self) -> tuple[Fact, ...]:
        """What just happened, as one notification that tells the last word on each order."""
        last = {f.order.order_id: f for f in self._news if isinstance(f, OrderFact)}
        fills = [f for f in self._news if isinstance(f, FillFact)]
        news: tuple[Fact, ...] = (*fills, *last.values())
        self._news.clear()
        self.stream.append(news)
        return news
