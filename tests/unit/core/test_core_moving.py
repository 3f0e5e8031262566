"""Moving a stop: in place, only closer, one edit at a time, read back when nobody knows."""

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import BUY, INVERSE, LIMITS, SELL, D, Story, kinds, only
from tradebaas.core.draft import Draft
from tradebaas.core.events import CloseRequested, OrderIntended
from tradebaas.core.facts import EditFact, OrderFact
from tradebaas.core.messages import ClosePosition, MoveStop
from tradebaas.core.model import Direction, Edit
from tradebaas.core.moving import AGAIN_REAL_MS, bracket_now, tightens
from tradebaas.core.state import cover
from tradebaas.core.stop_events import EditEnded, EditIntended, StopMoved

TICK = INVERSE.tick_size


def entered(direction: Direction = BUY) -> Story:
    """In a position from 80 000, with the stop "stop" at the plan's price, 1 000 away."""
    story = Story()
    intent = story.entered(direction)
    story.now += 1
    story.facts(trigger(story, str(intent.legs[0].trigger_price)))
    return story


def trigger(story: Story, price: str, **more: object) -> OrderFact:
    """The stop as the exchange describes it now."""
    order = story.state.orders["stop"]
    return OrderFact(
        order=replace(order, trigger_price=D(price), updated_ms=story.now, **more)
    )  # fmt: skip


def move(story: Story, price: str, mark: str = "") -> None:
    story.tell(MoveStop(stop=D(price), by="test", mark=D(mark) if mark else None))


def edited(story: Story) -> Edit:
    return only(story.tend(), EditIntended).edit


@pytest.mark.parametrize(("direction", "stop"), [(BUY, "79500"), (SELL, "80500")])
def test_a_stop_is_edited_in_place(direction: Direction, stop: str) -> None:
    story = entered(direction)
    move(story, stop)
    moved = only(story.events, StopMoved)
    assert (moved.moved.stop, moved.before) == (D(stop), D(80_000 - direction.sign * 1_000))
    edit = edited(story)
    assert (edit.order_id, edit.trigger_price) == ("stop", D(stop))
    assert edit.amount == story.intent().amount
    assert edit.valid_until_ms > edit.intended_ms
    assert story.tend() == (), "one at a time"
    story.now += 5
    story.facts(trigger(story, stop), EditFact(order_id="stop", reason=""))
    assert only(story.events, EditEnded).reason == ""
    story.now += 60_000
    assert story.tend() == ()
    assert cover(story.state) == story.intent().amount, "at no moment anything else"
    assert not [e for e in story.events if isinstance(e, OrderIntended) and e.intent.role == "s"]


def test_a_price_between_two_ticks_goes_away_from_the_market() -> None:
    story = entered()
    move(story, "79500.3")
    assert edited(story).trigger_price == D(79_500)


def test_who_knows_the_tick_is_told_the_price_that_will_be_placed() -> None:
    story = entered()
    story.tell(MoveStop(stop=D("79500.3"), by="test", tick=TICK))
    assert only(story.events, StopMoved).moved.stop == D(79_500)
    story.now += 5
    refused = story.refusal(MoveStop(stop=D("79500.4"), by="test", tick=TICK))
    assert "it is at 79500" in refused


def test_the_bracket_is_shown_with_the_stop_where_it_was_moved_to() -> None:
    story = entered()
    planned = story.state.bracket
    assert planned is not None
    assert bracket_now(story.state) == planned
    move(story, "79500")
    assert story.state.bracket == planned, "the plan stays in the log"
    assert bracket_now(story.state) == replace(planned, stop=D(79_500))


@pytest.mark.parametrize(
    ("stop", "mark", "why"),
    [
        ("79000", "", "only moved closer"),
        ("78000", "", "only moved closer"),
        ("80100", "80000", "past that stop"),
        ("80000", "80000", "past that stop"),
        ("-1", "", "is no price"),
        ("NaN", "", "is no price"),
    ],
)
def test_what_would_not_tighten_is_refused(stop: str, mark: str, why: str) -> None:
    story = entered()
    assert why in story.refusal(MoveStop(stop=D(stop), by="test", mark=D(mark) if mark else None))


