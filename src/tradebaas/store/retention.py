"""Which backups stay, and who goes first when the disk is low.

What stays is decided by a pure function: the newest ones, the last one of each of the newest days
(UTC), and for a while whatever was made before an upgrade or a migration, since that is the way
back. A later backup never brings one back that would have gone before, so it does not matter how
often this runs. Where space is short the oldest go first, and never the newest that is intact.
"""

from collections.abc import Sequence

from msgspec import Struct

from tradebaas.store import ballast, catalogue
from tradebaas.store.catalogue import BackupInfo
from tradebaas.store.place import Place

DAY_MS = 86_400_000
HELD_DAYS = 30
"""For so long a backup from before an upgrade or a migration is not removed."""


class Retention(Struct, frozen=True, kw_only=True):
    """The ``newest`` verified backups stay, and the last one of each of the newest ``days``."""

    newest: int = 24
    days: int = 7


def surplus(infos: Sequence[BackupInfo], rule: Retention, now_ms: int) -> list[BackupInfo]:
    """Which of ``infos``, newest first, may go; the oldest comes first.

    Raises:
        ValueError: The rule would keep none.
    """
    if rule.newest < 1:
        raise ValueError("at least one backup must be kept")
    verified = [info for info in infos if info.state_digest]
    last_of_day = {info.made_ms // DAY_MS: info.name for info in reversed(verified)}
    days = sorted(last_of_day, reverse=True)[: rule.days]
    kept = {info.name for info in verified[: rule.newest]} | {last_of_day[day] for day in days}
    return [i for i in reversed(infos) if i.name not in kept and not _is_held(i, now_ms)]


def prune(place: Place, rule: Retention, now_ms: int) -> list[str]:
    """Remove what ``surplus`` says; returns the names removed.

    Files that were never verified are left alone: nobody knows whose they are.

    Raises:
        ValueError: The rule would keep none.
        OSError: A file cannot be removed.
    """
    return _remove(place, surplus(_infos(place), rule, now_ms))


def make_room(place: Place, wanted: int, leave: int, now_ms: int) -> int:
    """Remove the oldest backups until ``wanted`` bytes fit and ``leave`` stay free; how many.

    With less than that but more than the ballast's size left, it has to do.

    Raises:
        DiskFull: Not even so much would be left.
        OSError: A file cannot be removed.
    """
    disk, removed = place.disk, 0
    needed = wanted + max(leave, ballast.BALLAST_BYTES)
    if disk.free_bytes(place.backups) < needed:
        newest = catalogue.newest_intact(place)
        verified = [info for info in _infos(place) if info.state_digest][1:]
        for info in reversed(verified):
            if info.name != newest and not _is_held(info, now_ms):
                removed += len(_remove(place, [info]))
            if disk.free_bytes(place.backups) >= needed:
                break
    ballast.require_free(disk, place.backups, wanted)
    return removed


def _is_held(info: BackupInfo, now_ms: int) -> bool:
    special = info.before or not info.state_digest
    return bool(special) and now_ms - info.made_ms < HELD_DAYS * DAY_MS


def _infos(place: Place) -> list[BackupInfo]:
    return [found.info for found in catalogue.list_backups(place) if found.info is not None]


def _remove(place: Place, infos: Sequence[BackupInfo]) -> list[str]:
    for info in infos:
        path = place.backups / info.name
        place.disk.unlink(path)
        place.disk.unlink(catalogue.sidecar(path))
    place.disk.sync_directory(place.backups)
    return [info.name for info in infos]
