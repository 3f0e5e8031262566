"""How many notices pass, what waits for whom, and what a restart goes on from."""

from pathlib import Path

import pytest

from tradebaas.notices.gate import Gate
from tradebaas.notices.memory import NAME, Told, Totals, load, save
from tradebaas.notices.model import Notice
from tradebaas.notices.queues import ROOM, Queues, Waiting, waiting
from tradebaas.settings import NoticesSection

DATA = Path("/var/lib/tradebaas")
FEW = NoticesSection(at_most=2, within_seconds=100)


def notice(title: str = "position opened", *, urgent: bool = False) -> Notice:
    return Notice(kind="opened", title=title, happened="a", did="b", todo="c", urgent=urgent)


def item(seq: int, title: str = "position opened", *, urgent: bool = False) -> Waiting:
    return waiting(notice(title, urgent=urgent), seq, 0, "box")


def test_what_is_too_much_is_held_back_and_counted() -> None:
    gate = Gate(DATA)
    assert [gate.passes(notice(), FEW, now) for now in (0, 1, 2, 3)] == [True, True, False, False]
    assert gate.digest(FEW, 50) is None
    digest = gate.digest(FEW, 100)
    assert digest is not None
    assert digest.title == "2 notices were held back"
    assert "2 x position opened" in digest.happened
    assert f"log --data {DATA}`" in digest.todo
    assert gate.digest(FEW, 300) is None
    assert gate.held_total == 2


def test_the_count_takes_a_place_of_its_own() -> None:
    gate = Gate(DATA)
    for now in (0, 99, 99.5):
        gate.passes(notice(), FEW, now)
    assert gate.digest(FEW, 100) is not None
    assert not gate.passes(notice(), FEW, 101)


def test_an_urgent_one_is_not_held_back_by_usual_ones() -> None:
    gate = Gate(DATA)
    for now in range(5):
        gate.passes(notice(), FEW, now)
    assert gate.passes(notice(urgent=True), FEW, 6)
    assert gate.passes(notice(urgent=True), FEW, 7)
    assert not gate.passes(notice(urgent=True), FEW, 8)


def test_what_is_switched_off_is_neither_sent_nor_counted() -> None:
    gate = Gate(DATA)
    assert not gate.passes(notice(), NoticesSection(opened=False), 0)
    assert gate.held_total == 0


def test_each_address_has_its_own_queue_and_all_must_be_told() -> None:
    queues = Queues(2)
    for seq in (5, 8):
        queues.put(item(seq))
    queues.read = 9
    assert queues.told == 4
    assert [found.seq for found in queues.first(0, 5)] == [5, 8]
    queues.done(0, 2)
    assert queues.first(0) == []
    assert queues.told == 4
    queues.done(1)
    assert queues.told == 7
    queues.done(1)
    assert queues.told == 9


def test_a_condition_holds_back_no_number() -> None:
    queues = Queues(1)
    queues.read = 9
    queues.put(item(0))
    assert queues.told == 9


def test_a_full_queue_drops_its_oldest_usual_one() -> None:
    queues = Queues(1)
    for seq in range(1, ROOM + 1):
        assert queues.put(item(seq, str(seq))) == []
    under_way = queues.first(0, 2)
    assert [dropped.title for dropped in queues.put(item(999, "new"))] == ["3"]
    assert queues.count == ROOM
    assert queues.first(0, 2) == under_way
    queues.done(0, 1)
    assert [found.seq for found in queues.first(0, 2)] == [2, 4]


@pytest.mark.parametrize("urgent, dropped", [(False, "new"), (True, "1")])
def test_urgent_ones_make_room_for_urgent_ones_alone(urgent: bool, dropped: str) -> None:
    queues = Queues(1)
    for seq in range(1, ROOM + 1):
        queues.put(item(seq, str(seq), urgent=True))
    assert [n.title for n in queues.put(item(999, "new", urgent=urgent))] == [dropped]


def test_what_was_told_is_remembered(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    told = Told(seq=7, day=3, totals=Totals(trades=2))
    save(tmp_path, told)
    assert load(tmp_path) == told
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", [b"", b"{", b'{"seq": "x"}', b"\xff\xfe"])
def test_a_memory_that_cannot_be_read_is_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / NAME).write_bytes(damage)
    assert load(tmp_path) is None
