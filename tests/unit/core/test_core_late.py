"""Positions that the known fills do not explain: corrected at once, told right when they come."""

from itertools import permutations

import pytest

from tests.unit.core.core_kit import BUY, SELL, D, Story, kinds, only
from tradebaas.core.duties import unwanted
from tradebaas.core.events import (
    DiscrepancyGivenUp,
    DiscrepancyResolved,
    Filled,
    PositionCorrected,
    ProtectOnlyLeft,
    TradeClosed,
)
from tradebaas.core.model import Direction, Phase, Position
from tradebaas.core.position import trade_of
from tradebaas.core.state import barrier, expecting, naked_amount

GIVE_UP_MS = 60_001


def test_an_entry_without_an_answer_may_have_more_fills_than_its_exit_so_far() -> None:
    """Its own notification was not understood, and part of the take profit filled before the read.

    A trade was told as soon as the entry's fills, one by one, came up to that part.
    """
    story = Story()
    intent = story.entering()
    at, take = story.now + 10, intent.legs[1].label
    story.now += 20
    story.facts(story.fill(take, "500", price="82000"))
    assert story.phase() is Phase.CLOSING
    story.facts(
        story.fill(intent.label, "500", at=at),
        story.fill(intent.label, "500", at=at),
        story.fill(take, "500", price="82000"),
        story.order(intent.label, "entry", state="filled", filled=D(1000)),
    )
    trade = only(story.events, TradeClosed).trade
    assert (trade.amount, trade.gross) == (D(1000), D("0.000304878048"))


def test_a_position_that_fills_do_not_explain_is_corrected_and_protect_only() -> None:
    story = Story()
    story.entered()
    story.now += 10
    story.reconcile(size="1600", orders=("stop", "take"))
    position = story.state.position
    assert position is not None
    assert (position.size, position.ours, position.signal_id) == (D(1600), True, "buy-0")
    assert story.state.protect["position corrected"] == (
        "fills add up to 1000 BTC-PERPETUAL, the exchange says 1600"
    )
    assert naked_amount(story.state) == D(600)


def test_a_late_fill_explains_the_correction_and_moves_the_position_once() -> None:
    story = Story()
    intent = story.entered()
    late = story.fill("", "600", direction=BUY, price="90000", fee="0.001")
    story.now += 10
    story.reconcile(size="1600", orders=("stop", "take"))
    events = story.facts(late)
    assert kinds(events) == ["Filled", "DiscrepancyResolved", "ProtectOnlyLeft"]
    assert only(events, Filled).late
    position = story.state.position
    assert position is not None
    assert (position.size, position.entry_amount, position.corrected) == (D(1600), D(1600), False)
    assert position.fees == D("0.001")
    assert "position corrected" not in story.state.protect
    story.now += 10
    story.facts(story.fill(intent.legs[0].label, "1600", price="79000"))
    trade = only(story.events, TradeClosed).trade
    assert trade.entry_price == D("83478.2609")


def test_an_exit_told_after_what_is_left_was_corrected_is_booked() -> None:
    """The owner added to ours, our stop fired, and only the first of that was told in time."""
    told, story = Story(), Story()
    for each, complete in ((told, True), (story, False)):
        intent = each.entered()
        each.now += 10
        added = each.fill("", "500", direction=BUY, price="80100")
        each.now += 1
        exit_ = each.fill(intent.legs[0].label, "1000", price="79000")
        each.now += 10
        first = (added, exit_) if complete else (added,)
        each.reconcile(*first, size="500", orders=())
        assert naked_amount(each.state) == D(500)
        each.now += 10
        if not complete:
            each.facts(exit_)
        each.now += 10
        each.facts(each.fill("tb1-aa-99-c", "500", price="79100", direction=SELL))
    want, got = only(told.events, TradeClosed).trade, only(story.events, TradeClosed).trade
    assert (got.gross, got.amount, got.fees) == (want.gross, want.amount, want.fees)
    assert story.state.counters.net == told.state.counters.net


