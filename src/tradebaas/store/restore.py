"""Putting a verified backup in the place of a damaged store.

Nothing is deleted: what was there is moved to ``damaged-<time>/``. The order of the steps is such
that a death at any of them leaves either the old directory, or one that refuses to start and can
be restored again, or the restored store; and never a store that may trade without the operator's
word: ``HALT`` is written before the store is in place, and an existing one is left as it is.
"""

from pathlib import Path

import apsw
from msgspec import Struct

from tradebaas.names import command
from tradebaas.store import ballast, catalogue, copying, faults, rows, schema
from tradebaas.store.backup import BackupFailed, stamp
from tradebaas.store.catalogue import BackupInfo
from tradebaas.store.halt import read_halt, write_halt
from tradebaas.store.head import HeadFile
from tradebaas.store.lock import Lock
from tradebaas.store.place import DAMAGED, Place, moved_aside
from tradebaas.store.records import Head


class Restored(Struct, frozen=True):
    """What a restore did. ``moved_to`` is None when there was nothing to move aside."""

    info: BackupInfo
    moved_to: Path | None


ATTENDED, UNATTENDED = "restored", "restored unattended"
"""How the reason of its halt begins. Nobody asked for the second, so it may be lifted by itself."""


def is_of_restore(reason: str) -> bool:
    """Whether a halt with this reason is one that a restore has left."""
    return reason.startswith((f"{ATTENDED} from ", f"{UNATTENDED} from "))


def restore(place: Place, name: str, *, now_ms: int, unattended: bool = False) -> Restored:
    """Restore the backup ``name`` of ``place``; ``now_ms`` is wall time.

    Raises:
        StoreBusy: A daemon uses the directory.
        BackupFailed: There is no such backup, or it is not what was verified. Nothing changed.
        StoreFault, DiskFull, Unusable: The disk cannot be used.
    """
    disk = place.disk
    with faults.mapped(disk, place.db, lambda: f"Choose another backup of {place.backups}"):
        lock = Lock.take(place, now_ms)
        try:
            info = _find(place, name)
            ready = place.root / f"{place.db.name}.restoring"
            try:
                head = _prepare(place, info, ready)
            except BaseException:
                disk.unlink(ready)
                raise
            if not read_halt(place):
                how = UNATTENDED if unattended else ATTENDED
                write_halt(place, f"{how} from {name} at {stamp(now_ms)}")
            moved_to = _move_aside(place, now_ms)
            catalogue.write_restored(place, _note(info, now_ms))
            disk.rename(ready, place.db)
            HeadFile.create(place, head).close()
            lock.mark_store()
        finally:
            lock.release()
    return Restored(info, moved_to)


def _note(info: BackupInfo, now_ms: int) -> catalogue.RestoreNote:
    """From where on the log will be another one's: ``gap`` lists what was between."""
    return catalogue.RestoreNote(name=info.name, seq=info.seq, chain=info.chain, at_ms=now_ms)


def _find(place: Place, name: str) -> BackupInfo:
    for backup in catalogue.list_backups(place):
        if backup.path.name == name:
            if backup.info is None:
                raise BackupFailed(
                    f"{backup.path} cannot be restored, {backup.problem}: try "
                    f"`{command('backup', 'verify', '--data', place.root, name)}`"
                )
            return backup.info
    raise BackupFailed(
        f"there is no backup {name} in {place.backups}: see "
        f"`{command('backup', 'list', '--data', place.root)}`"
    )


def _prepare(place: Place, info: BackupInfo, ready: Path) -> Head:
    """A copy of the backup, proven to be what was verified, as a live store wants it."""
    disk, backup = place.disk, place.backups / info.name
    ballast.require_free(disk, place.root, info.size)
    for name in disk.names(place.root):
        if name.startswith(ready.name):
            disk.unlink(place.root / name)  # of a restore that died
    disk.copy(backup, ready)
    if catalogue.file_digest(disk, ready) != info.file_digest:
        raise BackupFailed(f"{backup} is not what was verified: choose another one")
    connection = schema.connect(disk, ready, apsw.SQLITE_OPEN_READWRITE)
    try:
        head = rows.last_head(connection)
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    schema.check_wal_mode(disk, ready, lambda: "Try again")
    copying.sync_file(disk, ready)
    return head


def _move_aside(place: Place, now_ms: int) -> Path | None:
    """The database first and the head last: a store without its head would pass for sound.

    Each move lasts before the next one begins, and so do those of a restore that died: an old
    write-ahead log that came back beside the new database would be taken for its own.
    """
    disk = place.disk
    for earlier in moved_aside(place):
        disk.sync_directory(earlier)
    disk.sync_directory(place.root)
    present = [p for p in (place.db, place.wal, place.shm, place.head) if disk.exists(p)]
    if not present:
        return None
    target = place.root / f"{DAMAGED}{stamp(now_ms)}"
    number = 1
    while disk.exists(target):
        number += 1
        target = place.root / f"{DAMAGED}{stamp(now_ms)}-{number}"
    disk.mkdir(target)
    for path in present:
        disk.rename(path, target / path.name)
        disk.sync_directory(target)
        disk.sync_directory(place.root)
    return target
