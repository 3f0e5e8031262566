"""Errors as answers: every class of the protocol's code table, and what the exchange really did.

A code alone does not say whether anything was done, so each row also fixes the truth:

    refused          a code that means no, and nothing was done
    failed           a code that leaves it open, and nothing was done
    failed, done     the same codes, and it was done all the same
    failed, queued   the same codes, and it is done some seconds later (``valid_until`` permitting)

A code that says what an order is (filled, closed, not found) is only given when that is true: the
order ends just before. ``NOT_OURS`` has the rest of the protocol's table. All this is the harness's
own reading of the protocol, not the daemon's.
"""

from collections.abc import Callable, Sequence

from chaos.world.faults_calls import QUEUED_MS
from chaos.world.faults_market import fill_first, named_order
from chaos.world.faults_scene import CANCEL, ORDER, Row, Scene
from tradebaas.paper.faults import Kind, Rule
from tradebaas.paper.instruments import Wire
from tradebaas.paper.params import Refused

PARAMS: tuple[tuple[int, str], ...] = (
    *((-32700, "Parse error"), (-32602, "Invalid params"), (-32601, "Method not found")),
    *((-32600, "Invalid Request"), (-32000, "Missing params"), (11029, "invalid_arguments")),
    *((11043, "bad_argument"), (11049, "bad_arguments"), (11050, "bad_request")),
)
RIGHTS: tuple[tuple[int, str], ...] = (
    *(
        (11042, "permission_denied"),
        (11098, "account_locked"),
        (13012, "unavailable_in_subaccount"),
    ),
    *((13021, "forbidden"), (13025, "method_switched_off_by_admin")),
    *((13031, "verification_required"), (13403, "scope_exceeded")),
    (13668, "security_key_authorization_error"),
)
BOOK: tuple[tuple[int, str], ...] = (
    *((10002, "qty_too_low"), (10005, "price_too_low 1"), (10006, "price_too_low4idx")),
    *((10007, "price_too_high 2"), (10008, "price_too_high4idx"), (10009, "not_enough_funds")),
    *((10011, "price_not_allowed"), (10012, "book_closed"), (10013, "pme_max_total_open_orders")),
    *((10014, "pme_max_future_open_orders"), (10016, "pme_max_future_open_orders_size")),
    *((10018, "non_pme_max_future_position_size"), (10019, "locked_by_admin")),
    *((10020, "invalid_or_unsupported_instrument"), (10021, "invalid_amount")),
    *((10022, "invalid_quantity"), (10023, "invalid_price"), (10024, "invalid_max_show")),
    *((10026, "price_precision_exceeded"), (10027, "non_integer_contract_amount")),
    *((10031, "invalid_args_for_instrument"), (10032, "whole_cost_too_low")),
    *((10033, "not_implemented"), (10034, "trigger_price_too_high")),
    *((10036, "invalid_max_show_amount"), (10038, "pme_max_risk_reducing_orders")),
    *((10035, "trigger_price_too_low"), (10039, "not_enough_funds_in_currency BTC")),
    *((10043, "price_wrong_tick"), (10044, "trigger_price_wrong_tick")),
    *((10072, "disabled_while_position_lock"), (11022, "max_spot_order_quantity")),
    (11013, "max_spot_open_orders"),
    *((11030, "other_reject"), (11035, "no_more_triggers 1"), (11036, "invalid_trigger_price")),
    *((11046, "outdated_instrument"), (11047, "unsupported_arg_combination")),
    (11054, "post_only_reject"),
    *((11055, "post_only_not_allowed"), (13019, "orderbook_closed")),
    *((13888, "timed_out"), (13901, "no_more_oto_orders")),
)
BUSY: tuple[tuple[int, str], ...] = (
    *((10040, "retry"), (10041, "settlement_in_progress"), (10047, "matching_engine_queue_full")),
    *((10050, "lock_time_exceeded"), (10066, "too_many_concurrent_requests")),
    *((11051, "system_maintenance"), (13028, "temporarily_unavailable"), (13503, "unavailable")),
)
BROKEN: tuple[tuple[int, str], ...] = (
    *((10001, "error"), (10048, "not_on_this_server"), (11031, "other_error")),
    *((11094, "internal_server_error"), (13008, "request_failed"), (19_999, "invented_tomorrow")),
)
OPEN = (*BUSY, *BROKEN, (10003, "order_overlap"), (13666, "request_cancelled_by_user"))
INPUT = ((13010, "value_required"), (13011, "value_too_short"), (13016, "invalid_input"))
LOGIN_NO = (
    *RIGHTS, *PARAMS, *INPUT, (13004, "invalid_credentials"), (13005, "pwd_match_error"),
    (13006, "security_error"), (13007, "user_not_found"), (13009, "unauthorized"),
    (11056, "unauthenticated_public_requests_temporarily_disabled"),
)  # fmt: skip
READ_NO = (
    *PARAMS, *RIGHTS, *INPUT, (13009, "unauthorized"), (10000, "authorization_required"),
    (13020, "not_found"), (10033, "not_implemented"),
)  # fmt: skip
CANCEL_NO = (*PARAMS, *RIGHTS, (10045, "can_not_cancel_liquidation_order"))
SUBSCRIBE_NO = (
    *PARAMS, (11045, "invalid_event"), (11052, "subscribe_error_unsubscribed"),
    (13778, "raw_subscriptions_not_available_for_unauthorized"),
)  # fmt: skip
NO_STOP = (
    (10009, "not_enough_funds"), (10019, "locked_by_admin"), (11030, "other_reject"),
    (10038, "pme_max_risk_reducing_orders"), (11035, "no_more_triggers 1"),
)  # fmt: skip
NO_STOP_MS = (300, 6_000)
"""In a client's time: that of a naked position is over before most of them."""
SESSION_NO = (*PARAMS, (10049, "cancel_on_disconnect_failed"), (13042, "cod_not_enabled"))
ENDED = (
    *((10004, "order_not_found"), (10010, "already_closed"), (11044, "not_open_order")),
    *((10025, "invalid_order_id"), (-32602, "Invalid params")),
)
FILLED = (*ENDED, (11008, "already_filled"))
UNKNOWN_LOGIN = ((13009, "unauthorized"), (10000, "authorization_required"))