def test_a_trade_waits_for_late_fills_though_the_position_is_over() -> None:
    story = Story()
    intent = story.entered()
    added = story.fill("", "500", direction=BUY)
    exit_ = story.fill(intent.legs[0].label, "1000", price="79000", at=story.now + 1)
    story.now += 10
    story.reconcile(added, size="500", orders=("old",))
    story.now += 10
    story.facts(story.fill("", "500", price="79100", direction=SELL))
    assert story.phase() is Phase.CLOSING
    assert story.state.counters.trades == 0
    assert "single position guard" in barrier(story.state) or story.state.protect
    story.facts(exit_)
    trade = only(story.events, TradeClosed).trade
    assert (trade.amount, trade.exit_reason) == (D(1500), "manual")
    assert story.phase() is Phase.ANALYZING
    story.reconcile()
    assert barrier(story.state) == ""


def test_a_position_that_was_gone_before_its_exit_was_told_leaves_its_trade() -> None:
    story = Story()
    intent = story.entered()
    exit_ = story.fill(intent.legs[0].label, "1000", price="79000")
    story.now += 10
    story.reconcile()
    assert story.phase() is Phase.CLOSING
    assert story.tend() == ()
    story.facts(exit_)
    trade = only(story.events, TradeClosed).trade
    assert (trade.amount, trade.exit_reason, trade.gross) == (D(1000), "stop", D("-0.000158227848"))
    story.reconcile()
    assert story.state.protect == {}


def test_an_exit_made_while_the_account_was_read_explains_a_position_that_is_gone() -> None:
    story = Story()
    intent = story.entered()
    story.reconcile()
    exit_ = story.fill(intent.legs[0].label, "1000", price="79000", at=story.now + 1)
    assert kinds(story.facts(exit_)) == [
        "Filled",
        "DiscrepancyResolved",
        "TradeClosed",
        "PhaseChanged",
    ]


def test_so_does_what_someone_else_closed_meanwhile() -> None:
    story = Story()
    story.entered()
    story.reconcile()
    liquidated = story.fill("", "1000", direction=SELL, at=story.now + 1, liquidation=True)
    story.facts(liquidated)
    assert only(story.events, TradeClosed).trade.exit_reason == "liquidation"


def test_what_was_the_owners_all_the_time_leaves_no_trade() -> None:
    """It looked like ours beside an entry under way."""
    story = Story()
    story.entering()
    opened = story.fill("", "50", direction=BUY)
    story.now += 10
    closed = story.fill("", "50", direction=SELL)
    story.now += 10
    story.reconcile(size="50")
    story.now += 10
    story.reconcile()
    story.facts(opened, closed)
    assert only(story.events, DiscrepancyResolved).size == 0
    assert story.state.position is None
    assert story.state.counters.trades == 0


def test_an_entry_and_an_exit_that_are_both_told_late_make_a_trade() -> None:
    story = Story()
    intent = story.entering()
    story.now += 10
    entry, exit_ = story.fill(intent.label, "1000"), story.fill(intent.legs[1].label, "1000")
    story.facts(story.order(intent.label, "entry", state="filled", filled=D(1000)))
    story.now += 10
    story.reconcile()
    assert story.phase() is Phase.CLOSING
    story.facts(exit_)
    assert story.state.counters.trades == 0
    story.facts(entry)
    trade = only(story.events, TradeClosed).trade
    assert (trade.amount, trade.signal_id) == (D(1000), "buy-0")
    story.reconcile()
    assert barrier(story.state) == ""


def test_fills_that_never_come_are_given_up_by_a_read_that_would_have_told_them() -> None:
    story = Story()
    intent = story.entering()
    story.now += 10
    story.facts(story.order(intent.label, "entry", state="filled", filled=D(1000)))
    assert story.phase() is Phase.ENTERING_POSITION
    early = story.position_fact("0")
    assert story.facts(early) == ()
    story.reconcile()
    story.now += GIVE_UP_MS - 2
    story.reconcile()
    assert story.phase() is Phase.CLOSING
    story.now += 1
    story.reconcile()
    assert "60 s" in only(story.events, DiscrepancyGivenUp).reason
    assert story.phase() is Phase.ANALYZING
    assert story.state.counters.trades == 0
    story.reconcile()
    assert barrier(story.state) == ""


