"""The bearer token of the HTTP API: made at the first start, kept in ``data/token``, mode 0600."""

import os
import re
from pathlib import Path

from tradebaas.output import say_last
from tradebaas.runtime.ports import Entropy

_BYTES = 32
_FORM = re.compile(f"[0-9a-f]{{{2 * _BYTES}}}")


def bearer_token(data_dir: Path, entropy: Entropy) -> str:
    """The token of this data directory, made if there is none of the form in which it was made.

    A shorter one, of a file that was cut, could be guessed.

    Raises:
        OSError: it can be neither read nor written.
    """
    path = data_dir / "token"
    known = _known(path)
    if _FORM.fullmatch(known):
        return known
    if known:
        say_last(f"{path} is not as it was made: there is a new token now", "warning")
    fresh = entropy.token(_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(fresh + "\n")
        file.flush()
        os.fsync(file.fileno())
    return fresh


def _known(path: Path) -> str:
    """What the file says; "" when there is none."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""
