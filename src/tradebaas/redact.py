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
    """What of an address for notices may be a secret: all but its scheme.

    Where each service keeps its token differs, so whatever stands between two separators counts.
    """
    yield address
    yield from SEPARATORS.split(address.partition("://")[2])


def _forms(secret: str) -> Iterator[str]:
    """How it may be spelled: as it is, in a URL, out of one, and in the repr of a string."""
    yield secret
    yield quote(secret, safe="")
    yield unquote(secret)
    yield repr(secret)[1:-1]
