"""The methods that the exchange answers: name, parameter type, handler; nothing else decides.

A method that is not in a table gets -32601. Handlers return the result or raise ``Refused``.
"""

from typing import Any

from tradebaas.paper import checks, entry, params, queries
from tradebaas.paper.account_methods import ACCOUNT_METHODS, username
from tradebaas.paper.calls import Call, Method
from tradebaas.paper.cancels import CANCEL_METHODS
from tradebaas.paper.elsewhere import ELSEWHERE
from tradebaas.paper.instruments import CURRENCIES, Wire
from tradebaas.paper.market_methods import MARKET_METHODS
from tradebaas.paper.order_params import Close, Edit, EditByLabel, Entry
from tradebaas.paper.orders import order_wire
from tradebaas.paper.params import Params, Refused, invalid
from tradebaas.paper.past_methods import PAST_METHODS

VERSION = "paper-1"
"""What ``public/hello`` and ``public/test`` answer as version."""


def _get_time(call: Call, _: Params) -> int:
    return call.exchange.now_ms


def _status(call: Call, _: Params) -> Wire:
    exchange = call.exchange
    return {"locked": "true" if exchange.terms.maintained(exchange.now_ms) else "false"}


def _auth(call: Call, asked: params.Auth) -> Wire:
    session, exchange = call.session, call.exchange
    try:
        tokens = exchange.gate.login(session, asked, call.wall_ms)
    except Refused:
        account = exchange.gate.account_of(asked.client_id)
        if account is not None:
            exchange.display.tell_login(exchange.desks[account], session.peer, "failure")
        raise
    exchange.act_for(session, exchange.desks[session.account])
    exchange.display.tell_login(exchange.desks[session.account], session.peer, "success")
    line: Wire = {"session": session.number, "event": "login"}
    exchange.recorder.write("session", line, session.account)
    return tokens


def _hello(call: Call, _: params.Hello) -> Wire:
    return {"version": VERSION, "clock": call.clock | {"wall_now": call.wall_ms}}


def _test(_: Call, asked: params.Test) -> Wire:
    if asked.expected_result == "exception":
        raise Refused(10001, "error")
    return {"version": VERSION}


def _set_heartbeat(call: Call, asked: params.Heartbeat) -> str:
    if asked.interval < 10:
        raise invalid("interval", "value must be >= 10")
    call.session.heartbeat_s = asked.interval
    return "ok"


def _disable_heartbeat(call: Call, _: Params) -> str:
    call.session.heartbeat_s = 0
    return "ok"


def _candle_done(call: Call, asked: params.CandleDone) -> Wire:
    """Lockstep: play the running bar when the client has dealt with the one before it."""
    exchange = call.exchange
    params.instrument(asked.instrument_name)
    if not exchange.config.lockstep:
        raise Refused(10033, "not_implemented", {"reason": "the market is not in lockstep"})
    due = exchange.tape.open_ms - 60_000
    if asked.tick > due:
        raise invalid("tick", f"the last closed bar opened at {due}")
    end = exchange.tape.ended
    if asked.tick == due and not end:
        exchange.owe_bar()
    return {"end": end}


def _public_subscribe(call: Call, asked: params.Channels) -> list[str]:
    if any(name.endswith(".raw") for name in asked.channels) and not call.session.logged_in:
        raise Refused(13778, "raw_subscriptions_not_available_for_unauthorized")
    return call.exchange.display.subscribe(call.session, asked.channels, None)


def _private_subscribe(call: Call, asked: params.LabelledChannels) -> list[str]:
    taken = call.exchange.display.subscribe(call.session, asked.channels, call.desk)
    if asked.label is not None:
        call.session.labels |= dict.fromkeys(taken, asked.label)
    return taken


def _unsubscribe(call: Call, asked: params.Channels) -> list[str]:
    held = call.session.channels
    for name in asked.channels:
        call.session.labels.pop(name, None)
    return [name for name in asked.channels if held.pop(name, None) is not None]


def _unsubscribe_all(call: Call, _: Params) -> str:
    call.session.channels.clear()
    call.session.labels.clear()
    return "ok"


def _get_cod(call: Call, asked: params.Cod) -> Wire:
    own, connected = asked.scope == "connection", call.exchange.saved.connected
    enabled = connected[call.session.number] if own else call.desk.saved.cod_default
    return {"scope": asked.scope, "enabled": enabled}


