"""What the owner and the exchange do behind our back, and positions that were corrected."""

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import BUY, SELL, D, Story, assignment, kinds, only
from tradebaas.core.duties import unwanted
from tradebaas.core.events import (
    FrameRefused,
    OrderIntended,
    PositionCorrected,
    ProtectOnlyEntered,
    TradeClosed,
)
from tradebaas.core.facts import FillFact, FrameFact
from tradebaas.core.invariants import violations
from tradebaas.core.messages import Arm, ClosePosition, EndLife, Halt, Link, Report
from tradebaas.core.model import Phase
from tradebaas.core.reconcile import CLOCK_BACK, CLOCK_BACK_MS, UNREAD
from tradebaas.core.state import barrier, naked_amount

HOUR = 3_600_000


@pytest.mark.parametrize("liquidation, reason", [(False, "manual"), (True, "liquidation")])
def test_a_close_behind_our_back_is_a_trade_and_our_orders_go(
    liquidation: bool, reason: str
) -> None:
    story = Story()
    story.entered()
    story.now += 10
    events = story.facts(
        story.fill(
            "", "1000", direction=SELL, price="82000", fee="0.000004", liquidation=liquidation
        )
    )
    trade = only(events, TradeClosed).trade
    assert (trade.exit_reason, trade.gross) == (reason, D("0.000304878049"))
    assert trade.net == D("0.000300878049")
    assert story.phase() is Phase.CLOSING
    assert unwanted(story.state, story.now, story.limits, D(1)) == ("stop", "take")
    story.facts(story.gone("stop"), story.gone("take"))
    assert story.phase() is Phase.ANALYZING


def test_what_the_owner_closed_while_a_read_came_to_the_positions_is_his_past() -> None:
    story = Story()
    story.start()
    story.link()
    began, his = story.now, story.now + 200
    story.now += 300
    flat = replace(story.position_fact("0"), at_ms=began, asked_ms=story.now)
    story.tell(Report(connection=1, at_ms=began, facts=(flat,), complete=True))
    assert (story.state.read_through_ms, story.state.flat_ms) == (began, story.now)
    story.tell(Arm(assignment=assignment()))
    story.propose()
    early = story.fill(story.intent().label, "1000", at=his)
    assert "Filled" in kinds(story.facts(early)), "the exchange's clock was set back since"
    assert story.facts(story.fill("", "60", direction=SELL, at=his)) == ()
    after = story.fill("", "60", direction=SELL, at=story.now)
    assert "Filled" in kinds(story.facts(after)), "it is in no reading yet"


@pytest.mark.parametrize("size, entering", [("-60", False), ("0", True)])
def test_no_line_is_drawn_while_anything_is_open_or_may_be(size: str, entering: bool) -> None:
    story = Story()
    if entering:
        story.entering()
    else:
        story.up()
    line = story.state.flat_ms
    story.unlink()
    story.link(2)
    story.reconcile(size=size)
    assert story.state.read_through_ms == story.now
    assert story.state.flat_ms == line


def test_a_partial_close_by_the_owner_leaves_a_smaller_covered_position() -> None:
    story = Story()
    intent = story.entered()
    story.now += 10
    story.facts(story.fill("", "400", direction=SELL, price="81000"))
    assert story.phase() is Phase.POSITION_OPEN
    assert naked_amount(story.state) == 0
    story.facts(
        story.fill(intent.legs[0].label, "600", price="79000"),
        story.gone("stop"),
        story.gone("take"),
    )
    trade = story.state.last_trade
    assert trade is not None
    # .0125 - 400/81000 (.004938271605) - 600/79000 (.007594936709)
    assert trade.gross == D("-0.000033208314")
    assert story.phase() is Phase.ANALYZING


def test_size_added_by_the_owner_is_kept_protected_and_only_protected() -> None:
    story = Story()
    story.entered()
    story.now += 10
    events = story.facts(story.fill("", "5000", direction=BUY))
    assert only(events, ProtectOnlyEntered).cause == "invariant"
    assert story.facts(story.fill("", "10", direction=BUY)) != ()
    assert violations(story.state)
    story.now += 3_000
    assert only(story.tend(), OrderIntended).intent.amount == D(5010)
    assert story.tell(Link(connection=1, up=False, reason="x"))
    story.link(2)
    story.tell(Halt(by="operator", reason="what is this"))
    story.tell(EndLife(wall_ms=0))