def test_the_known_part_of_a_trade_is_recorded_when_the_rest_is_given_up() -> None:
    story = Story()
    intent = story.entering()
    story.facts(
        story.fill(intent.label, "600"),
        story.order(intent.label, "entry", state="filled", filled=D(1000)),
    )
    story.now += 10
    story.facts(story.fill(intent.legs[1].label, "600", price="82000"))
    story.reconcile()
    assert story.state.counters.trades == 0
    story.now += GIVE_UP_MS
    story.reconcile()
    trade = only(story.events, TradeClosed).trade
    assert (trade.amount, trade.gross) == (D(600), D("0.000182926829"))
    assert story.phase() is Phase.ANALYZING


def test_a_position_whose_fills_were_given_up_stays_protect_only_until_it_is_closed() -> None:
    story = Story()
    intent = story.entered()
    story.now += 10
    story.reconcile(size="1600", orders=("stop", "take"))
    story.now += GIVE_UP_MS
    story.reconcile(size="1600", orders=("stop", "take"))
    assert "position corrected" in story.state.protect
    too_late = story.fill("", "600", direction=BUY, at=story.now - GIVE_UP_MS - 5)
    assert story.facts(too_late) == ()
    story.facts(story.fill(intent.legs[0].label, "1600", price="79000"))
    trade = only(story.events, TradeClosed).trade
    assert (trade.amount, trade.entry_price) == (D(1600), D(80_000))
    story.reconcile()
    assert story.state.protect == {}


def test_an_entry_whose_fills_are_in_a_corrected_position_is_not_awaited_beside_it() -> None:
    story = Story()
    intent = story.entering()
    entry = story.order(intent.label, "entry", state="filled", filled=D(1000))
    fill = story.fill(intent.label, "1000", price="80010")
    story.now += 10
    story.reconcile(size="1000")
    assert only(story.events, PositionCorrected).position is not None
    story.facts(entry)
    assert not expecting(story.state)
    assert story.phase() is Phase.POSITION_OPEN
    story.now += 10
    story.facts(story.fill(intent.legs[0].label, "1000", price="79000"))
    assert story.phase() is Phase.CLOSING
    story.facts(fill)
    assert story.phase() is Phase.ANALYZING
    assert only(story.events, TradeClosed).trade.entry_price == D(80_010)


def test_a_second_correction_keeps_the_accounts_of_the_first() -> None:
    story = Story()
    intent = story.entered()
    added = story.fill("", "600", direction=BUY)
    story.now += 10
    story.reconcile(size="1600", orders=("stop", "take"))
    story.now += 10
    taken = story.fill("", "100", direction=SELL)
    story.now += 10
    story.reconcile(size="1500", orders=("stop", "take"))
    story.facts(added)
    assert story.state.discrepancy is not None
    story.facts(taken)
    position = story.state.position
    assert position is not None
    assert trade_of(position, 1).amount == D(1600)
    assert (position.size, position.exit_amount, position.corrected) == (D(1500), D(100), False)
    story.facts(story.fill(intent.legs[0].label, "1500"))
    assert story.state.counters.trades == 1


def test_a_fill_that_counted_twice_is_put_right_by_the_next_read() -> None:
    """It was made after the read began, so it moves a position that has it already."""
    story = Story()
    story.entered()
    story.reconcile(size="1600", orders=("stop", "take"))
    story.now += 10
    story.facts(story.fill("", "600", direction=BUY))
    assert story.state.position is not None
    assert story.state.position.size == D(2200)
    story.reconcile(size="1600", orders=("stop", "take"))
    assert only(story.events, DiscrepancyResolved).size == D(1600)
    assert story.state.position.size == D(1600)
    assert only(story.events, ProtectOnlyLeft).cause == "position corrected"


