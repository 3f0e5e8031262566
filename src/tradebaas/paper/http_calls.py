"""What an HTTP request asks for, as the frame that a WebSocket client would have sent.

    GET  /api/v2/<method>?name=value    each value read as the method's parameter of that name wants
    POST /api/v2/<method>, /api/v2      a JSON-RPC body; it need not repeat the method of the path

A text stays a text; what else a parameter may be (numbers, true and false, lists, objects) is
written as JSON, and a list also as ``name[]=a&name[]=b`` (protocol section 1). What is neither is
passed on as a text, and the dispatcher refuses it by the parameter's name. A call proves who it is
by its ``access_token``, or by the ``Authorization`` header (section 3).

What is not known of Deribit is done like this: a body that is no JSON gets 11050, as on a
WebSocket; no content type is asked for; a body that names another method than the path is no valid
request; only private methods look at the header, and wrong credentials in it get 13004, a token
that is none, or a scheme that nobody knows, 13009.
"""

import re
from base64 import b64decode
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from tradebaas.paper.admin import ADMIN_METHODS
from tradebaas.paper.methods import METHODS
from tradebaas.paper.params import Auth
from tradebaas.paper.rpc import MAX_FRAME_BYTES
from tradebaas.paper.sessions import Proof
from tradebaas.paper.terms import BAD_GATEWAY

BASE = "/api/v2"
WHERE = f"methods are called at {BASE}/<method>, WebSockets are opened at /ws{BASE}"
TOO_MANY_REQUESTS = 10028
STATUSES = {TOO_MANY_REQUESTS: 429}
BAD_REQUEST = 400
"""The status of every other error."""

_AUTHORITY = re.compile(r"^https?://[^/?]*", re.IGNORECASE)
_encode = msgspec.json.encode
_TEXT = inspect.StrType()


class TurnedAway(Exception):
    """A request that is no call; ``allow`` names the verbs that there are instead."""

    def __init__(self, status: int, message: str, allow: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.allow = allow
        self.body = f"{message}\n".encode()


class Visit(msgspec.Struct, frozen=True):
    """A call that comes without a connection: its frame, and what it shows to prove itself."""

    text: str
    proof: Proof


def visit_of(verb: str, target: str, authorization: str, body: bytes) -> Visit:
    """Return what a request asks for.

    Raises:
        TurnedAway: it asks for nothing that there is.
    """
    path, _, query = _AUTHORITY.sub("", target).partition("?")
    if path != BASE and not path.startswith(f"{BASE}/"):
        raise TurnedAway(404, f"there is nothing at {path[:200]}: {WHERE}")
    method = path.removeprefix(BASE).strip("/")
    allowed = ("GET", "POST") if method else ("POST",)
    if verb not in allowed:
        allow = ", ".join(allowed)
        raise TurnedAway(405, f"{verb} is not answered here, only {allow}: {WHERE}", allow)
    text = body.decode(errors="replace")
    frame = _frame_of_query(method, query) if verb == "GET" else _frame_of_body(method, text)
    return Visit(frame, _proof(authorization, f"{verb}\n{target}\n{text}\n"))


class _Named(msgspec.Struct):
    method: str


def is_steering(text: str) -> bool:
    """Return whether a frame calls a method of a driver's."""
    try:
        return msgspec.json.decode(text, type=_Named).method in ADMIN_METHODS
    except (msgspec.MsgspecError, RecursionError):
        return False


# -- the frame ------------------------------------------------------------------------------------


def _frame_of_query(method: str, query: str) -> str:
    kinds = _KINDS.get(method, {})
    single: dict[str, object] = {}
    listed: dict[str, list[object]] = {}
    for key, text in parse_qsl(query, keep_blank_values=True):
        name = key.removesuffix("[]")
        kind = kinds.get(name, _TEXT)
        if name == key:
            single[name] = _value(text, kind)
        else:
            listed.setdefault(name, []).append(_value(text, _item(kind)))
    return _encode({"jsonrpc": "2.0", "method": method, "params": single | listed}).decode()


def _frame_of_body(method: str, text: str) -> str:
    """Return the body with the path's method; what cannot have one is passed on as it is."""
    if not method or len(text) > MAX_FRAME_BYTES:
        return text
    try:
        envelope = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        named = envelope.setdefault("method", msgspec.Raw(_encode(method)))
        if msgspec.json.decode(named) == method:
            return _encode(envelope).decode()
    except (msgspec.MsgspecError, RecursionError):
        return text
    # Two different methods are none: an invalid request.
    return _encode(envelope | {"method": None}).decode()


def _kinds(params: type) -> dict[str, inspect.Type]:
    described = inspect.type_info(params)
    assert isinstance(described, inspect.StructType)
    return {field.encode_name: field.type for field in described.fields}


_KINDS = {name: _kinds(method.params) for name, method in (METHODS | ADMIN_METHODS).items()}


def _value(text: str, kind: inspect.Type) -> object:
    """Return a text as it is, or as the JSON that it has to be."""
    if any(_is_text(item) for item in _choices(kind)):
        return text
    try:
        return msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return text


def _choices(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _is_text(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.LiteralType):
        return all(isinstance(value, str) for value in kind.values)
    return isinstance(kind, inspect.StrType)


def _item(kind: inspect.Type) -> inspect.Type:
    return kind.item_type if isinstance(kind, inspect.ListType) else _TEXT


# -- the proof ------------------------------------------------------------------------------------


def _proof(authorization: str, request: str) -> Proof:
    scheme, _, given = authorization.partition(" ")
    read = _SCHEMES.get(scheme.lower())
    return read(given.strip(), request) if read else Proof()


def _bearer(given: str, _: str) -> Proof:
    return Proof(token=given)


def _basic(given: str, _: str) -> Proof:
    try:
        text = b64decode(given, validate=True).decode(errors="replace")
    except ValueError:
        text = ""
    name, _, secret = text.partition(":")
    return Proof(Auth(grant_type="client_credentials", client_id=name, client_secret=secret))


def _signature(given: str, request: str) -> Proof:
    parts = (part.strip().partition("=") for part in given.split(","))
    named = {name: value for name, _, value in parts}
    stamp = named.get("ts", "")
    return Proof(
        Auth(
            grant_type="client_signature",
            client_id=named.get("id", ""),
            timestamp=int(stamp) if re.fullmatch(r"[0-9]{1,15}", stamp) else 0,
            signature=named.get("sig", ""),
            nonce=named.get("nonce", ""),
            data=request,
        )
    )


_SCHEMES: dict[str, Callable[[str, str], Proof]] = {
    "bearer": _bearer,
    "basic": _basic,
    "deri-hmac-sha256": _signature,
}


# -- the answer -----------------------------------------------------------------------------------


class _Error(msgspec.Struct):
    code: int


class _Answer(msgspec.Struct):
    error: _Error | None = None


def status_of(frame: bytes) -> int:
    """Return the status that goes with an answer; one that a fault has spoilt is the front's."""
    try:
        error = msgspec.json.decode(frame, type=_Answer).error
    except msgspec.MsgspecError:
        return BAD_GATEWAY
    return 200 if error is None else STATUSES.get(error.code, BAD_REQUEST)