def test_a_broken_invariant_is_forgiven_when_a_full_read_finds_the_account_flat() -> None:
    story = Story()
    story.entered()
    story.facts(story.fill("", "5000", direction=BUY))
    story.facts(story.fill("", "6000", direction=SELL))
    story.facts(story.gone("stop"), story.gone("take"))
    assert "invariant" in barrier(story.state)
    story.reconcile()
    assert barrier(story.state) == ""


def test_a_flip_through_zero_closes_our_trade_and_leaves_the_rest_to_the_owner() -> None:
    story = Story()
    story.entered()
    story.now += 10
    events = story.facts(story.fill("", "1500", direction=SELL, price="82000", fee="0.000006"))
    trade = only(events, TradeClosed).trade
    assert (trade.amount, trade.net) == (D(1000), D("0.000298878049"))
    position = story.state.position
    assert position is not None
    assert (position.ours, position.size, position.fees) == (False, D(-500), D(0))
    assert unwanted(story.state, story.now, story.limits, D(1)) == ("stop", "take")
    assert story.tend() == ()
    assert "not ours" in story.refusal(ClosePosition(reason="x"))
    story.now += 1
    story.reconcile(story.gone("stop"), story.gone("take"), size="-500")
    assert story.phase() is Phase.ANALYZING
    assert story.state.protect == {}
    story.facts(story.fill("", "500", direction=BUY))
    assert story.state.position is None
    assert story.state.counters.trades == 1
    assert barrier(story.state) == ""


def test_a_position_of_the_owners_before_our_time_is_quarantined_until_it_is_gone() -> None:
    story = Story()
    story.start()
    story.link()
    story.reconcile(size="-700")
    story.tell(Arm(assignment=assignment()))
    assert "foreign position: -700" in barrier(story.state)
    assert story.facts(story.fill("", "700", direction=BUY)) == (), "the owner's business"
    story.now += 1
    story.reconcile()
    assert barrier(story.state) == ""


def owners_closed() -> tuple[Story, FillFact]:
    """A quarantined position of the owner's is over, and a full read has found the account flat."""
    story = Story()
    story.start()
    story.link()
    story.reconcile(size="-700")
    story.tell(Arm(assignment=assignment()))
    story.now += 10
    close = story.fill("", "700", direction=BUY)
    assert story.facts(close) == ()
    story.now += 10
    story.reconcile()
    assert barrier(story.state) == ""
    return story, close


def test_the_fill_that_ended_a_quarantined_position_opens_none_when_it_is_read_again() -> None:
    story, close = owners_closed()
    story.unlink()
    story.link(2)
    story.reconcile(close)
    assert story.state.position is None
    assert not [e for e in story.events if isinstance(e, PositionCorrected)]


def test_nor_is_it_a_part_of_the_position_that_we_open_after_it() -> None:
    story, close = owners_closed()
    story.now += 10
    story.propose(SELL)
    intent = story.intent()
    entry = story.fill(intent.label, intent.amount)
    story.facts(entry, story.order(intent.label, "entry", state="filled", filled=intent.amount))
    story.unlink()
    story.link(2)
    story.reconcile(close, entry, size=str(-intent.amount))
    position = story.state.position
    assert position is not None
    assert (position.size, position.exit_amount) == (-intent.amount, D(0))
    assert not [e for e in story.events if isinstance(e, PositionCorrected)]
    # What the owner does from now on is a part of it.
    story.now += 10
    story.facts(story.fill("", "100", direction=BUY))
    assert story.state.position is not None
    assert story.state.position.exit_amount == 100


def test_a_position_read_before_a_fill_that_we_know_corrects_nothing() -> None:
    story = Story()
    intent = story.entered()
    stale = story.position_fact("1000")
    story.now += 10
    story.facts(story.fill(intent.legs[0].label, "1000"))
    assert story.facts(stale) == ()
    assert story.state.position is None


def test_a_real_turn_of_our_position_is_seen_by_the_exchanges_word() -> None:
    """A take profit that is not reduce-only could overshoot: the rest must not stay unprotected."""
    story = Story()
    intent = story.entered()
    story.now += 10
    story.facts(story.fill(intent.legs[1].label, "1300", price="82000"))
    position = story.state.position
    assert position is not None
    assert position.open_amount == D(-300)
    story.reconcile(size="-300", orders=("stop",))
    position = story.state.position
    assert position is not None
    assert (position.direction, position.open_amount, position.ours) == (SELL, D(300), True)
    assert naked_amount(story.state) == D(300)


