"""How calls end: written or not, answered or not, wanted or not, with the connection or alone."""

from collections.abc import Callable
from math import inf

import msgspec
import pytest

from tradebaas.deribit.errors import LinkLost, NotSent, Unanswered
from tradebaas.deribit.pending import MAX_UNWRITTEN, Call, Pending, Withheld
from tradebaas.deribit.rpc import Answer, Priority

ANSWER = Answer(id=1, result=msgspec.Raw(b"1"))


class Calls:
    """A ``Pending`` and who was woken."""

    def __init__(self) -> None:
        self.pending = Pending()
        self.woken: list[str] = []

    def add(
        self,
        name: str,
        priority: Priority = Priority.NORMAL,
        guard: Callable[[], bool] | None = None,
    ) -> Call:
        return self.pending.add(name, {}, priority, guard, lambda: self.woken.append(name))

    def next(self, **waits: float) -> Call | float:
        return self.pending.next_to_write(lambda call: waits.get(call.method, 0.0))


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_an_answer_wakes_whoever_asked(calls: Calls) -> None:
    call = calls.add("a")
    assert calls.next() is call
    call.begin(3.0)
    taken = calls.pending.take(call.id)
    assert taken is call
    call.settle(ANSWER)
    assert calls.woken == ["a"]
    assert call.result(5.0) == ANSWER
    assert calls.pending.take(call.id) is None
    assert len(calls.pending) == 0


def test_the_end_tells_written_from_unwritten(calls: Calls) -> None:
    written, waiting = calls.add("written"), calls.add("waiting")
    written.begin(0.0)
    calls.pending.end("the socket broke")
    with pytest.raises(LinkLost, match="the socket broke") as lost:
        written.result(1.0)
    assert not isinstance(lost.value, NotSent)
    with pytest.raises(NotSent, match="the socket broke"):
        waiting.result(1.0)
    with pytest.raises(NotSent, match="the socket broke"):
        calls.add("too late")
    assert calls.next() == inf


def test_only_the_first_outcome_counts(calls: Calls) -> None:
    call = calls.add("a")
    call.begin(0.0)
    call.settle(ANSWER)
    call.lose("later")
    assert call.result(1.0) == ANSWER
    assert calls.woken == ["a"]


def test_a_guard_is_asked_at_the_last_moment_and_can_stop_the_call(calls: Calls) -> None:
    allowed = [True]
    call = calls.add("a", guard=lambda: allowed[0])
    assert calls.next() is call
    allowed[0] = False
    with pytest.raises(Withheld):
        call.begin(0.0)
    assert call.begun_at is None
    with pytest.raises(NotSent, match="guard forbade"):
        call.result(1.0)


def test_a_call_given_up_is_never_written(calls: Calls) -> None:
    call = calls.add("a", guard=lambda: pytest.fail("asked for a call that nobody waits for"))
    calls.pending.forget(call)
    assert calls.next() == inf
    with pytest.raises(Withheld):
        call.begin(0.0)


def test_no_outcome_in_time(calls: Calls) -> None:
    call = calls.add("a")
    with pytest.raises(NotSent, match="a: not written within 2 s"):
        call.result(2.0)
    call.begin(0.0)
    with pytest.raises(Unanswered, match="a: no answer within 2 s"):
        call.result(2.0)


def test_an_answer_to_an_unwritten_call_is_nobodys(calls: Calls) -> None:
    call = calls.add("a")
    assert calls.pending.take(call.id) is None
    assert calls.pending.was_made(call.id)
    assert not calls.pending.was_made(call.id + 1)
    assert not calls.pending.was_made(0)


def test_what_waits_to_be_written_is_bounded_but_heartbeats_pass(calls: Calls) -> None:
    for number in range(MAX_UNWRITTEN):
        calls.add(str(number))
    with pytest.raises(NotSent, match="256 calls wait"):
        calls.add("one too many")
    beat = calls.add("beat", Priority.HEARTBEAT)
    assert calls.next() is beat


def test_a_call_without_credits_holds_up_none_behind_it(calls: Calls) -> None:
    calls.add("dear")
    cheap = calls.add("cheap")
    assert calls.next(dear=2.0) is cheap
    calls.add("dearer")
    assert calls.next(dear=2.0, dearer=3.0) == 2.0
