"""How everything that leaves the exchange is put into JSON, its numbers in plain digits.

Decimal writes 10 as ``1E+1`` when it was made so, which some clients take for a fault. Other forms
are a matter for the harness, which dresses frames in every one.
"""

import re
from decimal import Decimal

import msgspec

_encode = msgspec.json.Encoder(decimal_format="number").encode
_SUSPECT = re.compile(rb"\dE[+-]\d")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?E[+-]\d+')
"""A string, so that nothing is looked for inside it, or a number with an exponent."""


def encode(value: object) -> bytes:
    """Return a value as JSON."""
    text = _encode(value)
    return _TOKEN.sub(_plain, text) if _SUSPECT.search(text) else text


def _plain(token: re.Match[bytes]) -> bytes:
    text = token[0]
    return text if text.startswith(b'"') else format(Decimal(text.decode()), "f").encode()
