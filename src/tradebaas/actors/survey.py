"""One full read of the account, as facts: orders, trades, positions.

The three are separate calls, so the account may change between them, and the exchange's store of
trades may lag behind its positions. The reader repeats until the trades account for the positions:
a few times at once, and then, while a stop covers what is open, until the store can lag no longer.
What still differs then is reported as it is, and the core decides what it means. Reads only;
nothing here sends or decides.
"""

from decimal import Decimal
from typing import final

import trio
from msgspec import Struct

from tradebaas.core.decide import Decision, decide
from tradebaas.core.facts import Fact, FillFact, OpenOrdersFact, OrderFact, PositionFact
from tradebaas.core.messages import Report
from tradebaas.core.model import Direction, Fill, Instrument
from tradebaas.core.risk import Limits
from tradebaas.core.state import State, closing_amount, fills_known_before
from tradebaas.deribit import reads
from tradebaas.deribit.link import Link

TRIES = 4
"""Reads in a row, whatever differs."""
PAUSE_MS = 500
"""Exchange time between the reads after those."""
MOST_READS = 40
"""Then what was read last is reported, though the position still changes all the time."""


@final
class Survey(Struct, frozen=True, kw_only=True):
    """What was read, and the exchange time at which the reading began."""

    read_ms: int
    facts: tuple[Fact, ...]


async def survey(link: Link, view: State, instrument: Instrument, limits: Limits) -> Survey:
    """Read the account until its parts agree, or waiting for that is useless or a risk.

    Raises:
        LinkLost, Unanswered, CallFailed: the read could not be finished.
    """
    tries, patience = 0, Patience(limits.queue_bound_ms + limits.proof_margin_ms)
    while True:
        tries, taken = tries + 1, await _read(link, view, instrument)
        known, said = _folded(view, taken, limits), _said(taken, instrument)
        waited = patience.is_over(said, taken.read_ms)
        if _size(known, instrument) == said:
            return taken
        if tries >= TRIES:
            if waited or not _may_wait(known, said, instrument):
                return taken
            await trio.sleep(float(PAUSE_MS / (1000 * link.clock.rate)))


@final
class Patience:
    """How long, in exchange time, the trades behind one and the same position may be missing."""

    def __init__(self, lag_ms: int) -> None:
        self._lag_ms = lag_ms
        self._reads = 0
        self._said: Decimal | None = None
        self._until_ms: int | None = None

    def is_over(self, said: Decimal, read_ms: int) -> bool:
        """Whether a read that began at ``read_ms`` had to find the trades behind ``said``, or was
        the last one.

        Time counts from the next read after the one that found the position so: only then is it
        certain that the trades had been made when the read began.
        """
        self._reads += 1
        if said != self._said:
            self._said, self._until_ms = said, None
        elif self._until_ms is None:
            self._until_ms = read_ms + self._lag_ms
        late = self._until_ms is not None and read_ms > self._until_ms
        return late or self._reads >= MOST_READS


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


def _said(taken: Survey, instrument: Instrument) -> Decimal:
    """The position's size in the words of the exchange."""
    facts = (fact for fact in taken.facts if isinstance(fact, PositionFact))
    return next(fact.size for fact in facts if fact.instrument == instrument.name)


def _folded(view: State, taken: Survey, limits: Limits) -> State:
    """What the orders and the trades amount to, by the same fold that will take them."""
    rest = tuple(fact for fact in taken.facts if not isinstance(fact, PositionFact))
    report = Report(connection=view.connection, at_ms=taken.read_ms, facts=rest)
    folded = decide(view, report, limits)
    return folded.state if isinstance(folded, Decision) else view


def _size(state: State, instrument: Instrument) -> Decimal:
    position = state.position
    known = position is not None and position.instrument == instrument.name
    return position.size if position is not None and known else Decimal(0)


def _may_wait(known: State, said: Decimal, instrument: Instrument) -> bool:
    """Whether the position is gone or wholly covered; a naked one waits for nothing."""
    exit_side = Direction.SELL if said > 0 else Direction.BUY
    return said == 0 or closing_amount(known, instrument.name, exit_side) >= abs(said)
