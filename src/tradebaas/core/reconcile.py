"""State x what the exchange said -> events.

The same function takes a single answer, a notification and a full read of the account, since
each is a list of facts. Facts are never refused and may come twice, late or out of order: what is
already known leads to no event. Fills are absorbed before orders, so that a filled entry is never
seen without its position, and what a read lacks is judged after what it has. This module plans
nothing (see ``duties``) and admits nothing.
"""

import re
from typing import assert_never

from msgspec.structs import replace

from tradebaas.core import (
    charges,
    correct,
    elsewhere,
    families,
    foreign,
    guards,
    moving,
    owners,
    proof,
)
from tradebaas.core.apply import frames_in_hour
from tradebaas.core.draft import QUIET, Draft
from tradebaas.core.events import (
    Filled,
    FrameRefused,
    Halted,
    Liquidated,
    OrderAbandoned,
    OrderAdopted,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    ProtectOnlyEntered,
    ProtectOnlyLeft,
    Reconciled,
)
from tradebaas.core.facts import (
    AbsentFact,
    EditFact,
    Fact,
    FillFact,
    FrameFact,
    FundingFact,
    LostFact,
    NotSentFact,
    OpenOrdersFact,
    OrderFact,
    PositionFact,
    RejectFact,
)
from tradebaas.core.invariants import BROKEN, violations
from tradebaas.core.messages import Report
from tradebaas.core.model import GONE, LABEL_PREFIX, Fill, Order, Role, is_ours, role_of
from tradebaas.core.risk import Limits
from tradebaas.core.state import State, is_known, managed_instrument, phase_of, ready

FRAMES_PER_HOUR = 60
CLOCK_BACK = "clock went back"
CLOCK_BACK_MS = 600_000
"""More than a killed embedded exchange loses of its time, at its fastest pace."""
UNREAD = "account unread"
"""The exchange said something about the account that is not in the state; until a full read."""
PUBLIC = re.compile(r'"channel":\s*"(?!user\.)')
FRAME_CHARS = 4096
ANOTHER_DAEMON = (
    "order {} is of another TradeBaas on this account: stop that one, or give it an account of its "
    "own; then: tradebaas resume"
)
_REPEAT_RECONCILED_MS = 3_600_000
_MANY_FILLS = 64


def absorb(draft: Draft, facts: tuple[Fact, ...], at_ms: int, limits: Limits) -> None:
    """Emit the events that ``facts`` amount to: fills, orders and answers, lists, positions."""
    in_turn = sorted(families.labelled(draft.state, facts), key=_turn)
    late = _late_fills(draft.state, in_turn)
    with draft.gathering_fills():
        for fact in in_turn[:late]:
            _absorb_one(draft, fact, at_ms, limits)
    for fact in in_turn[late:]:
        _absorb_one(draft, fact, at_ms, limits)
    correct.settle(draft)


def _late_fills(state: State, in_turn: list[Fact]) -> int:
    """How many of them, from the first on, are fills of before the last one that is known."""
    known = state.accounts.fills
    last_ms = known[-1].at_ms if known else 0
    times = [fact.fill.at_ms for fact in in_turn if isinstance(fact, FillFact)]
    return sum(at_ms < last_ms for at_ms in times)


def _turn(fact: Fact) -> tuple[int, int]:
    match fact:
        case FillFact(fill=fill):
            return 0, fill.at_ms
        case OpenOrdersFact():
            return 2, 0
        case PositionFact():
            return 3, 0
        case _:
            return 1, 0


def complete(draft: Draft, read: Report) -> None:
    """Note that ``read``, a full one, is in the state.

    Repeated reads that change nothing are noted only now and then, to keep the log small; one that
    a quarantined position is gone with draws a line under what the owner did before it. A read
    that finds nothing of ours ends a protect-only which a fact caused. A read from long before the
    last one is of another ledger: it reconciles nothing.
    """
    state, connection, read_ms = draft.state, read.connection, read.at_ms
    if state.read_through_ms - read_ms > CLOCK_BACK_MS:
        _note_clock_back(draft, read_ms)
        return
    if CLOCK_BACK in state.protect:
        draft.emit(ProtectOnlyLeft(cause=CLOCK_BACK))
    correct.give_up_when_late(draft, read_ms)
    state = draft.state
    doubt_over = UNREAD in state.protect and read_ms > state.doubted_ms
    due = (
        state.reconciled != connection
        or doubt_over
        or state.lifting
        or (state.naked_since_ms is not None and not state.naked_confirmed)
        or read_ms - state.read_through_ms > _REPEAT_RECONCILED_MS
        or len(state.recent_fills) > _MANY_FILLS
        or foreign.position_gone(draft)
    )
    if due:
        flat_ms = _flat_ms(state, read.facts)
        draft.emit(Reconciled(connection=connection, read_ms=read_ms, flat_ms=flat_ms))
    if doubt_over:
        draft.emit(ProtectOnlyLeft(cause=UNREAD))
    guards.leave(draft)
    state = draft.state
    if phase_of(state) in QUIET and not violations(state):
        for cause in sorted({BROKEN, correct.CORRECTED} & state.protect.keys()):
            draft.emit(ProtectOnlyLeft(cause=cause))