def test_it_is_never_moved_back() -> None:
    story = entered()
    move(story, "79500")
    assert "it is at 79500" in story.refusal(MoveStop(stop=D(79_400), by="test"))
    assert not tightens(story.state, D("79500.4"), TICK, LIMITS)
    assert tightens(story.state, D("79500.5"), TICK, LIMITS)


def test_without_a_position_or_while_it_is_closed_nothing_is_moved() -> None:
    assert "no position" in Story().up().refusal(MoveStop(stop=D(1), by="test"))
    story = entered()
    story.tell(ClosePosition(reason="test"))
    assert "being closed" in story.refusal(MoveStop(stop=D(79_500), by="test"))
    assert not tightens(story.state, D(79_500), TICK, LIMITS)


def test_an_edit_without_an_answer_is_read_back_and_made_again() -> None:
    story = entered()
    move(story, "79500")
    first = edited(story)
    story.now += 10
    story.facts(trigger(story, "79000"), EditFact(order_id="stop", reason="no answer"))
    assert story.tend() == (), "at a pace"
    story.now = first.intended_ms + AGAIN_REAL_MS + 1
    assert edited(story).trigger_price == D(79_500)


def test_an_edit_that_was_executed_after_all_is_not_made_again() -> None:
    story = entered()
    move(story, "79500")
    edited(story)
    story.now += AGAIN_REAL_MS + 1
    story.facts(trigger(story, "79500"), EditFact(order_id="stop", reason="no answer"))
    assert story.tend() == ()


def test_an_older_edit_that_comes_late_is_mended() -> None:
    story = entered()
    move(story, "79500")
    edited(story)
    story.facts(EditFact(order_id="stop", reason="no answer"))
    move(story, "79800")
    story.now += AGAIN_REAL_MS + 1
    assert edited(story).trigger_price == D(79_800)
    story.now += 1
    story.facts(trigger(story, "79800"), EditFact(order_id="stop", reason=""))
    story.now += AGAIN_REAL_MS + 1
    story.facts(trigger(story, "79500"))
    assert edited(story).trigger_price == D(79_800)


def test_a_stop_that_fires_before_it_is_moved() -> None:
    story = entered()
    move(story, "79500")
    edited(story)
    story.now += 10
    fired = trigger(story, "79000", state="triggered")
    child = story.order(story.state.orders["stop"].label, "child", state="open")
    story.facts(fired, child, EditFact(order_id="stop", reason="11044 not_open_order"))
    story.now += AGAIN_REAL_MS + 1
    assert "EditIntended" not in kinds(story.tend())


def test_protection_does_not_wait_for_an_edit() -> None:
    story = entered()
    move(story, "79500")
    edited(story)
    story.now += 10
    story.facts(story.gone("stop", "user_request"))
    story.now += LIMITS.naked_ms // 4 + 1
    intent = only(story.tend(), OrderIntended).intent
    assert intent.trigger_price == D(79_500), "and the new one is where it was moved to"


def test_a_new_connection_knows_no_edit() -> None:
    story = entered()
    move(story, "79500")
    edited(story)
    story.unlink()
    story.link(2)
    assert story.state.editing is None
    story.reconcile(size="1000", orders=("stop", "take"))
    story.now += AGAIN_REAL_MS + 1
    assert edited(story).connection == 2


def test_a_market_that_has_passed_it_meanwhile_closes() -> None:
    story = entered()
    move(story, "79500")
    story.price = D(79_400)
    assert "past the stop" in only(story.tend(), CloseRequested).reason


def test_the_next_position_begins_with_its_own_plan() -> None:
    story = entered()
    move(story, "79500")
    edited(story)
    story.facts(story.fill(story.intent().legs[0].label, "1000", direction=SELL))
    story.facts(story.gone("stop"), story.gone("take"))
    assert (story.state.moved, story.state.editing) == (None, None)


def test_the_guard_behind_it_takes_nothing_that_loosens() -> None:
    story = entered()
    move(story, "79500")
    good = edited(story)
    story.facts(EditFact(order_id="stop", reason="x"))
    for bad in (
        replace(good, trigger_price=D(78_999)),
        replace(good, amount=D(10)),
        replace(good, order_id="take"),
        replace(good, order_id="his"),
    ):
        with pytest.raises(AssertionError, match="edit of"):
            Draft(story.state).emit(EditIntended(edit=bad))