def test_a_stop_stays_until_a_read_says_that_a_corrected_position_is_gone() -> None:
    """Half was taken while the account was read: told later, it seems to be gone altogether."""
    story = Story()
    intent = story.entered()
    story.now += 10
    half = story.fill(intent.legs[1].label, "500", price="82000", at=story.now + 5)
    story.reconcile(size="500", orders=("stop", "take"))
    story.now += 10
    story.facts(half)
    assert story.state.position is not None
    assert story.state.position.size == 0
    assert unwanted(story.state, story.now, story.limits, D(1)) == ()
    story.now += 10
    story.reconcile(size="500", orders=("stop", "take"))
    assert story.state.position.size == D(500)
    assert unwanted(story.state, story.now, story.limits, D(1)) == ()
    rest = story.fill(intent.legs[0].label, "500", price="79000")
    story.now += 10
    story.reconcile(rest, orders=("take",))
    assert unwanted(story.state, story.now, story.limits, D(1)) == ("take",)


def test_legs_go_as_soon_as_a_read_says_so_though_fills_are_missing() -> None:
    story = Story()
    story.entered()
    story.now += 10
    story.reconcile(size="500", orders=("stop", "take"))
    story.now += 10
    story.facts(story.fill("", "500", direction=SELL))
    assert unwanted(story.state, story.now, story.limits, D(1)) == ()
    story.now += 10
    story.reconcile(orders=("stop", "take"))
    assert story.phase() is Phase.CLOSING
    assert sorted(unwanted(story.state, story.now, story.limits, D(1))) == ["stop", "take"]
    story.now += 10
    events = len(story.events)
    story.reconcile(orders=("stop", "take"))
    assert not [e for e in story.events[events:] if isinstance(e, PositionCorrected)]


def test_a_new_position_of_the_owners_beside_one_whose_fills_are_missing() -> None:
    story = Story()
    intent = story.entered()
    story.now += 10
    exit_ = story.fill(intent.legs[0].label, "1000", price="79000")
    story.reconcile()
    story.now += 10
    story.facts(story.fill("", "50", direction=BUY))
    position = story.state.position
    assert position is not None
    assert (position.size, position.ours) == (D(50), False)
    assert story.phase() is Phase.CLOSING
    assert "single position guard" in barrier(story.state) or story.state.protect
    story.facts(exit_)
    trade = only(story.events, TradeClosed).trade
    assert (trade.amount, trade.exit_reason) == (D(1000), "stop")
    assert story.state.position == position
    assert story.phase() is Phase.ANALYZING


def test_what_the_owner_did_before_our_position_is_not_a_late_fill_of_it() -> None:
    story = Story()
    story.up()
    before = story.fill("", "70", direction=BUY, at=story.now - 1)
    story.now += 10
    story.propose()
    intent = story.intent()
    story.facts(story.fill(intent.label, "1000"))
    story.now += 10
    story.reconcile(size="1600")
    assert story.facts(before) == ()


def test_the_first_position_ever_read_awaits_no_fills() -> None:
    story = Story()
    story.start()
    story.link()
    story.reconcile(story.order("tb1-zz-1-s", "old"), size="500", orders=("old",))
    assert not only(story.events, PositionCorrected).awaits
    assert story.state.discrepancy is None


# --------------------------------------------------------- told late, as if told at once

WAYS: dict[str, tuple[tuple[tuple[str, str, Direction], ...], str]] = {
    "the owner turns it round": ((("", "1500", SELL),), "-500"),
    "the owner turns it round, to the same size": ((("", "2000", SELL),), "-1000"),
    "the stop, then the owner opens the same way": ((("s", "1000", SELL), ("", "400", BUY)), "400"),
    "the owner adds, then the stop": ((("", "400", BUY), ("s", "1000", SELL)), "400"),
    "the owner halves it, then turns it round": ((("", "500", SELL), ("", "700", SELL)), "-200"),
    "the stop in two parts": ((("s", "600", SELL), ("s", "400", SELL)), "0"),
    "the take profit, then the owner turns": ((("t", "1000", SELL), ("", "70", SELL)), "-70"),
}  # fmt: skip


