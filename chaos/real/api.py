"""A small synchronous client of the daemon's HTTP API that keeps what was answered.

Every 2xx answer to a command is a promise, which the oracle looks up in the store. An answer that
does not come is no promise; what was asked is then in doubt, and the store says what became of it.
"""

import http.client
import json
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chaos.world.oracle import Published

Json = dict[str, object]
REQUEST_LIMIT_S = 3.0
STOP = "/api/strategy/stop"
CLOSES = frozenset({"/api/halt", "/api/position/close"})
IN_DOUBT = 500
"""From this status on nobody knows whether a command was obeyed."""


def closes(path: str, asked: Json) -> bool:
    """Whether a command asks for the end of whatever is open."""
    return path in CLOSES or bool(asked.get("close"))


class NoAnswer(Exception):
    """The daemon did not answer within the limit, or its socket broke."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: Json

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Api:
    """The API of one daemon process: ``url`` from ``data/address``, ``token`` from ``data/token``.

    One TCP connection per request: a killed daemon must not leave a half-dead one behind.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def get(self, path: str) -> Answer:
        """Read something."""
        return self._ask("GET", path, None, REQUEST_LIMIT_S)

    def post(self, path: str, body: Json | None = None, limit: float = REQUEST_LIMIT_S) -> Answer:
        """Command something.

        Raises:
            NoAnswer: within ``limit`` seconds.
        """
        return self._ask("POST", path, body or {}, limit)

    def _ask(self, method: str, path: str, body: Json | None, limit: float) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=limit)
        try:
            raw = None if body is None else json.dumps(body)
            connection.request(method, path, raw, self._headers)
            answer = connection.getresponse()
            return Answer(answer.status, _object(answer.read()))
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()


def _object(raw: bytes) -> Json:
    try:
        value = json.loads(raw)
    except json.JSONDecodeError:
        return {"raw": raw.decode(errors="replace")}
    return value if isinstance(value, dict) else {"value": value}


def address_of(data: Path, pid: int = 0) -> Api | None:
    """The API that the data directory names: of the daemon with this pid, or of any (0).

    None while there is none.
    """
    try:
        address = json.loads((data / "address").read_text(encoding="utf-8"))
        token = (data / "token").read_text(encoding="ascii").strip()
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return Api(str(address["http"]), token) if pid in (0, address.get("pid")) else None


def views(api: Api) -> list[Published]:
    """What the reading endpoints show now; none where it does not answer."""
    shown = []
    for path, part_of in PARTS.items():
        try:
            answer = api.get(path)
        except NoAnswer:
            continue
        body = answer.body
        if answer.ok:
            seq, life = int(str(body["seq"])), int(str(body["life"]))
            shown.append(Published(path, seq, life, part_of(body)))
    return shown


def _position_part(body: Json) -> Json:
    return {name: body.get(name) for name in ("position", "bracket", "naked_since_ms")}


def _orders_part(body: Json) -> Json:
    orders, pending = body.get("orders"), body.get("pending")
    assert isinstance(orders, list)
    assert isinstance(pending, list)
    return {
        "orders": {order["order_id"]: order for order in orders},
        "pending": {item["intent"]["label"]: item for item in pending},
        "foreign": body.get("foreign"),
    }


PARTS = {"/api/position": _position_part, "/api/orders": _orders_part}
"""The endpoints that show a state, and what of it each one shows."""


def wait_for_api(data: Path, pid: int, limit: float) -> Api | None:
    """As ``address_of``, waiting up to ``limit`` seconds for one that answers."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        api = address_of(data, pid)
        if api is not None:
            return api
        time.sleep(0.01)
    return None
