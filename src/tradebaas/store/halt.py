"""The halt file: the operator's word that survives a lost store and needs no running daemon.

``data/HALT`` holds the reason as text. Each life reads it before anything else and then commits
``Halted``; a restore leaves one behind. Writing is durable before it returns, so that whoever is
told "halted" is halted whatever dies next. Nothing here knows what a halt means.
"""

from tradebaas.core.reasons import printable
from tradebaas.store.lock import had_store
from tradebaas.store.parents import sync_parents
from tradebaas.store.place import Place

_MODE = 0o600
UNREADABLE = "HALT cannot be read"
_MOST_CHARS = 4000


def write_halt(place: Place, reason: str) -> None:
    """Create or replace the file, durably; an existing reason is kept in front.

    Raises:
        OSError: The directory cannot be written.
    """
    known = read_halt(place)
    text = f"{known}\n{reason}" if known and reason not in known else known or reason
    temporary = place.halt.with_suffix(".new")
    file = place.disk.open(temporary, "fresh", _MODE)
    try:
        file.pwrite(text.encode(), 0)
        file.sync()
    finally:
        file.close()
    place.disk.rename(temporary, place.halt)
    if had_store(place):
        place.disk.sync_directory(place.root)
    else:
        sync_parents(place)


def read_halt(place: Place) -> str:
    """The reason, in one line; "" when there is no file. An empty file is a halt without a reason.

    Anybody may have written it, with anything in it: whatever it says, it is a halt, and so is one
    that this user may not read.
    """
    try:
        text = place.disk.read(place.halt).decode(errors="replace")
        lines = filter(None, map(str.strip, map(printable, text.splitlines())))
        return "; ".join(lines)[:_MOST_CHARS] or "no reason given"
    except FileNotFoundError:
        return ""
    except PermissionError:
        return UNREADABLE


def clear_halt(place: Place) -> None:
    """Remove the file, durably; nothing happens when there is none."""
    place.disk.unlink(place.halt)
    place.disk.sync_directory(place.root)