def played(way: str, told: int, order: tuple[int, ...]) -> Story:
    """A position of ours, what happens to it, and a read that finds the end of it when only the
    first so many fills are told; the others come after it, in ``order``."""
    steps, size = WAYS[way]
    story = Story()
    intent = story.entered()
    labels = {"": "", "s": intent.legs[0].label, "t": intent.legs[1].label}
    fills = []
    for name, amount, direction in steps:
        story.now += 10
        fills.append(story.fill(labels[name], amount, price="79000", direction=direction))
    story.now += 10
    story.reconcile(*fills[:told], size=size)
    for number in order:
        story.now += 10
        story.facts(fills[number])
    story.now += 10
    story.reconcile(size=size)
    return story


def ours(story: Story) -> Position | None:
    """Our position; one of the owner's is known by its fills or by its size, which is all one."""
    position = story.state.position
    return position if position is not None and position.ours else None


@pytest.mark.parametrize("way", WAYS)
def test_what_is_told_late_ends_as_if_it_had_been_told_at_once(way: str) -> None:
    many = len(WAYS[way][0])
    want = played(way, many, ())
    for told in range(many):
        for order in permutations(range(told, many)):
            story = played(way, told, order)
            assert ours(story) == ours(want), order
            assert story.state.counters.net == want.state.counters.net
            assert story.state.last_trade == want.state.last_trade
            assert story.phase() is want.phase()
            assert bool(barrier(story.state)) == bool(barrier(want.state))
            assert story.state.protect == want.state.protect


def test_exits_that_are_told_before_the_parts_of_their_entry_make_one_trade() -> None:
    story = Story()
    intent = story.entering()
    parts = [story.fill(intent.label, "100", price=f"8000{n}") for n in range(10)]
    story.now += 1
    exits = [story.fill(intent.legs[0].label, "100", price=f"7900{n}") for n in range(10)]
    for fact in (*exits, *parts):
        story.facts(fact)
    trade = only(story.events, TradeClosed).trade
    assert (trade.amount, trade.exit_reason) == (D(1000), "stop")


def test_what_was_made_in_one_millisecond_has_the_exchanges_order() -> None:
    """The owner opened in the very moment in which our stop had closed ours."""
    story = Story()
    intent = story.entered()
    stop = story.fill(intent.legs[0].label, "1000", price="79000", trade_id="BTC-9", at=story.now)
    opened = story.fill("", "70", price="79000", direction=SELL, trade_id="BTC-10", at=story.now)
    story.now += 10
    story.reconcile(size="-70")
    story.facts(opened)
    story.facts(stop)
    assert only(story.events, TradeClosed).trade.amount == D(1000)
    position = story.state.position
    assert position is not None
    assert (position.size, position.ours) == (D(-70), False)


def test_fills_of_before_a_known_one_are_put_in_place_together() -> None:
    """The last of them is told first: with a part of the others it would amount to a size of zero,
    where in truth the owner had added. The trade once ended there, and what followed was his."""
    story = Story()
    intent = story.entered()  # 1000 bought
    fills = []
    for label, amount, direction in (
        ("", "650", SELL), ("", "250", BUY), ("", "250", SELL), (intent.legs[0].label, "350", SELL),
    ):  # fmt: skip
        story.now += 10
        fills.append(story.fill(label, amount, price="79000", direction=direction))
    *before, last = fills
    story.facts(last)
    story.now += 10
    story.reconcile(*before)
    trade = only(story.events, TradeClosed).trade
    assert trade.amount == 1250
    assert trade.ours
    assert story.state.position is None
