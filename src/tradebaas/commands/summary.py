"""A state in a few rows, for ``state`` and for ``status`` when the daemon is down."""

from tradebaas.commands.describe import number, position_text
from tradebaas.core.state import State, barrier, naked_amount, waiting_reason

Rows = list[tuple[str, str]]


def state_rows(state: State) -> Rows:
    """(name, value) pairs; amounts and prices as the exchange counts them."""
    counters = state.counters
    return [
        ("events", f"{state.seq} in {state.life} lives, {counters.crashes} of them crashed"),
        ("account", state.account or "not logged in yet"),
        ("strategy", _strategy(state)),
        ("phase", f"{state.phase}" + (f" ({state.closing})" if state.closing else "")),
        ("position", _position(state)),
        ("orders", _orders(state)),
        ("unproven", _pending(state)),
        ("new risk", barrier(state) or waiting_reason(state) or "allowed"),
        ("trades", _trades(state)),
        ("naked", f"{counters.naked_ms_total / 1000:g} s in all, at most "
                  f"{counters.naked_ms_max / 1000:g} s at once"),
        ("last recovery", _recovery(state)),
    ]  # fmt: skip


def _strategy(state: State) -> str:
    wanted = state.assignment
    if wanted is None:
        return "none was ever started"
    armed = "armed" if state.armed else "stopped"
    return f"{wanted.strategy} on {wanted.instrument} {wanted.timeframe}, {armed}"


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


def _trades(state: State) -> str:
    counters = state.counters
    net = "".join(f", net {number(value)} {name}" for name, value in counters.net.items())
    return f"{counters.trades} ({counters.trades_success} won, {counters.trades_failed} lost){net}"


def _recovery(state: State) -> str:
    report = state.last_recovery
    if report is None:
        return "none yet"
    return f"life {report.life} in {report.recovered_seconds:.2f} s, cause: {report.cause}"
