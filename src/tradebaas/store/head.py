"""``data/head``: the guard of the log's tail.

A flipped byte in an early frame of SQLite's write-ahead log silently drops every later commit, and
its integrity check then says "ok". So after each durable commit, before it is acknowledged, the
last (seq, digest) is written here too. A log that ends before its head was cut or corrupted.

Two slots are overwritten in turn, each with its own checksum and in its own 4 KiB block, so a torn
write loses at most the newer one. They are not synced: after a power cut the head may be older
than the log, which is normal and never wrong, because the log is synced first. This file decides
nothing; ``log`` compares.
"""

import os
import struct
from hashlib import blake2b
from typing import Self

from msgspec import Struct

from tradebaas.store.place import Place, sync_directory
from tradebaas.store.records import DIGEST_SIZE, Head

_MAGIC = b"TBHEAD1\n"
_SLOT = struct.Struct(f">8sQ{DIGEST_SIZE}s16s")  # magic, seq, digest, checksum
_STRIDE = 4096
_SLOTS = 2


class HeadFile:
    """The open head file. ``newest`` is what it says, None when neither slot is valid."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        slots = [_unpack(os.pread(descriptor, _SLOT.size, n * _STRIDE)) for n in range(_SLOTS)]
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
            return cls(os.open(place.head, os.O_RDWR))
        except FileNotFoundError:
            return None

    @classmethod
    def create(cls, place: Place, head: Head) -> Self:
        """Write a new head file, replacing any other, and make it durable.

        Raises:
            OSError: It cannot be written.
        """
        temporary = place.root / "head.new"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
        os.pwrite(descriptor, bytes(_SLOTS * _STRIDE), 0)
        file = cls(descriptor)
        file.write(head)
        os.fsync(descriptor)
        temporary.rename(place.head)
        sync_directory(place.root)
        return file

    def write(self, head: Head) -> None:
        """Overwrite the older slot. Not synced; costs a few microseconds.

        Raises:
            OSError: It cannot be written.
        """
        os.pwrite(self._descriptor, _pack(head), self._next * _STRIDE)
        self.newest = head
        self._next = 1 - self._next

    def close(self) -> None:
        """Close the file; the object is of no use afterwards."""
        os.close(self._descriptor)


def read_head(place: Place) -> Head | None:
    """What the head file says now; None when it is missing or says nothing valid.

    Raises:
        OSError: It exists and cannot be opened or read.
    """
    try:
        file = HeadFile(os.open(place.head, os.O_RDONLY))
    except FileNotFoundError:
        return None
    file.close()
    return file.newest


def remove_head(place: Place) -> None:
    """Remove the file durably, for a moment in which the digests of the log change."""
    place.head.unlink(missing_ok=True)
    sync_directory(place.root)


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
