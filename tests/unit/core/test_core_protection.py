"""Naked positions, escalation, closing, and what is cancelled when."""

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import BUY, INVERSE, LIMITS, SELL, D, Story, kinds, only
from tradebaas.core.draft import Draft
from tradebaas.core.duties import plan, unwanted
from tradebaas.core.events import CloseRequested, OrderIntended
from tradebaas.core.facts import LostFact, OpenOrdersFact, RejectFact
from tradebaas.core.messages import ClosePosition, Halt, Tend
from tradebaas.core.model import Direction, Role
from tradebaas.core.state import naked_amount, pending_with

LATE = LIMITS.validity_ms + 1
PATIENT = replace(LIMITS, naked_ms=60_000)


def cancelled_ids(story: Story) -> tuple[str, ...]:
    return unwanted(story.state, story.now, LIMITS, D(1))


def rejected(story: Story, role: str) -> None:
    story.facts(RejectFact(label=story.intent(role).label, code=10041, message="settlement"))


def naked(direction: Direction = BUY) -> Story:
    """An open position whose stop was removed, seen by a full read after a restart."""
    story = Story()
    story.entered(direction)
    story.start("bb", cause="killed")
    story.link()
    story.now += 1_000
    size = story.intent().amount * direction.sign
    story.reconcile(size=str(size), orders=("take",))
    return story


@pytest.mark.parametrize("side, stop", [(BUY, "79000"), (SELL, "81000")])
def test_a_stop_removed_while_down_is_put_back_at_once_after_the_read(
    side: Direction, stop: str
) -> None:
    story = naked(side)
    amount = story.intent().amount
    assert naked_amount(story.state) == amount
    assert story.naked_since() == story.now
    intent = only(story.tend(), OrderIntended).intent
    assert (intent.role, intent.trigger_price) == (Role.STOP, D(stop))
    assert (intent.amount, intent.direction) == (amount, side.opposite)
    assert intent.reduce_only
    assert intent.order_type == "stop_market"
    assert story.tend() == (), "one attempt at a time"
    story.now += 50
    story.facts(story.order(intent.label, "stop2"))
    assert naked_amount(story.state) == 0
    assert story.naked_since() is None
    assert story.state.counters.naked_ms_total == 50
    assert story.state.counters.naked_ms_max == 50
    assert story.state.recovering.naked_ms == 50
    assert story.state.counters.stops_replaced == 1


def test_the_stops_of_a_fresh_fill_get_a_moment_to_be_reported() -> None:
    story = Story()
    intent = story.entering()
    story.facts(
        story.fill(intent.label, "1000"),
        story.order(intent.label, "entry", state="filled", filled=D(1000)),
    )
    since = story.now
    story.now = since + LIMITS.naked_ms // 4
    assert story.tend() == ()
    story.now += 1
    assert only(story.tend(), OrderIntended).intent.trigger_price == D(79_000)


def test_a_full_read_that_began_before_the_fill_does_not_confirm_nakedness() -> None:
    story = Story()
    intent = story.entering()
    story.now += 100
    fill = story.fill(intent.label, "1000", at=story.now + 50)
    story.reconcile(fill, story.order(intent.label, "e", state="filled", filled=D(1000)))
    assert story.naked_since() is not None
    assert not story.state.naked_confirmed


def test_only_what_is_not_covered_gets_another_stop() -> None:
    story = Story()
    intent = story.entered()
    story.now += 10
    story.facts(story.fill("", "500", direction=BUY))
    assert "position bounded" not in story.state.protect
    assert "1500 is larger" in story.state.protect["invariant"]
    story.now += LATE
    retry = only(story.tend(), OrderIntended).intent
    assert retry.amount == D(500)
    assert retry.trigger_price == intent.legs[0].trigger_price


def test_orders_that_wait_take_profit_or_another_instrument_cover_nothing() -> None:
    story = Story()
    intent = story.entered()
    stop = story.order(intent.legs[0].label, "other")
    story.facts(replace(stop, order=replace(stop.order, instrument="ETH-PERPETUAL")))
    story.facts(story.order(intent.legs[0].label, "waits", waiting=True))
    story.facts(story.gone("stop", "user_request"))
    assert naked_amount(story.state) == D(1000)


