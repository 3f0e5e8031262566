"""What became of an order: refused, not sent, lost, adopted, abandoned, or back from the dead."""

from decimal import Decimal

import pytest

from tests.unit.core.core_kit import LIMITS, SELL, T0, D, Story, kinds, only
from tradebaas.core.events import (
    CloseRequested,
    Halted,
    OrderAbandoned,
    OrderAdopted,
    OrderRejected,
    OrderUnknown,
    TradeClosed,
)
from tradebaas.core.facts import AbsentFact, LostFact, NotSentFact, RejectFact
from tradebaas.core.messages import Admit, Propose
from tradebaas.core.model import ZERO, Absence, Intent, Phase
from tradebaas.core.proof import APART_MS, OLD_MS, PLACES
from tradebaas.core.state import barrier, waiting_reason

ALL = tuple(PLACES)
SETTLED_MS = LIMITS.validity_ms + LIMITS.queue_bound_ms + LIMITS.proof_margin_ms


def absent(
    intent: Intent,
    read_ms: int,
    sources: tuple[str, ...] = ALL,
    *,
    position: Decimal | None = ZERO,
    first_ms: int = 0,
) -> AbsentFact:
    evidence = Absence(
        label=intent.label,
        read_ms=read_ms,
        sources=sources,
        position=position,
        first_read_ms=first_ms,
    )
    return AbsentFact(evidence=evidence)


def lost() -> tuple[Story, Intent]:
    """An entry whose answer was lost."""
    story = Story()
    intent = story.entering()
    story.facts(LostFact(label=intent.label, reason="no answer"))
    return story, intent


def test_a_refused_entry_ends_the_attempt() -> None:
    story = Story()
    intent = story.entering()
    events = story.facts(RejectFact(label=intent.label, code=10009, message="not_enough_funds"))
    assert only(events, OrderRejected).code == 10009
    assert story.phase() is Phase.ANALYZING
    assert story.state.counters.orders_rejected == 1
    assert story.facts(RejectFact(label=intent.label, code=1, message="again")) == ()


def test_an_entry_that_was_never_sent_ends_the_attempt() -> None:
    story = Story()
    intent = story.entering()
    events = story.facts(NotSentFact(label=intent.label, reason="link lost"))
    assert kinds(events) == ["OrderNotSent", "PhaseChanged"]
    assert story.phase() is Phase.ANALYZING


def test_only_the_life_of_an_intent_can_say_that_it_was_not_sent() -> None:
    story = Story()
    intent = story.entering()
    story.start("bb", cause="killed")
    assert story.facts(NotSentFact(label=intent.label, reason="not me")) == ()
    assert intent.label in story.state.pending


def test_a_lost_answer_is_unknown_blocks_risk_and_is_counted_once() -> None:
    story, intent = lost()
    assert story.facts(LostFact(label=intent.label, reason="again")) == ()
    assert story.state.pending[intent.label].unknown == "no answer"
    assert story.state.counters.orders_unknown == 1
    assert intent.label in waiting_reason(story.state)
    assert story.phase() is Phase.ENTERING_POSITION


def test_an_unknown_order_that_is_found_is_adopted_with_its_plan() -> None:
    story, intent = lost()
    events = story.facts(
        story.fill(intent.label, "1000"),
        story.order(intent.label, "entry", state="filled", filled=D(1000)),
        story.order(intent.legs[0].label, "stop"),
    )
    assert only(events, OrderAdopted).order_id == "entry"
    assert story.phase() is Phase.POSITION_OPEN
    assert not story.state.pending


@pytest.mark.parametrize("early_by", [0, 1, SETTLED_MS])
def test_absence_counts_only_in_reads_that_began_late_enough(early_by: int) -> None:
    story, intent = lost()
    settled = intent.intended_ms + SETTLED_MS
    assert story.facts(absent(intent, settled - early_by)) == ()
    events = story.facts(absent(intent, settled + 1))
    assert only(events, OrderAbandoned).evidence.read_ms == settled + 1
    assert story.phase() is Phase.ANALYZING


