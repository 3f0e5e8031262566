"""Request + state -> events, or a refusal. All policy of the daemon is behind this door.

Pure: the persister calls ``decide`` on a candidate state, commits the events, and only then lets
anyone see the result. A request that would leave the state in breach of an invariant is refused;
a fact that does so is kept and answered with protect-only.
"""

from typing import assert_never

from msgspec import Struct

from tradebaas.core import admission, duties, elsewhere, guards, moving, owners, reconcile
from tradebaas.core.draft import Draft
from tradebaas.core.events import (
    Armed,
    CloseRequested,
    Disarmed,
    Event,
    Halted,
    LifeEnded,
    LifeStarted,
    Linked,
    LinkLost,
    ProtectOnlyEntered,
    Recovered,
    Resumed,
    SignalDropped,
    StopStalled,
)
from tradebaas.core.invariants import BROKEN, violations
from tradebaas.core.messages import (
    Admit,
    Arm,
    ClosePosition,
    Disarm,
    EndLife,
    Guard,
    Halt,
    Link,
    MoveStop,
    Ping,
    Propose,
    RecordRecovery,
    Refused,
    Report,
    Request,
    Resume,
    StartLife,
    Tend,
)
from tradebaas.core.model import Phase, Role
from tradebaas.core.risk import Limits
from tradebaas.core.state import HaltLatch, State, holds, live_orders


class Decision(Struct, frozen=True):
    """The events of a request (perhaps none) and the state that they lead to."""

    state: State
    events: tuple[Event, ...]


def decide(state: State, request: Request, limits: Limits) -> Decision | Refused:
    """What ``request`` leads to in ``state``; nothing is changed."""
    draft = Draft(state)
    refused = _dispatch(draft, request, limits)
    if refused is not None:
        return refused
    if draft.events:
        refused = _check(state, draft, request)
    return refused or Decision(state=draft.state, events=tuple(draft.events))


def _check(before: State, draft: Draft, request: Request) -> Refused | None:
    """What was broken before must not keep us from protecting, closing or stopping."""
    broken = violations(draft.state)
    if isinstance(request, (Report, StartLife)):
        if broken and BROKEN not in draft.state.protect:
            draft.emit(ProtectOnlyEntered(cause=BROKEN, detail="; ".join(broken.values())))
        return None
    fresh = [text for name, text in broken.items() if name not in violations(before)]
    return Refused(reason=f"it would break an invariant: {'; '.join(fresh)}") if fresh else None


def _dispatch(draft: Draft, request: Request, limits: Limits) -> Refused | None:
    match request:
        case StartLife():
            return _start_life(draft, request)
        case EndLife(wall_ms=wall_ms):
            draft.emit(LifeEnded(life=draft.state.life, wall_ms=wall_ms))
        case Link():
            return _link(draft, request)
        case Report():
            _report(draft, request, limits)
        case Propose():
            return admission.propose(draft, request, limits)
        case Admit():
            return admission.admit(draft, request, limits)
        case Tend():
            _tend(draft, request, limits)
        case Arm():
            return _arm(draft, request)
        case Disarm():
            return _disarm(draft, request)
        case ClosePosition(reason=reason):
            return _close(draft, reason)
        case MoveStop():
            return moving.move(draft, request, limits)
        case Halt():
            _halt(draft, request)
        case Resume():
            return _resume(draft, request)
        case Guard():
            guards.guard(draft, request)
        case RecordRecovery(report=report):
            draft.emit(Recovered(report=report))
        case Ping():
            pass
        case _:
            assert_never(request)
    return None


# --------------------------------------------------------------------------- lives and links


def _start_life(draft: Draft, request: StartLife) -> Refused | None:
    draft.emit(
        LifeStarted(
            life=draft.state.life + 1,
            token=request.token,
            wall_ms=request.wall_ms,
            cause=request.cause,
            poisoned=request.poisoned,
        )
    )
    if request.halt_file and draft.state.halted is None:
        _halt(draft, Halt(by="halt file", reason=request.halt_file))
    return None


