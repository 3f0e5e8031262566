"""Takes secrets out of text that is going to be written: the last door before a log or a terminal.

Code should not say a secret at all; this is for what others say, such as an exception that quotes
the address it called. Pure.
"""

import re
from collections.abc import Iterable, Iterator
from typing import final
from urllib.parse import quote, unquote

HIDDEN = "[secret]"
SHORTEST = 4
"""Shorter words are part of too many others; and no secret is that short."""
LONG = 6
"""What is neither a user nor a password and shorter than this is no token."""
NEAR = re.compile(r"localhost|[0-9.]+|\[[0-9a-f:]*\]")
SEPARATORS = re.compile(r"[/:@?&=,\s]+")


@final
class Redactor:
    """Knows what must not be written."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._words: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Learn more of them."""
        for secret in secrets:
            self._words |= {word for word in _forms(secret) if len(word) >= SHORTEST}
        longest_first = sorted(self._words, key=len, reverse=True)
        if longest_first:
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def clean(self, text: str) -> str:
        """The text without them."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def secrets_of(address: str) -> Iterator[str]:
    """What of an address for notices may be a secret: not its scheme, its keys, this machine.

    Where each service keeps its token differs: in the user, the host, the path or a value.
    """
    _, _, rest = address.partition("://")
    place, _, query = rest.partition("?")
    user, at, hosted = place.rpartition("@")
    values = (pair.partition("=")[2] for pair in query.split("&"))
    words = [word for part in (hosted, *values) for word in SEPARATORS.split(part)]
    yield address
    yield from SEPARATORS.split(user) if at else ()
    yield from (word for word in words if len(word) >= LONG and not NEAR.fullmatch(word))


def _forms(secret: str) -> Iterator[str]:
    """How it may be spelled: as it is, in a URL, out of one, and in the repr of a string."""
    yield secret
    yield quote(secret, safe="")
    yield unquote(secret)
    yield repr(secret)[1:-1]