@pytest.mark.parametrize("missing", ALL)
def test_absence_counts_only_when_every_place_was_read(missing: str) -> None:
    story, intent = lost()
    sources = tuple(source for source in ALL if source != missing)
    assert story.facts(absent(intent, intent.intended_ms + SETTLED_MS + 1, sources)) == ()
    assert intent.label in story.state.pending


@pytest.mark.parametrize("position", [None, D(1000)])
def test_absence_counts_only_when_the_position_is_what_the_fills_amount_to(
    position: Decimal | None,
) -> None:
    story, intent = lost()
    late_ms = intent.intended_ms + SETTLED_MS + 1
    assert story.facts(absent(intent, late_ms, position=position)) == ()
    assert intent.label in story.state.pending


def test_absence_counts_only_when_the_position_is_explained() -> None:
    """A position that the fills do not explain may be what the order has done."""
    story, intent = lost()
    story.now = late_ms = intent.intended_ms + SETTLED_MS + 1
    story.facts(story.position_fact("1000"))
    assert story.state.discrepancy is not None
    assert story.facts(absent(intent, late_ms, position=D(1000))) == ()


def test_an_old_intent_is_absent_only_after_two_looks_that_are_apart() -> None:
    story, intent = lost()
    old_ms = intent.intended_ms + OLD_MS + 1
    assert story.facts(absent(intent, old_ms)) == ()
    assert story.facts(absent(intent, old_ms, first_ms=old_ms - APART_MS + 1)) == ()
    early = absent(intent, old_ms, first_ms=intent.intended_ms + SETTLED_MS)
    assert story.facts(early) == (), "the first look counts only late enough, too"
    events = story.facts(absent(intent, old_ms, first_ms=old_ms - APART_MS))
    assert only(events, OrderAbandoned).evidence.first_read_ms == old_ms - APART_MS


def test_absence_proves_nothing_once_a_fill_is_known() -> None:
    story, intent = lost()
    story.facts(story.fill(intent.label, "1000"))
    assert story.facts(absent(intent, intent.intended_ms + SETTLED_MS + 1)) == ()
    assert intent.label in story.state.pending


@pytest.mark.parametrize("as_fill", [True, False])
def test_an_abandoned_order_that_appears_later_is_adopted_and_halts(as_fill: bool) -> None:
    story, intent = lost()
    story.facts(absent(intent, intent.intended_ms + SETTLED_MS + 1))
    story.now += SETTLED_MS + 10
    order = story.order(intent.label, "entry", state="open")
    events = story.facts(story.fill(intent.label, "1000") if as_fill else order)
    assert only(events, Halted).by == "daemon"
    assert "proven absent" in barrier(story.state)
    assert story.phase() is (Phase.CLOSING if as_fill else Phase.ENTERING_POSITION)
    assert only(events, CloseRequested).reason.startswith("halted: ")
    later = story.facts(order)
    assert "Halted" not in kinds(later)
    assert story.facts(order) == ()


def test_an_abandoned_order_that_came_to_nothing_is_left_in_peace() -> None:
    story, intent = lost()
    story.facts(absent(intent, intent.intended_ms + SETTLED_MS + 1))
    assert story.facts(story.order(intent.label, "entry", state="cancelled")) == ()


def test_an_abandoned_stop_of_the_present_bracket_that_appears_also_halts() -> None:
    story = Story()
    story.entered()
    story.facts(story.gone("stop", "user_request"))
    story.now += 3_000
    story.tend()
    retry = story.intent("s")
    story.facts(LostFact(label=retry.label, reason="no answer"))
    story.facts(absent(retry, retry.valid_until_ms + 6_001, position=D(1000)))
    assert retry.label in story.state.abandoned
    events = story.facts(story.order(retry.label, "ghost"))
    assert kinds(events)[:2] == ["OrderAdopted", "Halted"]


