"""A state in a few rows, for ``state`` and for ``status`` when the daemon is down."""

from collections.abc import Mapping
from decimal import Decimal

from tradebaas.board import LinkStatus
from tradebaas.commands.describe import number, position_text
from tradebaas.core.model import ZERO, Assignment
from tradebaas.core.state import Counters, State, barrier, naked_amount, waiting_reason
from tradebaas.words import NOT_CONNECTED, NOT_YET

Rows = list[tuple[str, str]]


def state_rows(state: State) -> Rows:
    """(name, value) pairs; amounts and prices as the exchange counts them."""
    counters = state.counters
    return [
        ("events", str(state.seq)),
        ("lives", f"{state.life}, of which {counters.crashes} crashed"),
        ("account", state.account or "not logged in yet"),
        ("strategy", strategy_text(state.assignment, state.armed)),
        ("phase", f"{state.phase}" + (f" ({state.closing})" if state.closing else "")),
        ("position", _position(state)),
        ("orders", _orders(state)),
        ("unproven", _pending(state)),
        ("new risk", barrier(state) or waiting_reason(state) or "allowed"),
        ("trades", _totals(state.counters)),
        ("naked", f"{counters.naked_ms_total / 1000:g} s in all, at most "
                  f"{counters.naked_ms_max / 1000:g} s at once"),
        ("last recovery", _recovery(state)),
    ]  # fmt: skip


def headline(state: State, link: LinkStatus | None) -> str:
    """How the daemon is, in one line."""
    up = link is not None and link.up
    strategy = "" if state.assignment is None else strategy_text(state.assignment, state.armed)
    return "; ".join(
        part
        for part in (
            f"{state.phase}, {_position(state)}",
            strategy or "no strategy was ever started",
            "" if up else _no_link(link),
            f"opens nothing: {barrier(state)}" if state.protect or state.halted else "",
        )
        if part
    )


def _no_link(link: LinkStatus | None) -> str:
    detail = link.detail if link is not None else ""
    return f"{NOT_CONNECTED}: {detail}" if detail != NOT_YET else detail


def strategy_text(assignment: Assignment | None, armed: bool) -> str:
    """What was started last, and whether it still is."""
    if assignment is None:
        return "none was ever started"
    state = "armed" if armed else "stopped"
    return f"{assignment.strategy} on {assignment.instrument} {assignment.timeframe}, {state}"


Sums = Mapping[str, Decimal]
"""By currency."""


def trades_text(
    total: int, success: int, failed: int, net: Sums, fees: Sums, funding: Sums
) -> str:  # fmt: skip
    """How many trades, how they ended, what they brought by currency, and after which costs."""
    sums = "".join(
        f", net {number(value)} {currency}"
        f" after {number(fees.get(currency, ZERO))} of fees"
        f" and {number(funding.get(currency, ZERO))} of funding"
        for currency, value in net.items()
    )
    return f"{total} ({success} won, {failed} lost){sums}"


def _position(state: State) -> str:
    naked = naked_amount(state)
    ours = "" if state.position is None or state.position.ours else ", not ours"
    bare = f", {number(naked)} without a stop" if naked else ""
    return position_text(state.position) + ours + bare


def _orders(state: State) -> str:
    lines = [
        f"{order.label} {order.direction} {number(order.remaining)} "
        f"at {number(order.trigger_price or order.price)} ({order.state})"
        for order in state.orders.values()
    ]
    return "\n".join(lines) or "none"


def _pending(state: State) -> str:
    lines = [
        f"{label}: {pending.unknown or 'on its way'}" for label, pending in state.pending.items()
    ]
    return "\n".join(lines) or "none"


def _totals(counters: Counters) -> str:
    return trades_text(
        counters.trades,
        counters.trades_success,
        counters.trades_failed,
        counters.net,
        counters.fees,
        counters.funding,
    )


def _recovery(state: State) -> str:
    report = state.last_recovery
    if report is None:
        return "none yet"
    return f"life {report.life} in {report.recovered_seconds:.2f} s, cause: {report.cause}"
