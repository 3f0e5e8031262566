"""The second place of the backups: another disk, or a mount.

Verified backups are copied there as they are, each read back and compared before it gets its name.
The directory must exist: one inside a mount is missing while nothing is mounted, and then nothing
is written to the disk below. It is laid out like a data directory, so that it can be listed and
restored from. Run in a process of its own, since a mount may hang.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from tradebaas.store import catalogue, copying, faults, retention
from tradebaas.store.backup import BackupFailed, only_one
from tradebaas.store.catalogue import BackupInfo
from tradebaas.store.place import Place
from tradebaas.store.retention import Retention


class Copied(Struct, frozen=True):
    """Names of the backups that were copied to the second place, and removed there."""

    made: tuple[str, ...]
    removed: tuple[str, ...]


def copy_backups(place: Place, directory: Path, rule: Retention, now_ms: int) -> Copied:
    """Copy to ``directory`` what it lacks, newest first, and keep by ``rule`` there as well.

    Raises:
        BackupFailed: There is no such directory, another copy is being made, or what was written
            is not what can be read there.
        DiskFull: There is no space, even without its older backups.
        StoreFault, Unusable: It cannot be read or written.
    """
    disk, second = place.disk, Place(directory, place.disk)
    if not disk.is_directory(directory):
        raise BackupFailed(
            f"there is no directory {directory} for the second copy: mount it, or make it"
        )
    with faults.mapped(disk, second.backups, lambda: "Look at that disk or mount"):
        disk.mkdir(second.backups)
        with only_one(second):
            there = {info.name for info in catalogue.verified_backups(second)}
            infos = catalogue.verified_backups(place)
            leaving = {info.name for info in retention.surplus(infos, rule, now_ms)}
            wanted = [i for i in infos if i.name not in there | leaving]
            for info in wanted:
                _copy(place, second, info, now_ms)
            removed = retention.prune(second, rule, now_ms)
    if infos:
        catalogue.write_note(place, catalogue.SECOND, catalogue.Note(infos[0].made_ms))
    return Copied(tuple(info.name for info in wanted), tuple(removed))


def _copy(place: Place, second: Place, info: BackupInfo, now_ms: int) -> None:
    disk, temporary = place.disk, second.backups / ".partial"
    made_room = retention.make_room(second, info.size, 0, now_ms)
    disk.copy(place.backups / info.name, temporary)
    copying.sync_file(disk, temporary)
    if catalogue.file_digest(disk, temporary) != info.file_digest:
        raise BackupFailed(f"{info.name} does not read in {second.backups} as it was verified")
    path = second.backups / info.name
    catalogue.write_sidecar(disk, path, msgspec.structs.replace(info, made_room=made_room))
    disk.rename(temporary, path)
    disk.sync_directory(second.backups)
