"""The JSON-RPC envelope: numbers and text in, frames out; frames in, typed values out.

Nothing that arrives can raise here: a frame that is malformed, of an unknown shape or not for us
becomes ``Garbage`` with its raw text, and the next one is read as if nothing had been (protocol
dossier section 2). Pure: no socket, no clock.
"""

import bisect
import itertools
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Generic, TypeVar, final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

T = TypeVar("T")
Params = dict[str, object]
UNREADABLE = (msgspec.MsgspecError, RecursionError, ArithmeticError, UnicodeError)
"""What decoding hostile text may raise, besides what a conversion raises itself."""


class Priority(IntEnum):
    """Who goes first when several frames wait to be written."""

    HEARTBEAT = 0
    PROTECT = 1  # cancels, and orders that can only reduce
    PROVE = 2  # what became of an order
    NORMAL = 3


@final
class Answer(Struct, frozen=True, kw_only=True):
    """The result of call ``id``; ``us_in`` and ``us_out`` are exchange time in microseconds."""

    id: int
    result: Raw
    us_in: int = 0
    us_out: int = 0

    @property
    def in_ms(self) -> int:
        """Exchange time at which the request was received, in ms (rounded down)."""
        return self.us_in // 1000


@final
class Failure(Struct, frozen=True, kw_only=True):
    """The error answer to call ``id``; ``data`` is JSON text, "" when absent."""

    id: int
    code: int
    message: str
    data: str = ""
    us_in: int = 0
    us_out: int = 0


@final
class Notification(Struct, frozen=True, kw_only=True):
    """Data on a channel; ``raw`` is the whole frame."""

    channel: str
    data: Raw
    raw: str


@final
class Heartbeat(Struct, frozen=True, kw_only=True):
    """A sign of life; ``wants_answer`` marks a test_request."""

    wants_answer: bool


@final
class Garbage(Struct, frozen=True, kw_only=True):
    """A frame that makes no sense; ``id`` names the call that it seems to answer, if any."""

    raw: str
    reason: str
    id: int | None = None


Frame = Answer | Failure | Notification | Heartbeat | Garbage


class _Error(Struct, frozen=True):
    code: int
    message: str = ""
    data: Raw | UnsetType = UNSET


class _Params(Struct, frozen=True):
    channel: str | None = None
    data: Raw | UnsetType = UNSET
    type: str | None = None


class _Envelope(Struct, frozen=True):
    id: int | str | None = None
    method: str | None = None
    params: _Params | None = None
    result: Raw | UnsetType = UNSET
    error: _Error | None = None
    usIn: int | None = None
    usOut: int | None = None


class _OnlyId(Struct, frozen=True):
    id: int | None = None


_encoder = msgspec.json.Encoder(decimal_format="number")
_envelopes = msgspec.json.Decoder(_Envelope, strict=False)
_only_ids = msgspec.json.Decoder(_OnlyId)


def encode(id_: int, method: str, params: Params) -> str:
    """The frame of a call. Decimals become JSON numbers digit by digit, never through float."""
    body = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
    return _encoder.encode(body).decode()


def text(frame: str | bytes) -> str:
    """A frame as it can be kept."""
    return frame if isinstance(frame, str) else frame.decode(errors="replace")


def decode(frame: str | bytes) -> Frame:
    """What a frame says; never raises."""
    raw = text(frame)
    try:
        envelope = _envelopes.decode(raw)
    except UNREADABLE as error:
        return Garbage(raw=raw, reason=str(error), id=_salvaged_id(raw))
    if envelope.method is not None:
        return _unasked(envelope, raw)
    return _answer(envelope, raw)


def _unasked(envelope: _Envelope, raw: str) -> Frame:
    params = envelope.params or _Params()
    match envelope.method:
        case "subscription" if params.channel is not None and isinstance(params.data, Raw):
            return Notification(channel=params.channel, data=params.data, raw=raw)
        case "heartbeat" if params.type is not None:
            return Heartbeat(wants_answer=params.type == "test_request")
        case _:
            return Garbage(raw=raw, reason=f"a notification of no known kind: {envelope.method}")


def _answer(envelope: _Envelope, raw: str) -> Frame:
    id_, result, error = envelope.id, envelope.result, envelope.error
    if not isinstance(id_, int):
        return Garbage(raw=raw, reason="an answer that names no call of ours")
    us_in, us_out = envelope.usIn or 0, envelope.usOut or 0
    if isinstance(result, Raw) and error is None:
        return Answer(id=id_, result=result, us_in=us_in, us_out=us_out)
    if error is not None and result is UNSET:
        data = text_of(error.data) if isinstance(error.data, Raw) else ""
        code, message = error.code, error.message
        return Failure(id=id_, code=code, message=message, data=data, us_in=us_in, us_out=us_out)
    return Garbage(raw=raw, reason="an answer must have either a result or an error", id=id_)


def _salvaged_id(raw: str) -> int | None:
    """The id of an answer whose rest is broken, so that its call need not wait for nothing."""
    try:
        return _only_ids.decode(raw).id
    except UNREADABLE:
        return None


def text_of(raw: Raw) -> str:
    """The JSON text of a raw part of a frame."""
    return bytes(raw).decode(errors="replace")


@final
class Outbox(Generic[T]):
    """What waits to be written: by priority, and in order of arrival within one."""

    def __init__(self) -> None:
        self._queue: list[tuple[Priority, int, T]] = []
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[T]:
        """All items, the next one first."""
        return (item for _, _, item in self._queue)

    def push(self, priority: Priority, item: T) -> None:
        """Add an item."""
        bisect.insort(self._queue, (priority, next(self._count), item))

    def take(self, ready: Callable[[T], bool]) -> T | None:
        """Take the first item that is ready, None if none is."""
        for place, (_, _, item) in enumerate(self._queue):
            if ready(item):
                del self._queue[place]
                return item
        return None
