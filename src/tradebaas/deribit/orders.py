"""An intent as the call that sends it; pure.

What the exchange would default is always said (protocol dossier section 8.1): label, valid_until,
post_only, reduce_only, and a time in force where the type has one. An entry is an immediate-or-
cancel limit order whose stop and take profit are born with it (one_triggers_one_cancels_other,
incremental, section 9.1), so that every filled part has its stop from the exchange itself.
"""

from tradebaas.core.model import Direction, Edit, Intent, Leg, Role
from tradebaas.deribit.rpc import Params

TRIGGER = "mark_price"
LINKED = "one_triggers_one_cancels_other"
_LIMIT_TYPES = frozenset({"limit", "stop_limit", "take_limit"})
_METHODS = {Direction.BUY: "private/buy", Direction.SELL: "private/sell"}


def request(intent: Intent, *, resting: bool = False) -> tuple[str, Params]:
    """Method and parameters that send ``intent``; ``resting``: an entry may wait in the book."""
    params: Params = {
        "instrument_name": intent.instrument,
        "amount": intent.amount,
        "type": intent.order_type,
        "label": intent.label,
        "post_only": False,
        "reduce_only": intent.reduce_only,
        "valid_until": intent.valid_until_ms,
    }
    params |= _prices(intent)
    if intent.order_type in _LIMIT_TYPES:
        at_once = intent.role is Role.ENTRY and not resting
        params["time_in_force"] = "immediate_or_cancel" if at_once else "good_til_cancelled"
    if intent.legs:
        params["linked_order_type"] = LINKED
        params["trigger_fill_condition"] = "incremental"
        params["otoco_config"] = [_leg(intent, leg) for leg in intent.legs]
    return _METHODS[intent.direction], params


def edit_request(edit: Edit) -> Params:
    """The parameters of ``private/edit``: what is left out could change to a default."""
    return {
        "order_id": edit.order_id,
        "amount": edit.amount,
        "trigger_price": edit.trigger_price,
        "post_only": False,
        "reduce_only": True,
        "valid_until": edit.valid_until_ms,
    }


def _leg(intent: Intent, leg: Leg) -> Params:
    """A secondary: closes what the primary opens, and can never open anything itself."""
    params: Params = {
        "direction": intent.direction.opposite,
        "amount": intent.amount,
        "type": leg.order_type,
        "label": leg.label,
        "reduce_only": True,
        "post_only": False,
    }
    params |= _prices(leg)
    if leg.order_type in _LIMIT_TYPES:
        params["time_in_force"] = "good_til_cancelled"
    return params


def _prices(order: Intent | Leg) -> Params:
    params: Params = {}
    if order.price is not None:
        params["price"] = order.price
    if order.trigger_price is not None:
        params["trigger"] = TRIGGER
        params["trigger_price"] = order.trigger_price
    return params
