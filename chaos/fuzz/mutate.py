"""Frames of the exchange, spoilt: a function of a random generator alone, so that each comes again.

A frame is spoilt as JSON (a part is missing, is new, is of another type or an odd number) or as
bytes (cut, flipped, doubled, joined with another). Several of these at a time, most often one.
"""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

Parts = dict[str, Any] | list[Any]
Place = tuple[Any, Any]
"""A dict or a list, and a key of it."""

ODD: tuple[Any, ...] = (
    None, True, False, "", 0, -1, -0.0, 1e-9, 1e308, 2**63, -(2**63), 2**70, 5e-324,
    "NaN", "Infinity", "-Infinity", "1e999999999", "0.1", "00012", "1_000", " 7 ", "market_price",
    "\u0000", "\ud83d\ude00", "\u202e", "x" * 5_000, [], {}, [[]], {"": {}}, [None], "null", "[]",
)  # fmt: skip
WORDS = (
    "buy", "sell", "zero", "open", "filled", "untriggered", "triggered", "rejected", "cancelled",
    "closed", "archive", "new_state", "BTC-PERPETUAL", "BTC_USDC-PERPETUAL", "ETH-PERPETUAL",
    "BTC-27DEC24-80000-C", "tb1-aa-1-e", "tb1--", "tb1-aa-1-", "liquidation", "reversed", "linear",
)  # fmt: skip
NAMES = ("surprise", "id", "method", "result", "error", "order_id", "amount", "usIn", "params", "")


def spoilt(rng: random.Random, frames: tuple[str, ...]) -> tuple[list[str], str | bytes]:
    """A frame that was spoilt, and in which ways, one after the other."""
    frame = rng.choice(frames)
    names = rng.choices(list(AS_JSON), k=rng.choice((0, 1, 1, 1, 2, 4)))
    parts = json.loads(frame)
    for name in names:
        AS_JSON[name](rng, _inner(parts) if rng.random() < 0.9 else parts)
    text: str | bytes = json.dumps(parts) if names else frame
    if not names or rng.random() < 0.1:
        name = rng.choice(list(AS_BYTES))
        text = AS_BYTES[name](rng, text, frames)
        names.append(name)
    return names, text


def _inner(parts: dict[str, Any]) -> Parts:
    """What a frame is about, without its envelope."""
    params = parts.get("params")
    inner = params.get("data") if isinstance(params, dict) else parts.get("result")
    return inner if isinstance(inner, dict | list) else parts


# ------------------------------------------------------------------------------------- as JSON


def _place(rng: random.Random, parts: Parts) -> Place:
    """The place of some value within, most often one that has no parts itself."""
    holder: Any = parts or {"": None}
    while True:
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        value = holder[key]
        if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
            return holder, key
        holder = value


def _place_in(rng: random.Random, parts: Parts, kind: type) -> Place | None:
    """Likewise in a list (or a dict); None when none was met."""
    found = (_place(rng, parts) for _ in range(8))
    return next((place for place in found if isinstance(place[0], kind)), None)


def _drop(rng: random.Random, parts: Parts) -> None:
    holder, key = _place(rng, parts)
    del holder[key]


def _odd(rng: random.Random, parts: Parts) -> None:
    holder, key = _place(rng, parts)
    holder[key] = copy.deepcopy(rng.choice(ODD))


def _word(rng: random.Random, parts: Parts) -> None:
    holder, key = _place(rng, parts)
    holder[key] = rng.choice(WORDS)


def _number(rng: random.Random, parts: Parts) -> None:
    """Another number where there is one: of another size, sign or form."""
    for _ in range(8):
        holder, key = _place(rng, parts)
        if isinstance(holder[key], int | float):
            value = holder[key] * rng.choice((-1, 0, 10, 1e-8, 1e12, 0.1, 1))
            holder[key] = rng.choice(
                (value, str(value), f"{value:e}", [value], int(min(max(value, -1e15), 1e15)))
            )
            return


def _unknown(rng: random.Random, parts: Parts) -> None:
    place = _place_in(rng, parts, dict)
    if place is not None:
        place[0][rng.choice(NAMES)] = copy.deepcopy(rng.choice(ODD))


def _swap(rng: random.Random, parts: Parts) -> None:
    (one, a), (other, b) = _place(rng, parts), _place(rng, parts)
    one[a], other[b] = copy.deepcopy(other[b]), copy.deepcopy(one[a])


def _repeat(rng: random.Random, parts: Parts) -> None:
    place = _place_in(rng, parts, list)
    if place is not None:
        holder, key = place
        holder.extend(copy.deepcopy(holder[key]) for _ in range(rng.choice((1, 2, 50))))


def _deep(rng: random.Random, parts: Parts) -> None:
    holder, key = _place(rng, parts)
    value: Any = holder[key]
    for _ in range(rng.choice((1, 2, 200))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    holder[key] = value


AS_JSON: dict[str, Callable[[random.Random, Parts], None]] = {
    "drop a part": _drop,
    "odd value": _odd,
    "other word": _word,
    "other number": _number,
    "unknown field": _unknown,
    "swap two parts": _swap,
    "repeat an item": _repeat,
    "nest deeper": _deep,
}


# ------------------------------------------------------------------------------------ as bytes


def _bytes(text: str | bytes) -> bytes:
    return text.encode(errors="surrogatepass") if isinstance(text, str) else text


def _flip(rng: random.Random, text: str | bytes, _: tuple[str, ...]) -> bytes:
    raw = bytearray(_bytes(text))
    for _flipped in range(rng.choice((1, 1, 2, 8))):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def _cut(rng: random.Random, text: str | bytes, _: tuple[str, ...]) -> bytes:
    raw = _bytes(text)
    return raw[: rng.randrange(len(raw))]


def _insert(rng: random.Random, text: str | bytes, _: tuple[str, ...]) -> bytes:
    raw, at = _bytes(text), 0
    at = rng.randrange(len(raw))
    return raw[:at] + rng.randbytes(rng.choice((1, 2, 16))) + raw[at:]


def _double(rng: random.Random, text: str | bytes, _: tuple[str, ...]) -> bytes:
    raw = _bytes(text)
    a, b = sorted((rng.randrange(len(raw)), rng.randrange(len(raw))))
    return raw[:b] + raw[a:]


def _join(rng: random.Random, text: str | bytes, frames: tuple[str, ...]) -> bytes:
    one, other = _bytes(text), rng.choice(frames).encode()
    return one[: rng.randrange(len(one))] + other[rng.randrange(len(other)) :]


AS_BYTES: dict[str, Callable[[random.Random, str | bytes, tuple[str, ...]], bytes]] = {
    "flip a bit": _flip,
    "cut off": _cut,
    "insert bytes": _insert,
    "double a piece": _double,
    "join two frames": _join,
}
