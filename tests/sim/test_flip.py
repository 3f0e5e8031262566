"""A bit is flipped where the next start reads, never in an old record that happens to be equal."""

from random import Random

from disk_kit import ROOT
from store_kit import new, open_log, snapshot

from chaos.sim.flip import _in_a_record
from chaos.world.disk import SimDisk
from tradebaas.store.place import Place


def test_a_record_with_an_older_twin_is_left_alone() -> None:
    disk = SimDisk(Random(1))
    log = open_log(ROOT, disk.mount())
    log.append([new(1), new(2)], snapshot(2))
    log.append([new(1), new(3)])
    log.close()
    place = Place(ROOT, disk.view())
    database = place.disk.read(place.db)
    places = list(_in_a_record(Random(2), place))
    disk.close()
    ((path, at),) = places
    body = database.index(new(3).body)
    assert path == place.db
    assert body <= at < body + len(new(3).body)
