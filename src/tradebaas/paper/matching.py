"""Executes orders where the market stands, and against each other.

An order takes what ``levels`` has for it, level by level. At one price the orders of the accounts
go first, the longest there before the others, and what is made up goes last, since it has no time
of its own. Nobody trades with himself: an order that would is refused whole, or it takes its own
account's resting order out of its way, as the account has chosen.

A resting limit order fills at its own price when the market reaches it, a trigger order fires when
the market reaches its trigger price; what a move sets off is executed in the order in which the
move meets it. In a gap nothing trades in between, so stops fill where the market opens.

What a market order does not find in the book within its protective price is cancelled. While books
are thin it may wait instead and take what the next prices hold; which of the two Deribit does then
is not documented.

Families of linked orders are settled afterwards by ``families``; this module only notes what
filled and what ended.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import chain
from operator import attrgetter

import msgspec

from tradebaas.paper.booking import book, execution
from tradebaas.paper.crossing import Hit, hits, passed, turn, waits_for_last
from tradebaas.paper.desk import Desk
from tradebaas.paper.levels import Levels
from tradebaas.paper.orders import MARKET_TYPES, Order, State
from tradebaas.paper.prints import last_price
from tradebaas.paper.tape import Stand, Tape
from tradebaas.paper.terms import Terms
from tradebaas.paper.trailing import follow
from tradebaas.paper.views import price_band

WRONG_SIDE = "trigger_price"
"""Why a leg ended whose trigger price the market had passed before it went live."""
SELF_TRADE = "self_trade"
"""Why an order ended that was in its own account's way; Deribit's word for it is not known."""


class Matching:
    """The matching engine for all accounts' desks, which are named by their user ids."""

    def __init__(
        self, desks: Mapping[int, Desk], tape: Tape, terms: Terms, maker: Decimal, taker: Decimal
    ) -> None:
        self.desks = desks
        self.terms = terms
        self.tape = tape
        self.levels = Levels(self.live, self.wanted, tape)
        self._rates = {"M": maker, "T": taker}
        self.ended_as_read: list[Order] = []

    def live(self) -> Iterator[Order]:
        """Return the live orders of all accounts."""
        return chain.from_iterable(desk.live.values() for desk in self.desks.values())

    def end_as_read(self, order: Order, state: State, reason: str) -> None:
        """End an order as only one reading of the protocol has it."""
        self.desk_of(order).end(order, state, reason)
        self.ended_as_read.append(order)

    def desk_of(self, order: Order) -> Desk:
        """Return the desk of the account that an order is of."""
        return self.desks[order.user_id]

    def wanted(self, order: Order) -> Decimal:
        """Return how much an order would trade now; reduce-only, no more than its position."""
        if order.reduce_only:
            return min(order.remaining, self._reducible(order))
        return order.remaining

    def serve_waiting(self) -> bool:
        """Let waiting market orders take what the book holds now; return whether there are any."""
        waiting = [order for order in self.live() if _waits_at_market(order)]
        for order in waiting:
            if order.is_live:
                self._take(order, None)
                self._close_if_done(order)
        return bool(waiting)

    def next_crossed(self, there: Stand) -> Hit | None:
        """Return the first order that a move of the market sets off."""
        return min(hits(self.live(), self.tape.stand, there), key=turn, default=None)

    def crossed(self, here: Stand, there: Stand) -> list[Order]:
        """Return all orders that a jump sets off, in the order of their levels."""
        orders = [hit.order for hit in sorted(hits(self.live(), here, there), key=turn)]
        self.levels.jump_over(orders)
        return orders

    def watches_last(self) -> bool:
        """Return whether an order waits for the price of the last trade."""
        return any(map(waits_for_last, self.live()))

    def due_by_last(self) -> Order | None:
        """Return the next order that the price of the last trade fires, if there is one."""
        waiting = filter(waits_for_last, self.live())
        due = (order for order in waiting if passed(order, self.reference(order)))
        return min(due, key=attrgetter("queue"), default=None)

    def reference(self, order: Order) -> Decimal:
        """Return the price, as it is now, that a trigger order waits for."""
        match order.trigger:
            case "mark_price":
                return self.tape.mark
            case "last_price":
                return last_price(self.tape, self.desks.values(), order.instrument_name)
            case _:
                return self.tape.price

    def execute(self, order: Order, at: Decimal | None, through: bool) -> None:
        """Execute an order that the market reached.

        ``at`` is the price of the crossing, None in a gap. ``through`` says that the market goes
        on beyond the level, which fills a resting order whole whatever the depth.
        """
        self.levels.return_to(order)
        if order.state == "untriggered":
            self.fire(order, at)
        else:
            self._fill_resting(order, through)

    def activate(self, order: Order) -> None:
        """Let a new or edited order do at once what it can."""
        if order.is_trigger:
            if order.trigger_offset is not None and follow(order, self.reference(order)):
                self.desk_of(order).touch(order)
            if self.refuses_trigger(order):
                self.end_as_read(order, "rejected", WRONG_SIDE)
            elif passed(order, self.reference(order)):
                self.fire(order, None)
        else:
            self.enter(order, None)

    def refuses_trigger(self, order: Order) -> bool:
        """Return whether a trigger order comes too late to be taken, if that is how it is read."""
        fires = self.terms.readings.wrong_side == "fire"
        return not fires and order.is_trigger and passed(order, self.reference(order))

    def trail(self) -> bool:
        """Let the trailing stops follow the market; return whether any moved."""
        trailing = (order for order in self.live() if order.trigger_offset is not None)
        live = [order for order in trailing if not order.is_secondary]
        moved = [order for order in live if follow(order, self.reference(order))]
        for order in moved:
            self.desk_of(order).touch(order)
        return bool(moved)

    def fire(self, parent: Order, at: Decimal | None) -> None:
        """Turn a trigger order into a new order in the book."""
        desk, amount, readings = self.desk_of(parent), parent.amount, self.terms.readings
        if parent.reduce_only and readings.reduce_only == "clip":
            amount = min(amount, self._reducible(parent))
        if not amount:
            desk.end(parent, "rejected", "reduce_direction")
            return
        if parent.reduce_only and amount > self._reducible(parent):
            self.end_as_read(parent, "rejected", "reduce_direction")
            return
        child = Order(
            order_id=desk.order_id(parent.instrument),
            user_id=parent.user_id,
            instrument_name=parent.instrument_name,
            direction=parent.direction,
            order_type="market" if parent.order_type in MARKET_TYPES else "limit",
            time_in_force=parent.time_in_force,
            price=parent.price,
            amount=amount,
            original=parent.original,
            display_amount=parent.display_amount,
            label=parent.label if readings.child_label == "same" else "",
            reduce_only=parent.reduce_only,
            post_only=False,
            creation_ms=desk.now_ms,
            update_ms=desk.now_ms,
            state="open",
            web=parent.web,
            session=parent.session,
            trigger_order_id=parent.order_id,
            primary_order_id=parent.primary_order_id,
            oco_ref=parent.oco_ref,
        )
        parent.child_id = child.order_id
        desk.end(parent, "triggered")
        desk.add(child)
        takes = any(peer.reduce_only and peer.rests for peer in desk.oco_peers(child))
        if takes and readings.take_leg == "harmful":
            self.end_as_read(child, "cancelled", "oco_other_closed")
        else:
            self.enter(child, at)

    def enter(self, order: Order, at: Decimal | None) -> None:
        """Match an order in the book, then let its rest wait or end.

        ``at`` overrides the best opposite price (a stop that fires at its own level).
        """
        if order.price is None:
            # A market order shows a protective limit as its price, as Deribit does.
            order.price = price_band(self.tape)[1 if order.is_buy else 0]
        if self._overlaps(order, at):
            self.desk_of(order).end(order, "rejected", SELF_TRADE)
            return
        kills = order.time_in_force == "fill_or_kill"
        if not (kills and self._available(order, at) < order.remaining):
            self._take(order, at)
        self._close_if_done(order)
        if order.is_live and self._must_not_rest(order):
            self.desk_of(order).end(order, "cancelled")

    def overlaps(self, order: Order) -> bool:
        """Return whether an order that is to enter the book is to be refused for its own account's
        sake: it would reach an order of its own."""
        if order.price is None:
            band = price_band(self.tape)[1 if order.is_buy else 0]
            order = msgspec.structs.replace(order, price=band)
        return self._overlaps(order, None)

    def _overlaps(self, order: Order, at: Decimal | None) -> bool:
        if self.desk_of(order).saved.self_trading != "reject_taker":
            return False
        wanted = self.wanted(order)
        for level in self.levels.against(order, at):
            for maker in level.makers:
                if maker.user_id == order.user_id and wanted:
                    return True
                wanted -= min(wanted, self.wanted(maker))
            wanted -= min(wanted, level.held)
        return False

    def _must_not_rest(self, order: Order) -> bool:
        if order.order_type == "market":
            return self.levels.thin != "wait"
        return order.time_in_force in {"immediate_or_cancel", "fill_or_kill"}

    def _available(self, order: Order, at: Decimal | None) -> Decimal:
        total = Decimal(0)
        for level in self.levels.against(order, at):
            others = (maker for maker in level.makers if maker.user_id != order.user_id)
            total += sum(map(self.wanted, others), level.held)
        return total

    def _take(self, order: Order, at: Decimal | None) -> None:
        for level in self.levels.against(order, at):
            for maker in level.makers:
                if self.wanted(order) and not self._steps_aside(maker, order):
                    self._meet(order, maker, level.price)
            amount = min(self.wanted(order), level.held)
            if amount:
                self._fill(order, amount, level.price, "T")

    def _steps_aside(self, maker: Order, taker: Order) -> bool:
        """Have an order let one of its own account's pass, gone or still there."""
        if maker.user_id != taker.user_id:
            return False
        if self.desk_of(taker).saved.self_trading == "cancel_maker":
            self.desk_of(maker).end(maker, "cancelled", SELF_TRADE)
        return True

    def _fill_resting(self, order: Order, through: bool) -> None:
        assert order.price is not None
        amount = self.wanted(order)
        if not through:
            held = self.levels.held(order.instrument, order.direction, order.price)
            amount = min(amount, held)
        if amount:
            self._fill(order, amount, order.price, "M")
        self._close_if_done(order)

    def _close_if_done(self, order: Order) -> None:
        if not order.remaining:
            self.desk_of(order).end(order, "filled")
        elif order.reduce_only and not self._reducible(order):
            self.desk_of(order).end(order, "cancelled", "reduce_only")

    def _reducible(self, order: Order) -> Decimal:
        position = self.desk_of(order).account.positions[order.instrument_name]
        return position.reducible(order.direction)

    def _fill(self, order: Order, amount: Decimal, price: Decimal, liquidity: str) -> None:
        """Trade with what is made up."""
        self.levels.take(order, amount, price)
        whose = liquidity if order.is_liquidation else ""
        done = execution(self.desk_of(order), order, amount, price, self.tape, whose)
        book(self.desk_of(order), order, done, liquidity, self._rates[liquidity])

    def _meet(self, taker: Order, maker: Order, price: Decimal) -> None:
        """Trade with an order of an account."""
        amount = min(self.wanted(taker), self.wanted(maker))
        if not amount:
            return
        whose = "M" * maker.is_liquidation + "T" * taker.is_liquidation
        done = execution(self.desk_of(taker), taker, amount, price, self.tape, whose)
        for order, liquidity in ((taker, "T"), (maker, "M")):
            book(self.desk_of(order), order, done, liquidity, self._rates[liquidity])
        self._close_if_done(maker)


def _waits_at_market(order: Order) -> bool:
    return order.order_type == "market" and order.state == "open"
