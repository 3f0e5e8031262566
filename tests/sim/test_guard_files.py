"""An error of the halt file or of the ballast ends the process, whichever operation fails."""

from collections.abc import Callable
from random import Random

import pytest
from disk_kit import ROOT

from chaos.world.disk import SimDisk
from chaos.world.storage import FaultKind
from tradebaas.actors.persister import _on_disk
from tradebaas.errors import Fatal
from tradebaas.store.ballast import restore_ballast
from tradebaas.store.halt import clear_halt, read_halt, write_halt
from tradebaas.store.place import Place


def write_a_halt(place: Place) -> None:
    write_halt(place, "by hand")


def laid() -> SimDisk:
    """A data directory with a halt file and without a ballast."""
    disk = SimDisk(Random(1), "guards")
    process = disk.mount()
    process.mkdir(ROOT, parents=True)
    write_halt(Place(ROOT, process), "before")
    return disk


@pytest.mark.parametrize("seed", range(8))
def test_a_halt_in_a_directory_that_was_just_made_outlives_a_power_cut(seed: int) -> None:
    """Whoever made the directory died, before it had a store and before any name was durable."""
    disk = SimDisk(Random(seed), "new")
    maker = disk.mount()
    maker.mkdir(ROOT, parents=True)
    maker.kill()
    write_halt(Place(ROOT, disk.mount()), "by hand")
    disk.power_cut()
    assert read_halt(Place(ROOT, disk.mount())) == "by hand"
    disk.close()


@pytest.mark.parametrize(
    "kind, work",
    [
        ("read", read_halt),
        ("write", write_a_halt),
        ("sync", write_a_halt),
        ("sync", clear_halt),
        ("sync", restore_ballast),
    ],
)
def test_an_error_of_the_system_ends_the_process(
    kind: FaultKind, work: Callable[[Place], object]
) -> None:
    """It was once an ordinary end of a life: the next one went on as if nothing had happened."""
    struck = 0
    for nth in range(1, 20):
        disk = laid()
        disk.arm(kind, nth=nth)
        try:
            _on_disk(work, Place(ROOT, disk.mount()))
        except Fatal:
            struck += 1
        else:
            assert disk.armed, f"{kind} {nth} failed and nothing was said"
        disk.close()
    assert struck
