"""Whole trades, told as facts, with results worked out by hand."""

from decimal import Decimal

import pytest

from tests.unit.core.core_kit import BUY, INVERSE, LINEAR, SELL, D, Story, kinds, only
from tradebaas.core.events import OrderUpdated, TradeClosed
from tradebaas.core.messages import Disarm
from tradebaas.core.model import Direction, Instrument, Phase
from tradebaas.core.state import naked_amount

FULL_CIRCLE = [
    Phase.IDLE,
    Phase.ANALYZING,
    Phase.SIGNAL_DETECTED,
    Phase.ENTERING_POSITION,
    Phase.POSITION_OPEN,
    Phase.CLOSING,
    Phase.ANALYZING,
]


def test_signal_and_intent_are_one_decision_with_the_size_from_the_risk() -> None:
    story = Story().up()
    events = story.propose()
    assert kinds(events) == ["SignalDetected", "PhaseChanged", "OrderIntended", "PhaseChanged"]
    intent = story.intent()
    assert intent.amount == D(1000)
    assert intent.label.startswith("tb1-aa-")
    assert intent.label.endswith("-e")
    stop, take = intent.legs
    assert (stop.trigger_price, take.price) == (D(79_000), D(82_000))
    assert stop.label == intent.label[:-1] + "s"
    assert take.label == intent.label[:-1] + "t"
    assert intent.valid_until_ms == story.now + 2_000
    assert (intent.life, intent.connection, intent.reduce_only) == (1, 1, False)


CASES = [
    # instrument, side, exit price, entry fee, exit fee, gross, net
    (INVERSE, BUY, "82000", "0.000004375", "0.000004268293", "0.000304878049", "0.000296234756"),
    # a short loses more coin for the same way, so it is larger: 1030 USD
    (INVERSE, SELL, "78000", "0.00000450625", "0.000004621795", "0.000330128205", "0.00032100016"),
    (INVERSE, BUY, "79000", "0.000004375", "0.00000443038", "-0.000158227848", "-0.000167033228"),
    (LINEAR, BUY, "82000", "0.7", "0.7175", "50", "48.5825"),
    (LINEAR, SELL, "81000", "0.7", "0.70875", "-25", "-26.40875"),
]


@pytest.mark.parametrize("instrument, side, exit_price, fee_in, fee_out, gross, net", CASES)
def test_a_full_circle_ends_in_a_trade_of_the_exchanges_own_fills(
    instrument: Instrument,
    side: Direction,
    exit_price: str,
    fee_in: str,
    fee_out: str,
    gross: str,
    net: str,
) -> None:
    story = Story(instrument)
    intent = story.entering(side)
    story.now += 10
    story.facts(
        story.fill(intent.label, intent.amount, fee=fee_in),
        story.order(intent.label, "entry", state="filled", filled=intent.amount),
        story.order(intent.legs[0].label, "stop"),
        story.order(intent.legs[1].label, "take", state="open"),
    )
    assert story.phase() is Phase.POSITION_OPEN
    assert naked_amount(story.state) == 0
    story.now += 5_000
    won = D(net) > 0
    leg, sibling = ("take", "stop") if won else ("stop", "take")
    label = intent.legs[1 if won else 0].label
    events = story.facts(
        story.fill(label, intent.amount, price=exit_price, fee=fee_out),
        story.order(label, leg, state="filled", filled=intent.amount),
    )
    trade = only(events, TradeClosed).trade
    assert (trade.gross, trade.net) == (D(gross), D(net))
    assert (trade.entry_price, trade.exit_price) == (D(80_000), D(exit_price))
    assert (trade.amount, trade.currency) == (intent.amount, instrument.currency)
    assert trade.exit_reason == ("take profit" if won else "stop")
    assert (trade.signal_id, trade.direction, trade.ours) == (intent.signal_id, side, True)
    assert story.phase() is Phase.CLOSING, "its other leg is still live"
    story.facts(story.gone(sibling))
    assert story.phases() == FULL_CIRCLE
    counters = story.state.counters
    assert (counters.trades, counters.trades_success) == (1, int(won))
    assert counters.net == {instrument.currency: D(net)}
    assert counters.fees == {instrument.currency: D(fee_in) + D(fee_out)}
    assert story.state.day.net == counters.net
    assert story.state.bracket is None


def test_a_stop_that_fires_is_an_exit_under_way_and_covers_meanwhile() -> None:
    story = Story()
    intent = story.entered()
    stop = intent.legs[0].label
    story.now += 100
    story.facts(
        story.order(stop, "stop", state="triggered"),
        story.order(stop, "stop-child", state="open"),
    )
    assert story.phase() is Phase.CLOSING
    assert naked_amount(story.state) == 0
    story.facts(story.fill(stop, "1000", price="78990"), story.gone("take"))
    story.facts(story.order(stop, "stop-child", state="filled", filled=D(1000)))
    assert story.phase() is Phase.ANALYZING
    assert story.state.counters.naked_ms_total == 0
    trade = story.state.last_trade
    assert trade is not None
    assert trade.gross == D("-0.000159830358")  # 1000/80000 - 1000/78990 = .0125 - .012659830358


