"""The order desk of one connection: sends and edits what is intended, cancels what must go, proves
the rest.

An intent is sent at most once, by the life and on the connection it names; that it still may is
checked synchronously just before the write. Every outcome goes back as facts. A lost or unreadable
answer makes the outcome unknown, and ``prove_unknowns`` reads the exchange until the order is
found or proven absent. Entries are never sent again; what to do instead is the core's to say.
"""

from decimal import Decimal
from typing import NamedTuple, assert_never, final

import trio
from msgspec.structs import replace

from tradebaas.board import Context
from tradebaas.core.facts import (
    AbsentFact,
    EditFact,
    Fact,
    FillFact,
    FrameFact,
    LostFact,
    NotSentFact,
    OrderFact,
    RejectFact,
)
from tradebaas.core.messages import Report
from tradebaas.core.model import (
    GONE,
    LIVE,
    Absence,
    Edit,
    Fill,
    Instrument,
    Intent,
    Order,
    Role,
    is_ours,
)
from tradebaas.core.proof import APART_MS, OLD_MS
from tradebaas.core.state import State
from tradebaas.deribit import reads, trade
from tradebaas.deribit.errors import STALE_TERMS, Kind, is_of_time_in_force, kind_of
from tradebaas.deribit.link import Link

PROBE_MIN_S = 0.02
PROBE_PAUSE_S = Decimal("0.5")
"""Between two probes, in exchange time: each one costs some ten calls of our rate credit."""
PROBE_MAX_S = 2.0
SLACK_MS = 500
"""Two looks are planned so much further apart than they must be: our clock is an estimate."""
UNWANTED_FOR_S = 0.15
"""An order must be unwanted this long before we cancel it: the exchange cancels siblings itself."""
CANCEL_AGAIN_S = 0.5
CANCEL_AGAIN_MAX_S = 2.0
"""Pauses between cancels of one order, doubling: at the settlement all of them are refused."""


class _Cancel(NamedTuple):
    """When an order may be cancelled (again), in monotonic seconds."""

    due: float
    tries: int = 0

    def again(self, now: float) -> "_Cancel":
        """After one more try."""
        pause_s = min(CANCEL_AGAIN_S * 2**self.tries, CANCEL_AGAIN_MAX_S)
        return _Cancel(now + pause_s, self.tries + 1)


