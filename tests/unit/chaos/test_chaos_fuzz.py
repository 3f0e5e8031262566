"""Fuzzing must find a life that a frame can end, and read every kind of frame to its end."""

import json
import random
from collections import Counter

import pytest
from msgspec import Raw

from chaos.fuzz import campaign, reader
from chaos.fuzz.mutate import AS_BYTES, AS_JSON, spoilt
from chaos.report.verdict import Run, Verdict
from tradebaas.deribit import convert, wire


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "BATCH", 2_000)


def test_frames_follow_from_the_seed_and_are_spoilt_in_every_way() -> None:
    drawn = [spoilt(random.Random(n), campaign.frames()) for n in range(2_000)]
    assert drawn == [spoilt(random.Random(n), campaign.frames()) for n in range(2_000)]
    assert {how for ways, _ in drawn for how in ways} == {*AS_JSON, *AS_BYTES}
    assert len({frame for _, frame in drawn}) > 1_500


def test_an_honest_frame_is_understood_and_what_it_tells_is_taken() -> None:
    state = reader.state_with_a_position()
    ends = Counter(reader.read(frame, state) for frame in campaign.frames())
    assert "no frame" not in ends
    assert ends["taken by the core"] > 0
    assert ends["understood"] > ends["refused by its reader"], "some belong to no call of ours"


@pytest.mark.usefixtures("small")
def test_a_batch_reaches_the_core_and_every_reader_and_nothing_falls() -> None:
    counted = campaign.batch(0, 1)
    ends = Counter[str]()
    for (_, fate), times in counted.ends.items():
        ends[fate] += times
    assert counted.crashes == ()
    assert ends.total() == 2_000
    assert min(ends[fate] for fate in ("taken by the core", "understood", "no frame")) > 100


@pytest.mark.usefixtures("small")
def test_a_reader_that_lets_an_error_through_is_found_and_seen_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def careless(raw: Raw) -> object:
        found = json.loads(bytes(raw))
        return found["order"]["amount"] * 2

    monkeypatch.setattr(reader, "READERS", (careless,))
    counted = campaign.batch(3, 1)
    crash = counted.crashes[0]
    assert "careless" in crash.words
    tally = campaign.tally_of(Counter(counted.ends), list(counted.crashes), 1)
    made = Run(title="t", command="c", unit="frames", trials=1)
    assert not Verdict(run=made, tally=tally).passed
    assert tally.findings[0].replay.endswith("--seed 1 --first 3")


@pytest.mark.usefixtures("small")
def test_a_core_that_chokes_on_a_number_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = convert.order

    def picky(found: wire.Order) -> object:
        order = whole(found)
        assert order.amount < 10**9
        return order

    monkeypatch.setattr(convert, "order", picky)
    assert any("picky" in crash.words for n in range(5) for crash in campaign.batch(n, 2).crashes)