def _flat_ms(state: State, facts: tuple[Fact, ...]) -> int:
    """When the read found no position, while nothing of ours is on its way; 0 otherwise.

    The owner may trade during the read. What he traded before it came to the positions is in them.
    """
    found = [fact for fact in facts if isinstance(fact, PositionFact)]
    if not found or any(fact.size for fact in found) or phase_of(state) not in QUIET:
        return 0
    return min(fact.asked_ms for fact in found)


def _note_clock_back(draft: Draft, read_ms: int) -> None:
    if CLOCK_BACK not in draft.state.protect:
        behind = (draft.state.read_through_ms - read_ms) // 1000
        detail = f"the exchange is {behind} s behind what this store has read from it"
        draft.emit(ProtectOnlyEntered(cause=CLOCK_BACK, detail=detail))


def _absorb_one(draft: Draft, fact: Fact, at_ms: int, limits: Limits) -> None:
    match fact:
        case FillFact(fill=fill):
            _fill(draft, fill, at_ms)
        case OrderFact(order=order):
            _order(draft, order, limits)
        case PositionFact():
            if not elsewhere.compare(draft, fact):
                correct.compare(draft, fact)
                owners.take_position(draft, fact, limits)
        case OpenOrdersFact():
            _open_orders(draft, fact, at_ms)
        case RejectFact(label=label):
            if label in draft.state.pending:
                draft.emit(OrderRejected(label=label, code=fact.code, message=fact.message))
        case NotSentFact(label=label):
            pending = draft.state.pending.get(label)
            if pending is not None and pending.intent.life == draft.state.life:
                draft.emit(OrderNotSent(label=label, reason=fact.reason))
        case LostFact(label=label):
            pending = draft.state.pending.get(label)
            if pending is not None and not pending.unknown:
                draft.emit(OrderUnknown(label=label, reason=fact.reason))
        case EditFact():
            moving.settle(draft, fact)
        case AbsentFact(evidence=evidence):
            pending = draft.state.pending.get(evidence.label)
            if pending is None:
                return
            if proof.proves_absence(draft.state, pending.intent, evidence, limits):
                draft.emit(OrderAbandoned(label=evidence.label, evidence=evidence))
        case FrameFact():
            _frame(draft, fact, at_ms)
        case FundingFact():
            charges.absorb(draft, fact)
        case _:
            assert_never(fact)


# ------------------------------------------------------------------------------------- fills


def _fill(draft: Draft, fill: Fill, at_ms: int) -> None:
    state = draft.state
    if not all(number.is_finite() and number > 0 for number in (fill.amount, fill.price)):
        reason = "a fill without an amount or a price"
        _frame(draft, FrameFact(raw=repr(fill), reason=reason), at_ms)
        return
    if is_known(state, fill):
        return
    concerns_us = _concerns_us(state, fill)
    if concerns_us:
        draft.emit(Filled(fill=fill, late=correct.is_late(state, fill)))
        if fill.label in state.abandoned:
            _halt(draft, f"order {fill.label} was proven absent and filled later")
    elif _is_news(state, fill):
        _doubt(draft, f"a fill of order {fill.order_id} on {fill.instrument}", at_ms)
    elif role_of(fill.label) is Role.ENTRY:
        draft.entered.add(fill.instrument)
    if fill.liquidation and concerns_us:
        _liquidated(draft, fill)
    elif fill.liquidation and fill.at_ms > state.read_through_ms:
        _liquidated(draft, fill)
        _doubt(draft, f"a liquidation on {fill.instrument}", at_ms)  # the next read covers it


def _liquidated(draft: Draft, fill: Fill) -> None:
    """The limits that were to keep the account alive have failed: a person has to look."""
    if draft.state.halted is not None:
        return
    what = f"{fill.amount} {fill.instrument} at {fill.price}"
    draft.emit(
        Liquidated(
            instrument=fill.instrument, amount=fill.amount, price=fill.price, at_ms=fill.at_ms
        )
    )
    _halt(
        draft,
        f"the exchange liquidated {what}: the account could not carry it. Add funds, or lower "
        "risk.max_leverage and risk.risk_percent, and look for positions that are not ours; "
        "then: tradebaas resume",
    )


def _is_news(state: State, fill: Fill) -> bool:
    """A fill of the owner's that no known position explains, and that no full read has covered."""
    known = foreign.position_key(fill.instrument) in state.foreign or is_ours(fill.label)
    return not known and fill.at_ms > state.read_through_ms


def _doubt(draft: Draft, what: str, at_ms: int) -> None:
    draft.emit(ProtectOnlyEntered(cause=UNREAD, detail=f"{what} is not understood", at_ms=at_ms))


