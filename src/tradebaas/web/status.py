"""What ``/health`` and the reading endpoints show, as plain values; pure functions of the facts.

Where a life is down, the last known state is shown together with ``life_up: false``.
"""

import os
from collections.abc import Mapping

from tradebaas.core.model import Role
from tradebaas.core.moving import bracket_now
from tradebaas.core.state import (
    State,
    barrier,
    live_orders,
    naked_amount,
    waiting_reason,
)
from tradebaas.web.health import RECOVERING, Facts, findings, verdict

Body = Mapping[str, object]


def health_body(facts: Facts) -> Body:
    """All of ``/health``; times are seconds, ``timestamp_ms`` is wall clock."""
    results = findings(facts)
    view, vitals = facts.view, facts.vitals
    return {
        "status": verdict(results),
        "reason": "; ".join(finding.detail for finding in results.values() if not finding.ok),
        "checks": results,
        "version": facts.shell.version,
        "pid": os.getpid(),
        "timestamp_ms": facts.wall_ms,
        "uptime": round(facts.uptime, 3),
        "memory": None
        if vitals is None
        else {"bytes": vitals.memory_bytes, "percent": vitals.memory_percent},
        "cpu": None if vitals is None else {"percent": vitals.cpu_percent},
        "phase": None if view is None else view.phase,
        "strategy": None if view is None else _strategy(view),
        "life": None if view is None else view.life,
        "seq": None if view is None else view.seq,
        "crew_deaths": facts.shell.deaths(),
        "permit": facts.permit,
        "broker": facts.link,
        "clock": facts.clock,
        "store": facts.board.store.value,
        "backup": facts.board.backup.value,
        "recovery": recovery_body(facts),
    }


def ready_body(facts: Facts) -> Body:
    """All of ``/health/ready``."""
    return {"status": "ready" if facts.alive else "recovering", "life_up": facts.life_up}


def now_body(facts: Facts) -> Body:
    """All of ``/api/status``: ``/health`` and ``/api/strategy/status`` of one moment."""
    view = facts.view
    return {
        "health": health_body(facts),
        "strategy": None if view is None else strategy_body(facts, view),
    }


def strategy_body(facts: Facts, view: State) -> Body:
    """All of ``/api/strategy/status``; ``waiting`` passes by itself, ``barrier`` does not."""
    counters = view.counters
    return {
        **_head(facts, view),
        "strategy": _strategy(view),
        "phase": view.phase,
        "closing": view.closing,
        "permit": facts.permit,
        "waiting": waiting_reason(view),
        "barrier": barrier(view),
        "halted": view.halted,
        "protect_only": view.protect,
        "signal": view.signal,
        "evaluated": facts.board.evaluated.value,
        "position": view.position,
        "trades": {
            "total": counters.trades,
            "success": counters.trades_success,
            "failed": counters.trades_failed,
            "net": counters.net,
            "fees": counters.fees,
            "funding": counters.funding,
            "funding_through_ms": view.funding.through_ms,
            "funding_refused": facts.board.funding_refused,
            "last": view.last_trade,
        },
    }


def recovery_body(facts: Facts) -> Body:
    """All of ``/api/recovery``: the newest finished report, and what is found so far."""
    view = facts.view
    if view is None:
        return {"finished": False, "detail": RECOVERING, "last": None, "found": None}
    finished = facts.life_up and recovered(view)
    return {
        "finished": finished,
        "detail": "" if finished else "the recovery of this life is under way",
        "last": view.last_recovery,
        "found": None if finished else view.recovering,
    }


def recovered(view: State) -> bool:
    """Whether the life of ``view`` has finished its recovery."""
    return view.last_recovery is not None and view.last_recovery.life == view.life


def position_body(facts: Facts, view: State) -> Body:
    """All of ``/api/position``; amounts in the instrument's unit, ``mark`` when it is known."""
    market = facts.board.market.value
    return {
        **_head(facts, view),
        "position": view.position,
        "elsewhere": view.elsewhere,
        "bracket": bracket_now(view),
        "protection": live_orders(view, Role.STOP, Role.TAKE),
        "naked_amount": naked_amount(view),
        "naked_since_ms": view.naked_since_ms,
        "mark": None if market is None else market.ticker.mark,
    }


def orders_body(facts: Facts, view: State) -> Body:
    """All of ``/api/orders``: live orders, and intents whose outcome is not proven."""
    return {
        **_head(facts, view),
        "orders": list(view.orders.values()),
        "pending": list(view.pending.values()),
        "foreign": view.foreign,
    }


def _head(facts: Facts, view: State) -> Body:
    return {
        "seq": view.seq, "life": view.life, "life_up": facts.life_up, "account": view.account,
    }  # fmt: skip


def _strategy(view: State) -> Body:
    return {"armed": view.armed, "assignment": view.assignment}
