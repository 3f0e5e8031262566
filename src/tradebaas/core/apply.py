"""The fold: one event, one next state. Total over every history that ``decide`` can write.

No policy lives here and nothing is refused here: an event says what happened. The table below
names the function for each kind of event; a test proves that it covers them all. Changing what a
function does to old events changes the meaning of stored logs: raise ``state.FOLD_VERSION`` then,
so that stored snapshots are folded anew.
"""

from collections.abc import Callable

from msgspec.structs import replace

from tradebaas.core import fold_fills, fold_funding, fold_orders
from tradebaas.core.accounts import folded_before
from tradebaas.core.events import (
    Armed,
    CancelIntended,
    CloseRequested,
    Disarmed,
    DiscrepancyGivenUp,
    DiscrepancyResolved,
    Event,
    Filled,
    ForeignFound,
    ForeignGone,
    FrameRefused,
    Halted,
    LifeEnded,
    LifeStarted,
    Linked,
    LinkLost,
    Liquidated,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    PhaseChanged,
    PositionAdopted,
    PositionCorrected,
    PositionElsewhere,
    ProtectCauseGone,
    ProtectOnlyEntered,
    ProtectOnlyLeft,
    Reconciled,
    Recovered,
    Resumed,
    SignalDetected,
    SignalDropped,
    StopStalled,
    TradeClosed,
)
from tradebaas.core.fold_tallies import count
from tradebaas.core.funding_events import FundingCharged, FundingRead
from tradebaas.core.maps import capped, drop, put
from tradebaas.core.model import Phase
from tradebaas.core.state import HaltLatch, Recovering, State, fills_known_before, signal_of
from tradebaas.core.stop_events import EditEnded, EditIntended, StopMoved

HOUR_MS = 3_600_000
_REMEMBERED_STREAMS = 256


def apply(state: State, event: Event) -> State:
    """The state after ``event``, with ``seq`` one higher."""
    step: Callable[[State, object], State] = _STEPS[type(event)]
    return replace(step(state, event), seq=state.seq + 1)


# --------------------------------------------------------------------------- lives and links


def _life_started(state: State, event: LifeStarted) -> State:
    protect = drop(state.protect, "crash loop")
    if event.poisoned:
        protect["crash loop"] = event.cause
    unproven = {
        label: p if p.unknown else replace(p, unknown=f"life {state.life} ended")
        for label, p in state.pending.items()
    }
    return replace(
        state,
        life=event.life,
        token=event.token,
        life_open=True,
        connection=0,
        reconciled=0,
        pending=unproven,
        protect=protect,
        lifting=_without(state.lifting, "crash loop"),
        counters=count(
            state,
            crashes=int(state.life_open),
            orders_unknown=sum(not p.unknown for p in state.pending.values()),
        ),
        recovering=Recovering(
            cause=event.cause or ("killed" if state.life_open else "clean start"),
            phase=state.phase,
            unresolved=tuple(unproven),
        ),
    )


def _life_ended(state: State, event: LifeEnded) -> State:
    return replace(state, life_open=False, connection=0, reconciled=0)


def _linked(state: State, event: Linked) -> State:
    return replace(
        state,
        connection=event.connection,
        reconciled=0,
        account=event.account,
        stop_sent_ms=None,
        stop_refused="",
        editing=None,
    )


def _link_lost(state: State, event: LinkLost) -> State:
    return replace(state, connection=0, reconciled=0)


def _reconciled(state: State, event: Reconciled) -> State:
    """A first read, and one of an empty account, draw a line: what was traded before is past."""
    since = state.naked_since_ms
    state = replace(
        state,
        reconciled=event.connection,
        read_through_ms=max(state.read_through_ms, event.read_ms),
        fills_from_ms=state.fills_from_ms if state.read_through_ms else event.read_ms,
        flat_ms=max(state.flat_ms, event.flat_ms),
        naked_confirmed=since is not None and since <= event.read_ms,
    )
    horizon = fills_known_before(state)
    recent = {key: at for key, at in state.recent_fills.items() if at >= horizon}
    accounts = folded_before(state.accounts, horizon, signal_of(state))
    return replace(state, recent_fills=recent, accounts=accounts)


def _recovered(state: State, event: Recovered) -> State:
    return replace(state, last_recovery=event.report, recovering=Recovering())


# ------------------------------------------------------------------------- the operator's word


def _armed(state: State, event: Armed) -> State:
    return replace(state, armed=True, assignment=event.assignment)


def _disarmed(state: State, event: Disarmed) -> State:
    return replace(state, armed=False)


def _close_requested(state: State, event: CloseRequested) -> State:
    return replace(state, closing=event.reason)


def _halted(state: State, event: Halted) -> State:
    return replace(state, halted=HaltLatch(by=event.by, reason=event.reason))


def _resumed(state: State, event: Resumed) -> State:
    return replace(state, halted=None)