def _concerns_us(state: State, fill: Fill) -> bool:
    """Whether a fill belongs to the position that this state folds.

    Not: another instrument (seen as a foreign position), a quarantined position of the owner or one
    that is over, and the end of a trade whose beginning this store never knew.
    """
    if fill.instrument != managed_instrument(state):
        return state.position is None and is_ours(fill.label) and not fill.reduces
    if not is_ours(fill.label) and fill.at_ms < _past(state):
        return False
    if state.position is not None:
        return True
    if is_ours(fill.label):
        return not fill.reduces or _in_bracket(state, fill.label)
    return foreign.position_key(fill.instrument) not in state.foreign


def _past(state: State) -> int:
    """Whatever the owner traded before this was over when a full read found the account as it was.

    What belonged to a quarantined position is read again for a while, and is not known as a fill.
    """
    discrepancy, position = state.discrepancy, state.position
    read_ms = state.read_through_ms if discrepancy is None else discrepancy.known_ms
    return read_ms if position is None else min(position.opened_ms, read_ms)


def _halt(draft: Draft, reason: str) -> None:
    if draft.state.halted is None:
        draft.emit(Halted(by="daemon", reason=reason))


# ------------------------------------------------------------------------------------ orders


def _order(draft: Draft, order: Order, limits: Limits) -> None:
    if not is_ours(order.label):
        adopted = owners.take_order(draft, order, limits)
        if adopted is None:
            foreign.note_order(draft, order)
        elif not _is_old_news(draft.state.orders.get(order.order_id), adopted):
            draft.emit(OrderUpdated(order=adopted))
        return
    for name in (order.order_id, *order.oto_order_ids):  # it may have come without its label
        foreign.forget(draft, foreign.order_key(name))
    state = draft.state
    held = state.orders.get(order.order_id)
    if order.order_id in state.ended or _is_old_news(held, order):
        return
    pending = state.pending.get(order.label)
    if pending is not None:
        if pending.unknown:
            _adopt(draft, order, f"found {order.state} after {pending.unknown}")
    elif held is None and order.label in state.abandoned:
        if not order.live and order.filled == 0:
            return  # it came to nothing
        _adopt(draft, order, "it was proven absent and appeared later")
        _halt(draft, f"order {order.label} was proven absent and appeared later")
    elif held is not None or _in_bracket(state, order.label):
        pass  # known, and told anew
    elif not _take_stranger(draft, order, limits):
        return
    draft.emit(OrderUpdated(order=order))


def _take_stranger(draft: Draft, order: Order, limits: Limits) -> bool:
    """An order of ours of which this store knows nothing; whether it is to be remembered."""
    state = draft.state
    if order.label.startswith(f"{LABEL_PREFIX}{state.token}-"):
        return order.live
    if order.live:
        _adopt(draft, order, "bears our prefix but is not in this store")
    theirs = _of_another_daemon(state, order, limits)
    if theirs:
        _halt(draft, ANOTHER_DAEMON.format(order.label))
    return order.live or theirs


def _of_another_daemon(state: State, order: Order, limits: Limits) -> bool:
    """An entry or a close that was made while only this life could make one, and by another. It
    need not live any more: most fill at once.
    """
    latest_ms = state.read_through_ms + limits.validity_ms + limits.queue_bound_ms
    late = order.created_ms > latest_ms + limits.proof_margin_ms
    return order.role in (Role.ENTRY, Role.CLOSE) and ready(state) and late


def _adopt(draft: Draft, order: Order, how: str) -> None:
    draft.emit(OrderAdopted(label=order.label, order_id=order.order_id, how=how))


def _in_bracket(state: State, label: str) -> bool:
    return state.bracket is not None and label in state.bracket.labels


def _is_old_news(known: Order | None, order: Order) -> bool:
    """An equal or older description than the one we have."""
    if known is None:
        return False
    newer = (known.updated_ms, known.filled) > (order.updated_ms, order.filled)
    return known == order or (newer and order.live)


def _open_orders(draft: Draft, fact: OpenOrdersFact, at_ms: int) -> None:
    """Orders that we hold live and that the exchange no longer lists are gone."""
    listed = set(fact.order_ids)
    gone_ms = min(fact.read_ms, at_ms)
    for order in list(draft.state.orders.values()):
        if order.order_id in listed or order.updated_ms >= fact.read_ms:
            continue
        draft.emit(
            OrderUpdated(
                order=replace(
                    order,
                    state=GONE,
                    cancel_reason="not among the open orders",
                    updated_ms=max(gone_ms, order.updated_ms),
                )
            )
        )
    foreign.forget_orders(draft, listed)


# ------------------------------------------------------------------------------------ frames


def _frame(draft: Draft, fact: FrameFact, at_ms: int) -> None:
    _, seen = frames_in_hour(draft.state, at_ms)
    if seen < FRAMES_PER_HOUR:
        raw, reason = fact.raw[:FRAME_CHARS], fact.reason[:FRAME_CHARS]
        draft.emit(FrameRefused(at_ms=at_ms, raw=raw, reason=reason))
    doubted = UNREAD in draft.state.protect and seen >= FRAMES_PER_HOUR
    if not doubted and not PUBLIC.search(fact.raw):
        _doubt(draft, "a frame", at_ms)
