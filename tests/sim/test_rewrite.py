"""What the kernel forgets after a failed fsync must not take acknowledged commits with it."""

from pathlib import Path
from random import Random

import pytest

from chaos.world.disk import SimDisk
from tradebaas.errors import StoreFault
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord

ROOT = Path("/data")


def record(n: int) -> NewRecord:
    return NewRecord(at_ms=n, life=1, kind="Test", version=1, body=b"%d" % n)


def opened(disk: SimDisk) -> Log:
    log = Log.open(Place(ROOT, disk.mount()), now_ms=1)
    log.recover(1)
    return log


@pytest.mark.parametrize("seed", range(40))
def test_commits_after_a_failed_sync_survive_a_power_cut(seed: int) -> None:
    disk = SimDisk(Random(seed), f"rewrite {seed}")
    log = opened(disk)
    for n in range(5):
        log.append([record(n)])
    disk.arm("sync", nth=1)
    with pytest.raises(StoreFault):
        log.append([record(5)])  # whether it is stored is unknown: the process ends
    disk.mounts[-1].kill()
    log = opened(disk)
    known = log.head.seq
    for n in range(10, 20):
        log.append([record(n)])
    disk.power_cut()
    assert opened(disk).head.seq == known + 10
    disk.close()