def test_an_entry_of_ours_that_reduces_the_owners_position_splits_at_zero() -> None:
    story = Story().up()
    story.propose(SELL)
    intent = story.intent()
    story.facts(story.fill("", "50", direction=BUY))
    story.facts(story.fill(intent.label, intent.amount))
    position, bracket = story.state.position, story.state.bracket
    assert position is not None
    assert bracket is not None
    assert (position.ours, position.size) == (True, 50 - intent.amount)
    assert bracket.filled == intent.amount
    assert story.state.counters.trades == 0


def test_a_position_of_the_owner_is_not_naked_and_its_correction_is_no_alarm() -> None:
    story = Story().up()
    story.now += 10
    story.facts(story.fill("", "50", direction=BUY))
    assert naked_amount(story.state) == 0
    assert story.naked_since() is None
    story.reconcile(size="70")
    position = story.state.position
    assert position is not None
    assert (position.size, position.ours) == (D(70), False)
    story.now += 10
    assert kinds(story.facts(story.position_fact("90"))) == ["PositionCorrected"]
    assert story.state.protect == {}


def test_a_position_of_which_too_much_is_closed_is_not_closed_further() -> None:
    story = Story()
    intent = story.entered()
    story.tell(ClosePosition(reason="operator"))
    story.facts(story.fill(intent.legs[1].label, "1300", price="82000"))
    assert story.tend() == ()


def test_an_unmanaged_instrument_of_the_owner_is_not_folded() -> None:
    story = Story().up()
    fill = story.fill("", "50")
    other = replace(fill, fill=replace(fill.fill, instrument="ETH-PERPETUAL"))
    assert story.facts(other) == ()


def test_ours_on_another_instrument_never_mixes_with_the_open_position() -> None:
    story = Story()
    intent = story.entered()
    fill = story.fill(intent.label, "50")
    other = replace(fill, fill=replace(fill.fill, instrument="ETH-PERPETUAL"))
    assert story.facts(other) == ()
    fact = replace(story.position_fact("50"), instrument="ETH-PERPETUAL")
    assert kinds(story.facts(fact)) == ["ForeignFound"]


@pytest.mark.parametrize("amount, price", [("0", "1"), ("1", "0"), ("-1", "1"), ("NaN", "1")])
def test_an_impossible_fill_is_a_bad_frame(amount: str, price: str) -> None:
    story = Story().up()
    events = story.facts(story.fill("", amount, price=price))
    assert "amount or a price" in only(events, FrameRefused).reason


def test_bad_frames_are_kept_raw_cut_and_capped_per_hour() -> None:
    story = Story().up()
    story.now = 1_000 * HOUR
    for _ in range(70):
        story.facts(FrameFact(raw="x" * 10_000, reason="not JSON"))
    refused = [e for e in story.events if isinstance(e, FrameRefused)]
    assert len(refused) == 60
    assert all(len(e.raw) == 4096 for e in refused)
    story.now -= HOUR
    assert story.facts(FrameFact(raw="x", reason="an hour that is over")) == ()
    story.now += 2 * HOUR
    assert only(story.facts(FrameFact(raw="x", reason="the next hour")), FrameRefused)
    assert story.state.counters.frames_refused == 61


def test_an_exchange_whose_clock_went_far_back_is_another_ledger() -> None:
    story = Story().up()
    story.unlink()
    story.link(2)
    story.now -= CLOCK_BACK_MS + 10
    story.reconcile()
    assert CLOCK_BACK in story.state.protect
    assert story.state.reconciled == 0
    story.now += CLOCK_BACK_MS + 10
    story.reconcile()
    assert CLOCK_BACK not in story.state.protect
    assert story.state.reconciled == 2


def test_an_unreadable_frame_forbids_risk_until_a_full_read_that_began_later() -> None:
    story = Story().up()
    story.facts(FrameFact(raw='{"params":{"channel":"user.changes.any","data":', reason="cut"))
    assert UNREAD in story.state.protect
    story.now -= 1
    story.reconcile()
    assert UNREAD in story.state.protect, "that read began before the frame came"
    story.now += 2
    story.reconcile()
    assert UNREAD not in story.state.protect


def test_an_unreadable_frame_of_a_public_channel_is_no_doubt() -> None:
    story = Story().up()
    story.facts(FrameFact(raw='{"params":{"channel":"ticker.BTC-PERPETUAL.raw"', reason="cut"))
    assert UNREAD not in story.state.protect


def test_a_fill_that_no_position_explains_is_a_doubt() -> None:
    """The owner opens a position while nothing is armed: whoever arms now must not enter yet."""
    story = Story().up()
    story.now += 1
    fill = replace(story.fill("", "10").fill, instrument="ETH-PERPETUAL")
    story.facts(FillFact(fill=fill))
    assert UNREAD in story.state.protect
