"""The parameters of each method, as typed structs, and the refusals that a call can meet.

Unknown parameters are ignored, as Deribit does; a missing or ill-typed one is refused with -32602
naming it (protocol section 14, observed bodies). ``Refused`` is the one exception of the engine's
calls: it leaves the books as they were and becomes the answer.
"""

import re
from typing import Annotated, Literal, TypeVar

import msgspec

from tradebaas.paper.instruments import INSTRUMENTS, Instrument, Wire

Label = Annotated[str, msgspec.Meta(max_length=64, pattern=r"\A[^\x00-\x1f\x7f-\x9f]*\Z")]
"""What can be printed, on one line."""
Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Kind = Literal["any", "future", "option", "spot", "future_combo", "option_combo", "combo"]
BookDepth = Literal[1, 5, 10, 20, 50, 100, 1000, 10000]
Sorting = Literal["asc", "desc", "default"]


class Refused(Exception):
    """A call that is answered with an error and changed nothing."""

    def __init__(self, code: int, message: str, data: Wire | None = None) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.data = data

    def wire(self) -> Wire:
        """Return the JSON-RPC error object."""
        error: Wire = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


def invalid(param: str, reason: str) -> Refused:
    """Return the refusal of one parameter."""
    return Refused(-32602, "Invalid params", {"reason": reason, "param": param})


class Params(msgspec.Struct, kw_only=True):
    """What any method accepts; there is no other account that ``subaccount_id`` could name."""

    access_token: str | None = None
    subaccount_id: int | None = None


class Auth(Params):
    grant_type: Literal["client_credentials", "client_signature", "refresh_token"]
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    timestamp: int = 0
    signature: str = ""
    nonce: str = ""
    data: str = ""
    state: str | None = None
    scope: str = ""


class Test(Params):
    expected_result: str | None = None


class Hello(Params):
    client_name: str
    client_version: str


class Heartbeat(Params):
    interval: Annotated[int, msgspec.Meta(le=3600)]


class ByInstrument(Params):
    instrument_name: str
    type: str = "all"


class ByCurrency(Params):
    currency: str
    kind: Kind = "any"
    type: str = "all"


class AnyCurrency(Params):
    currency: str = "any"
    kind: Kind = "any"
    type: str = "all"


class Book(Params):
    instrument_name: str
    depth: BookDepth = 5


class BookById(Params):
    instrument_id: int
    depth: BookDepth = 5


class Index(Params):
    index_name: str


class IndexNames(Params):
    extended: bool = False


class Volumes(Params):
    extended: bool = False


class MarketTrades(Params):
    instrument_name: str = ""
    currency: str = ""
    kind: Kind = "any"
    start_timestamp: int | None = None
    end_timestamp: int | None = None
    start_seq: int | None = None
    end_seq: int | None = None
    start_id: str | None = None
    end_id: str | None = None
    count: Count = 10
    sorting: Sorting = "default"


class FundingSpan(Params):
    instrument_name: str
    start_timestamp: int
    end_timestamp: int


class FundingChart(Params):
    instrument_name: str
    length: Literal["8h", "24h", "1m"] = "8h"


class Chart(Params):
    instrument_name: str
    start_timestamp: int
    end_timestamp: int
    resolution: str


class Channels(Params):
    channels: Annotated[list[str], msgspec.Meta(max_length=500)]


class LabelledChannels(Channels):
    label: Annotated[str, msgspec.Meta(max_length=16)] | None = None


class Instruments(AnyCurrency):
    expired: bool = False


class CandleDone(Params):
    instrument_name: str
    tick: int


class ByOrder(Params):
    order_id: str
    sorting: Sorting = "default"
    historical: bool = False


class ByLabel(Params):
    currency: str
    label: str = ""


class History(Params):
    instrument_name: str = ""
    currency: str = ""
    kind: Kind = "any"
    count: Count = 20
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    include_old: bool = False
    include_unfilled: bool = False
    historical: bool = False
    with_continuation: bool = False
    continuation: str = ""


class TriggerHistory(Params):
    currency: str
    instrument_name: str | None = None
    count: Count = 20
    continuation: str = ""


class Trades(MarketTrades):
    historical: bool = False


class Summary(Params):
    currency: str = ""
    extended: bool = False


class Cod(Params):
    scope: Literal["connection", "account"] = "connection"


class Fork(Params, kw_only=True):
    refresh_token: str
    session_name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class SelfTrading(Params, kw_only=True):
    mode: Literal["reject_taker", "cancel_maker"]
    extended_to_subaccounts: bool = False


class Logout(Params):
    invalidate_token: bool = True


P = TypeVar("P")
_MISSING = re.compile(r"missing required field `(\w+)`")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_WHERE = re.compile(r"`\$\.?([\w.\[\]]*)`")


def decode(raw: bytes, type_: type[P]) -> P:
    """Return the parameters, typed.

    Raises:
        Refused: -32602 naming the parameter that is missing or wrong.
    """
    try:
        return msgspec.json.decode(raw, type=type_)
    except msgspec.ValidationError as error:
        text = str(error)
        unknown = _UNKNOWN.search(text)
        if unknown:
            raise invalid(unknown[1], f"unknown; there are: {_names(type_)}") from None
        missing = _MISSING.search(text)
        if missing:
            raise invalid(missing[1], "value is required") from None
        where = _WHERE.search(text)
        reason = "value must be a list" if "Expected `array`" in text else "invalid value"
        raise invalid(where[1] if where else "params", reason) from None


def _names(type_: type) -> str:
    names: tuple[str, ...] = getattr(type_, "__struct_fields__", ())
    return ", ".join(name for name in names if name not in Params.__struct_fields__) or "none"


def anything(raw: bytes | msgspec.Raw) -> object:
    """Return any JSON value; one with a number beyond 64 bits stays the text that it is."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:
        return bytes(raw).decode(errors="replace")


def instrument(name: str) -> Instrument:
    """Return the instrument of that name.

    Raises:
        Refused: -32602 when there is none.
    """
    if not name:
        raise invalid("instrument_name", "value is required")
    if name not in INSTRUMENTS:
        raise invalid("instrument_name", "instrument not found")
    return INSTRUMENTS[name]


def offset_of(continuation: str) -> int:
    """Return how many rows a client has been told already.

    Raises:
        Refused: -32602 when it is no continuation.
    """
    if not continuation:
        return 0
    if not re.fullmatch("[0-9]{1,9}", continuation):
        raise invalid("continuation", "invalid value")
    return int(continuation)


def check_span(start_ms: int, end_ms: int) -> None:
    """Check a stretch of time.

    Raises:
        Refused: -32602 when it ends before it begins.
    """
    if end_ms < start_ms:
        raise invalid("end_timestamp", "must be after start_timestamp")


def of_kind(names: set[str], kind: Kind) -> set[str]:
    """Return those of some instruments that are of a kind; all there are, are futures."""
    return names if kind in {"any", "future"} else set()


def in_currency(currency: str) -> set[str]:
    """Return the names of the instruments that settle in a currency (``any`` for all).

    Raises:
        Refused: -32602 for a currency that Deribit does not know either.
    """
    wanted = currency.upper()
    if not wanted:
        raise invalid("currency", "value is required")
    if wanted not in {"ANY", "BTC", "ETH", "USDC", "USDT", "EURR"}:
        raise invalid("currency", "invalid currency")
    return {
        name for name, item in INSTRUMENTS.items() if wanted in {"ANY", item.settlement_currency}
    }