def test_partial_fills_make_one_position_with_a_harmonic_average() -> None:
    story = Story()
    intent = story.entering()
    story.facts(story.fill(intent.label, "660", price="80000"))
    assert story.phase() is Phase.POSITION_OPEN
    story.facts(
        story.fill(intent.label, "340", price="84000"),
        story.order(intent.label, "entry", state="filled", filled=D(1000)),
    )
    position = story.state.position
    assert position is not None
    assert position.size == D(1000)
    assert position.entry_value == D("0.012297619048")  # .00825 + .004047619048
    story.now += 1
    events = story.facts(story.fill(intent.legs[1].label, "1000", price="82000"))
    trade = only(events, TradeClosed).trade
    assert trade.gross == D("0.000102497097")  # .012297619048 - .012195121951
    assert trade.entry_price == D("81316.5537")  # 1000 / .012297619048


def test_an_unfilled_entry_returns_to_analyzing_and_leaves_nothing() -> None:
    story = Story()
    intent = story.entering()
    story.facts(
        story.order(intent.legs[0].label, "oto-s", waiting=True),
        story.order(intent.legs[1].label, "oto-t", waiting=True),
    )
    assert naked_amount(story.state) == 0
    story.now += 5
    story.facts(story.order(intent.label, "entry", state="cancelled"))
    assert story.phase() is Phase.ENTERING_POSITION, "its legs still stand"
    story.facts(story.gone("oto-s"), story.gone("oto-t"))
    assert story.phase() is Phase.ANALYZING
    assert not story.state.orders
    assert story.state.counters.trades == 0


def test_a_partly_filled_entry_whose_rest_is_cancelled_is_a_smaller_position() -> None:
    story = Story()
    intent = story.entering()
    story.now += 5
    story.facts(
        story.fill(intent.label, "400"),
        story.order(intent.label, "entry", state="cancelled", filled=D(400)),
        story.order(intent.legs[0].label, "stop", amount=D(400)),
    )
    assert story.phase() is Phase.POSITION_OPEN
    assert naked_amount(story.state) == 0
    story.facts(story.fill(intent.legs[0].label, "400", price="79000"), story.gone("stop"))
    assert story.phase() is Phase.ANALYZING
    trade = story.state.last_trade
    assert trade is not None
    assert trade.amount == D(400)


def test_a_partial_take_profit_is_an_exit_under_way_until_it_is_complete() -> None:
    story = Story()
    intent = story.entered()
    take = intent.legs[1].label
    story.now += 5
    story.facts(
        story.fill(take, "300", price="82000"),
        story.order(take, "take", state="open", filled=D(300)),
        story.order(intent.legs[0].label, "stop", amount=D(700)),
    )
    assert story.phase() is Phase.CLOSING
    assert naked_amount(story.state) == 0
    story.facts(
        story.fill(take, "700", price="82000"),
        story.order(take, "take", state="filled", filled=D(1000)),
        story.gone("stop"),
    )
    assert story.phase() is Phase.ANALYZING
    trade = story.state.last_trade
    assert trade is not None
    # 0.0125 - (0.003658536585 + 0.008536585366): each fill rounds to the exchange's 12 decimals
    assert trade.gross == D("0.000304878049")


def test_disarmed_while_open_it_keeps_managing_and_ends_idle() -> None:
    story = Story()
    intent = story.entered()
    story.tell(Disarm(reason="enough"))
    assert story.phase() is Phase.POSITION_OPEN
    story.facts(story.fill(intent.legs[0].label, "1000"), story.gone("stop"), story.gone("take"))
    assert story.phase() is Phase.IDLE


def test_the_same_fill_from_stream_answer_and_read_counts_once() -> None:
    story = Story()
    intent = story.entering()
    fill = story.fill(intent.label, "1000")
    assert story.facts(fill)
    assert story.facts(fill) == ()
    story.reconcile(fill, size="1000")
    position = story.state.position
    assert position is not None
    assert position.size == D(1000)


def test_a_stale_update_does_not_bring_an_ended_order_back() -> None:
    story = Story()
    intent = story.entered()
    live = story.order(intent.legs[0].label, "stop")
    story.now += 10
    story.facts(story.gone("stop"))
    assert story.facts(live) == ()
    assert "stop" not in story.state.orders


def test_an_older_description_of_a_live_order_changes_nothing() -> None:
    story = Story()
    intent = story.entered()
    old = story.order(intent.legs[1].label, "take", state="open")
    story.now += 10
    newer = story.order(intent.legs[1].label, "take", state="open", filled=D(300))
    only(story.facts(newer), OrderUpdated)
    assert story.facts(old) == ()
    assert story.facts(newer) == ()