@pytest.mark.parametrize("side, price", [(BUY, 79_000), (BUY, 70_000), (SELL, 81_000)])
def test_past_its_stop_a_naked_position_is_closed(side: Direction, price: int) -> None:
    story = naked(side)
    story.price = D(price)
    events = story.tend()
    assert kinds(events) == ["CloseRequested", "PhaseChanged", "OrderIntended"]
    assert "past the stop" in only(events, CloseRequested).reason


def test_an_unanswered_stop_is_attempted_again_under_a_new_label() -> None:
    story = naked()
    story.limits = PATIENT
    first = only(story.tend(), OrderIntended).intent
    story.facts(LostFact(label=first.label, reason="no answer"))
    story.now = first.valid_until_ms
    assert story.tend() == ()
    story.now += 1
    second = only(story.tend(), OrderIntended).intent
    assert second.label != first.label
    assert len(pending_with(story.state, Role.STOP)) == 2


def test_attempts_are_bounded_and_the_last_places_are_for_the_close() -> None:
    story = naked()
    story.limits = PATIENT
    for _ in range(40):
        story.now += LATE
        story.tend()
        for label, pending in story.state.pending.items():
            if not pending.unknown:
                story.facts(LostFact(label=label, reason="no answer"))
    assert len(story.state.pending) == 16
    assert len(pending_with(story.state, Role.CLOSE)) == 4
    assert only(story.events, CloseRequested).reason == "naked: 12 orders have no answer"
    assert plan(Draft(story.state), story.now + LATE, story.market(), LIMITS) is None


def test_labels_of_a_bracket_are_bounded_and_its_own_are_kept() -> None:
    story = naked()
    entry = story.intent()
    for number in range(100):
        story.now += LATE
        intent = only(story.tend(), OrderIntended).intent
        story.facts(story.order(intent.label, f"s{number}"))
        story.facts(story.gone(f"s{number}", "user_request"))
    bracket = story.state.bracket
    assert bracket is not None
    assert len(bracket.labels) == 64
    assert bracket.labels[:3] == (entry.label, *(leg.label for leg in entry.legs))
    assert bracket.labels[-1] == intent.label


def test_an_adopted_position_gets_a_stop_at_the_configured_distance() -> None:
    story = Story()
    story.start()
    story.link()
    take = story.order("tb1-zz-7-t", "take", direction=SELL, state="open")
    story.reconcile(take, size="1000", orders=("take",))
    intent = only(story.tend(), OrderIntended).intent
    assert intent.trigger_price == D(78_400)  # 2 % below 80 000
    assert intent.amount == D(1000)


def test_nothing_is_planned_without_a_read_a_market_or_its_instrument() -> None:
    story = naked()
    market, now = story.market(), story.now
    assert plan(Draft(story.state), now, None, LIMITS) is None
    other = replace(market, instrument=replace(INVERSE, name="ETH-PERPETUAL"))
    assert plan(Draft(story.state), now, other, LIMITS) is None
    assert plan(Draft(story.state), now, replace(market, connection=9), LIMITS) is None
    assert story.tell(Tend(connection=9, at_ms=now, market=market)) == ()
    story.unlink()
    story.link(2)
    assert plan(Draft(story.state), now, replace(market, connection=2), LIMITS) is None


def test_a_refused_close_is_repeated_at_a_pace_and_sized_to_what_is_left() -> None:
    story = Story()
    intent = story.entered()
    story.tell(ClosePosition(reason="operator"))
    first = only(story.tend(), OrderIntended).intent
    rejected(story, "c")
    assert story.tend() == ()
    story.now += LATE
    story.facts(story.fill(intent.legs[1].label, "400", price="82000"))
    second = only(story.tend(), OrderIntended).intent
    assert second.label != first.label
    assert second.amount == D(600)


def test_a_close_under_way_is_not_doubled() -> None:
    story = Story()
    story.entered()
    story.tell(ClosePosition(reason="operator"))
    close = only(story.tend(), OrderIntended).intent
    story.facts(story.order(close.label, "close", state="open", direction=SELL))
    story.now += 10 * LATE
    assert story.tend() == ()


