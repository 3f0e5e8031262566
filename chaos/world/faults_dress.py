"""The forms that the wire may take without saying anything else (protocol sections 2, 8, 10).

A frame is decoded, changed and written again; what it means stays the same, as far as the protocol
promises. The beginning of a frame, which says what it is, keeps its order.

    unknown fields   new fields anywhere, of any type
    odd numbers      10, 10.0, 1e1, 1.0E+1 for the same quantity
    missing fields   whatever the protocol does not promise is left out, at random
    strings          booleans as strings, where somebody has seen them
    shuffled keys    the fields of an object in any order
    odd errors       ``data`` of an error absent, null, a text or an object
    unknown states   orders, ours as well, in states and of types that nobody has heard of
    lost labels      what an order has brought about, and its fills, without its label: who they
                     belong to is told by the links between orders only
"""

from collections.abc import Callable, Collection
from decimal import Decimal
from random import Random
from typing import Any
from zlib import crc32

import msgspec

FORMS = (
    *("unknown fields", "odd numbers", "missing fields", "strings"),
    *("shuffled keys", "odd errors", "unknown states"),
)
LOST_LABELS = "lost labels"
"""Not among the ``FORMS``: it takes away what is known, where nothing else may tell it."""
EDGES = ("primary_order_id", "trigger_order_id", "is_secondary_oto")
QUANTITIES = frozenset(
    {
        *("amount", "contracts", "filled_amount", "average_price", "price", "trigger_price"),
        *("fee", "profit_loss", "size", "size_currency", "mark_price", "index_price"),
        *("settlement_price", "initial_margin", "maintenance_margin", "open_orders_margin"),
        *("floating_profit_loss", "realized_profit_loss", "total_profit_loss", "delta"),
        *("best_bid_price", "best_ask_price", "best_bid_amount", "best_ask_amount", "last_price"),
        *("balance", "equity", "margin_balance", "available_funds", "open", "high", "low"),
        *("close", "volume", "cost", "tick_size", "contract_size", "min_trade_amount"),
        *("maker_commission", "taker_commission", "bids", "asks", "session_upl", "session_rpl"),
    }
)
OPTIONAL = frozenset(
    {
        *("contracts", "reject_post_only", "mmp", "replaced", "api", "web", "risk_reducing"),
        *("user_id", "is_liquidation", "cancel_reason", "trigger_fill_condition", "triggered"),
        *("is_primary_otoco", "matching_id", "self_trade", "tick_direction", "leverage"),
        *("estimated_liquidation_price", "settlement_price", "interest_value", "delta"),
        *("open_orders_margin", "realized_funding", "limits", "fee_balance", "spot_reserve"),
        *("additional_reserve", "locked_balance", "stats", "open_interest", "current_funding"),
        *("estimated_delivery_price", "funding_8h", "min_price", "max_price"),
        *("block_trade_commission", "block_trade_min_trade_amount", "block_trade_tick_size"),
        *("tick_size_steps", "future_type", "max_liquidation_commission", "enabled_features"),
        *("sid", "positions", "time_in_force", "post_only"),
    }
)
UNKNOWN_STATES = {
    "open": ("speed_bumped", "queued"),
    "untriggered": ("new", "armed"),
    "filled": ("done", "settled"),
    "cancelled": ("expired", "withdrawn"),
    "triggered": ("fired", "converted"),
}
UNKNOWN_TYPES = ("trailing_stop", "market_limit", "combo_limit")
NEW_VALUES: tuple[object, ...] = (
    *(None, True, 17, Decimal("2.5"), "text", [], {}, [{"a": 1}], {"label": "tb1-not-ours"}),
)
Json = Any

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode
_MAX_DIGITS = 17


def _untold(_form: str) -> None:
    """Nobody counts."""


def dressed(
    frame: bytes, forms: Collection[str], rng: Random, worn: Callable[[str], object] = _untold
) -> bytes:
    """The frame in another dress; one that is no JSON object is left as it is.

    ``worn`` is told of each form that has changed anything.
    """
    try:
        envelope = _decode(frame)
    except msgspec.DecodeError:
        return frame
    if not isinstance(envelope, dict):
        return frame
    tailor = _Tailor(frozenset(forms), rng)
    for key in ("result", "error"):
        if key in envelope:
            envelope[key] = tailor.cut(envelope[key], "")
    if "error" in envelope:
        tailor.cut_error(envelope["error"])
    params = envelope.get("params")
    if isinstance(params, dict) and "data" in params:
        params["data"] = tailor.cut(params["data"], "")
        tailor.add(params)
    tailor.add(envelope)
    written = _encode(tailor.numbered(envelope, "") if "odd numbers" in forms else envelope)
    for form in sorted(tailor.worn):
        worn(form)
    return written


