"""Names what goes over the wire, by its WebSocket frames; nothing is judged by it."""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

CHANGING = frozenset({"private/buy", "private/sell", "private/edit", "private/cancel"})
"""Calls that change orders."""
PIECE = "a piece of a long frame"
HANDSHAKE = "handshake"
_TEXT = 1
_ASKS = re.compile(f"public/|private/(get_|subscribe)|{HANDSHAKE}")


class Message(Struct, frozen=True):
    """As much of a JSON-RPC message as it takes to name it."""

    id: int = 0
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"{}")


class _Channel(Struct, frozen=True):
    channel: str = ""


def messages(data: bytes) -> Iterator[Message]:
    """The messages whose frames lie whole in ``data``; none in what begins inside a frame."""
    for body in _texts(data):
        try:
            yield msgspec.json.decode(body, type=Message)
        except msgspec.MsgspecError:
            return


def sent(data: bytes) -> str:
    """What a process writes, in words."""
    return ", ".join(m.method for m in messages(data)) or _unnamed(data)


def merely_asks(data: bytes) -> bool:
    """Whether what a process writes changes nothing that outlives its connection."""
    methods = [message.method for message in messages(data)] or [_unnamed(data)]
    return all(map(_ASKS.match, methods))


def received(data: bytes, asked: dict[int, str]) -> str:
    """What a process reads, in words; ``asked`` has the methods of its calls by their ids."""
    names = (
        msgspec.json.decode(m.params, type=_Channel).channel
        if m.method == "subscription"
        else m.method or f"answer to {asked.get(m.id, 'nothing')}"
        for m in messages(data)
    )
    return ", ".join(dict.fromkeys(names)) or _unnamed(data)


def _unnamed(data: bytes) -> str:
    return HANDSHAKE if data[:4] in (b"GET ", b"HTTP") else PIECE


def _texts(data: bytes) -> Iterator[bytes]:
    """The payloads of the text frames, without their masks."""
    if data[:4] in (b"GET ", b"HTTP"):
        data = data.partition(b"\r\n\r\n")[2]
    while len(data) >= 2:
        size, at = data[1] & 0x7F, 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            size, at = int.from_bytes(data[2 : 2 + wide]), 2 + wide
        mask = b""
        if data[1] & 0x80:
            mask, at = data[at : at + 4], at + 4
        if len(data) < at + size:
            return
        if data[0] & 0x0F == _TEXT:
            yield _unmasked(data[at : at + size], mask)
        data = data[at + size :]


def _unmasked(body: bytes, mask: bytes) -> bytes:
    if not mask:
        return body
    key = (mask * (len(body) // 4 + 1))[: len(body)]
    return (int.from_bytes(body) ^ int.from_bytes(key)).to_bytes(len(body))