def _link(draft: Draft, request: Link) -> Refused | None:
    state = draft.state
    if not request.up:
        if state.connection == request.connection:
            draft.emit(LinkLost(connection=request.connection, reason=request.reason))
        return None
    if state.account and state.account != request.account:
        return Refused(
            reason=f"this store belongs to account {state.account}, "
            f"but the exchange logged us in to {request.account}"
        )
    draft.emit(Linked(connection=request.connection, account=request.account))
    return None


def _report(draft: Draft, request: Report, limits: Limits) -> None:
    reconcile.absorb(draft, request.facts, request.at_ms, limits)
    _stay_halted(draft)
    if request.complete and request.connection == draft.state.connection:
        reconcile.complete(draft, request)


def _tend(draft: Draft, request: Tend, limits: Limits) -> None:
    if request.connection != draft.state.connection:
        return
    event = duties.plan(draft, request.at_ms, request.market, limits)
    event = event or elsewhere.plan(draft, request.at_ms, request.elsewhere, limits)
    event = event or owners.plan(draft.state, request.at_ms, limits)
    if event is not None:
        draft.emit(event)
        if isinstance(event, CloseRequested | StopStalled):
            _tend(draft, request, limits)


# ----------------------------------------------------------------------- the operator's word


def _arm(draft: Draft, request: Arm) -> Refused | None:
    state, wanted = draft.state, request.assignment
    if state.armed and state.assignment is not None:
        return Refused(
            reason=f'Cannot start strategy "{wanted.strategy}": strategy '
            f'"{state.assignment.strategy}" is already active. '
            "Only one strategy can run at a time."
        )
    busy = state.phase is not Phase.IDLE and state.assignment is not None
    if busy and state.assignment is not None and state.assignment.instrument != wanted.instrument:
        return Refused(
            reason=f"cannot start on {wanted.instrument} while {state.assignment.instrument} "
            f"is in {state.phase}; wait until it is closed"
        )
    draft.emit(Armed(assignment=wanted))
    return None


def _disarm(draft: Draft, request: Disarm) -> Refused | None:
    state = draft.state
    if not state.armed and not (request.close and state.phase is not Phase.IDLE):
        return Refused(reason="No active strategy to stop")
    _drop_signal(draft, request.reason)
    if state.armed:
        draft.emit(Disarmed(reason=request.reason))
    if request.close:
        _request_close(draft, request.reason)
    return None


def _close(draft: Draft, reason: str) -> Refused | None:
    position = draft.state.position
    if position is None:
        return Refused(reason="no position is open")
    if not position.ours:
        return Refused(reason=f"the position in {position.instrument} is not ours; close it there")
    _request_close(draft, reason)
    return None


def _halt(draft: Draft, request: Halt) -> None:
    latch = HaltLatch(by=request.by, reason=request.reason)
    if draft.state.halted != latch:  # who halts last, lifts
        draft.emit(Halted(by=request.by, reason=request.reason))
    _drop_signal(draft, f"halted: {request.reason}")
    _request_close(draft, f"halted: {request.reason}")


def _stay_halted(draft: Draft) -> None:
    """A halt also ends what of ours is told only after it: unknown to a restored log, or late."""
    state = draft.state
    if state.halted is not None and (holds(state) or live_orders(state, Role.ENTRY)):
        _request_close(draft, f"halted: {state.halted.reason}")


def _resume(draft: Draft, request: Resume) -> Refused | None:
    halted = draft.state.halted
    if halted is None:
        return Refused(reason="nothing is halted")
    if request.only and request.only != halted.reason:
        return Refused(reason=f"it is halted by {halted.by} as well: {halted.reason}")
    draft.emit(Resumed(by=request.by))
    return None


def _drop_signal(draft: Draft, reason: str) -> None:
    signal = draft.state.signal
    if signal is not None:
        draft.emit(SignalDropped(signal_id=signal.signal_id, reason=reason))


def _request_close(draft: Draft, reason: str) -> None:
    """Close what is open or may yet open; without either there is nothing to close."""
    entering = draft.state.phase in (
        Phase.ENTERING_POSITION,
        Phase.POSITION_OPEN,
        Phase.CLOSING,
    )
    if entering and not draft.state.closing:
        draft.emit(CloseRequested(reason=reason))
