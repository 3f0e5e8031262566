"""Any batches of any bytes, with snapshots and crashes anywhere: recovered exactly."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tradebaas.store import ballast
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader
from tradebaas.store.records import (
    EMPTY,
    GENESIS,
    NewRecord,
    NewSnapshot,
    chain_digest,
    follows,
    number,
)
from tradebaas.store.verify import verify

FOLD = 1
INT64 = st.integers(-(2**63), 2**63 - 1)
RECORDS = st.builds(
    NewRecord,
    at_ms=INT64,
    life=INT64,
    kind=st.text(max_size=20),
    version=st.integers(0, 2**31 - 1),
    body=st.binary(max_size=6000),
)


class Store(RuleBasedStateMachine):
    """A store beside a list that it must equal."""

    @initialize()
    def begin(self) -> None:
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(ballast, "BALLAST_BYTES", 4096)
        self._directory = tempfile.TemporaryDirectory()
        self.data_dir = Path(self._directory.name)
        self.truth: list[NewRecord] = []
        self.snapshot: tuple[int, bytes] | None = None
        self.log = Log.open(Place(self.data_dir), now_ms=0)
        self._recover()

    def _recover(self) -> None:
        recovered = self.log.recover(FOLD)
        found = recovered.snapshot
        assert (None if found is None else (found.seq, found.body)) == self.snapshot
        at = EMPTY if found is None else found.head
        for given_, record in zip(self.truth[at.seq :], recovered.tail, strict=True):
            assert record == number(at, given_)
            at = record.head
        assert at == recovered.head
        assert recovered.notes == ()

    @rule(records=st.lists(RECORDS, max_size=5))
    def append(self, records: list[NewRecord]) -> None:
        head = self.log.append(records)
        self.truth += records
        assert head.seq == len(self.truth)

    @rule(records=st.lists(RECORDS, max_size=3), body=st.binary(max_size=9000))
    def append_with_snapshot(self, records: list[NewRecord], body: bytes) -> None:
        made = NewSnapshot(fold_version=FOLD, body=body, state_digest=b"d")
        self.log.append(records, made)
        self.truth += records
        self.snapshot = (len(self.truth), body)

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        if clean:
            self.log.close()
        else:
            self.log.abandon()
        self.log = Log.open(Place(self.data_dir), now_ms=0)
        self._recover()

    @rule()
    def verify(self) -> None:
        result = verify(Place(self.data_dir), stated=self.log.head)
        assert (result.problem, result.good.seq) == ("", len(self.truth))

    @invariant()
    def readers_see_the_end(self) -> None:
        with open_reader(Place(self.data_dir)) as reader:
            assert reader.last() == self.log.head

    def teardown(self) -> None:
        self.log.close()
        self._patch.undo()
        self._directory.cleanup()


TestStore = Store.TestCase
TestStore.settings = settings(
    max_examples=25,
    stateful_step_count=20,
)


@given(left=RECORDS, right=RECORDS, seq=st.integers(1, 2**60))
def test_different_records_have_different_digests(
    left: NewRecord, right: NewRecord, seq: int
) -> None:
    same = chain_digest(GENESIS, seq, left) == chain_digest(GENESIS, seq, right)
    assert same == (left == right)


@given(new=RECORDS, cut=st.integers(1, 20))
def test_bytes_that_move_from_one_field_to_the_next_change_the_digest(
    new: NewRecord, cut: int
) -> None:
    text = new.kind.encode()
    moved = NewRecord(
        at_ms=new.at_ms,
        life=new.life,
        kind=new.kind[:-cut],
        version=new.version,
        body=text[len(new.kind[:-cut].encode()) :] + new.body,
    )
    if moved != new:
        assert chain_digest(GENESIS, 1, moved) != chain_digest(GENESIS, 1, new)


@given(new=RECORDS)
def test_a_record_follows_only_the_one_before_it(new: NewRecord) -> None:
    first = number(EMPTY, new)
    second = number(first.head, new)
    assert follows(EMPTY, first)
    assert follows(first.head, second)
    assert not follows(EMPTY, second)
    assert not follows(first.head, first)
