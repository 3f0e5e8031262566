"""Each invariant by itself: what breaks it, what a fact that breaks it leads to, and bounds."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import SELL, D, Story, only
from tradebaas.core.events import ProtectOnlyEntered, TradeClosed
from tradebaas.core.invariants import violations
from tradebaas.core.model import Phase
from tradebaas.core.state import State

DAY = 86_400_000


def entered() -> Story:
    story = Story()
    story.entered()
    return story


def _wrong_phase(state: State) -> State:
    return replace(state, phase=Phase.ANALYZING)


def _wrong_size(state: State) -> State:
    assert state.position is not None
    return replace(state, position=replace(state.position, size=D(900)))


def _too_large(state: State) -> State:
    assert state.bracket is not None
    return replace(state, bracket=replace(state.bracket, amount=D(999)))


def _dead_order(state: State) -> State:
    dead = replace(state.orders["stop"], state="filled")
    return replace(state, orders={**state.orders, "stop": dead})


def _overfilled(state: State) -> State:
    over = replace(state.orders["take"], filled=D(1001))
    return replace(state, orders={**state.orders, "take": over})


def _many_orders(state: State) -> State:
    stop = state.orders["stop"]
    return replace(state, orders={str(n): replace(stop, order_id=str(n)) for n in range(129)})


BREAKS: list[tuple[Callable[[State], State], str]] = [
    (_wrong_phase, "phase"),
    (_wrong_size, "position adds up"),
    (_too_large, "position bounded"),
    (_dead_order, "orders sane"),
    (_overfilled, "orders sane"),
    (_many_orders, "bounded"),
]


@pytest.mark.parametrize("change, name", BREAKS)
def test_each_invariant_names_what_breaks_it(change: Callable[[State], State], name: str) -> None:
    state = entered().state
    assert violations(state) == {}
    assert name in violations(change(state))


def test_too_many_unproven_intents_are_named() -> None:
    story = Story()
    intent = story.entering()
    pending = story.state.pending[intent.label]
    many = {str(number): pending for number in range(17)}
    assert "17 unproven intents" in violations(replace(story.state, pending=many))["bounded"]


def test_two_entries_that_turn_up_at_once_lead_to_protect_only() -> None:
    story = Story().up()
    events = story.facts(
        story.order("tb1-zz-1-e", "one", state="open"),
        story.order("tb1-zz-2-e", "two", state="open"),
    )
    wanted = "more than one entry at once: tb1-zz-1-e, tb1-zz-2-e"
    assert only(events, ProtectOnlyEntered).detail == wanted


def test_a_corrected_position_need_not_add_up_but_any_other_must() -> None:
    state = _wrong_size(entered().state)
    assert state.position is not None
    assert violations(replace(state, position=replace(state.position, corrected=True))) == {}


def test_known_fills_are_forgotten_once_no_read_can_bring_them_again() -> None:
    story = entered()
    for _ in range(70):
        story.now += 1
        story.facts(story.fill("", "10", direction=SELL))
    assert len(story.state.recent_fills) == 71
    story.now += 60_071
    story.reconcile(size="300", orders=("stop", "take"))
    assert story.state.recent_fills == {}
    assert story.facts(story.fill("", "10", direction=SELL, at=story.now - 60_001)) == ()


def test_the_days_result_adds_up_and_begins_anew_with_the_exchanges_day() -> None:
    story = Story()
    nets = []
    story.up()
    for trip in range(2):
        story.propose(candle=trip)
        intent = story.intent()
        story.now += 10
        entry = story.order(intent.label, f"e{trip}", state="filled", filled=D(1000))
        story.facts(story.fill(intent.label, "1000"), entry)
        events = story.facts(story.fill(intent.legs[0].label, "1000", price="79000"))
        nets.append(only(events, TradeClosed).trade.net)
    assert nets[0] == D("-0.000158227848")
    assert story.state.day.net == {"BTC": sum(nets)}
    assert story.state.day.entries == 2
    story.now += DAY
    story.propose(candle=DAY // 60_000)
    assert story.state.day.net == {}
    assert story.state.day.entries == 1