def orders_first(frame: bytes) -> list[bytes]:
    """A notification as two: the orders, and then the trades that changed them; [] when it has not
    both."""
    envelope = _decode(frame)
    data = envelope["params"]["data"]
    if not (isinstance(data, dict) and data.get("orders") and data.get("trades")):
        return []
    halves = ({**data, "trades": []}, {**data, "orders": []})
    return [
        _encode({**envelope, "params": {**envelope["params"], "data": half}}) for half in halves
    ]


class _Tailor:
    """Changes decoded values in place or by new ones."""

    def __init__(self, forms: frozenset[str], rng: Random) -> None:
        self.forms = forms
        self.rng = rng
        self.worn: set[str] = set()

    def cut(self, value: Json, key: str) -> Json:
        if isinstance(value, list):
            return [self.cut(item, key) for item in value]
        if not isinstance(value, dict):
            return value
        cut = {name: self.cut(item, name) for name, item in value.items()}
        if "unknown states" in self.forms:
            self._estrange(cut)
        if LOST_LABELS in self.forms:
            self._orphan(cut)
        if "strings" in self.forms:
            self._stringify(cut)
        if "missing fields" in self.forms:
            self._thin_out(cut)
        self.add(cut)
        if "shuffled keys" in self.forms:
            names = list(cut)
            self.rng.shuffle(names)
            self.worn.add("shuffled keys")
            cut = {name: cut[name] for name in names}
        return cut

    def add(self, value: dict[str, Json]) -> None:
        if "unknown fields" in self.forms and self.rng.random() < 0.3:
            value[f"x_{self.rng.randrange(1000)}"] = self.rng.choice(NEW_VALUES)
            self.worn.add("unknown fields")

    def cut_error(self, error: Json) -> None:
        if "odd errors" not in self.forms or not isinstance(error, dict):
            return
        error.pop("data", None)
        self.worn.add("odd errors")
        data: object = self.rng.choice(("absent", None, "a text", {"reason": "a reason"}, 7, []))
        if data != "absent":
            error["data"] = data

    def _estrange(self, value: dict[str, Json]) -> None:
        if "order_state" not in value:
            return
        self.worn.add("unknown states")
        chance = crc32(str(value.get("order_id")).encode())  # the same for an order for ever
        states = UNKNOWN_STATES.get(value["order_state"])
        if states is not None:
            value["order_state"] = states[chance % len(states)]
        value["order_type"] = UNKNOWN_TYPES[chance % len(UNKNOWN_TYPES)]

    def _orphan(self, value: dict[str, Json]) -> None:
        leg = str(value.get("label", "")).endswith(("-s", "-t"))
        child = any(value.get(edge) for edge in EDGES)
        if leg and (child or "trade_id" in value):
            value["label"] = ""
            self.worn.add(LOST_LABELS)

    def _stringify(self, value: dict[str, Json]) -> None:
        if "trade_id" in value and isinstance(value.get("post_only"), bool):
            value["post_only"] = str(value["post_only"]).lower()
            self.worn.add("strings")
        if value.get("locked") in ("true", "false"):
            value["locked"] = self.rng.choice((value["locked"], value["locked"] == "true"))
            self.worn.add("strings")

    def _thin_out(self, value: dict[str, Json]) -> None:
        if value.get("label") == "" and self.rng.random() < 0.5:
            del value["label"]
        if value.get("profit_loss") == 0 and self.rng.random() < 0.5:
            value["profit_loss"] = None
        for name in [name for name in value if name in OPTIONAL]:
            if self.rng.random() < 0.4:
                del value[name]
                self.worn.add("missing fields")

    def numbered(self, value: Json, key: str) -> Json:
        """``value`` with each quantity written in one of its forms."""
        match value:
            case dict():
                return {name: self.numbered(item, name) for name, item in value.items()}
            case list():
                return [self.numbered(item, key) for item in value]
            case bool() | None | str():
                return value
            case _:
                return self._number(value) if key in QUANTITIES else value

    def _number(self, value: int | Decimal) -> msgspec.Raw:
        text = _encode(value).decode()
        exact = Decimal(text)
        if len(exact.as_tuple().digits) > _MAX_DIGITS:
            return msgspec.Raw(text.encode())
        short = f"{exact.normalize():E}"
        padded = text if "E" in text.upper() else text + (".0" if "." not in text else "0")
        form = self.rng.choice((text, short, short.lower(), padded))
        if form != text:
            self.worn.add("odd numbers")
        return msgspec.Raw(form.encode())
