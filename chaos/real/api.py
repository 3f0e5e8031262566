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


def find_api(data: Path, pid: int) -> Api | None:
    """The API of the daemon with this pid, None while it does not serve yet."""
    try:
        address = json.loads((data / "address").read_text(encoding="utf-8"))
        token = (data / "token").read_text(encoding="ascii").strip()
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return Api(str(address["http"]), token) if address.get("pid") == pid else None


def wait_for_api(data: Path, pid: int, limit: float) -> Api | None:
    """As ``find_api``, waiting up to ``limit`` seconds for one that answers."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        api = find_api(data, pid)
        if api is not None:
            return api
        time.sleep(0.01)
    return None
