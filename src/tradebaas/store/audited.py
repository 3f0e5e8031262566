"""What the newest audit found: a note in a directory of its own, ``audit/``, which is all that the
auditor may write to. The daemon publishes it, and the notice of a failed audit has its words.
"""

import msgspec
from msgspec import Struct

from tradebaas.store.catalogue import write_file
from tradebaas.store.place import Place

FOLDER = "audit"
NAME = "found.json"


class Audited(Struct, frozen=True):
    """``at_ms`` is when an audit last could look; while none could, when the first one tried.

    ``differences`` are the rows of what differed then, in words. Wall ms.
    """

    at_ms: int
    differences: tuple[str, ...] = ()


def read_audited(place: Place) -> Audited | None:
    """None where nothing was ever audited, or the note cannot be read."""
    try:
        return msgspec.json.decode(place.disk.read(place.root / FOLDER / NAME), type=Audited)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_audited(place: Place, audited: Audited) -> None:
    """Write it durably.

    Raises:
        OSError: It cannot be written.
    """
    place.disk.mkdir(place.root / FOLDER)
    write_file(place.disk, place.root / FOLDER / NAME, audited)
