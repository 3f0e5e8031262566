"""A small file system of the campaign's own, which can be filled, broken, frozen and cut off.

tmpfs, or ext4 in an image that is mounted by loop. Of ext4 two things can be had for real that no
other means gives: the emergency read-only state that an I/O error leads to (``remount,abort``), and
a power cut (the shutdown ioctl: whatever was not synced is gone, and nothing reaches the disk any
more). Needs root. While it is frozen or broken nobody else may look into it either.
"""

import errno
import fcntl
import os
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

LIMIT_S = 20.0
BUSY_LIMIT_S = 10.0
MIB = 1024 * 1024
_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
_NOTHING_MORE = struct.pack("I", 2)  # without writing out the journal first
_FREEZE, _THAW = 0xC0045877, 0xC0045878

Kind = Literal["tmpfs", "ext4"]


class Volume:
    """A mounted file system; ``root`` is where."""

    def __init__(self, home: Path, kind: Kind, megabytes: int) -> None:
        self.root = home / "disk"
        self._image = home / "disk.img"
        self._kind = kind
        self._megabytes = megabytes
        self.root.mkdir(parents=True)
        if kind == "ext4":
            with self._image.open("wb") as image:
                image.truncate(megabytes * MIB)
            system("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self.mount()

    def mount(self) -> None:
        """Mount it, after whatever happened to it."""
        where = str(self.root)
        if self._kind == "ext4":
            system("mount", "-o", "loop", str(self._image), where)
        else:
            system("mount", "-t", "tmpfs", "-o", f"size={self._megabytes}m", "tmpfs", where)

    def unmount(self) -> None:
        """Unmount it as soon as nobody uses it any more; at last whoever may still do so."""
        until = time.monotonic() + BUSY_LIMIT_S
        while time.monotonic() < until:
            try:
                system("umount", str(self.root))
                return
            except OSError:
                time.sleep(0.05)
        system("umount", "--lazy", str(self.root))

    def end(self) -> None:
        """Unmount it and take its image away."""
        with suppress(OSError):
            self.thaw()
        self.unmount()
        self.root.rmdir()
        self._image.unlink(missing_ok=True)

    # ----------------------------------------------------------------------------------- filling

    def fill(self) -> None:
        """Leave no byte free; may be repeated when some have become free."""
        size = 64 * MIB
        number = len(list(self.root.glob("filler-*")))
        descriptor = os.open(self.root / f"filler-{number}", os.O_RDWR | os.O_CREAT)
        try:
            end = 0
            while size >= 1024:
                try:
                    os.posix_fallocate(descriptor, end, size)
                    end += size
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2
        finally:
            os.close(descriptor)

    def fill_inodes(self) -> None:
        """Leave no file to be made."""
        folder = self.root / "filler-inodes"
        folder.mkdir(exist_ok=True)
        try:
            for number in range(1_000_000):
                (folder / str(number)).touch()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def free(self) -> None:
        """Take away all that was filled in."""
        for filler in self.root.glob("filler-*"):
            if filler.is_dir():
                for file in filler.iterdir():
                    file.unlink()
                filler.rmdir()
            else:
                filler.unlink()

    # ---------------------------------------------------------------------------------- breaking

    def break_off(self) -> None:
        """Make it read-only at once, as an I/O error does (ext4 only)."""
        system("mount", "-o", "remount,abort", str(self.root))

    def cut_power(self) -> None:
        """From here on nothing reaches the disk; what was not synced never will (ext4 only)."""
        self._ioctl(_SHUTDOWN, _NOTHING_MORE)

    def repair(self) -> None:
        """Unmount and mount again, as a new start of the machine does (ext4 only)."""
        self.unmount()
        self.mount()

    def freeze(self) -> None:
        """Let every write wait until ``thaw``."""
        self._ioctl(_FREEZE, bytes(4))

    def thaw(self) -> None:
        """Let writes go on.

        Raises:
            OSError: It is not frozen.
        """
        self._ioctl(_THAW, bytes(4))

    def _ioctl(self, request: int, argument: bytes) -> None:
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, request, argument)
        finally:
            os.close(descriptor)


def system(*command: str) -> None:
    """Run a command of the system.

    Raises:
        OSError: It failed; the message has its last words.
    """
    done = subprocess.run(
        command, capture_output=True, timeout=LIMIT_S, check=False, start_new_session=True
    )
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()
        raise OSError(f"{' '.join(command)}: {words}")