def test_a_new_life_treats_every_pending_intent_as_unknown_and_reports_how_it_ended() -> None:
    story = Story()
    intent = story.entering()
    story.start("bb", cause="killed")
    assert story.state.pending[intent.label].unknown == "life 1 ended"
    assert story.state.recovering.unresolved == (intent.label,)
    assert story.state.counters.orders_unknown == 1
    assert story.state.counters.crashes == 1
    story.link(1)
    story.now += SETTLED_MS + 10
    story.reconcile(absent(intent, story.now))
    (finding,) = story.state.recovering.findings
    assert (finding.label, finding.outcome) == (intent.label, "abandoned")
    assert str(story.now - 1) in finding.evidence
    assert story.phase() is Phase.ANALYZING


def test_the_same_signal_after_a_restart_is_not_taken_again() -> None:
    story = Story()
    intent = story.entering()
    story.facts(NotSentFact(label=intent.label, reason="link lost"))
    story.start("bb", cause="killed")
    story.link()
    story.reconcile()
    request = Propose(signal=story.signal(), market=story.market())
    assert "considered before" in story.refusal(request)
    assert "not waiting" in story.refusal(
        Admit(signal_id=request.signal.signal_id, market=story.market())
    )


def test_a_position_closed_while_down_is_a_trade_by_the_exchanges_fills() -> None:
    story = Story()
    intent = story.entered()
    story.start("bb", cause="killed")
    story.link()
    story.now += 60_000
    stop_fill = story.fill(intent.legs[0].label, "1000", price="79000", fee="0.00000443038")
    story.now += 60_000
    story.reconcile(stop_fill)
    trade = only(story.events, TradeClosed).trade
    assert trade.gross == D("-0.000158227848")
    assert trade.closed_ms == stop_fill.fill.at_ms
    assert story.phase() is Phase.ANALYZING
    assert not story.state.orders, "legs that are not listed are gone"


def test_orders_and_position_of_a_lost_store_are_adopted() -> None:
    story = Story()
    story.start()
    story.link()
    stop = story.order("tb1-zz-7-s", "stop", direction=SELL)
    story.reconcile(stop, size="1000", orders=("stop",))
    position = story.state.position
    assert position is not None
    assert (position.ours, position.size, position.entry_value) == (True, D(1000), D("0.0125"))
    assert story.phase() is Phase.POSITION_OPEN
    assert "position corrected" in story.state.protect
    assert only(story.events, OrderAdopted).label == "tb1-zz-7-s"
    story.now += 10
    story.facts(story.fill("tb1-zz-7-s", "1000", price="79000"), story.gone("stop"))
    assert story.phase() is Phase.IDLE
    story.reconcile()
    assert story.state.protect == {}, "flat by a full read: nothing is left to doubt"


def test_the_end_of_a_trade_that_this_store_never_knew_opens_nothing() -> None:
    story = Story().up()
    assert story.facts(story.fill("tb1-zz-7-s", "1000")) == ()


def test_what_was_traded_before_the_first_read_is_the_owners_past() -> None:
    story = Story().up()
    assert story.facts(story.fill("", "50", at=T0 - 5)) == ()
    assert story.facts(story.fill("", "50", at=T0 + 5)) != ()


def test_orders_of_this_life_are_not_called_adopted() -> None:
    """The legs of an unfilled entry may be reported after its own end."""
    story = Story()
    intent = story.entering()
    story.facts(story.order(intent.label, "entry", state="cancelled"))
    assert story.phase() is Phase.ANALYZING
    events = story.facts(story.order(intent.legs[0].label, "oto-s", waiting=True))
    assert kinds(events) == ["OrderUpdated", "PhaseChanged"]
    story.facts(story.gone("oto-s"))
    assert story.phase() is Phase.ANALYZING
    assert not any(isinstance(e, OrderAdopted | OrderUnknown) for e in story.events)