NOT_OURS: dict[str, frozenset[int]] = {
    "options and combinations": frozenset(
        {10015, 10017, 10037, 11037, 11038, 11039, 11041, 11048, 13035, 13036}
    ),
    "changing orders: the daemon sets new ones": frozenset({10046, 11021, 13032, 13777}),
    "quotes and moved positions": frozenset({13040, 13043, 13780, 13902, 13903}),
    "the account's money and keys": frozenset({11053, 11090, 13034}),
    "calls that come by HTTP": frozenset({10030, 13018}),
    "orders of another account: none is ever named": frozenset({10029}),
}
"""Codes of the protocol's table that none of the daemon's calls can meet, by why."""

Codes = Sequence[tuple[int, str]]
# name: (kind of rule, target, codes)
KINDS: dict[str, tuple[Kind, str, Codes]] = {
    "order refused": ("reject", "order", (*BOOK, *PARAMS, *RIGHTS)),
    "order failed": ("reject", "order", OPEN),
    "order failed, done": ("deny", "order", OPEN),
    "order failed, queued": ("defer", "order", BUSY),
    "order without login": ("reject", "order", UNKNOWN_LOGIN),
    "cancel refused": ("reject", "cancel", CANCEL_NO),
    "cancel failed": ("reject", "cancel", (*BUSY, *BROKEN)),
    "cancel failed, done": ("deny", "cancel", (*BUSY, *BROKEN)),
    "cancel failed, queued": ("defer", "cancel", BUSY),
    "read refused": ("reject", "read", READ_NO),
    "read failed": ("reject", "read", (*BUSY, *BROKEN)),
    "login refused": ("reject", "login", LOGIN_NO),
    "login failed": ("reject", "login", (*BUSY, *BROKEN)),
    "subscription refused": ("reject", "subscription", SUBSCRIBE_NO),
    "session refused": ("reject", "session", SESSION_NO),
    "session failed": ("reject", "session", (*BUSY, *BROKEN)),
}


