"""The ladder: a naked position gets a stop, and is closed when none is there in time (ADR 0009)."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import LIMITS, SELL, D, Story, only
from tests.unit.core.test_core_protection import naked
from tradebaas.core.duties import MIN_NAKED_REAL_MS, STALLED_MS
from tradebaas.core.events import CloseRequested, OrderIntended, StopStalled, TradeClosed
from tradebaas.core.facts import LostFact, OrderFact, RejectFact
from tradebaas.core.messages import Tend
from tradebaas.core.model import Intent, Order, Phase, Role
from tradebaas.core.state import naked_amount, pending_with

LIMIT = LIMITS.naked_ms
LADDER = LIMIT - LIMIT // 4
"""From the first stop to the close."""
STEP = 50


def silence(_story: Story, _stop: Intent) -> None:
    """No answer comes."""


def lost(story: Story, stop: Intent) -> None:
    story.facts(LostFact(label=stop.label, reason="no answer"))


def refused(story: Story, stop: Intent) -> None:
    story.facts(RejectFact(label=stop.label, code=11051, message="system_maintenance"))


def cancelled(story: Story, stop: Intent) -> None:
    story.facts(story.order(stop.label, f"id-{stop.label}", state="cancelled"))


def half(story: Story, stop: Intent) -> None:
    """Only half of what was asked for becomes a stop."""
    story.facts(story.order(stop.label, f"id-{stop.label}", amount=stop.amount / 2))


Answer = Callable[[Story, Intent], None]


def close_of(story: Story, answer: Answer, most_ms: int) -> Intent | None:
    """Tend until a close is intended, answering each stop; None when none was within that time."""
    for _ in range(most_ms // STEP):
        for event in story.tend():
            if isinstance(event, OrderIntended) and event.intent.role is Role.CLOSE:
                return event.intent
            if isinstance(event, OrderIntended):
                answer(story, event.intent)
        story.now += STEP
    return None


# ------------------------------------------------------------------------------- by time


@pytest.mark.parametrize("answer", [silence, lost, refused, cancelled, half])
def test_without_a_full_stop_the_position_is_closed_before_the_limit(answer: Answer) -> None:
    story = naked()
    began = story.now
    close = close_of(story, answer, 10 * LIMIT)
    assert close is not None
    assert LADDER < close.intended_ms - began <= LADDER + STEP
    assert only(story.events, CloseRequested).reason == f"naked: no stop is there within {LIMIT} ms"
    assert (close.order_type, close.reduce_only) == ("market", True)
    assert close.amount == D(1000)
    assert story.phase() is Phase.CLOSING


@pytest.mark.parametrize("answer, most", [(refused, 200), (cancelled, 200), (lost, 2_000)])
def test_until_then_a_stop_is_attempted_again_at_a_pace(answer: Answer, most: int) -> None:
    story = naked()
    story.limits = replace(LIMITS, naked_ms=20_000)
    assert close_of(story, answer, 14_000) is None
    sent = [
        event.intent.intended_ms
        for event in story.events
        if isinstance(event, OrderIntended) and event.intent.role is Role.STOP
    ]
    pauses = {later - earlier for earlier, later in pairwise(sent)}
    assert pauses == {most + STEP}


def test_a_stop_that_is_there_in_time_ends_the_ladder() -> None:
    story = naked()
    stop = only(story.tend(), OrderIntended).intent
    story.now += LADDER
    assert story.tend() == ()
    story.facts(story.order(stop.label, "stop2"))
    assert naked_amount(story.state) == 0
    story.now += 10 * LIMIT
    assert story.tend() == ()
    assert story.state.closing == ""


def test_each_nakedness_has_the_whole_ladder() -> None:
    story = naked()
    for number in range(3):
        stop = only(story.tend(), OrderIntended).intent
        assert stop.role is Role.STOP
        story.now += LADDER
        assert story.tend() == ()
        story.facts(story.order(stop.label, f"stop{number}"))
        story.now += 10
        story.facts(story.gone(f"stop{number}", "user_request"))
        story.now += LIMIT // 4 + 1


def test_a_fill_without_its_stop_is_closed_within_the_limit() -> None:
    story = Story()
    entry = story.entering()
    story.facts(
        story.fill(entry.label, "1000"),
        story.order(entry.label, "entry", state="filled", filled=D(1000)),
    )
    began = story.now
    close = close_of(story, lost, 10 * LIMIT)
    assert close is not None
    assert close.intended_ms - began <= LIMIT + 2 * STEP


@pytest.mark.parametrize("rate", [1, 300])
def test_however_fast_the_exchange_runs_there_is_real_time_to_act(rate: int) -> None:
    story = Story()
    entry = story.entering()
    story.facts(
        story.fill(entry.label, "1000"),
        story.order(entry.label, "entry", state="filled", filled=D(1000)),
    )
    market = replace(story.market(), rate=Decimal(rate))
    first = max(LIMIT, MIN_NAKED_REAL_MS * rate) // 4
    for at_ms, sent in ((story.now + first, 0), (story.now + first + 1, 1)):
        story.tell(Tend(connection=1, at_ms=at_ms, market=market))
        assert len(pending_with(story.state, Role.STOP)) == sent


# ------------------------------------------------------------------------------ by the price


@pytest.mark.parametrize("code", [10034, 10035, 11036])
def test_a_refused_price_is_not_tried_again(code: int) -> None:
    story = naked()
    stop = only(story.tend(), OrderIntended).intent
    story.facts(RejectFact(label=stop.label, code=code, message="trigger_price_too_high"))
    events = story.tend()
    reason = f"naked: the exchange refuses the stop's price: {code} trigger_price_too_high"
    assert only(events, CloseRequested).reason == reason
    assert only(events, OrderIntended).intent.role is Role.CLOSE


def test_a_refused_price_of_a_stop_that_is_not_needed_any_more_means_nothing() -> None:
    story = naked()
    story.limits = replace(LIMITS, naked_ms=60_000)
    first = only(story.tend(), OrderIntended).intent
    story.now = first.valid_until_ms + 1
    second = only(story.tend(), OrderIntended).intent
    story.facts(story.order(first.label, "stop2"))
    story.facts(RejectFact(label=second.label, code=11036, message="invalid_trigger_price"))
    story.facts(story.gone("stop2", "user_request"))
    story.now += 20_000
    assert only(story.tend(), OrderIntended).intent.role is Role.STOP


def test_a_price_that_was_refused_once_may_be_taken_for_the_next_nakedness() -> None:
    story = naked()
    stop = only(story.tend(), OrderIntended).intent
    story.facts(RejectFact(label=stop.label, code=11036, message="invalid_trigger_price"))
    story.facts(story.order(stop.label, "by a second answer"))
    story.facts(story.gone("by a second answer", "user_request"))
    story.now += LIMIT
    assert only(story.tend(), OrderIntended).intent.role is Role.STOP


# ---------------------------------------------------------------------------- after a lost link


def test_what_is_found_naked_after_a_lost_link_gets_its_stop_first() -> None:
    """It is not closed for an age in which nobody could have protected it."""
    story = naked()
    stop = only(story.tend(), OrderIntended).intent
    story.unlink()
    story.facts(LostFact(label=stop.label, reason="connection lost"))
    story.now += 10 * LIMIT
    story.link(2)
    assert story.tend() == ()
    story.reconcile(size="1000", orders=("take",))
    again = only(story.tend(), OrderIntended).intent
    assert again.role is Role.STOP
    story.now += LADDER
    assert story.tend() == ()
    story.facts(story.order(again.label, "stop2"))
    assert story.state.closing == ""
    assert story.state.counters.naked_ms_max > 10 * LIMIT


def test_a_stop_under_way_through_a_connection_that_is_gone_holds_up_no_other() -> None:
    story = naked()
    stop = only(story.tend(), OrderIntended).intent
    story.unlink()
    story.facts(LostFact(label=stop.label, reason="connection lost"))
    story.now += 300
    assert story.now < stop.valid_until_ms
    story.link(2)
    story.reconcile(size="1000", orders=("take",))
    assert only(story.tend(), OrderIntended).intent.label != stop.label


def test_a_price_that_was_refused_before_a_lost_link_is_tried_again() -> None:
    story = naked()
    stop = only(story.tend(), OrderIntended).intent
    story.facts(RejectFact(label=stop.label, code=11036, message="invalid_trigger_price"))
    story.unlink()
    story.now += LIMIT
    story.link(2)
    story.reconcile(size="1000", orders=("take",))
    assert only(story.tend(), OrderIntended).intent.role is Role.STOP


# ----------------------------------------------------------------- a stop that nobody trades with


def fired(story: Story, *, filled: str = "0", state: str = "open") -> Order:
    """The stop has fired, and the market order that it became rests."""
    order = replace(story.state.orders["stop"], state=state, filled=D(filled), updated_ms=story.now)
    story.facts(OrderFact(order=order))
    return order


@pytest.mark.parametrize("state", ["open", "speed_bumped"])
def test_a_stop_that_has_fired_covers_for_a_moment_and_then_there_is_a_close_beside_it(
    state: str,
) -> None:
    story = Story()
    story.entered()
    story.now += 10_000
    fired(story, state=state)
    story.now += STALLED_MS
    assert story.tend() == ()
    assert naked_amount(story.state) == 0
    story.now += 1
    events = story.tend()
    assert only(events, StopStalled).order_id == "stop"
    assert "nobody trades with it" in only(events, CloseRequested).reason
    close = only(events, OrderIntended).intent
    assert (close.role, close.amount, close.reduce_only) == (Role.CLOSE, D(1000), True)
    assert naked_amount(story.state) == D(1000)
    assert story.naked_since() == story.now
    assert "stop" in story.state.orders, "it may still fill"


def test_each_fill_of_a_fired_stop_gives_it_more_time_and_the_close_is_for_the_rest() -> None:
    story = Story()
    entry = story.entered()
    fired(story)
    story.now += STALLED_MS
    story.facts(story.fill(entry.legs[0].label, "400", price="79000"))
    fired(story, filled="400")
    story.now += STALLED_MS
    assert story.tend() == ()
    story.now += 1
    assert only(story.tend(), OrderIntended).intent.amount == D(600)


def test_what_a_stalled_stop_and_its_close_fill_together_is_the_end_of_the_trade() -> None:
    story = Story()
    entry = story.entered()
    fired(story)
    story.now += STALLED_MS + 1
    close = only(story.tend(), OrderIntended).intent
    story.now += 100
    story.facts(
        story.fill(entry.legs[0].label, "300", price="79000"),
        story.fill(close.label, "700", price="79000", direction=SELL),
        story.order(close.label, "close", state="filled", filled=D(700), direction=SELL),
    )
    assert only(story.events, TradeClosed).trade.naked_ms == 100
    assert story.state.position is None
    story.facts(story.gone("stop"))
    assert story.state.stalled == ()


def test_a_stop_that_waits_or_lies_untriggered_never_stalls() -> None:
    story = Story()
    story.entered()
    story.now += 100 * LIMIT
    assert story.tend() == ()


# ------------------------------------------------------------------------------- what is counted


@pytest.mark.parametrize("ms, bucket", [(0, 0), (50, 0), (51, 1), (2_000, 5), (10_001, 8)])
def test_naked_stretches_are_counted_by_their_length_and_told_of_the_trade(
    ms: int, bucket: int
) -> None:
    story = Story()
    entry = story.entered()
    before = story.state.counters.naked_stretches
    story.now += 10
    story.facts(story.gone("stop", "user_request"))
    story.now += ms
    story.facts(story.order(entry.legs[0].label, "stop2"))
    counted = [b - a for a, b in zip(before, story.state.counters.naked_stretches, strict=True)]
    assert counted == [int(place == bucket) for place in range(9)]
    story.facts(story.fill(entry.legs[0].label, "1000", price="79000"), story.gone("take"))
    assert only(story.events, TradeClosed).trade.naked_ms == ms
    assert story.state.naked_ms == 0


def test_naked_time_of_a_trade_adds_up() -> None:
    story = Story()
    entry = story.entered()
    for old, new in (("stop", "stop2"), ("stop2", "stop3")):
        story.facts(story.gone(old, "user_request"))
        story.now += 30
        story.facts(story.order(entry.legs[0].label, new))
    story.facts(story.fill(entry.legs[0].label, "1000", price="79000"), story.gone("stop3"))
    assert only(story.events, TradeClosed).trade.naked_ms == 60
    assert story.state.naked_ms == 0


def test_naked_time_of_a_position_that_left_no_trade_is_not_told_of_the_next_one() -> None:
    story = Story()
    story.entered()
    story.facts(story.gone("stop", "user_request"))
    story.reconcile(size="1000", orders=("take",))
    story.now += 30
    story.reconcile(size="0")
    assert story.state.naked_ms > 30
    story.now += 61_000
    story.reconcile(size="0")
    assert story.state.counters.trades == 0
    assert story.state.naked_ms == 0