def test_an_exit_that_is_seen_before_the_entrys_last_fill_is_still_one_trade() -> None:
    """A frame was lost: the stop took out 1000 of which only 600 are known to us."""
    story = Story()
    intent = story.entering()
    stop = intent.legs[0].label
    story.facts(
        story.fill(intent.label, "600"),
        story.order(intent.label, "entry", state="filled", filled=D(1000)),
        story.order(stop, "stop"),
    )
    lost = story.fill(intent.label, "400")
    story.now += 100
    story.facts(
        story.fill(stop, "1000", price="79000"),
        story.order(stop, "stop", state="filled", filled=D(1000)),
    )
    assert story.state.counters.trades == 0
    assert naked_amount(story.state) == 0
    assert story.tend() == (), "there is nothing to reduce"
    events = story.facts(lost)
    trade = only(events, TradeClosed).trade
    assert (trade.amount, trade.gross) == (D(1000), D("-0.000158227848"))
    assert trade.exit_reason == "stop"
    assert story.phase() is Phase.ANALYZING


def test_an_exit_of_all_that_is_known_does_not_close_a_trade_that_misses_an_entry_fill() -> None:
    story = Story()
    intent = story.entering()
    stop, take = (leg.label for leg in intent.legs)
    story.facts(
        story.fill(intent.label, "600"),
        story.order(intent.label, "entry", state="filled", filled=D(1000)),
        story.order(stop, "stop", amount=D(400)),
    )
    lost = story.fill(intent.label, "400")
    story.now += 100
    story.facts(story.fill(take, "600", price="82000"))
    assert story.state.counters.trades == 0
    assert story.phase() is Phase.CLOSING
    story.facts(lost)
    assert story.phase() is Phase.POSITION_OPEN
    story.now += 100
    events = story.facts(story.fill(stop, "400", price="79000"), story.gone("stop"))
    trade = only(events, TradeClosed).trade
    # 0.0125 - (600/82000 = 0.007317073171) - (400/79000 = 0.005063291139)
    assert trade.gross == D("0.00011963569")
    assert story.state.counters.trades == 1


def test_one_trade_even_if_the_entrys_own_report_is_missing_too() -> None:
    story = Story()
    intent = story.entering()
    story.facts(story.fill(intent.label, "600"))
    lost = story.fill(intent.label, "400")
    story.now += 100
    story.facts(story.fill(intent.legs[0].label, "1000", price="79000"))
    assert story.state.counters.trades == 0
    story.facts(lost)
    assert story.state.counters.trades == 1
    trade = story.state.last_trade
    assert trade is not None
    assert (trade.amount, trade.gross) == (D(1000), D("-0.000158227848"))


def test_facts_of_one_report_are_taken_in_their_own_order_not_the_lists() -> None:
    story = Story()
    intent = story.entering()
    story.now += 100
    entry = story.fill(intent.label, "1000", at=story.now - 50)
    leave = story.fill(intent.legs[0].label, "400", at=story.now - 40)
    story.facts(
        story.position_fact("600"),
        story.order(intent.label, "entry", state="filled", filled=D(1000)),
        leave,
        entry,
    )
    kept = [type(event).__name__ for event in story.events[-4:]]
    assert kept == ["Filled", "PhaseChanged", "Filled", "OrderUpdated"]
    position = story.state.position
    assert position is not None
    assert (position.size, position.corrected) == (D(600), False)


def test_the_exit_before_any_entry_fill_waits_for_the_entry() -> None:
    story = Story()
    intent = story.entering()
    lost = story.fill(intent.label, "1000")
    story.now += 10
    story.facts(story.fill(intent.legs[0].label, "1000", price="79000"))
    assert story.state.counters.trades == 0
    events = story.facts(
        lost, story.order(intent.label, "entry", state="filled", filled=Decimal(1000))
    )
    trade = only(events, TradeClosed).trade
    assert trade.direction is BUY
    assert trade.gross == D("-0.000158227848")
    assert trade.signal_id == intent.signal_id
    assert story.phase() is Phase.ANALYZING


def test_the_report_tells_what_happened_while_nobody_looked() -> None:
    """The stop fired while the daemon was dead: the trade and the leg that went are findings."""
    story = Story()
    intent = story.entered()
    stop, take = (leg.label for leg in intent.legs)
    story.start(token="bb")
    story.link()
    story.now += 60_000
    story.reconcile(story.fill(stop, intent.amount, price="79000"), story.gone("take"))
    found = {(f.label, f.outcome) for f in story.state.recovering.findings}
    assert {("trade 1", "closed"), (take, "cancelled")} <= found


def test_what_came_and_went_while_nobody_looked_is_not_called_naked() -> None:
    story = Story()
    intent = story.entering()
    story.start(token="bb")
    story.link()
    opened, closed = story.now + 1_000, story.now + 60_000
    story.now += 120_000
    entry = story.fill(intent.label, intent.amount, at=opened)
    story.reconcile(
        entry,
        story.fill(intent.legs[0].label, intent.amount, price="79000", at=closed),
        story.order(intent.label, "entry", state="filled", filled=intent.amount),
    )
    assert story.state.counters.trades == 1
    assert story.state.counters.naked_ms_total == 0
