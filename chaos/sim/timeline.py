"""The journal of one world: what happened, when, in order. Equal seeds give equal bytes.

One line per happening: virtual time, kind, text. The lines of both ledgers are among them, at the
moments at which they were published, so that the whole can be read as one story.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import final

import trio

Tell = Callable[[str, str], None]
"""Takes a line of the timeline: its kind and its text."""


@final
class Timeline:
    """Collects lines; ``digest`` tells two runs apart."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, kind: str, text: str) -> None:
        """Add a line, now."""
        self.lines.append(f"{trio.current_time():12.6f}  {kind:12} {text}")

    def text(self) -> str:
        """The whole journal."""
        return "\n".join(self.lines) + "\n"

    def digest(self) -> str:
        """BLAKE2b-128 of the journal, hexadecimal."""
        return blake2b(self.text().encode(), digest_size=16).hexdigest()