def _set_cod(call: Call, asked: params.Cod, enabled: bool) -> str:
    exchange, session = call.exchange, call.session
    if asked.scope == "connection":
        exchange.saved.connected[session.number] = enabled
    else:
        call.desk.saved.cod_default = enabled
    event = f"cancel on disconnect {'on' if enabled else 'off'}, {asked.scope}"
    line: Wire = {"session": session.number, "event": event}
    exchange.recorder.write("session", line, call.desk.name)
    return "ok"


def _set_self_trading(call: Call, asked: params.SelfTrading) -> str:
    """Choose what becomes of an order that would trade with its own account's.

    There are no subaccounts for it to be extended to.
    """
    call.desk.saved.self_trading = asked.mode
    line: Wire = {"session": call.session.number, "event": f"self-trading {asked.mode}"}
    call.exchange.recorder.write("session", line, call.desk.name)
    return "ok"


def _logout(call: Call, asked: params.Logout) -> None:
    """Close the connection without an answer and without cancel-on-disconnect."""
    if asked.invalidate_token:
        call.exchange.gate.invalidate(call.session)
    call.exchange.disconnect(call.session.number, logout=True)
    call.exchange.outbox.drop(call.session.number)


def _open_orders(call: Call, names: set[str], type_name: str) -> list[Wire]:
    return [order_wire(item) for item in queries.live_orders(call.desk, names, type_name)]


def _open_by_currency(call: Call, asked: params.ByCurrency | params.AnyCurrency) -> list[Wire]:
    return _open_orders(call, _chosen(asked.currency, asked.kind), asked.type)


def _open_by_instrument(call: Call, asked: params.ByInstrument) -> list[Wire]:
    return _open_orders(call, {params.instrument(asked.instrument_name).name}, asked.type)


def _open_by_label(call: Call, asked: params.ByLabel) -> list[Wire]:
    names = params.in_currency(asked.currency)
    live = queries.live_orders(call.desk, names, "all")
    return [order_wire(item) for item in live if asked.label in {"", item.label}]


def _get_position(call: Call, asked: params.ByInstrument) -> Wire:
    return call.exchange.display.position(call.desk, params.instrument(asked.instrument_name).name)


def _get_positions(call: Call, asked: params.AnyCurrency) -> list[Wire]:
    names = _chosen(asked.currency, asked.kind)
    held = call.desk.account.positions
    # What was traded and closed stays in the list with size 0, as at Deribit.
    shown = [name for name, item in held.items() if name in names and item.traded]
    return [call.exchange.display.position(call.desk, name) for name in shown]


def _get_summary(call: Call, asked: params.Summary) -> Wire:
    params.in_currency(asked.currency)
    if asked.currency.upper() == "ANY":
        raise invalid("currency", "invalid currency")
    summary = call.exchange.display.summary(call.desk, asked.currency.upper())
    return summary | (_account(call) if asked.extended else {})


def _get_summaries(call: Call, asked: params.Summary) -> Wire:
    summaries = [call.exchange.display.summary(call.desk, currency) for currency in CURRENCIES]
    return {"summaries": summaries} | (_account(call) if asked.extended else {})


def _account(call: Call) -> Wire:
    """Return what the account is besides its money."""
    return {
        "id": call.desk.saved.account_id,
        "username": username(call),
        "type": "main",
        "self_trading_reject_mode": call.desk.saved.self_trading,
    }


def _named(name: str) -> set[str]:
    return {params.instrument(name).name}


def _chosen(currency: str, kind: params.Kind) -> set[str]:
    return params.of_kind(params.in_currency(currency), kind)


