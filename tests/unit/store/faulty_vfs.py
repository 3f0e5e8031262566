"""The real disk, failing on command under SQLite (an apsw VFS), or said to be nearly full."""

from pathlib import Path
from types import TracebackType
from typing import Self

import apsw

from tradebaas.store.disk import SystemDisk


class TightDisk(SystemDisk):
    """``free`` bytes are said to be free, whatever is true."""

    def __init__(self, free: int) -> None:
        self.free = free

    def free_bytes(self, directory: Path) -> int:  # noqa: ARG002
        return self.free


class FaultyDisk(SystemDisk):
    """``with FaultyDisk() as disk``: then open a store in ``Place(directory, disk)``.

    ``full`` makes every write that would extend a file fail, ``sync_error`` every sync;
    ``syncs`` counts the syncs that were asked for.
    """

    writer_vfs = "faulty"
    exclusive = True

    def __init__(self) -> None:
        self.full = False
        self.sync_error = False
        self.syncs = 0

    def __enter__(self) -> Self:
        self._vfs = _Vfs(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._vfs.unregister()


class _Vfs(apsw.VFS):
    def __init__(self, disk: FaultyDisk) -> None:
        self._disk = disk
        super().__init__(disk.writer_vfs or "", base="")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(self._disk, name, flags)


class _File(apsw.VFSFile):
    def __init__(
        self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.full and offset + len(data) > self.xFileSize():
            raise apsw.FullError("the disk is full")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.syncs += 1
        if self._disk.sync_error:
            raise apsw.IOError("the disk is broken")
        super().xSync(flags)
