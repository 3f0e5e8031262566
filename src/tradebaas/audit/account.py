"""What the exchange says the account holds, by HTTP and with a token that may only read.

The token is asked for with the scope of a reader, so whatever the key may do, this cannot trade.
A login, the account's number and two reads are all that is called, since it draws on the credits
of the account that the daemon trades (protocol dossier sections 3, 10 and 11).
"""

from decimal import Decimal
from typing import TypeVar, final
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec
from msgspec import Struct

from tradebaas.errors import Fatal

TIMEOUT_SECONDS = 15.0
MAX_BYTES = 8 << 20
SCOPE = "account:read trade:read"
NO_SIDE = "zero"
STOPS = frozenset({"stop_market", "trailing_stop"})
SIGNS = {"buy": 1, "sell": -1, NO_SIDE: 0}

T = TypeVar("T")


class CouldNotLook(Fatal):
    """Nobody knows whether there is a difference."""

    exit_code = 3


class Order(Struct, frozen=True, kw_only=True):
    """A live order; amounts in the instrument's unit, ``direction`` is "buy" or "sell"."""

    order_id: str
    instrument_name: str
    direction: str
    order_type: str
    amount: Decimal
    label: str = ""
    filled_amount: Decimal = Decimal(0)
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    order_state: str = ""
    is_secondary_oto: bool = False

    @property
    def remaining(self) -> Decimal:
        return self.amount - self.filled_amount

    @property
    def protects(self) -> bool:
        """A stop that can only reduce, waits for no entry, and trades when it fires: one with a
        limit may rest then.
        """
        waits = self.is_secondary_oto and self.order_state == "untriggered"
        return self.reduce_only and self.order_type in STOPS and not waits


class Holdings(Struct, frozen=True, kw_only=True):
    """What the account holds: signed sizes by instrument, live orders by id."""

    positions: dict[str, Decimal]
    orders: dict[str, Order]


class _Position(Struct, frozen=True, kw_only=True):
    instrument_name: str
    direction: str
    size: Decimal
    size_currency: Decimal | None = None


class _Login(Struct, frozen=True):
    access_token: str


class _Summary(Struct, frozen=True):
    id: int = 0


class _Error(Struct, frozen=True):
    code: int
    message: str = ""


class _Envelope(Struct, frozen=True):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


@final
class Reader:
    """Reads one account. Every method raises ``CouldNotLook``."""

    def __init__(self, websocket_url: str, client_id: str, secret: str) -> None:
        self._base = http_address(websocket_url)
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)
        self._client_id = client_id
        self._secret = secret

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def log_in(self) -> str:
        """Get a token that may only read; the account's number, "" when the exchange tells none."""
        params = {
            "grant_type": "client_credentials", "client_id": self._client_id,
            "client_secret": self._secret, "scope": SCOPE,
        }  # fmt: skip
        body = {"jsonrpc": "2.0", "id": 1, "method": "public/auth", "params": params}
        login = self._call("public/auth", _Login, body=body)  # no secret in an address
        self._client.headers["Authorization"] = f"Bearer {login.access_token}"
        asked = {"currency": "BTC", "extended": "true"}
        summary = self._call("private/get_account_summary", _Summary, asked)
        return str(summary.id or "")

    def look(self) -> Holdings:
        """All positions and all live orders, in every currency and of every kind."""
        orders = self._call("private/get_open_orders", list[Order], {"type": "all"})
        positions = self._call("private/get_positions", list[_Position], {"currency": "any"})
        sizes = {position.instrument_name: _size(position) for position in positions}
        return Holdings(
            positions={name: size for name, size in sizes.items() if size},
            orders={order.order_id: order for order in orders},
        )

    def _call(
        self, method: str, kind: type[T], asked: dict[str, str] | None = None, body: object = None
    ) -> T:
        """GET with what is ``asked``, or POST of a ``body``."""
        url = f"{self._base}/{method}"
        try:
            raw = self._answer(url, asked, body)
            envelope = msgspec.json.decode(raw, type=_Envelope)
            if envelope.error is not None:
                error = envelope.error
                raise CouldNotLook(f"{url} was refused: {error.code} {error.message}{_hint(error)}")
            return msgspec.json.decode(envelope.result, type=kind, strict=False)
        except httpx.HTTPError as error:
            words = str(error) or type(error).__name__
            raise CouldNotLook(f"{url} does not answer: {words}; try again later") from error
        except msgspec.DecodeError as error:
            text = f"the answer of {url} makes no sense: {error}; is this a Deribit API?"
            raise CouldNotLook(text) from error

    def _answer(self, url: str, asked: dict[str, str] | None, body: object) -> bytes:
        verb = "GET" if body is None else "POST"
        with self._client.stream(verb, url, params=asked, json=body) as response:
            raw = b""
            for chunk in response.iter_bytes():
                raw += chunk
                if len(raw) > MAX_BYTES:
                    raise CouldNotLook(f"{url} answered with more than {MAX_BYTES} bytes")
            return raw


def http_address(websocket_url: str) -> str:
    """Where the same exchange answers by HTTP (protocol dossier section 1)."""
    parts = urlsplit(websocket_url)
    scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, "/api/v2", "", ""))


def _size(position: _Position) -> Decimal:
    """Signed, in the unit of amounts: of linear contracts that is the coin, and only
    ``size_currency`` is agreed to be in coin (dossier section 11)."""
    sign = SIGNS.get(position.direction)
    if sign is None:
        text = f"{position.instrument_name} has the direction {position.direction!r}"
        raise CouldNotLook(f"{text}: nobody knows what that means; look at the account by hand")
    linear = "_" in position.instrument_name
    coins = position.size_currency if linear else None
    return sign * abs(position.size if coins is None else coins)


def _hint(error: _Error) -> str:
    if error.code in (13004, 13009):
        return " (wrong id or secret of the auditor's key)"
    if error.code in (13021, 13403):
        return f" (the auditor's key needs the scopes {SCOPE})"
    return ""
