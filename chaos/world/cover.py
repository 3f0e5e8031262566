"""What covers a position of ours: whatever closes it by itself before it costs too much.

A stop counts when it is ours, only reduces, is on the closing side, fires by itself at the market,
and lies no farther away than the plan of the entry. Where no plan is known (the exchange has not
been told of one, or the daemon's log was restored and may have lost it), it may lie as far away as
a daemon without a plan may choose. (On the wrong side of the market it cannot lie: there it fires
at once.) Once a stop of the position was moved closer, that one may not be looser again, nor may
any that comes later. An order of ours that closes the position counts while it may be on its way:
at the market it fills at once, and one that rests found nobody to trade with, which is no
protection for long; a stop that has fired is none for even less, since a close can be sent beside
it. One at the market that ended as it was made, since the book was too thin, covers as long as
that: in so much time the next has to be sent. A stop with a limit price, a take profit, a leg that
waits for its entry, and whatever is the owner's cover nothing. Pure.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, final

from chaos.world.ledger import OrderRow
from tradebaas.core.model import Role, role_of

if TYPE_CHECKING:
    from chaos.world.books import Span

REST_MS = 600_000
LOOSEST = Decimal("0.025")
"""The share of the entry price that a stop without a plan may be away: two per cent by default,
of an average that may have moved a little."""
TICK = Decimal("0.5")
"""By so much a stop may miss the plan: rounding, no more."""
ZERO = Decimal(0)


class _Stop(NamedTuple):
    """A trigger price, and since when (exchange ms) the order, or the price, was there."""

    since_ms: int
    trigger: Decimal


@final
class Cover:
    """Remembers what the orders themselves no longer tell.

    ``rest_ms`` is how long, in exchange time, an exit that rests in the book counts, ``fired_ms``
    how long if it is a stop; None: as long.
    """

    def __init__(self, rest_ms: int = REST_MS, fired_ms: int | None = None) -> None:
        self._rest_ms = rest_ms
        self._fired_ms = rest_ms if fired_ms is None else fired_ms
        self._until: dict[str, int] = {}
        self._tried: dict[str, tuple[int, OrderRow]] = {}
        self._planned: dict[str, Decimal | None] = {}
        self._stops: dict[str, _Stop] = {}
        self._moved: dict[str, _Stop] = {}

    def ends(self, since_ms: int, until_ms: int) -> list[int]:
        """The moments between the two at which time alone has ended some cover."""
        tried = (last for last, _ in self._tried.values())
        ended = {last + 1 for last in (*self._until.values(), *tried)}
        return sorted(moment for moment in ended if since_ms < moment < until_ms)

    def note(self, order: OrderRow, at_ms: int) -> None:
        """An order was described."""
        role = role_of(order.label)
        if role is Role.STOP and order.trigger_price is not None:
            self._planned.setdefault(order.label, order.trigger_price)
        if order.is_ours and order.order_type == "stop_market" and order.trigger_price is not None:
            self._note_stop(order, order.trigger_price, at_ms)
        if order.order_state == "open" and role in (Role.STOP, Role.CLOSE):
            limit_ms = self._fired_ms if role is Role.STOP else self._rest_ms
            self._until.setdefault(order.order_id, at_ms + limit_ms)
        elif self._until.pop(order.order_id, None) is None and _found_too_few(order, role):
            self._tried[order.instrument_name] = at_ms + self._fired_ms, order

    def _note_stop(self, order: OrderRow, trigger: Decimal, at_ms: int) -> None:
        """Where its stop is, and whether that was moved there."""
        known, name = self._stops.get(order.order_id), order.instrument_name
        if order.order_state != "untriggered":
            self._stops.pop(order.order_id, None)
        elif known is None:
            self._stops[order.order_id] = _Stop(at_ms, trigger)
        elif _is_looser(known.trigger, trigger, order.direction):
            self._stops[order.order_id] = _Stop(known.since_ms, trigger)
            moved = self._moved.get(name)
            if moved is None or _is_looser(moved.trigger, trigger, order.direction):
                self._moved[name] = _Stop(at_ms, trigger)

    def over(self, instrument: str) -> None:
        """Its position is: where that one's stop was moved to says nothing of the next."""
        self._moved.pop(instrument, None)

    def forget(self) -> None:
        """No plan of before counts any more, whatever is told of its orders yet."""
        self._planned = dict.fromkeys(self._planned)
        self._moved.clear()

    def amount(self, span: "Span", live: Iterable[OrderRow], at_ms: int) -> Decimal:
        """How much of the position is covered at a moment; perhaps more than there is."""
        ours = (order for order in live if _closes(order, span))
        covered = sum((order.remaining for order in ours if self._counts(order, span, at_ms)), ZERO)
        last_ms, tried = self._tried.get(span.instrument, (-1, None))
        if tried is not None and at_ms <= last_ms and _closes(tried, span):
            covered += tried.remaining
        return covered

    def _counts(self, order: OrderRow, span: "Span", at_ms: int) -> bool:
        if order.order_state == "untriggered":
            waits = order.is_secondary_oto or order.order_type != "stop_market"
            return not waits and self._is_near(order, span)
        return at_ms <= self._until.get(order.order_id, -1)

    def _is_near(self, order: OrderRow, span: "Span") -> bool:
        """Whether a stop is no looser than the plan or, without one, than it may be then."""
        trigger, sign = order.trigger_price, 1 if span.size > 0 else -1
        planned = self._planned.get(span.label[:-1] + Role.STOP) if span.label else None
        farthest = span.price * (1 - sign * LOOSEST) if planned is None else planned - sign * TICK
        return (
            trigger is not None
            and (trigger - farthest) * sign >= 0
            and not self._is_loosened(order, trigger)
        )

    def _is_loosened(self, order: OrderRow, trigger: Decimal) -> bool:
        """Whether its position was better protected before: by itself, or by one that was moved."""
        known, moved = self._stops[order.order_id], self._moved.get(order.instrument_name)
        if moved is None or known.since_ms <= moved.since_ms:
            return _is_looser(trigger, known.trigger, order.direction)
        reached = trigger + TICK if order.direction == "sell" else trigger - TICK
        return _is_looser(reached, moved.trigger, order.direction)


def _closes(order: OrderRow, span: "Span") -> bool:
    """Whether it is an order of ours that can only make the position smaller."""
    closing = "sell" if span.size > 0 else "buy"
    ours = order.is_ours and order.reduce_only
    return ours and order.instrument_name == span.instrument and order.direction == closing


def _found_too_few(order: OrderRow, role: Role | None) -> bool:
    """Whether it is a close at the market whose rest the exchange cancelled."""
    market = order.order_type == "market"
    return role is Role.CLOSE and market and order.order_state == "cancelled"


def _is_looser(trigger: Decimal, than: Decimal, direction: str) -> bool:
    """Whether a stop that sells, or buys, there lets a position lose more than one at ``than``."""
    return trigger < than if direction == "sell" else trigger > than
