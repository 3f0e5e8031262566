"""``data/head``: the guard of the log's tail.

A flipped byte in an early frame of SQLite's write-ahead log silently drops every later commit, and
its integrity check then says "ok". So after each durable commit, before it is acknowledged, the
last (seq, digest) is written here too. A log that ends before its head was cut or corrupted.

Two slots are overwritten in turn, each with its own checksum and in its own 4 KiB block, so a torn
write loses at most the newer one. They are not synced: after a power cut the head may be older
than the log, which is normal and never wrong, because the log is synced first. This file decides
nothing; ``log`` compares.
"""

import struct
from hashlib import blake2b
from typing import Self

from msgspec import Struct

from tradebaas.store.disk import DiskFile
from tradebaas.store.place import Place
from tradebaas.store.records import DIGEST_SIZE, Head

_MAGIC = b"TBHEAD1\n"
_SLOT = struct.Struct(f">8sQ{DIGEST_SIZE}s16s")  # magic, seq, digest, checksum
_STRIDE = 4096
_SLOTS = 2


class HeadFile:
    """The open head file. ``newest`` is what it says, None when neither slot is valid."""

    def __init__(self, file: DiskFile) -> None:
        self._file = file
        slots = [_unpack(file.pread(_SLOT.size, n * _STRIDE)) for n in range(_SLOTS)]
        valid = [(head.seq, n) for n, head in enumerate(slots) if head is not None]
        newest = max(valid)[1] if valid else 1
        self.newest: Head | None = slots[newest]
        self._next = 1 - newest

    @classmethod
    def open(cls, place: Place) -> Self | None:
        """The existing head file, or None when there is none.

        Raises:
            OSError: It exists and cannot be opened or read.
        """
        try:
            return cls(place.disk.open(place.head, "write"))
        except FileNotFoundError:
            return None

    @classmethod
    def create(cls, place: Place, head: Head) -> Self:
        """Write a new head file, replacing any other, and make it durable.

        Raises:
            OSError: It cannot be written.
        """
        temporary = place.root / "head.new"
        file = place.disk.open(temporary, "fresh")
        try:
            file.pwrite(bytes(_SLOTS * _STRIDE), 0)
            head_file = cls(file)
            head_file.write(head)
            file.sync()
            place.disk.rename(temporary, place.head)
            place.disk.sync_directory(place.root)
        except BaseException:
            file.close()
            raise
        return head_file

    def write(self, head: Head) -> None:
        """Overwrite the older slot. Not synced; costs a few microseconds.

        Raises:
            OSError: It cannot be written.
        """
        self._file.pwrite(_pack(head), self._next * _STRIDE)
        self.newest = head
        self._next = 1 - self._next

    def close(self) -> None:
        """Close the file; the object is of no use afterwards."""
        self._file.close()


def read_head(place: Place) -> Head | None:
    """What the head file says now; None when it is missing or says nothing valid.

    Raises:
        OSError: It exists and cannot be opened or read.
    """
    try:
        file = HeadFile(place.disk.open(place.head, "read"))
    except FileNotFoundError:
        return None
    file.close()
    return file.newest


def remove_head(place: Place) -> None:
    """Remove the file durably, for a moment in which the digests of the log change."""
    place.disk.unlink(place.head)
    place.disk.sync_directory(place.root)


class _Slot(Struct, frozen=True):
    magic: bytes
    seq: int
    digest: bytes
    checksum: bytes


def _checksum(seq: int, digest: bytes) -> bytes:
    return blake2b(_MAGIC + seq.to_bytes(8, "big") + digest, digest_size=16).digest()


def _pack(head: Head) -> bytes:
    return _SLOT.pack(_MAGIC, head.seq, head.digest, _checksum(head.seq, head.digest))


def _unpack(raw: bytes) -> Head | None:
    if len(raw) != _SLOT.size:
        return None
    slot = _Slot(*_SLOT.unpack(raw))
    if slot.magic != _MAGIC or slot.checksum != _checksum(slot.seq, slot.digest):
        return None
    return Head(slot.seq, slot.digest)
