"""Stores on a simulated disk: laid, worked on, cut off and judged."""

from collections.abc import Callable
from pathlib import Path

import apsw
from disk_kit import ROOT
from store_kit import COUNTING, NOW_MS, fill, folded, new, open_log

from chaos.world.disk import SimDisk
from chaos.world.mount import MountedDisk
from tradebaas.store.backup import create_backup
from tradebaas.store.head import HeadFile
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import Head

FIXTURE = Path(__file__).parents[1] / "fixtures" / "store-schema1.db"
OLD_EVENTS = 6
BACKUP = "tradebaas-20220115T235900Z-000000000010.db"
HOUR_MS = 3_600_000
Work = Callable[[MountedDisk], None]


class Promises:
    """What the work has been told so far; what it means is up to the walk."""

    def __init__(self) -> None:
        self.made = 0


def whole(place: Place, at_least: int, at_most: int) -> Log:
    """The opened log, whose records are those that were written, as many as promised."""
    log = open_log(ROOT, place.disk)
    assert at_least <= log.head.seq <= at_most
    bodies = [record.body for record in log.read(0, at_most + 1)]
    assert bodies == [new(number).body for number in range(1, log.head.seq + 1)]
    return log


def disk_of(place: Place) -> SimDisk:
    """The disk under the place."""
    assert isinstance(place.disk, MountedDisk)
    assert isinstance(place.disk.storage, SimDisk)
    return place.disk.storage


def power_cut(place: Place) -> Place:
    """The same place after a power cut."""
    disk = disk_of(place)
    disk.power_cut()
    return Place(ROOT, disk.mount())


def commit_and_lose_power(place: Place, log: Log) -> None:
    """What the next life commits is as durable as ever."""
    head = log.append([new(log.head.seq + 1)])
    log.abandon()
    whole(power_cut(place), head.seq, head.seq).abandon()


def some_commits(promises: Promises, last: int) -> Work:
    """Open the store, commit up to record ``last``, with a snapshot now and then, and close."""

    def work(process: MountedDisk) -> None:
        log = open_log(ROOT, process)
        for number in range(log.head.seq + 1, last + 1):
            log.append([new(number)], folded(number) if number % 5 == 0 else None)
            promises.made = number
        log.close()

    return work


def lay_old_store(disk: SimDisk) -> None:
    """The store that the first version wrote, with its head."""
    disk.put(ROOT / "tradebaas.db", FIXTURE.read_bytes())
    connection = apsw.Connection(str(FIXTURE), apsw.SQLITE_OPEN_READONLY)
    digest = connection.execute("SELECT digest FROM events WHERE seq = 6").get
    connection.close()
    assert isinstance(digest, bytes)
    HeadFile.create(Place(ROOT, disk.mount()), Head(OLD_EVENTS, digest)).close()


def lay_store_with_backup(disk: SimDisk) -> None:
    """Fourteen records, and a backup of the first ten."""
    process = disk.mount()
    log = open_log(ROOT, process)
    fill(log, 1, 10)
    info = create_backup(Place(ROOT, process), now_ms=NOW_MS, fold=COUNTING)
    assert info.name == BACKUP
    fill(log, 11, 14)
    log.abandon()
    process.kill()
