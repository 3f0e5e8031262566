"""Walks over a simulated disk: die at every operation of some work, look at what is left."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

from chaos.world.disk import SimDisk
from chaos.world.mount import MountedDisk
from chaos.world.storage import Kind
from tradebaas.store.place import Place

Result = TypeVar("Result")
ROOT = Path("/srv/tradebaas/data")


@dataclass(frozen=True)
class Point:
    """The disk just before operation ``kind`` on ``name``, and what had been promised by then."""

    disk: SimDisk
    kind: Kind
    name: str
    promised: int


def points(
    disk: SimDisk, work: Callable[[MountedDisk], None], promised: Callable[[], int] = lambda: 0
) -> list[Point]:
    """Do ``work`` in a new process; a copy of the disk from before each operation, and the end."""
    found: list[Point] = []

    def keep(index: int, kind: Kind, path: Path) -> None:
        found.append(Point(disk.fork(Random(index)), kind, path.name, promised()))

    disk.on_operation = keep
    work(disk.mount())
    disk.on_operation = None
    found.append(Point(disk.fork(Random(0)), "sync", "the end", promised()))
    return found


def deaths(found: list[Point], cuts: int) -> Iterator[tuple[str, Point, Place]]:
    """At each point: a kill, and ``cuts`` power cuts. Yields a name for the death, the point, and
    the place that a new process then finds."""
    for number, point in enumerate(found):
        for cut in range(cuts + 1):
            disk = point.disk.fork(Random(f"{number} {cut}"))
            if cut:
                disk.power_cut()
            what = f"power cut {cut}" if cut else "kill"
            yield (
                f"{what} before {number} {point.kind} {point.name}",
                point,
                Place(ROOT, disk.mount()),
            )
            disk.close()


def outcomes(
    prepare: Callable[[MountedDisk], None], look: Callable[[SimDisk], Result], cuts: int = 300
) -> set[Result]:
    """Everything that is found after a power cut, over many of them."""
    found = set()
    for number in range(cuts):
        disk = SimDisk(Random(number), "cut")
        prepare(disk.mount())
        disk.power_cut()
        found.add(look(disk))
        disk.close()
    return found
