"""The names on the simulated disk: a tree of directories, as it is seen and as it would last.

Paths are absolute and have no dots. Every change of a name waits, with the number of the operation
that made it, until its directory is synced; a power cut decides about each that still waits. The
model is told at the head of ``disk``. Nothing here knows of processes or faults.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import final

from chaos.world.inodes import UNSYNCED_MAX, Directory, File, Judge, Naming, Node, Tear


def refused(number: int, path: Path | str) -> OSError:
    """The system's error of that number, of the class that Python gives it."""
    return OSError(number, os.strerror(number), str(path))


@final
class Tree:
    """All files and directories. Methods raise ``OSError`` as the system does."""

    def __init__(self) -> None:
        self.root = Directory()
        self._unsynced: list[Naming] = []

    # --- looking ---------------------------------------------------------------------------------

    def find(self, path: Path) -> Node | None:
        """What is seen at ``path``; None when there is nothing."""
        node: Node | None = self.root
        for name in path.parts[1:]:
            if not isinstance(node, Directory):
                return None
            node = node.names.get(name)
        return node

    def file(self, path: Path) -> File:
        node = self.find(path)
        if node is None:
            raise refused(errno.ENOENT, path)
        if isinstance(node, Directory):
            raise refused(errno.EISDIR, path)
        return node

    def directory(self, path: Path) -> Directory:
        node = self.find(path)
        if node is None:
            raise refused(errno.ENOENT, path)
        if isinstance(node, File):
            raise refused(errno.ENOTDIR, path)
        return node

    def files(self) -> Iterator[tuple[Path, File]]:
        """Every file that has a name, in an order that depends on what was done alone."""
        waiting: list[tuple[Path, Directory]] = [(Path("/"), self.root)]
        while waiting:
            path, directory = waiting.pop()
            for name, node in directory.names.items():
                if isinstance(node, File):
                    yield path / name, node
                else:
                    waiting.append((path / name, node))

    def every_file(self) -> Iterator[File]:
        """As ``files``, without their paths, which are costly."""
        waiting = [self.root]
        while waiting:
            for node in waiting.pop().names.values():
                if isinstance(node, File):
                    yield node
                else:
                    waiting.append(node)

    # --- changing names --------------------------------------------------------------------------

    def link(self, serial: int, path: Path, node: Node) -> None:
        """Give a new file or directory its name."""
        parent = self.directory(path.parent)
        parent.names[path.name] = node
        self._note(Naming(serial, node, new=(parent, path.name)))

    def unlink(self, serial: int, path: Path) -> None:
        parent, node = self.directory(path.parent), self.file(path)
        del parent.names[path.name]
        self._note(Naming(serial, node, old=(parent, path.name)))

    def rename(self, serial: int, source: Path, target: Path) -> None:
        """One change: it happens wholly or not at all."""
        old, new = self.directory(source.parent), self.directory(target.parent)
        node = self.find(source)
        if node is None:
            raise refused(errno.ENOENT, source)
        del old.names[source.name]
        new.names[target.name] = node
        self._note(Naming(serial, node, new=(new, target.name), old=(old, source.name)))

    def sync(self, directory: Directory) -> None:
        """Make the directory's names durable; a change of two directories waits for both."""
        waiting = []
        for naming in self._unsynced:
            if directory in naming.waits_for:
                naming.waits_for.remove(directory)
            if naming.waits_for:
                waiting.append(naming)
            else:
                naming.last()
        self._unsynced = waiting

    def remove(self, path: Path) -> None:
        """Remove a file as if it had never been there."""
        parent, file = self.directory(path.parent), self.file(path)
        del parent.names[path.name]
        if parent.durable.get(path.name) is file:
            del parent.durable[path.name]
        self._unsynced = [naming for naming in self._unsynced if naming.node is not file]

    def lose_power(self, judge: Judge, tear: Tear) -> None:
        """Only what is durable, and what happened to reach the platters, is there and seen."""
        for naming in self._unsynced:
            if judge(naming.serial) == "kept":
                naming.last()
        self._unsynced = []
        waiting = [self.root]
        while waiting:
            directory = waiting.pop()
            directory.names = dict(directory.durable)
            for node in directory.names.values():
                if isinstance(node, Directory):
                    waiting.append(node)
                elif node.dirty:
                    node.lose_power(judge, tear)

    def oldest(self, newest: int) -> int:
        """The serial number of the oldest unsynced change, ``newest`` when there is none."""
        files = (file.unsynced[0][0] for file in self.every_file() if file.unsynced)
        names = (naming.serial for naming in self._unsynced[:1])
        return min([newest, *files, *names])

    def copy(self) -> "Tree":
        """A tree of its own in the same condition, seen and durable, without locks."""
        twins: dict[int, Node] = {}
        tree = Tree()
        tree.root = _copied_directory(self.root, twins)
        tree._unsynced = [_copied_naming(naming, twins) for naming in self._unsynced]
        return tree

    def _note(self, naming: Naming) -> None:
        self._unsynced.append(naming)
        if len(self._unsynced) > UNSYNCED_MAX:
            for old in self._unsynced[: UNSYNCED_MAX // 2]:
                old.last()
            del self._unsynced[: UNSYNCED_MAX // 2]


def _copied(node: Node, twins: dict[int, Node]) -> Node:
    return _copied_directory(node, twins) if isinstance(node, Directory) else _file(node, twins)


def _file(file: File, twins: dict[int, Node]) -> Node:
    if id(file) not in twins:
        twins[id(file)] = file.copy()
    return twins[id(file)]


def _copied_directory(directory: Directory, twins: dict[int, Node]) -> Directory:
    known = twins.get(id(directory))
    if isinstance(known, Directory):
        return known
    twin = twins[id(directory)] = Directory()
    twin.names = {name: _copied(node, twins) for name, node in directory.names.items()}
    twin.durable = {name: _copied(node, twins) for name, node in directory.durable.items()}
    return twin


def _copied_naming(naming: Naming, twins: dict[int, Node]) -> Naming:
    def place(known: tuple[Directory, str] | None) -> tuple[Directory, str] | None:
        return None if known is None else (_copied_directory(known[0], twins), known[1])

    twin = Naming(naming.serial, _copied(naming.node, twins), place(naming.new), place(naming.old))
    twin.waits_for = [_copied_directory(known, twins) for known in naming.waits_for]
    return twin
