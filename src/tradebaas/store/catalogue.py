"""Which backups there are, and which of them may be trusted.

A backup is a plain SQLite file ``tradebaas-<UTC time>-<seq>.db`` and a sidecar ``<name>.json``
that states what was verified and the digest of the file's bytes. Without a sidecar that matches,
it does not count. Nothing here makes, verifies or restores a backup.
"""

import shlex
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from tradebaas.names import command
from tradebaas.store import schema
from tradebaas.store.disk import Disk
from tradebaas.store.place import Place, moved_aside

T = TypeVar("T")


class BackupInfo(Struct, frozen=True, kw_only=True):
    """What was verified about a backup; the content of its sidecar.

    ``verified_from`` is the seq from which the chain was walked (0: in full). ``state_seq`` and
    ``state_digest`` are where and to what the fold came, 0 and "" for a copy that was not folded.
    Digests are hexadecimal; ``file_digest`` is BLAKE2b-256 of the file. ``made_ms`` is wall time.
    ``before`` is what it was made before, such as "upgrade"; "" for a scheduled one. ``made_room``
    is how many older ones had to go for it because the disk was low.
    """

    name: str
    made_ms: int
    seq: int
    chain: str
    verified_from: int
    fold_version: int
    state_seq: int
    state_digest: str
    size: int
    file_digest: str
    before: str = ""
    made_room: int = 0


class Backup(Struct, frozen=True, kw_only=True):
    """A backup file; ``info`` is None and ``problem`` says why when it does not count."""

    path: Path
    info: BackupInfo | None
    problem: str = ""


class Note(Struct, frozen=True):
    """When something was last done well, in wall ms."""

    at_ms: int


class RestoreNote(Struct, frozen=True, kw_only=True):
    """Which backup was put in the place of the store last, where it ends, and when (wall ms)."""

    name: str
    seq: int
    chain: str
    at_ms: int


RESTORED = "restored.json"
SECOND = "second.json"
"""Of when the newest backup is that the second place has."""
DRILL = "drill.json"
"""Of when a backup was last restored and started, on trial."""


def list_backups(place: Place) -> list[Backup]:
    """All backup files, newest name first. Compares sizes, not contents: see ``newest_intact``.

    Raises:
        OSError: The directory cannot be read.
    """
    names = reversed(place.disk.names(place.backups))
    return [_look_up(place.disk, place.backups / name) for name in names if name.endswith(".db")]


def verified_backups(place: Place) -> list[BackupInfo]:
    """The backups that were verified and folded, newest first; contents are not read again.

    Raises:
        OSError: The directory cannot be read.
    """
    infos = (backup.info for backup in list_backups(place))
    return [info for info in infos if info is not None and info.state_digest]


def newest_intact(place: Place) -> str | None:
    """The newest verified backup that this program can read, and that still has the very bytes
    that were verified; reads them.

    Raises:
        OSError: The directory cannot be read.
    """
    for info in verified_backups(place):
        path = place.backups / info.name
        with suppress(OSError):
            if schema.version_of(place.disk, path) > schema.SCHEMA_VERSION:
                continue
            if file_digest(place.disk, path) == info.file_digest:
                return info.name
    return None


def advice(place: Place) -> str:
    """What to do about a store that cannot be used: the exact command."""
    try:
        name = newest_intact(place)
    except PermissionError as error:
        return (
            f"Nothing was changed. Whether there is a backup is not known ({error}): run this as "
            "the user that runs the daemon"
        )
    except OSError as error:
        return (
            f"Nothing was changed. Whether there is a backup is not known, since the disk fails "
            f"({error}): look at what the kernel says of it (dmesg) before anything else"
        )
    if name is not None:
        restore = command("backup", "restore", "--data", place.root, name)
        return f"Nothing was changed. Restore the newest verified backup with: {restore}"
    return (
        f"Nothing was changed. There is no verified backup in {place.backups}. The daemon can "
        "begin a new store: it then knows its resting orders at the exchange by their labels, and "
        "takes over a position beside them; it leaves any other position alone, as not its own. So "
        "look at the exchange first. To keep what is here for examination, with the halt and the "
        "embedded exchange left in place, end the daemon if it still runs, then: "
        f"{_set_aside(place)}"
    )


