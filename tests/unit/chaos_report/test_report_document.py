"""JSON: it round-trips, its bytes do not depend on the order of counting, and it can be refused."""

import json

import pytest
from hypothesis import given
from msgspec.structs import replace
from report_kit import RUN, broken, passed
from test_report_verdict import tallies

from chaos.report.document import DocumentBroken, decode, encode
from chaos.report.verdict import Tally, Verdict


@given(tallies)
def test_a_document_gives_back_the_verdict(tally: Tally) -> None:
    assert decode(encode(Verdict(RUN, tally))) == Verdict(RUN, tally)


def test_the_order_of_counting_does_not_show() -> None:
    one = Verdict(RUN, Tally(faults={"a": 1, "b": 2}, deaths={"IDLE": {"x": 1, "y": 2}}))
    other = Verdict(RUN, Tally(faults={"b": 2, "a": 1}, deaths={"IDLE": {"y": 2, "x": 1}}))
    assert encode(one) == encode(other)


def test_it_says_what_follows_from_the_figures() -> None:
    told = json.loads(encode(passed()))
    assert (told["passed"], told["failures"], told["deaths"]) == (True, [], 9573)
    assert told["recovery_seconds"]["new process"]["count"] == 9000
    assert told["recovery_seconds"]["new process"]["p50"] == pytest.approx(0.34, rel=0.03)
    assert told["virtual_seconds_per_second"] == pytest.approx(17.45, rel=0.01)
    assert (told["virtual_seconds"], told["exchange_seconds"]) == (7_200.0, 432_000.0)
    assert json.loads(encode(broken()))["passed"] is False


def test_what_a_document_claims_is_not_believed() -> None:
    told = json.loads(encode(broken()))
    told["passed"], told["failures"] = True, []
    assert not decode(json.dumps(told).encode()).passed


def test_what_is_no_report_is_refused() -> None:
    other = encode(passed()).replace(b'"format": 2', b'"format": 1')
    strange = encode(replace(passed(), tally=Tally(checked={"Once": 1}))).replace(b"Once", b"Luck")
    for raw in (b"", b"[]", b"{}", other, strange):
        with pytest.raises(DocumentBroken):
            decode(raw)
