"""One full read of the account, as facts: orders, trades, positions.

The three are separate calls, so the account may change between them. The reader repeats until the
trades account for the positions; what still differs then is reported as it is, and the core
decides what it means. Reads only; nothing here sends or decides.
"""

from decimal import Decimal
from typing import final

from msgspec import Struct

from tradebaas.core.decide import Decision, decide
from tradebaas.core.facts import Fact, FillFact, OpenOrdersFact, OrderFact, PositionFact
from tradebaas.core.messages import Report
from tradebaas.core.model import Fill, Instrument
from tradebaas.core.risk import Limits
from tradebaas.core.state import OVERLAP_MS, State
from tradebaas.deribit import reads
from tradebaas.deribit.link import Link

TRIES = 4


@final
class Survey(Struct, frozen=True, kw_only=True):
    """What was read, and the exchange time at which the reading began."""

    read_ms: int
    facts: tuple[Fact, ...]


async def survey(link: Link, view: State, instrument: Instrument, limits: Limits) -> Survey:
    """Read the account until its parts agree, at most ``TRIES`` times.

    Raises:
        LinkLost, Unanswered, CallFailed: the read could not be finished.
    """
    taken = await _read(link, view, instrument)
    for _ in range(TRIES - 1):
        if _agrees(view, taken, instrument, limits):
            break
        taken = await _read(link, view, instrument)
    return taken


async def _read(link: Link, view: State, instrument: Instrument) -> Survey:
    read_ms = await reads.server_time(link)
    listed = await reads.open_orders(link)
    ids = {order.order_id for order in listed}
    gone = [await reads.order(link, order_id) for order_id in view.orders if order_id not in ids]
    fills: tuple[Fill, ...] = ()
    if view.read_through_ms:
        start = view.read_through_ms - OVERLAP_MS
        fills = await reads.trades(link, instrument, start)
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
    held = {position.instrument: position for position in await reads.positions(link)}
    names = {instrument.name, *held}
    names |= {key.removeprefix("position ") for key in view.foreign if key.startswith("position ")}
    facts = []
    for name in sorted(names):
        described = instrument if name == instrument.name else await reads.instrument(link, name)
        wire = held.get(name)
        facts.append(
            PositionFact(
                instrument=name,
                contract=described.kind,
                currency=described.currency,
                size=wire.size if wire else Decimal(0),
                average_price=wire.average_price if wire else Decimal(0),
                at_ms=read_ms,
            )
        )
    return facts


def _agrees(view: State, taken: Survey, instrument: Instrument, limits: Limits) -> bool:
    """Whether the fills account for the position, by the same fold that will take them."""
    said = next(
        f.size
        for f in taken.facts
        if isinstance(f, PositionFact) and f.instrument == instrument.name
    )
    rest = tuple(f for f in taken.facts if not isinstance(f, PositionFact))
    report = Report(connection=view.connection, at_ms=taken.read_ms, facts=rest)
    folded = decide(view, report, limits)
    position = folded.state.position if isinstance(folded, Decision) else None
    known = position.size if position and position.instrument == instrument.name else Decimal(0)
    return known == said
