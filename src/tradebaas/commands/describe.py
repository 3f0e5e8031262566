"""One event in one line of plain words, for the log and the console.

Pure, and light to import: the daemon loads it at every start. The table below covers every kind
of event; a test proves it. A line says what happened and with which numbers, not what to do.
"""

from collections.abc import Callable
from decimal import Decimal

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
from tradebaas.core.funding_events import FundingCharged, FundingRead
from tradebaas.core.model import Position, Role, role_of
from tradebaas.core.reasons import printable
from tradebaas.core.stop_events import EditEnded, EditIntended, StopMoved

RAW_CHARACTERS = 80
ROLE_NAMES = {
    Role.ENTRY: "entry",
    Role.STOP: "stop loss",
    Role.TAKE: "take profit",
    Role.CLOSE: "close",
    None: "order",
}


def describe(event: Event) -> str:
    """What ``event`` says, in one line without its number or time."""
    line: Callable[[object], str] = LINES[type(event)]
    return " ".join(printable(line(event)).split())


def number(value: Decimal | None) -> str:
    """A decimal without an exponent or trailing zeros."""
    if value is None:
        return "?"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def position_text(position: Position | None) -> str:
    """A position in a few words."""
    if position is None or position.size == 0:
        return "flat"
    side = "long" if position.size > 0 else "short"
    return f"{side} {number(abs(position.size))} {position.instrument}"


# ------------------------------------------------------------------------- lives and links


def _life_started(event: LifeStarted) -> str:
    cause = f" after {event.cause}" if event.cause else ""
    poisoned = "; protect-only, the same crash came twice" if event.poisoned else ""
    return f"life {event.life} started{cause}{poisoned}"


def _life_ended(event: LifeEnded) -> str:
    return f"life {event.life} ended as asked"


def _linked(event: Linked) -> str:
    return f"logged in to the exchange as {event.account} (connection {event.connection})"


def _link_lost(event: LinkLost) -> str:
    return f"lost connection {event.connection}: {event.reason}"


def _reconciled(event: Reconciled) -> str:
    return f"reconciled with the exchange through connection {event.connection}"


def _recovered(event: Recovered) -> str:
    report = event.report
    unresolved = len(report.unresolved)
    proven = f", {unresolved} unresolved proven" if unresolved else ""
    settle = f" + {report.settle_seconds:.2f} s settling" if report.settle_seconds >= 0.005 else ""
    naked = f", naked {report.naked_ms} ms" if report.naked_ms else ""
    holding = f", {report.position}" if report.position else ""
    return (
        f"recovered life {report.life} ({report.cause}, in {report.phase}) "
        f"in {report.recovered_seconds:.2f} s{settle}: "
        f"{report.events_replayed} events replayed{proven}{naked}{holding}"
    )


# --------------------------------------------------------------------- the operator's word


def _armed(event: Armed) -> str:
    wanted = event.assignment
    values = ", ".join(f"{name}={value}" for name, value in wanted.parameters.items())
    return f"started {wanted.strategy} on {wanted.instrument} {wanted.timeframe} ({values})"


def _disarmed(event: Disarmed) -> str:
    return f"stopped: {event.reason}"


def _close_requested(event: CloseRequested) -> str:
    return f"closing the position: {event.reason}"


def _halted(event: Halted) -> str:
    return f"HALTED by {event.by}: {event.reason}"


def _resumed(event: Resumed) -> str:
    return f"resumed by {event.by}"


def _protect_entered(event: ProtectOnlyEntered) -> str:
    return f"protect-only because of {event.cause}: {event.detail}"


def _protect_gone(event: ProtectCauseGone) -> str:
    return f"{event.cause} is over; protect-only until the account is read again"


def _protect_left(event: ProtectOnlyLeft) -> str:
    return f"no longer protect-only because of {event.cause}"


# --------------------------------------------------------------------- lifecycle and signals


def _phase_changed(event: PhaseChanged) -> str:
    return f"{event.source} -> {event.target} ({event.cause})"


def _signal_detected(event: SignalDetected) -> str:
    signal = event.signal
    reasons = f" ({'; '.join(signal.reasons)})" if signal.reasons else ""
    return (
        f"signal to {signal.direction} {signal.instrument} at {number(signal.entry)}, "
        f"stop {number(signal.stop)}, take {number(signal.take)}{reasons}"
    )


def _signal_dropped(event: SignalDropped) -> str:
    return f"signal dropped: {event.reason}"


# --------------------------------------------------------------------------------- orders


def _order_intended(event: OrderIntended) -> str:
    intent = event.intent
    legs = ", ".join(
        f"{_role(leg.label)} {number(leg.trigger_price or leg.price)}" for leg in intent.legs
    )
    price = number(intent.trigger_price or intent.price)
    at = "" if price == "?" else f" at {price}"
    return (
        f"{ROLE_NAMES[intent.role]} intended: {intent.direction} {number(intent.amount)} "
        f"{intent.instrument}{at}{' with ' + legs if legs else ''} [{intent.label}]"
    )


def _order_not_sent(event: OrderNotSent) -> str:
    return f"{_role(event.label)} never sent: {event.reason} [{event.label}]"


def _order_unknown(event: OrderUnknown) -> str:
    return f"{_role(event.label)} outcome UNKNOWN: {event.reason} [{event.label}]"


def _order_rejected(event: OrderRejected) -> str:
    return f"{_role(event.label)} rejected: {event.message} ({event.code}) [{event.label}]"


