"""The bearer token of the HTTP API: made at the first start, kept in ``data/token``, mode 0600."""

import os
from pathlib import Path

from tradebaas.runtime.ports import Entropy

_BYTES = 32


def bearer_token(data_dir: Path, entropy: Entropy) -> str:
    """The token of this data directory, made if there is none that can be read.

    Raises:
        OSError: it can be neither read nor written.
    """
    path = data_dir / "token"
    try:
        known = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):  # one that was spoilt is of use to nobody
        known = ""
    if known:
        return known
    fresh = entropy.token(_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(fresh + "\n")
        file.flush()
        os.fsync(file.fileno())
    return fresh
