"""Complaints from the field in which several rules must hold together (docs/field-complaints.md).

Each is played to the core as the users of other programs met it.
"""

import pytest

from tests.unit.core.core_kit import SELL, D, Story, kinds, only
from tradebaas.core.duties import unwanted
from tradebaas.core.events import CloseRequested, OrderIntended, TradeClosed
from tradebaas.core.facts import LostFact
from tradebaas.core.messages import Propose
from tradebaas.core.model import Phase, Role
from tradebaas.core.state import naked_amount, pending_with

LATE = 2_001


def refused_signal(story: Story, candle: int = 1) -> str:
    """Why a new signal is not even considered now."""
    return story.refusal(Propose(signal=story.signal(candle=candle), market=story.market()))


def stops(story: Story) -> list[str]:
    """The labels of all stops that were intended after the one that the entry brought along."""
    intents = [event.intent for event in story.events if isinstance(event, OrderIntended)]
    return [intent.label for intent in intents if intent.role is Role.STOP]


@pytest.mark.parametrize("told", ["order", "answer lost"])
def test_a_cancelled_entry_that_filled_in_part_lets_no_second_one_follow(told: str) -> None:
    """The cancel comes first and its fill later: whoever takes it for nothing enters twice."""
    story = Story()
    intent = story.entering()
    if told == "answer lost":
        story.facts(LostFact(label=intent.label, reason="no answer"))
    fill = story.fill(intent.label, "400")
    story.now += 10
    story.facts(story.order(intent.label, "entry", state="cancelled", filled=D(400)))
    assert "ENTERING_POSITION" in refused_signal(story)
    story.facts(fill)
    position = story.state.position
    assert position is not None
    assert position.size == D(400)
    assert "POSITION_OPEN" in refused_signal(story)


def test_a_position_that_was_read_too_early_does_not_free_the_way_for_a_second_entry() -> None:
    """The reading began before the entry filled and says that the account is flat."""
    story = Story()
    intent = story.entering()
    stale = story.position_fact("0")
    story.now += 10
    filled = story.order(intent.label, "entry", state="filled", filled=D(1000))
    story.facts(story.fill(intent.label, "1000"), filled)
    assert story.facts(stale) == ()
    assert story.state.position is not None
    assert "POSITION_OPEN" in refused_signal(story)


def test_two_stops_that_both_turn_up_close_once_and_nothing_is_left() -> None:
    """The first attempt got no answer and is at the exchange all the same."""
    story = Story()
    intent = story.entered()
    story.facts(story.gone("stop", "user_request"))
    story.reconcile(size="1000", orders=("take",))
    first = only(story.tend(), OrderIntended).intent
    story.facts(LostFact(label=first.label, reason="no answer"))
    story.now += LATE
    second = only(story.tend(), OrderIntended).intent
    assert first.reduce_only
    assert second.reduce_only
    story.facts(story.order(second.label, "two"))
    story.facts(story.order(first.label, "one"))
    assert pending_with(story.state, Role.STOP) == []
    story.now += 10 * LATE
    assert story.tend() == (), "one too many is no reason for a third"
    story.facts(
        story.fill(first.label, "1000", price="79000"),
        story.order(first.label, "one", state="filled", filled=D(1000)),
    )
    assert only(story.events, TradeClosed).trade.amount == intent.amount
    assert set(unwanted(story.state, story.now, story.limits, D(1))) == {"two", "take"}
    assert story.phase() is Phase.CLOSING, "it would hit the next position"
    assert "CLOSING" in refused_signal(story)


def test_a_stop_that_fires_and_fills_in_part_only_is_followed_by_a_close_of_the_rest() -> None:
    story = Story()
    stop = story.entered().legs[0].label
    story.now += 100
    story.price = D(78_900)
    story.facts(
        story.order(stop, "stop", state="triggered"),
        story.order(stop, "child", state="open"),
    )
    assert story.tend() == (), "it is closing the position now"
    story.facts(
        story.fill(stop, "300", price="78990"),
        story.order(stop, "child", state="cancelled", filled=D(300)),
    )
    assert naked_amount(story.state) == D(700)
    story.now += LATE
    events = story.tend()
    assert "past the stop" in only(events, CloseRequested).reason
    close = only(events, OrderIntended).intent
    assert (close.role, close.amount, close.order_type) == (Role.CLOSE, D(700), "market")


def test_the_stop_of_an_earlier_trade_is_never_booked_on_the_present_one() -> None:
    """Its fill is told once more by the notification, the next read, and the next life's."""
    story = Story()
    intent = story.entered()
    old = story.fill(intent.legs[0].label, "1000", price="79000")
    story.facts(old, story.gone("stop"), story.gone("take"))
    story.now += 10
    story.propose(candle=1)
    second = story.intent()
    assert {leg.label for leg in second.legs}.isdisjoint(leg.label for leg in intent.legs)
    story.facts(
        story.fill(second.label, "1000"),
        story.order(second.label, "entry2", state="filled", filled=D(1000)),
        story.order(second.legs[0].label, "stop2"),
    )
    before = story.state.position
    assert kinds(story.facts(old)) == []
    story.reconcile(old, size="1000", orders=("stop2",))
    story.start("bb", cause="killed")
    story.link()
    story.reconcile(old, size="1000", orders=("stop2",))
    assert story.state.position == before
    assert story.state.counters.trades == 1
    story.now += 10
    story.facts(story.fill(second.legs[0].label, "1000", price="79000"), story.gone("stop2"))
    assert story.state.counters.trades == 2
    assert story.state.last_trade is not None
    assert story.state.last_trade.signal_id == second.signal_id


def test_a_stop_without_an_answer_is_no_failed_one_and_is_taken_over_when_it_is_found() -> None:
    """Whoever calls it refused closes a position that is protected, or protects it for ever."""
    story = Story()
    story.entered()
    story.facts(story.gone("stop", "user_request"))
    story.reconcile(size="1000", orders=("take",))
    sent = only(story.tend(), OrderIntended).intent
    story.facts(LostFact(label=sent.label, reason="no answer"))
    assert not story.state.stop_refused
    assert story.state.pending[sent.label].unknown == "no answer"
    story.now += 100
    story.facts(story.order(sent.label, "found", direction=SELL))
    assert naked_amount(story.state) == 0
    assert story.state.counters.orders_adopted == 1
    story.now += 10 * LATE
    assert story.tend() == ()
    assert stops(story) == [sent.label]