METHODS: dict[str, Method[Any]] = MARKET_METHODS | {
    "public/auth": Method(params.Auth, _auth),
    "public/fork_token": Method(
        params.Fork,
        lambda call, asked: call.exchange.gate.fork(call.session, asked, call.wall_ms),
    ),
    "public/hello": Method(params.Hello, _hello),
    "public/test": Method(params.Test, _test),
    "public/get_time": Method(Params, _get_time),
    "public/status": Method(Params, _status),
    "public/set_heartbeat": Method(params.Heartbeat, _set_heartbeat),
    "public/disable_heartbeat": Method(Params, _disable_heartbeat),
    "public/candle_done": Method(params.CandleDone, _candle_done),
    "public/subscribe": Method(params.Channels, _public_subscribe),
    "public/unsubscribe": Method(params.Channels, _unsubscribe),
    "public/unsubscribe_all": Method(Params, _unsubscribe_all),
    "private/subscribe": Method(params.LabelledChannels, _private_subscribe),
    "private/unsubscribe": Method(params.Channels, _unsubscribe),
    "private/unsubscribe_all": Method(Params, _unsubscribe_all),
    "private/get_cancel_on_disconnect": Method(params.Cod, _get_cod),
    "private/enable_cancel_on_disconnect": Method(
        params.Cod, lambda call, asked: _set_cod(call, asked, True)
    ),
    "private/disable_cancel_on_disconnect": Method(
        params.Cod, lambda call, asked: _set_cod(call, asked, False)
    ),
    "private/set_self_trading_config": Method(params.SelfTrading, _set_self_trading),
    "private/logout": Method(params.Logout, _logout),
    "private/get_open_orders": Method(params.AnyCurrency, _open_by_currency),
    "private/get_open_orders_by_currency": Method(params.ByCurrency, _open_by_currency),
    "private/get_open_orders_by_instrument": Method(params.ByInstrument, _open_by_instrument),
    "private/get_open_orders_by_label": Method(params.ByLabel, _open_by_label),
    "private/get_order_state": Method(
        params.ByOrder,
        lambda call, asked: queries.order_state(call, checks.find(call, asked.order_id)),
    ),
    "private/get_order_state_by_label": Method(
        params.ByLabel, lambda call, asked: queries.states_by_label(call, asked)
    ),
    "private/get_order_history_by_instrument": Method(
        params.History,
        lambda call, asked: queries.history(call, asked, _named(asked.instrument_name)),
    ),
    "private/get_order_history_by_currency": Method(
        params.History,
        lambda call, asked: queries.history(call, asked, _chosen(asked.currency, asked.kind)),
    ),
    "private/get_trigger_order_history": Method(
        params.TriggerHistory, lambda call, asked: queries.trigger_history(call, asked)
    ),
    "private/get_user_trades_by_order": Method(
        params.ByOrder, lambda call, asked: queries.trades_by_order(call, asked)
    ),
    "private/get_position": Method(params.ByInstrument, _get_position),
    "private/get_positions": Method(params.AnyCurrency, _get_positions),
    "private/get_account_summary": Method(params.Summary, _get_summary),
    "private/get_account_summaries": Method(params.Summary, _get_summaries),
}

for _suffix in ("", "_and_time"):
    METHODS[f"private/get_user_trades_by_instrument{_suffix}"] = Method(
        params.Trades,
        lambda call, asked: queries.trades(call, asked, _named(asked.instrument_name)),
    )
    METHODS[f"private/get_user_trades_by_currency{_suffix}"] = Method(
        params.Trades,
        lambda call, asked: queries.trades(call, asked, _chosen(asked.currency, asked.kind)),
    )

OWN = frozenset({"public/candle_done"})
"""The methods that Deribit has not."""
WEBSOCKET_ONLY = frozenset(
    f"{scope}/{name}"
    for scope, names in {
        "public": ("set_heartbeat", "disable_heartbeat"),
        "private": (
            "enable_cancel_on_disconnect",
            "disable_cancel_on_disconnect",
            "get_cancel_on_disconnect",
            "logout",
        ),
    }.items()
    for name in (*names, "subscribe", "unsubscribe", "unsubscribe_all")
)
"""The methods that are about a connection, so that a single call has no use for them."""

ORDER_METHODS: dict[str, Method[Any]] = CANCEL_METHODS | {
    "private/buy": Method(Entry, lambda call, asked: entry.place(call, "buy", asked)),
    "private/sell": Method(Entry, lambda call, asked: entry.place(call, "sell", asked)),
    "private/edit": Method(Edit, lambda call, asked: entry.edit(call, asked)),
    "private/cancel": Method(
        params.ByOrder,
        lambda call, asked: entry.cancel(call, asked.order_id),
    ),
    "private/edit_by_label": Method(
        EditByLabel, lambda call, asked: entry.edit_by_label(call, asked)
    ),
    "private/close_position": Method(
        Close,
        lambda call, asked: entry.close_position(call, asked),
    ),
}
"""The methods that change orders: each call is journalled with its outcome."""
METHODS.update(ACCOUNT_METHODS | PAST_METHODS | ELSEWHERE)
METHODS.update(ORDER_METHODS)
