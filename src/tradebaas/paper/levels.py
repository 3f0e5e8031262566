"""The order book, level by level: what an order finds, and what clients are shown of it.

Most of it is made up: the best bid is the price rounded down to the tick, the best ask one tick
above, and each of some levels a side holds as much as ``depth`` says. What orders have taken of a
level is there again at the market's next step. The orders of the accounts stand among these levels
at their prices, and where one of them stands, the other side has nothing made up at its price or
inside of it: who wants that price meets the order.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from operator import attrgetter
from typing import Literal, NamedTuple

from tradebaas.paper.instruments import Instrument
from tradebaas.paper.orders import Direction, Order
from tradebaas.paper.tape import Tape

LEVELS = 20
"""Made-up price levels a side."""
THIN_LEVELS = 5
"""As many as a thin book has."""
USUAL_DEPTH = {"BTC-PERPETUAL": Decimal(100_000_000), "BTC_USDC-PERPETUAL": Decimal(1_000)}
"""What a made-up level holds unless ``depth`` says otherwise."""
Thin = Literal["no", "cancel", "wait"]


class Level(NamedTuple):
    """What stands at a price: orders of accounts in their turn, and what is made up behind them."""

    price: Decimal
    makers: list[Order]
    held: Decimal


class Levels:
    """The books of all instruments.

    ``live`` gives the live orders of all accounts, ``wanted`` what one of them would trade now.
    ``depth`` is by instrument, absent = as usual.
    """

    def __init__(
        self, live: Callable[[], Iterator[Order]], wanted: Callable[[Order], Decimal], tape: Tape
    ) -> None:
        self.depth: dict[str, Decimal] = {}
        self._live = live
        self._wanted = wanted
        self._tape = tape
        self._thin: Thin = "no"
        self._thin_until_ms = 0
        self._taken: dict[tuple[str, Direction, Decimal], Decimal] = {}
        self._passed: set[str] = set()

    @property
    def thin(self) -> Thin:
        """Return what becomes of the rest of a market order while books are thin."""
        return self._thin if self._tape.state.now_ms < self._thin_until_ms else "no"

    def thin_out(self, thin: Thin, until_ms: int) -> None:
        """Have thin books until a moment of exchange time."""
        self._thin, self._thin_until_ms = thin, until_ms

    def refill(self) -> None:
        """Have all levels hold again what they can."""
        self._taken.clear()

    def take(self, order: Order, amount: Decimal, price: Decimal) -> None:
        """Note what an order took of what is made up at a price."""
        level = (order.instrument_name, order.direction, price)
        self._taken[level] = self._taken.get(level, Decimal(0)) + amount

    def held(self, item: Instrument, direction: Direction, price: Decimal) -> Decimal:
        """Return what is made up at a price for orders of a direction, and not taken."""
        depth = self.depth.get(item.name, USUAL_DEPTH[item.name])
        return max(Decimal(0), depth - self._taken.get((item.name, direction, price), Decimal(0)))

    def jump_over(self, orders: list[Order]) -> None:
        """Have orders stand in nobody's way: a jump of the market has passed them, and what fills
        them is what the market brings."""
        self._passed = {order.order_id for order in orders}

    def return_to(self, order: Order) -> None:
        """Have one of them in the book again, with what the market left of it."""
        self._passed.discard(order.order_id)

    def against(self, order: Order, at: Decimal | None = None) -> list[Level]:
        """Return what an order may take, the best first.

        ``at`` is where what is made up begins if not where the market stands.
        """
        levels = self.offers(order.instrument, order.direction, at, order.order_id)
        if order.price is None:
            return levels
        sign = 1 if order.is_buy else -1
        return [level for level in levels if sign * level.price <= sign * order.price]

    def best(self, item: Instrument, direction: Direction, besides: str = "") -> Decimal | None:
        """Return the best price for orders of a direction, None where nobody offers any."""
        levels = self.offers(item, direction, None, besides)
        return levels[0].price if levels else None

    def offers(
        self, item: Instrument, direction: Direction, at: Decimal | None = None, besides: str = ""
    ) -> list[Level]:
        """Return what orders of a direction find, the best first; ``besides`` is not counted."""
        same, makers = self._resting(item, direction, besides)
        sign = 1 if direction == "buy" else -1
        best = at if at is not None else self._tape.ask if sign > 0 else self._tape.bid
        edge = max((sign * price for price in same), default=None)
        made_up: dict[Decimal, Decimal] = {}
        for number in range(LEVELS if self.thin == "no" else THIN_LEVELS):
            price = best + sign * number * item.tick_size
            held = self.held(item, direction, price)
            if held and price > 0 and (edge is None or sign * price > edge):
                made_up[price] = held
        prices = sorted(makers | made_up, reverse=sign < 0)
        return [Level(p, makers.get(p, []), made_up.get(p, Decimal(0))) for p in prices]

    def _resting(
        self, item: Instrument, direction: Direction, besides: str
    ) -> tuple[list[Decimal], dict[Decimal, list[Order]]]:
        """Return where the accounts' orders of a direction stand, and those of the other one."""
        same: list[Decimal] = []
        others: dict[Decimal, list[Order]] = {}
        left_out = self._passed | {besides}
        for order in sorted(filter(attrgetter("rests"), self._live()), key=attrgetter("queue")):
            price, here = order.price, order.instrument_name == item.name
            if price is None or not here or order.order_id in left_out or not self._wanted(order):
                continue
            if order.direction == direction:
                same.append(price)
            else:
                others.setdefault(price, []).append(order)
        return same, others