def error_row(kind: Kind, target: str, codes: Codes, name: str) -> Row:
    """A row that has the next calls of a target answered with one of these codes."""

    def strike(scene: Scene) -> str:
        error = _error(scene, codes)
        count = scene.rng.choice((1, 1, 2, 3))
        delay_ms = scene.stretch(*QUEUED_MS) if kind == "defer" else 0
        if not scene.arm(kind, target, count=count, error=error, delay_ms=delay_ms):
            return ""
        by = f" by {delay_ms} ms" if delay_ms else ""
        return f"the next {count}: {name}{by}, {error.code} {error.message}"

    strike.__doc__ = f"The next calls are answered with an error: {name}."
    return strike


def _error(scene: Scene, codes: Codes) -> Refused:
    code, message = scene.rng.choice(codes)
    reason: Wire = {"reason": message, "param": "price"}
    return Refused(code, message, scene.rng.choice((None, reason)))


def _credits(target: str, kind: Kind) -> Callable[[Scene], str]:
    def strike(scene: Scene) -> str:
        error = Refused(10028, "too_many_requests")
        if not scene.arm(kind, target, error=error, ends=True):
            return ""
        return f"10028 at the next {target} call, then the session ends"

    strike.__doc__ = f"The credits run out at the next {target} call, which ends the session."
    return strike


def _cancel_of_ended(scene: Scene) -> str:
    """The next order that is to be cancelled fills just before that, and the exchange says so in
    one of its ways."""

    def before(method: str, body: bytes) -> None:
        order = named_order(scene, body) if method in CANCEL else None
        if order is None or not fill_first(scene, order, part=False) or order.is_live:
            return
        scene.front.before = None
        error = _error(scene, FILLED if order.state == "filled" else ENDED)
        named: Wire = {"order_id": order.order_id}
        scene.front.faults.arm(Rule("reject", CANCEL, named, error=error, met=scene.struck))

    scene.front.before = before
    return "the next order that is to be cancelled fills just before that"


def _no_stop_is_taken(scene: Scene) -> str:
    """Our stop goes, and for a while each other one is refused, or none is answered.

    Not for its price, which would be another matter. The first one after that is the last.
    """
    stops = [order for order in scene.live(ours=True) if order.is_live_stop]
    kind: Kind = scene.rng.choice(("reject", "reject", "deaf"))
    until_ms = scene.exchange.now_ms + scene.stretch(*NO_STOP_MS)
    error, struck = _error(scene, NO_STOP), scene.struck
    if not stops or scene.own("admin/cancel", order_id=stops[0].order_id) is None:
        return ""

    def met() -> None:
        struck()
        if scene.exchange.now_ms >= until_ms:
            rule.left = 1  # and this was that

    rule = Rule(kind, ORDER, {"type": "stop_market"}, None, error, met=met)
    scene.front.faults.arm(rule)
    how = f"refused: {error.message}" if kind == "reject" else "not answered"
    return f"our stop {stops[0].order_id} was cancelled; others are {how}, until {until_ms}"


ROWS: dict[str, Row] = {
    **{name: error_row(*kind, name) for name, kind in KINDS.items()},
    "cancel of what has ended": _cancel_of_ended,
    "no stop is taken": _no_stop_is_taken,
    "credits run out at an order": _credits("order", "reject"),
    "credits run out after an order": _credits("order", "deny"),
    "credits run out at a cancel": _credits("cancel", "reject"),
    "credits run out at a read": _credits("read", "reject"),
    "credits run out at the login": _credits("login", "reject"),
}
