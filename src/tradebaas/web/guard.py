"""Who may do what: the Host of every request, the token and the Origin of every POST, and how many
requests at once.

The daemon listens on loopback only, where any local process and any page in a local browser can
reach it. Reading is free under a local name; whatever changes something needs the token from
``data/token``. The bound on requests under way protects the loop that also trades.
"""

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from quart import Response, request

from tradebaas.web.reply import problem

LOOPBACK = ("127.0.0.1", "::1")
LOCAL_NAMES = (*LOOPBACK, "localhost")
MAX_REQUESTS = 32
"""Under way at once; a request costs about 2 ms of the loop, a stalled disk holds it for 10 s."""


def refuse(token: str) -> Response | None:
    """An error when the present request may not be answered, else None.

    A foreign name in its Host is that of a web page which points to this machine, to read what is
    here as though it were its own.
    """
    host = request.headers.get("Host", "")
    if host and _name(host) not in LOCAL_NAMES:
        return problem(403, f"this answers to {', '.join(LOCAL_NAMES)}, and not as {host[:100]}")
    if request.method != "POST":
        return None
    origin = request.headers.get("Origin")
    if origin is not None and not _own_origin(origin, host):
        return problem(403, f"requests from pages of {origin} are refused")
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        refusal = problem(401, "send `Authorization: Bearer <content of the file data/token>`")
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal
    return None


def from_loopback() -> bool:
    """Whether the present request comes from this machine."""
    client = request.scope.get("client")
    return client is not None and client[0] in LOOPBACK


def _name(host: str) -> str:
    """The name in a Host header; "" where there is none to be found."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _own_origin(origin: str, host: str) -> bool:
    """Whether the page that sent the request was served by this daemon.

    The name must be a local one as well: a foreign name that resolves to 127.0.0.1 would
    otherwise agree with its own Host header.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.netloc == host and parts.hostname in LOCAL_NAMES


Asgi = Callable[[Scope, ASGIReceiveCallable, ASGISendCallable], Awaitable[None]]


class Bounded:
    """An ASGI application that answers 503 instead of taking more than ``limit`` requests."""

    def __init__(self, app: Asgi, limit: int = MAX_REQUESTS) -> None:
        self._app = app
        self._limit = limit
        self._under_way = 0

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if scope["type"] != "http":  # the lifespan of the application, not a request
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._limit:
            await _send_busy(send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1


async def _send_busy(send: ASGISendCallable) -> None:
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"1")]
    body = b'{"error":"too many requests at once; try again"}'
    await send({"type": "http.response.start", "status": 503, "headers": headers,
                "trailers": False})  # fmt: skip
    await send({"type": "http.response.body", "body": body, "more_body": False})