def test_orders_are_cancelled_only_when_flat_and_read() -> None:
    story = Story()
    intent = story.entered()
    story.now += LATE
    assert cancelled_ids(story) == ()
    story.facts(story.fill(intent.legs[1].label, "1000", price="82000"))
    assert cancelled_ids(story) == ("stop", "take")
    story.unlink()
    story.link(2)
    assert cancelled_ids(story) == (), "what is open is not known before a full read"
    story.reconcile(orders=("stop", "take"))
    assert cancelled_ids(story) == ("stop", "take")


def test_orders_stay_while_an_entry_may_still_fill() -> None:
    story = Story()
    intent = story.entering()
    story.facts(story.order(intent.legs[0].label, "oto-s", waiting=True))
    story.now += 10 * LATE
    assert cancelled_ids(story) == ()
    story.facts(story.order(intent.label, "entry", state="filled", filled=D(1000)))
    assert cancelled_ids(story) == (), "its fills are still on their way"


def test_a_resting_entry_is_cancelled_when_late_or_when_a_close_was_asked_for() -> None:
    story = Story()
    intent = story.entering()
    story.facts(story.order(intent.label, "entry", state="open"))
    story.now += LIMITS.validity_ms
    assert cancelled_ids(story) == ()
    story.now += 1
    assert cancelled_ids(story) == ("entry",)
    story.now -= 10
    story.tell(Halt(by="operator", reason="now"))
    assert cancelled_ids(story) == ("entry",)


# ------------------------------------------------------------------------ the naked clock


def test_nakedness_runs_from_the_fill_to_the_birth_of_the_stop_whatever_came_first() -> None:
    story = Story()
    intent = story.entering()
    t = story.now
    story.now = t + 30
    stop = story.order(intent.legs[0].label, "stop")
    story.now = t + 500
    story.facts(story.fill(intent.label, "1000", at=t + 10))
    assert story.naked_since() == t + 10
    story.facts(stop)
    assert story.state.counters.naked_ms_total == 20


def test_a_stop_older_than_the_fill_makes_no_negative_time() -> None:
    story = Story()
    intent = story.entering()
    stop = story.order(intent.legs[0].label, "stop")
    story.now += 100
    story.facts(story.fill(intent.label, "1000"))
    story.facts(stop)
    assert story.naked_since() is None
    assert story.state.counters.naked_ms_total == 0


def test_a_changed_stop_counts_from_its_change_not_from_its_birth() -> None:
    story = Story()
    story.entered()
    born = story.state.orders["stop"]
    shrunk = replace(born, amount=D(400), updated_ms=story.now + 5_000)
    story.now += 5_000
    story.facts(replace(story.order(born.label, "stop"), order=shrunk))
    assert story.naked_since() == born.updated_ms + 5_000
    grown = replace(shrunk, amount=D(1000), updated_ms=story.now + 300)
    story.facts(replace(story.order(born.label, "stop"), order=grown))
    assert story.state.counters.naked_ms_total == 300


def test_nakedness_ends_with_the_position() -> None:
    story = naked()
    since = story.now
    story.now += 700
    story.facts(story.fill("", "1000", direction=SELL))
    assert story.naked_since() is None
    assert story.state.counters.naked_ms_total == story.now - since


def test_a_read_while_naked_is_noted_even_if_the_connection_is_not_new() -> None:
    story = Story()
    story.entered()
    story.now += 10
    story.facts(story.gone("stop", "user_request"))
    story.now += 10
    story.reconcile(size="1000", orders=("take",))
    assert story.state.naked_confirmed
    only(story.tend(), OrderIntended)
    before = story.state.seq
    story.reconcile(size="1000", orders=("take",))
    assert story.state.seq == before, "a read that tells nothing new is not noted again"


def test_a_stop_that_is_not_listed_is_gone_but_a_newer_one_is_not() -> None:
    story = Story()
    intent = story.entered()
    story.now += 10
    read_ms = story.now
    story.now += 5
    story.facts(story.order(intent.legs[0].label, "newer"))
    story.facts(OpenOrdersFact(order_ids=("take",), read_ms=read_ms))
    assert sorted(story.state.orders) == ["newer", "take"]
