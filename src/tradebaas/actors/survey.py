"""One full read of the account, as facts: orders, trades, positions.

The three are separate calls, so the account may change between them, and the exchange's store of
trades may lag behind its positions. The reader repeats a few times until the trades account for the
positions; what still differs then is reported as it is, for a position without its stop must not
wait for its history: the core corrects the one and takes the other later. Reads only; nothing here
sends or decides.
"""

from decimal import Decimal
from typing import final

from msgspec import Struct

from tradebaas.core.decide import Decision, decide
from tradebaas.core.facts import Fact, FillFact, OpenOrdersFact, OrderFact, PositionFact
from tradebaas.core.messages import Report
from tradebaas.core.model import Fill, Instrument
from tradebaas.core.risk import Limits
from tradebaas.core.state import State, fills_known_before, is_known
from tradebaas.deribit import reads
from tradebaas.deribit.link import Link

TRIES = 4
"""Reads in a row, while trades and positions differ."""


@final
class Survey(Struct, frozen=True, kw_only=True):
    """What was read, and the exchange time at which the reading began."""

    read_ms: int
    facts: tuple[Fact, ...]


async def survey(link: Link, view: State, instrument: Instrument, limits: Limits) -> Survey:
    """Read the account until its parts agree, a few times at most.

    Raises:
        LinkLost, Unanswered, CallFailed: the read could not be finished.
    """
    for _ in range(TRIES):
        taken = await _read(link, view, instrument)
        if _folded(view, taken, instrument, limits) == _said(taken, instrument):
            break
    return taken


def untold(view: State, taken: Survey, after_ms: int) -> str:
    """What the read knows and the channel of the account should have told long ago; "" for nothing.

    A fill that is no news here, or the end of an order of ours, is told within moments: one that
    is older than ``after_ms`` and not in the state shows that the channel says nothing any more.
    """
    horizon_ms = taken.read_ms - after_ms
    for fact in taken.facts:
        match fact:
            case FillFact(fill=fill):
                if fill.at_ms < horizon_ms and not is_known(view, fill):
                    return f"fill {fill.trade_id} of {taken.read_ms - fill.at_ms} ms before"
            case OrderFact(order=order):
                ended = not order.live and order.order_id in view.orders
                if ended and order.updated_ms < horizon_ms:
                    return f"the end of order {order.order_id}, {order.state}"
            case _:
                pass
    return ""


async def _read(link: Link, view: State, instrument: Instrument) -> Survey:
    read_ms = await reads.server_time(link)
    listed = await reads.open_orders(link)
    ids = {order.order_id for order in listed}
    gone = [await reads.order(link, order_id) for order_id in view.orders if order_id not in ids]
    fills: tuple[Fill, ...] = ()
    if view.read_through_ms:
        fills = await reads.trades(link, instrument, fills_known_before(view))
    facts: list[Fact] = [FillFact(fill=fill) for fill in fills]
    facts += [OrderFact(order=order) for order in listed]
    facts += [OrderFact(order=order) for order in gone if order is not None]
    facts.append(OpenOrdersFact(order_ids=tuple(sorted(ids)), read_ms=read_ms))
    facts += await _positions(link, view, instrument, read_ms)
    return Survey(read_ms=read_ms, facts=tuple(facts))


async def _positions(
    link: Link, view: State, instrument: Instrument, read_ms: int
) -> list[PositionFact]:
    """Every position, and a zero for each that the state holds and the exchange does not."""
    taken = await reads.positions(link)
    held = {position.instrument: position for position in taken.found}
    names = {instrument.name, *held}
    names |= view.elsewhere.keys()
    names |= {key.removeprefix("position ") for key in view.foreign if key.startswith("position ")}
    facts = []
    for name in sorted(names):
        wire = held.get(name)
        facts.append(
            PositionFact(
                instrument=name,
                contract=link.contracts.kind(name),
                currency=link.contracts.currency(name),
                size=wire.size if wire else Decimal(0),
                average_price=wire.average_price if wire else Decimal(0),
                at_ms=read_ms,
                asked_ms=max(read_ms, taken.asked_ms),
            )
        )
    return facts


def _said(taken: Survey, instrument: Instrument) -> Decimal:
    """The position's size in the words of the exchange."""
    facts = (fact for fact in taken.facts if isinstance(fact, PositionFact))
    return next(fact.size for fact in facts if fact.instrument == instrument.name)


def _folded(view: State, taken: Survey, instrument: Instrument, limits: Limits) -> Decimal:
    """What the orders and the trades amount to, by the same fold that will take them."""
    rest = tuple(fact for fact in taken.facts if not isinstance(fact, PositionFact))
    report = Report(connection=view.connection, at_ms=taken.read_ms, facts=rest)
    folded = decide(view, report, limits)
    position = folded.state.position if isinstance(folded, Decision) else view.position
    known = position is not None and position.instrument == instrument.name
    return position.size if position is not None and known else Decimal(0)
