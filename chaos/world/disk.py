"""A disk in memory that may lose its power, run full, fail and lie: the simulated form of
``tradebaas.store.disk``, with a real SQLite on top.

**What a process sees.** The page cache: every write, name and size at once, whoever made it. One
operation is one step; between any two of them a process may die or the power may go.

**What a kill keeps.** All of the page cache. ``MountedDisk`` is what one process has in its hands:
after its ``kill`` every further operation raises and changes nothing, and its locks are gone.

**What a power cut keeps.** What was synced before, and of the rest any part:

- Each unsynced write is lost, kept, or torn at sectors of 512 bytes, by itself: a later one may be
  kept and an earlier one lost, in the same file and between files. Where it is lost the bytes are
  the old ones. A lost write at the end of a file may leave the file longer, with zeros.
- An unsynced truncation or extension may have happened or not, by itself.
- A sync of a file makes its content and its size durable, not its name.
- An unsynced creation, renaming or removal may have happened or not, by itself, whatever became of
  the content. A renaming happens wholly or not at all, and what it replaced is then still there.
  One from a directory into another is durable when both have been synced.
- A sync of a directory makes its names durable, not what lies in the files or below.
- Whatever waits in a file behind ``UNSYNCED_MAX`` newer changes has been written back by itself,
  as kernels do after half a minute; so has a change of names behind as many newer ones.

**Faults**, each armed by whoever drives the simulation, and none before:

- ``capacity``: all files together, the ballast included, hold no more bytes than that. A write
  that does not fit stores what fits, in whole blocks, and raises ENOSPC. Names cost nothing.
- ``read``, ``write``: the operation raises EIO and does nothing.
- ``short read``: a read brings the first half of what was asked for; asked again, the rest. Only
  the end of a file is ever shorter than that, since no kernel ends a file in its middle.
- ``sync``: the sync raises EIO. By chance the changes then still wait, or the kernel has forgotten
  them: some were written, the rest is shown by the page cache but will never be written, and the
  next sync says that all is well.
- ``slow sync``: the sync takes long. The disk cannot wait by itself: the seconds are added to
  ``MountedDisk.owed_seconds``, which the simulation sleeps off.
- ``read_only``: a file system that was mounted read only after an error: everything that changes
  something raises EROFS, and so does a sync of what has not been written yet.
- ``lying``: a drive that answers to a sync before it has written anything.
- ``flip`` and ``delete``: a bit that changed by itself, a file that somebody removed.

All chance comes from the ``Random`` that is handed in, SQLite's own included: every mount seeds
SQLite's generator from it. So the same seed and the same calls give the same bytes.
"""

from pathlib import Path
from random import Random
from typing import final

from chaos.world.fates import draw_fates
from chaos.world.inodes import Content, Directory, File
from chaos.world.mount import MountedDisk, View
from chaos.world.storage import Storage
from chaos.world.vfs import seed_sqlite


@final
class SimDisk(Storage):
    """The disk itself, which outlives processes and power cuts. ``name`` must differ from that of
    any other disk at the same time: SQLite knows the mounts by it.

    ``on_operation`` is called before each operation that changes something. It may call ``kill``
    or ``power_cut``, or raise: then the operation does not happen.
    """

    def __init__(self, random: Random, name: str = "sim") -> None:
        super().__init__(random)
        self.name = name
        self.mounts: list[MountedDisk] = []
        self._mounted = 0
        self._forked = 0
        self._view: View | None = None

    # --- processes -------------------------------------------------------------------------------

    def mount(self) -> MountedDisk:
        """What a new process has in its hands."""
        seed_sqlite(self.random)
        self._mounted += 1
        self.mounts = [mounted for mounted in self.mounts if mounted.alive]
        mounted = MountedDisk(self, f"{self.name}:{self._mounted}", self._mounted)
        self.mounts.append(mounted)
        return mounted

    def view(self) -> View:
        """The disk as a judge may read it at any time: no operation counts, no fault strikes."""
        if self._view is None:
            self._view = View(self, f"{self.name}:view", 0)
        return self._view

    def power_cut(self) -> None:
        """Kill every process and keep what a power cut keeps."""
        self._kill_all()
        newest = self.operations
        judge = draw_fates(self.random, self.tree.oldest(newest), newest)
        self.tree.lose_power(judge, lambda: self.random.random() < 0.5)

    def close(self) -> None:
        """Kill every process and let SQLite forget this disk."""
        self._kill_all()
        if self._view is not None:
            self._view.forget()

    def fork(self, random: Random) -> "SimDisk":
        """A disk of its own in the same condition, as if every process had just been killed:
        to look at what would be, and go on here. Faults and hook are not taken along.
        """
        self._forked += 1
        twin = SimDisk(random, f"{self.name}/{self._forked}")
        twin.tree = self.tree.copy()
        twin.capacity, twin.read_only, twin.lying = self.capacity, self.read_only, self.lying
        twin.operations, twin.wall_ms = self.operations, self.wall_ms
        return twin

    def _kill_all(self) -> None:
        for mounted in self.mounts:
            mounted.kill()
        self.mounts.clear()

    # --- what happens to it ----------------------------------------------------------------------

    def put(self, path: Path, data: bytes) -> None:
        """Lay a file, with its directories, as if it had always been there."""
        directory = self.tree.root
        for name in path.parts[1:-1]:
            inner = directory.names.get(name) or Directory()
            assert isinstance(inner, Directory)
            directory.names[name] = directory.durable[name] = inner
            directory = inner
        directory.names[path.name] = directory.durable[path.name] = File(Content(data))

    def flip(self, path: Path, at: int | None = None) -> int:
        """Change one bit of the file, in the byte ``at`` or anywhere; returns where."""
        file = self.tree.file(path)
        where = self.random.randrange(file.cached.size) if at is None else at
        bit = 1 << self.random.randrange(8)
        file.flip(where, bit)
        return where

    def delete(self, path: Path) -> None:
        """Remove a file, durably."""
        self.tree.remove(path)
