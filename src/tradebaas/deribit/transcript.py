"""A conversation with the exchange, kept so that it can be played again, without its secrets.

One line of JSON for each thing that happened, in order: ``connect``, each frame ``out`` and ``in``,
``closed``; ``at`` is in seconds since the transcript began. The first line says what was recorded.
Frames are written as JSON of the same numbers, digit by digit.

What makes two recordings of one conversation differ is named here and nowhere else:

- secrets, what tells whose account it is, and the version of this program are replaced when a
  frame is written down (``safe``), so they are in no transcript;
- what depends on the moment and on chance (``VOLATILE``) is kept. A test with a clock of its own
  compares it; whoever plays a transcript that was recorded on a real clock takes it out of both
  sides first (``steady``).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import final

import msgspec

from tradebaas.deribit import rpc

VERSION = 1
OUT, IN = "out", "in"
_TEXTS = (
    *("client_id", "client_secret", "api_key", "signature", "nonce", "password"),
    *("access_token", "refresh_token", "session_name", "sid", "deposit_address"),
    *("username", "email", "system_name", "login", "user", "ip", "creation_ip"),
)
_VERSIONS = ("client_version",)
_NUMBERS = ("user_id", "id", "referrer_id", "subaccount_id")
REPLACED: dict[str, object] = {
    **dict.fromkeys(_TEXTS + _VERSIONS, "***"),
    **dict.fromkeys(_NUMBERS, 1),
}
"""What a field of this name is replaced by, wherever it is but for the number of a call."""
VOLATILE = frozenset({"valid_until", "timestamp", "start_timestamp", "end_timestamp"})
"""Fields of requests that say when they were made."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


@final
class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. ``frame`` is a frame as JSON, ``text`` what is none: a URL, a reason, garbage."""

    at: float
    way: str
    frame: msgspec.Raw = msgspec.Raw(b"")
    text: str = ""


@final
class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: what was recorded, and what one must know to play it again."""

    transcript: int = VERSION
    session: str
    about: dict[str, str]


@final
class Recorder:
    """A ``ports.Tap`` that writes lines. ``now`` gives seconds, ``secrets`` are never written."""

    def __init__(
        self, write: Callable[[str], object], now: Callable[[], float], secrets: tuple[str, ...]
    ) -> None:
        self._write = write
        self._now = now
        self._began = now()
        self._secrets = tuple(secret for secret in secrets if secret)

    def begin(self, session: str, about: Mapping[str, str]) -> None:
        """Write the first line."""
        self._put(Head(session=session, about=dict(about)))

    def __call__(self, way: str, text: str) -> None:
        at = self._now() - self._began
        if way not in (OUT, IN):
            self._put(Line(at, way, text=text))
            return
        try:
            self._put(Line(at, way, frame=safe(text)))
        except rpc.UNREADABLE:  # what cannot be read cannot be searched for secrets either
            self._put(Line(at, way, text=f"an unreadable frame of {len(text)} characters"))

    def _put(self, line: Head | Line) -> None:
        text = _encoder.encode(line).decode()
        for secret in self._secrets:
            text = text.replace(secret, "***")
        self._write(text + "\n")


def read(text: str) -> tuple[Head, list[Line]]:
    """A transcript.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    first, *others = text.splitlines()
    head = msgspec.json.decode(first, type=Head)
    if head.transcript != VERSION:
        raise msgspec.ValidationError(f"a transcript of version {head.transcript}, not {VERSION}")
    return head, [msgspec.json.decode(line, type=Line) for line in others]


def safe(frame: str) -> msgspec.Raw:
    """A frame as JSON without what must not be kept.

    Raises:
        one of ``rpc.UNREADABLE``: it is no JSON object.
    """
    return _rewritten(frame, REPLACED)


def steady(frame: msgspec.Raw) -> msgspec.Raw:
    """A request of a transcript without what depends on the moment."""
    return _rewritten(rpc.text_of(frame), dict.fromkeys(VOLATILE, 0))


def _rewritten(frame: str, instead: Mapping[str, object]) -> msgspec.Raw:
    body = _decoder.decode(frame)
    if not isinstance(body, dict):
        raise msgspec.ValidationError("a frame is an object")
    clean = {  # at the top "id" is the number of a call
        key: value if key == "id" else _clean(key, value, instead) for key, value in body.items()
    }
    return msgspec.Raw(_encoder.encode(clean))


def _clean(key: str, value: object, instead: Mapping[str, object]) -> object:
    if key in instead and value is not None:
        return instead[key]
    if isinstance(value, dict):
        return {inner: _clean(inner, part, instead) for inner, part in value.items()}
    if isinstance(value, list):
        return [_clean("", part, instead) for part in value]
    return value