def _order_updated(event: OrderUpdated) -> str:
    order = event.order
    filled = f", {number(order.filled)} of {number(order.amount)} filled"
    return f"{_role(order.label)} {order.state}{filled} [{order.label}]"


def _order_adopted(event: OrderAdopted) -> str:
    return f"{_role(event.label)} adopted: {event.how} [{event.label}]"


def _order_abandoned(event: OrderAbandoned) -> str:
    sources = ", ".join(event.evidence.sources)
    return f"{_role(event.label)} proven absent (read {sources}) [{event.label}]"


def _stop_stalled(event: StopStalled) -> str:
    return f"stop {event.order_id} has fired and nobody trades with it: the position is naked"


def _stop_moved(event: StopMoved) -> str:
    moved = event.moved
    at = f"from {number(event.before)} to {number(moved.stop)}"
    return f"the stop of {moved.instrument} is moved {at} by {event.by}"


def _edit_intended(event: EditIntended) -> str:
    return f"edit of stop {event.edit.order_id}: to {number(event.edit.trigger_price)}"


def _edit_ended(event: EditEnded) -> str:
    outcome = f"not carried out: {event.reason}" if event.reason else "carried out"
    return f"edit of stop {event.order_id}: {outcome}"


def _filled(event: Filled) -> str:
    fill = event.fill
    liquidation = " by LIQUIDATION" if fill.liquidation else ""
    late = " (told late)" if event.late else ""
    return (
        f"{_role(fill.label)} filled{late}{liquidation}: {fill.direction} {number(fill.amount)} "
        f"{fill.instrument} at {number(fill.price)}, fee {number(fill.fee)} {fill.currency}"
    )


def _funding_charged(event: FundingCharged) -> str:
    row = event.row
    how = "paid" if row.paid >= 0 else "received"
    whose = f"trade {event.trade}" if event.trade else f"a position in {row.instrument}"
    return f"funding of {whose}: {how} {number(abs(row.paid))} {row.currency}"


def _funding_read(event: FundingRead) -> str:
    return f"the exchange's transaction log is read up to {event.through_ms}"


def _trade_closed(event: TradeClosed) -> str:
    trade = event.trade
    side = "long" if trade.direction.sign > 0 else "short"
    naked = f", naked {trade.naked_ms} ms" if trade.naked_ms else ""
    return (
        f"trade {trade.number} closed: {side} {number(trade.amount)} {trade.instrument} "
        f"{number(round(trade.entry_price, 2))} -> {number(round(trade.exit_price, 2))}, "
        f"net {number(trade.net)} {trade.currency} ({trade.exit_reason}){naked}"
    )


def _position_corrected(event: PositionCorrected) -> str:
    return f"{event.instrument} is {position_text(event.position)} at the exchange: {event.reason}"


def _discrepancy_resolved(event: DiscrepancyResolved) -> str:
    return f"late fills explain the position of {number(event.size)} {event.instrument}"


def _discrepancy_given_up(event: DiscrepancyGivenUp) -> str:
    return f"the fills that are missing in {event.instrument} will not come: {event.reason}"


# ----------------------------------------------------------------------- what is not ours


def _position_elsewhere(event: PositionElsewhere) -> str:
    if event.position is None:
        return f"no position of ours beside the managed one any more: {event.instrument}"
    return f"a position of ours beside the managed one: {position_text(event.position)}"


def _position_adopted(event: PositionAdopted) -> str:
    return f"{position_text(event.position)} was the owner's and is ours now ({event.how})"


def _liquidated(event: Liquidated) -> str:
    amount, price = number(event.amount), number(event.price)
    return f"LIQUIDATED by the exchange: {amount} {event.instrument} at {price}"


def _foreign_found(event: ForeignFound) -> str:
    return f"not ours: {event.detail}"


def _cancel_intended(event: CancelIntended) -> str:
    return f"cancel of {event.key}, which is not ours: {event.why}"


def _foreign_gone(event: ForeignGone) -> str:
    return f"no longer there, was not ours: {event.key}"


def _frame_refused(event: FrameRefused) -> str:
    cut = event.raw[:RAW_CHARACTERS] + ("…" if len(event.raw) > RAW_CHARACTERS else "")
    return f"frame not understood: {event.reason}: {cut}"


def _role(label: str) -> str:
    return ROLE_NAMES[role_of(label)]


LINES: dict[type, Callable[..., str]] = {
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
    OrderIntended: _order_intended,
    OrderNotSent: _order_not_sent,
    OrderUnknown: _order_unknown,
    OrderRejected: _order_rejected,
    OrderUpdated: _order_updated,
    OrderAdopted: _order_adopted,
    OrderAbandoned: _order_abandoned,
    StopStalled: _stop_stalled,
    StopMoved: _stop_moved,
    EditIntended: _edit_intended,
    EditEnded: _edit_ended,
    Filled: _filled,
    TradeClosed: _trade_closed,
    FundingCharged: _funding_charged,
    FundingRead: _funding_read,
    PositionCorrected: _position_corrected,
    DiscrepancyResolved: _discrepancy_resolved,
    DiscrepancyGivenUp: _discrepancy_given_up,
    PositionElsewhere: _position_elsewhere,
    PositionAdopted: _position_adopted,
    Liquidated: _liquidated,
    ForeignFound: _foreign_found,
    CancelIntended: _cancel_intended,
    ForeignGone: _foreign_gone,
    FrameRefused: _frame_refused,
}
"""How each kind of event is described; complete over ``core.events.Event``."""
