"""What breaks a connection, and how to say it in words."""

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, HandshakeError
from wsproto.utilities import ProtocolError

BROKEN = (
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    ConnectionClosed,
    HandshakeError,
    ProtocolError,
)
"""All that a socket and the WebSocket on it raise when they are of no use any more."""

DOWN = "the exchange is not there behind its front, as during a maintenance"
REJECTIONS = {
    429: "too many connections from this address",
    502: DOWN,
    503: DOWN,
    504: DOWN,
}
"""What a status of HTTP says that comes instead of a WebSocket (protocol sections 1 and 16)."""


def describe(error: BaseException) -> str:
    """The messages of an exception or a whole group, each once."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(describe(member) for member in error.exceptions))
    if isinstance(error, ConnectionClosed):
        closed = error.reason
        return f"closed, code {closed.code} {closed.reason or ''}".rstrip() if closed else "closed"
    if isinstance(error, ConnectionRejected):
        why = REJECTIONS.get(error.status_code, "the connection is refused")
        return f"{why} (HTTP status {error.status_code})"
    cause = error.__cause__
    members = cause.exceptions if isinstance(cause, BaseExceptionGroup) else (cause,)
    why = "; ".join(dict.fromkeys(str(member) for member in members if member is not None))
    return f"{type(error).__name__} {error}{f' ({why})' if why else ''}"