@final
class Desk:
    """Orders through one connection."""

    def __init__(self, ctx: Context, link: Link, connection: int) -> None:
        self.taken: set[str] = set()
        self._under_way: set[str] = set()
        self._ctx = ctx
        self._link = link
        self._connection = connection
        self._closed = False
        self._resting = False
        self._edited: Edit | None = None
        self._answered = trio.Event()
        self._cancels: dict[str, _Cancel] = {}
        self.survey_wanted = trio.Event()
        self.terms_doubted = trio.Event()

    # ------------------------------------------------------------------------------ sending

    async def send_intents(self) -> None:
        """Send every committed intent of this life and connection, each once."""
        version = 0
        async with trio.open_nursery() as nursery:
            while True:
                view, version = await self._ctx.board.view.wait_newer(version)
                for intent in self._sendable(view):
                    self.taken.add(intent.label)
                    self._under_way.add(intent.label)
                    nursery.start_soon(self._send, intent)
                if view.editing is not None and self._may_edit(view.editing):
                    self._edited = view.editing
                    nursery.start_soon(self._edit, view.editing)

    async def close(self, within: float) -> None:
        """Take no more intents, and wait up to ``within`` seconds for answers to those sent."""
        self._closed = True
        with trio.move_on_after(within):
            while self._under_way:
                await self._answered.wait()

    def _sendable(self, view: State) -> list[Intent]:
        if self._closed:
            return []
        return [
            pending.intent
            for label, pending in view.pending.items()
            if label not in self.taken and self._is_mine(view, pending.intent)
        ]

    def _is_mine(self, view: State, intent: Intent) -> bool:
        """Bound to this life and connection, both still up, and not yet doubted."""
        pending = view.pending.get(intent.label)
        bound = (view.life, self._connection) == (intent.life, intent.connection)
        fresh = pending is not None and not pending.unknown
        return fresh and bound and view.connection == self._connection

    def _may_send(self, intent: Intent) -> bool:
        """The last check before the wire: still ours, and nothing forbids it now.

        What is forbidden here is reported as not sent; no intent stays behind without an outcome.
        """
        view = self._ctx.view()
        risky = intent.role is Role.ENTRY
        forbidden = risky and bool(view.halted or view.protect or view.closing)
        return self._is_mine(view, intent) and not forbidden

    async def _send(self, intent: Intent) -> None:
        clock = self._ctx.ports.clock
        began = clock.monotonic()
        outcome = await trade.place(
            self._link, intent, lambda: self._may_send(intent), resting=self._resting
        )
        if isinstance(outcome, trade.Accepted | trade.Rejected):
            self._ctx.board.timings.round_trip.note(clock.monotonic() - began)
        if intent.role is Role.ENTRY:
            self._count(outcome)
        facts: tuple[Fact, ...]
        match outcome:
            case trade.Accepted(orders=orders, fills=fills):
                facts = (*map(_fill, fills), *map(_order, orders))
            case trade.Rejected(code=code, message=message):
                facts = (RejectFact(label=intent.label, code=code, message=message),)
                if intent.legs and is_of_time_in_force(code, message):
                    self._resting = True  # the core cancels what is left when its validity is over
                elif code in STALE_TERMS:
                    self.terms_doubted.set()
            case trade.NotSent(reason=reason):
                facts = (NotSentFact(label=intent.label, reason=reason),)
            case trade.Lost(reason=reason, raw=raw):
                facts = (LostFact(label=intent.label, reason=reason),)
                if raw:
                    facts = (*facts, FrameFact(raw=raw, reason=f"answer to {intent.label}"))
            case _:
                assert_never(outcome)
        self._under_way.discard(intent.label)
        await self._report(facts)
        answered, self._answered = self._answered, trio.Event()
        answered.set()

    # -------------------------------------------------------------------------------- editing

    def _may_edit(self, edit: Edit) -> bool:
        """Bound to this life and connection, both still up, and not yet begun."""
        view = self._ctx.view()
        bound = (view.life, self._connection) == (edit.life, edit.connection)
        here = bound and view.connection == self._connection and view.editing == edit
        return here and not self._closed and edit != self._edited

    async def _edit(self, edit: Edit) -> None:
        """Move a stop; whatever is not answered as wanted is read back before anything else."""
        outcome = await trade.edit(self._link, edit, lambda: self._ctx.view().editing == edit)
        facts: tuple[Fact, ...] = ()
        reason = ""
        match outcome:
            case trade.Accepted(orders=orders, fills=fills):
                facts = (*map(_fill, fills), *map(_order, orders))
            case trade.NotSent(reason=reason):
                pass
            case trade.Gone(reason=reason):
                known = await reads.order(self._link, edit.order_id)
                if known is None:
                    self.survey_wanted.set()
                else:
                    facts = (OrderFact(order=known),)
            case _:
                assert_never(outcome)
        await self._report((*facts, EditFact(order_id=edit.order_id, reason=reason)))

    def _count(self, outcome: trade.Outcome) -> None:
        """Of an entry; a moment at which nobody could trade says nothing about the next one."""
        refusals = self._ctx.board.refusals
        match outcome:
            case trade.Accepted():
                refusals.accepted()
            case trade.Rejected(code=code, message=message) if kind_of(code) is not Kind.TRANSIENT:
                refusals.refused(f"{code} {message}", self._now_ms())
            case _:
                pass

    # -------------------------------------------------------------------------------- proving

    async def prove_unknowns(self, instrument: Instrument) -> None:
        """Read the exchange until every unknown outcome is known or proven absent."""
        version = 0
        while True:
            unknown = self._unknown()
            for intent in unknown:
                await self._probe(intent, instrument)
            if self._unknown():
                await trio.sleep(self._until_provable())
            else:
                _, version = await self._ctx.board.view.wait_newer(version)

    def _unknown(self) -> list[Intent]:
        pending = self._ctx.view().pending.values()
        return [p.intent for p in pending if p.unknown and p.intent.label not in self._under_way]

    async def _probe(self, intent: Intent, instrument: Instrument) -> None:
        labels = (intent.label, *(leg.label for leg in intent.legs))
        if intent.instrument != instrument.name:
            instrument = await reads.instrument(self._link, intent.instrument)
        found = await reads.probe(self._link, labels, instrument, intent.intended_ms)
        if isinstance(found, Absence) and self._now_ms() - intent.intended_ms > OLD_MS:
            first_ms, pause_ms = found.read_ms, APART_MS + SLACK_MS
            await trio.sleep(float(pause_ms / (1000 * self._link.clock.rate)))
            found = await reads.probe(self._link, labels, instrument, intent.intended_ms)
            if isinstance(found, Absence):
                found = replace(found, first_read_ms=first_ms)
        if isinstance(found, Absence):
            await self._report((AbsentFact(evidence=found),))
        else:
            await self._report((*map(_fill, found.fills), *map(_order, found.orders)))

    def _until_provable(self) -> float:
        """Real seconds until the next probe can prove an absence."""
        limits = self._ctx.limits
        bound = limits.queue_bound_ms + limits.proof_margin_ms
        due = min(intent.valid_until_ms for intent in self._unknown()) + bound
        rate = self._link.clock.rate
        seconds = float((due - self._now_ms()) / (1000 * rate))
        soonest = max(PROBE_MIN_S, float(PROBE_PAUSE_S / rate))
        return min(max(seconds, soonest), PROBE_MAX_S)

    # ------------------------------------------------------------------------------ cancelling

    async def cancel(self, unwanted: tuple[str, ...]) -> None:
        """Cancel what has been unwanted for a while; what is already gone is read back."""
        now, before = self._ctx.ports.clock.monotonic(), self._cancels
        self._cancels = {i: before.get(i, _Cancel(now + UNWANTED_FOR_S)) for i in unwanted}
        for order_id in [i for i, cancel in self._cancels.items() if now >= cancel.due]:
            self._cancels[order_id] = self._cancels[order_id].again(now)
            answer = await trade.cancel(self._link, order_id)
            known = answer if isinstance(answer, Order) else await self._read_back(order_id, answer)
            if known is None or known.live:
                self.survey_wanted.set()  # what is open at all decides
            if known is not None:
                await self._report((OrderFact(order=known),))

    async def _read_back(self, order_id: str, answer: trade.Gone) -> Order | None:
        """What became of an order whose cancel was refused. Its state may have a name that nobody
        knows, which counts as live; not if the refusal says that it is over.
        """
        known = await reads.order(self._link, order_id)
        if known is None or not answer.over or known.state in LIVE:
            return known
        return replace(known, state=GONE, cancel_reason=answer.reason) if known.live else known

    def _now_ms(self) -> int:
        return self._link.clock.now_ms(self._ctx.ports.clock.monotonic())

    def doubt(self, orders: tuple[Order, ...]) -> None:
        """One of ours in a state that nobody knows may be over: what is open at all decides."""
        if any(is_ours(o.label) and o.live and o.state not in LIVE for o in orders):
            self.survey_wanted.set()

    async def _report(self, facts: tuple[Fact, ...]) -> None:
        self.doubt(tuple(fact.order for fact in facts if isinstance(fact, OrderFact)))
        await self._ctx.asker.ask(
            Report(connection=self._connection, at_ms=self._now_ms(), facts=facts)
        )


def _fill(fill: Fill) -> FillFact:
    return FillFact(fill=fill)


def _order(order: Order) -> OrderFact:
    return OrderFact(order=order)