def _set_aside(place: Place) -> str:
    """The shell line that moves away all that says that there was a store, and nothing else."""
    root = place.root.absolute()
    target = root / "set-aside"
    number = 1
    while place.disk.exists(target):
        number += 1
        target = root / f"set-aside-{number}"
    named = (place.db, place.wal, place.shm, place.head, place.lock, place.backups)
    found = [path.absolute() for path in named if place.disk.exists(path)]
    found += [path.absolute() for path in moved_aside(place)]
    moved = shlex.join(str(path) for path in (*found, target))
    return f"mkdir {shlex.quote(str(target))} && mv {moved}"


def file_digest(disk: Disk, path: Path) -> str:
    """BLAKE2b-256 of the bytes of a file, hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    digest, done = blake2b(digest_size=32), 0
    file = disk.open(path, "read")
    try:
        while block := file.pread(1 << 20, done):
            digest.update(block)
            done += len(block)
    finally:
        file.close()
    return digest.hexdigest()


def sidecar(path: Path) -> Path:
    """Where the facts about the backup ``path`` lie."""
    return path.with_name(path.name + ".json")


def stated(disk: Disk, path: Path) -> BackupInfo | None:
    """What was verified about the backup ``path``; None when nothing is known of it.

    Raises:
        OSError: It cannot be read.
    """
    return _read(disk, sidecar(path), BackupInfo)


def write_sidecar(disk: Disk, path: Path, info: BackupInfo) -> None:
    """Write the facts durably.

    Raises:
        OSError: They cannot be written.
    """
    write_file(disk, sidecar(path), info)


def read_note(place: Place, name: str) -> Note | None:
    """What was done last of ``SECOND`` or ``DRILL``; None when it never was, or cannot be read.

    Raises:
        OSError: The directory cannot be read.
    """
    return _read(place.disk, place.backups / name, Note)


def write_note(place: Place, name: str, note: Note) -> None:
    """Write it durably.

    Raises:
        OSError: It cannot be written.
    """
    write_file(place.disk, place.backups / name, note)


def read_restored(place: Place) -> RestoreNote | None:
    """The newest restore; None when there never was one, or its note cannot be read.

    Raises:
        OSError: The directory cannot be read.
    """
    return _read(place.disk, place.backups / RESTORED, RestoreNote)


def write_restored(place: Place, restored: RestoreNote) -> None:
    """Write it durably.

    Raises:
        OSError: It cannot be written.
    """
    write_file(place.disk, place.backups / RESTORED, restored)


def _read(disk: Disk, path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(disk.read(path), type=kind)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_file(disk: Disk, path: Path, content: Struct) -> None:
    """Write something as JSON, durably and whole.

    Raises:
        OSError: It cannot be written.
    """
    temporary = path.with_name(path.name + ".new")
    file = disk.open(temporary, "fresh", 0o644)
    try:
        file.pwrite(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n", 0)
        file.sync()
    finally:
        file.close()
    disk.rename(temporary, path)
    disk.sync_directory(path.parent)


def _look_up(disk: Disk, path: Path) -> Backup:
    try:
        info = msgspec.json.decode(disk.read(sidecar(path)), type=BackupInfo)
    except FileNotFoundError:
        return Backup(path=path, info=None, problem="it was never verified")
    except (msgspec.DecodeError, UnicodeDecodeError, PermissionError) as error:
        return Backup(path=path, info=None, problem=f"its .json cannot be read: {error}")
    size = disk.size(path)
    if size != info.size:
        problem = f"it has {size} bytes, {info.size} were verified"
        return Backup(path=path, info=None, problem=problem)
    return Backup(path=path, info=info)
