"""What a test driver may do to the exchange: faults, the owner's own orders, price, clock.

Only served with ``admin`` in the configuration, and only to who calls from this machine. Everything
done here is journalled as ``admin``. These methods need no login and cost no credits, and a
connection that uses them is not a client that keeps the exchange alive, nor one that faults are
done to. Orders and the ledger are those of the account that the connection is logged in to, the
main one if it is not.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from tradebaas.errors import ConfigError
from tradebaas.paper import checks, entry, params, queries
from tradebaas.paper.calls import Call, Method
from tradebaas.paper.cancels import cancel_all
from tradebaas.paper.faults import Kind, Rule
from tradebaas.paper.instruments import CURRENCIES, INSTRUMENTS, Wire, plain
from tradebaas.paper.levels import Thin
from tradebaas.paper.mishaps import check_chances
from tradebaas.paper.order_params import CancelAll, Entry
from tradebaas.paper.orders import order_wire
from tradebaas.paper.params import Params, Refused, invalid
from tradebaas.paper.readings import changed
from tradebaas.paper.tape import MAX_SHOCKS

PositiveCount = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Steering(Params, forbid_unknown_fields=True):
    """What a driver misspells must not be ignored."""


class Hold(Steering, kw_only=True):
    method: str
    params_match: Wire = msgspec.field(default_factory=dict)


class Counted(Hold, kw_only=True):
    count: PositiveCount = 1


class Reject(Counted, kw_only=True):
    code: int
    message: str


class Chances(Steering):
    faults: dict[str, float] | None = None


class Reading(Steering):
    readings: dict[str, str] | None = None


class OwnersOrder(Entry, kw_only=True, forbid_unknown_fields=True):
    side: Literal["buy", "sell"]


class Price(Steering):
    price: Decimal


class Depth(Steering):
    amount: Decimal | None
    instrument_name: str = "BTC-PERPETUAL"


class Liquidate(Steering):
    steps: PositiveCount = 1


class ThinOut(Steering):
    thin: Thin
    for_ms: Annotated[int, msgspec.Meta(ge=0)]


class Maintenance(Steering):
    after_ms: Annotated[int, msgspec.Meta(ge=0)]
    for_ms: Annotated[int, msgspec.Meta(ge=0)]


class Frame(Steering):
    text: str


class Ledger(Steering):
    after_seq: int = 0
    ended: bool = False
    count: Annotated[int, msgspec.Meta(ge=1, le=500)] = 500


def _arm(call: Call, kind: Kind, asked: Counted) -> str:
    call.faults.arm(Rule(kind, frozenset({asked.method}), asked.params_match, asked.count))
    return "ok"


def _hold(call: Call, asked: Hold) -> str:
    call.faults.arm(Rule("hold", frozenset({asked.method}), asked.params_match, None))
    return "ok"


def _release(call: Call, _: Params) -> int:
    """Let all held frames go and return how many there were."""
    call.faults.release()
    return call.exchange.outbox.release()


def _reject(call: Call, asked: Reject) -> str:
    error = Refused(asked.code, asked.message)
    methods = frozenset({asked.method})
    call.faults.arm(Rule("reject", methods, asked.params_match, asked.count, error))
    return "ok"


def _chances(call: Call, asked: Chances) -> Wire:
    """Set the chances of all named faults, if any are given, and return those that hold."""
    if asked.faults is not None:
        try:
            check_chances(asked.faults)
        except ConfigError as error:
            raise invalid("faults", str(error)) from error
        call.faults.chances = {name: chance for name, chance in asked.faults.items() if chance}
    return {"faults": dict(call.faults.chances)}


def _reading(call: Call, asked: Reading) -> Wire:
    """Take some questions in another way, if any are given, and return how all are taken."""
    terms = call.exchange.terms
    try:
        terms.read(changed(terms.readings, asked.readings or {}))
    except ConfigError as error:
        raise invalid("readings", str(error)) from error
    return {"readings": msgspec.structs.asdict(terms.readings)}


def _order(call: Call, asked: OwnersOrder) -> Wire:
    if asked.label:
        raise invalid("label", "the owner's manual orders have none")
    return entry.place(call, asked.side, asked)


def _price(call: Call, asked: Price) -> str:
    if not checks.is_sane(asked.price) or asked.price <= 0:
        raise invalid("price", "must be above zero")
    if len(call.exchange.tape.state.shocks) >= MAX_SHOCKS:
        raise Refused(11030, "other_reject", {"reason": f"{MAX_SHOCKS} price shocks were made"})
    call.exchange.shock(asked.price)
    return "ok"


def _depth(call: Call, asked: Depth) -> str:
    name = params.instrument(asked.instrument_name).name
    if asked.amount is None:
        call.exchange.matching.levels.depth.pop(name, None)
    elif not checks.is_sane(asked.amount) or asked.amount < 0:
        raise invalid("amount", "must not be below zero")
    else:
        call.exchange.matching.levels.depth[name] = INSTRUMENTS[name].floor_amount(asked.amount)
    return "ok"


def _liquidate(call: Call, asked: Liquidate) -> int:
    """Ask for a margin that nobody has, for some steps; return how many were needed."""
    exchange = call.exchange
    usual = exchange.terms.margin
    exchange.terms.margin = msgspec.structs.replace(usual, maintenance=Decimal(10**6))
    done = sum(exchange.check_margin(call.desk) for _ in range(asked.steps))
    exchange.terms.margin = usual
    return done


def _thin(call: Call, asked: ThinOut) -> str:
    exchange = call.exchange
    exchange.matching.levels.thin_out(asked.thin, exchange.now_ms + asked.for_ms)
    return "ok"


def _maintenance(call: Call, asked: Maintenance) -> str:
    begins_ms = call.exchange.now_ms + asked.after_ms
    call.exchange.plan_maintenance(begins_ms, begins_ms + asked.for_ms)
    return "ok"


def _pause(call: Call, _: Params) -> str:
    call.exchange.paused = True
    return "ok"


def _resume(call: Call, _: Params) -> str:
    call.exchange.resume()
    return "ok"


def _disconnect(call: Call, _: Params) -> int:
    clients = [s.number for s in call.exchange.sessions.values() if not s.admin]
    for number in clients:
        call.exchange.outbox.drop(number)
    return len(clients)


def _frame(call: Call, asked: Frame) -> int:
    clients = [s.number for s in call.exchange.sessions.values() if not s.admin and not s.proof]
    for number in clients:
        call.exchange.outbox.send(number, asked.text.encode())
    return len(clients)


def _ledger(call: Call, asked: Ledger) -> Wire:
    exchange, desk = call.exchange, call.desk
    price = exchange.tape.mark
    trades = [t for t in desk.trades if t.trade_seq > asked.after_seq]
    wire: Wire = {
        "n": exchange.saved.next_record - 1,
        "now": exchange.now_ms,
        "orders": [order_wire(order) for order in desk.live.values()],
        "trades": trades[: asked.count],
        "more": len(trades) > asked.count,
        "positions": [exchange.display.position(desk, name) for name in INSTRUMENTS],
        "balances": {name: plain(desk.account.balances[name]) for name in CURRENCIES},
        "equity": {name: plain(desk.account.equity(name, price)) for name in CURRENCIES},
        "live_stop_amount": {name: desk.live_stop_amount(name) for name in INSTRUMENTS},
    }
    if asked.ended:
        every = params.History(count=asked.count, include_old=True, include_unfilled=True)
        wire["ended"] = queries.history(call, every, set(INSTRUMENTS))
    return wire


def _state(call: Call, _: Params) -> Wire:
    exchange = call.exchange
    return {
        "n": exchange.saved.next_record - 1,
        "now": exchange.now_ms,
        "bar": exchange.tape.state.bar,
        "tick": exchange.tape.open_ms,
        "price": exchange.tape.price,
        "ended": exchange.tape.ended,
        "paused": exchange.paused,
        "lockstep": exchange.config.lockstep,
        "clients": sum(not session.admin for session in exchange.sessions.values()),
    }


ADMIN_METHODS: dict[str, Method[Any]] = {
    "admin/hold": Method(Hold, _hold),
    "admin/release": Method(Steering, _release),
    "admin/refuse_before": Method(Counted, lambda call, asked: _arm(call, "swallow", asked)),
    "admin/lose_answer": Method(Counted, lambda call, asked: _arm(call, "lose", asked)),
    "admin/reject": Method(Reject, _reject),
    "admin/faults": Method(Chances, _chances),
    "admin/reading": Method(Reading, _reading),
    "admin/order": Method(OwnersOrder, _order),
    "admin/cancel": Method(
        params.ByOrder,
        lambda call, asked: entry.cancel(call, asked.order_id),
    ),
    "admin/cancel_all": Method(CancelAll, cancel_all),
    "admin/price": Method(Price, _price),
    "admin/depth": Method(Depth, _depth),
    "admin/liquidate": Method(Liquidate, _liquidate),
    "admin/thin": Method(ThinOut, _thin),
    "admin/maintenance": Method(Maintenance, _maintenance),
    "admin/revoke_logins": Method(Steering, lambda call, _: call.exchange.revoke_logins()),
    "admin/pause": Method(Steering, _pause),
    "admin/resume": Method(Steering, _resume),
    "admin/disconnect": Method(Steering, _disconnect),
    "admin/frame": Method(Frame, _frame),
    "admin/ledger": Method(Ledger, _ledger),
    "admin/state": Method(Steering, _state),
}
READ_ONLY = frozenset({"admin/ledger", "admin/state"})
"""Not worth a line in the journal."""