def _protect_entered(state: State, event: ProtectOnlyEntered) -> State:
    return replace(
        state,
        protect=put(state.protect, event.cause, event.detail),
        lifting=_without(state.lifting, event.cause),
        doubted_ms=max(state.doubted_ms, event.at_ms),
    )


def _protect_gone(state: State, event: ProtectCauseGone) -> State:
    return replace(state, lifting=(*state.lifting, event.cause))


def _protect_left(state: State, event: ProtectOnlyLeft) -> State:
    protect = drop(state.protect, event.cause)
    return replace(state, protect=protect, lifting=_without(state.lifting, event.cause))


def _without(causes: tuple[str, ...], cause: str) -> tuple[str, ...]:
    return tuple(each for each in causes if each != cause)


# ------------------------------------------------------------------------ lifecycle and signals


def _phase_changed(state: State, event: PhaseChanged) -> State:
    state = replace(state, phase=event.target)
    if event.target in (Phase.IDLE, Phase.ANALYZING):
        return replace(
            state, bracket=None, closing="", naked_ms=0, tried={}, moved=None, editing=None
        )
    return state


def _signal_detected(state: State, event: SignalDetected) -> State:
    signal = event.signal
    streams = capped(state.streams, signal.stream, signal.candle_ms, _REMEMBERED_STREAMS)
    return replace(state, signal=signal, streams=streams)


def _signal_dropped(state: State, event: SignalDropped) -> State:
    return replace(state, signal=None)


# ---------------------------------------------------------------------- what is not ours


def _foreign_found(state: State, event: ForeignFound) -> State:
    foreign, noted = put(state.foreign, event.key, event.detail), drop(state.noted_ms, event.key)
    if event.at_ms:
        noted[event.key] = event.at_ms
    return replace(state, foreign=foreign, noted_ms=noted)


def _cancel_intended(state: State, event: CancelIntended) -> State:
    return replace(state, cancelling=(*state.cancelling, event.key))


def _foreign_gone(state: State, event: ForeignGone) -> State:
    foreign, noted = drop(state.foreign, event.key), drop(state.noted_ms, event.key)
    left = tuple(key for key in state.cancelling if key != event.key)
    return replace(state, foreign=foreign, noted_ms=noted, cancelling=left)


def _liquidated(state: State, event: Liquidated) -> State:
    return state  # its fills and the halt are events of their own


def _frame_refused(state: State, event: FrameRefused) -> State:
    hour, seen = frames_in_hour(state, event.at_ms)
    return replace(state, frames_hour=(hour, seen + 1), counters=count(state, frames_refused=1))


def frames_in_hour(state: State, at_ms: int) -> tuple[int, int]:
    """The hour that a frame of ``at_ms`` counts for (never an earlier one), and its count."""
    hour = at_ms // HOUR_MS
    return state.frames_hour if hour <= state.frames_hour[0] else (hour, 0)


_STEPS: dict[type, Callable[..., State]] = {
    LifeStarted: _life_started,
    LifeEnded: _life_ended,
    Linked: _linked,
    LinkLost: _link_lost,
    Reconciled: _reconciled,
    Recovered: _recovered,
    Armed: _armed,
    Disarmed: _disarmed,
    CloseRequested: _close_requested,
    Halted: _halted,
    Resumed: _resumed,
    ProtectOnlyEntered: _protect_entered,
    ProtectCauseGone: _protect_gone,
    ProtectOnlyLeft: _protect_left,
    PhaseChanged: _phase_changed,
    SignalDetected: _signal_detected,
    SignalDropped: _signal_dropped,
    OrderIntended: fold_orders.order_intended,
    OrderNotSent: fold_orders.order_not_sent,
    OrderUnknown: fold_orders.order_unknown,
    OrderRejected: fold_orders.order_rejected,
    OrderAbandoned: fold_orders.order_abandoned,
    OrderAdopted: fold_orders.order_adopted,
    OrderUpdated: fold_orders.order_updated,
    StopStalled: fold_orders.stop_stalled,
    StopMoved: fold_orders.stop_moved,
    EditIntended: fold_orders.edit_intended,
    EditEnded: fold_orders.edit_ended,
    Filled: fold_fills.filled,
    TradeClosed: fold_fills.trade_closed,
    FundingCharged: fold_funding.funding_charged,
    FundingRead: fold_funding.funding_read,
    PositionCorrected: fold_fills.position_corrected,
    DiscrepancyResolved: fold_fills.discrepancy_resolved,
    DiscrepancyGivenUp: fold_fills.discrepancy_given_up,
    PositionElsewhere: fold_fills.position_elsewhere,
    PositionAdopted: fold_fills.position_adopted,
    Liquidated: _liquidated,
    ForeignFound: _foreign_found,
    CancelIntended: _cancel_intended,
    ForeignGone: _foreign_gone,
    FrameRefused: _frame_refused,
}
