"""Start, stop, close, halt and resume, in every phase; lives, links and guards."""

import pytest

from tests.unit.core.core_kit import LINEAR, Story, assignment, kinds, only
from tradebaas.core.events import LifeEnded, LifeStarted, OrderIntended, Recovered, RecoveryReport
from tradebaas.core.facts import RejectFact
from tradebaas.core.invariants import violations
from tradebaas.core.messages import (
    Arm,
    ClosePosition,
    Disarm,
    EndLife,
    Guard,
    Halt,
    Link,
    Ping,
    RecordRecovery,
    Resume,
    StartLife,
)
from tradebaas.core.model import Phase
from tradebaas.core.state import HaltLatch, barrier

PHASES = list(Phase)


def in_phase(phase: Phase) -> Story:
    story = Story()
    match phase:
        case Phase.IDLE:
            story.start()
            story.link()
            story.reconcile()
        case Phase.ANALYZING:
            story.up()
        case Phase.SIGNAL_DETECTED:
            story.up()
            story.unlink()
            story.propose()
        case Phase.ENTERING_POSITION:
            story.entering()
        case Phase.POSITION_OPEN:
            story.entered()
        case Phase.CLOSING:
            story.entered()
            story.tell(ClosePosition(reason="operator"))
    assert story.phase() is phase
    return story


def finish(story: Story) -> None:
    """The exchange answers whatever is open, and everything ends."""
    intent = story.state.bracket and story.intent()
    story.now += 10
    if intent and intent.label in story.state.pending:
        story.facts(
            story.fill(intent.label, intent.amount),
            story.order(intent.label, "entry", state="filled", filled=intent.amount),
            story.order(intent.legs[0].label, "stop"),
        )
    if story.state.position is not None:
        if story.state.closing:
            close = only(story.tend(), OrderIntended).intent
            story.now += 10
            story.facts(
                story.fill(close.label, close.amount),
                story.order(close.label, "close", state="filled", filled=close.amount),
            )
        elif intent:
            story.facts(story.fill(intent.legs[0].label, intent.amount))
    story.facts(*(story.gone(order_id) for order_id in story.state.orders))


AFTER_DISARM = {
    Phase.ANALYZING: Phase.IDLE,
    Phase.SIGNAL_DETECTED: Phase.IDLE,
    Phase.ENTERING_POSITION: Phase.ENTERING_POSITION,
    Phase.POSITION_OPEN: Phase.POSITION_OPEN,
    Phase.CLOSING: Phase.CLOSING,
}


@pytest.mark.parametrize("phase", [p for p in PHASES if p is not Phase.IDLE])
@pytest.mark.parametrize("close", [False, True])
def test_stop_in_every_phase(phase: Phase, close: bool) -> None:
    story = in_phase(phase)
    story.tell(Disarm(reason="enough", close=close))
    wanted = AFTER_DISARM[phase]
    if close and phase is Phase.POSITION_OPEN:
        wanted = Phase.CLOSING
    assert story.phase() is wanted
    assert not story.state.armed
    closing = close and phase in (Phase.ENTERING_POSITION, Phase.POSITION_OPEN)
    assert bool(story.state.closing) is (closing or phase is Phase.CLOSING)
    finish(story)
    assert story.phase() is Phase.IDLE
    assert story.state.closing == ""
    assert story.state.assignment is not None, "what was armed is remembered"
    assert "No active strategy" in story.refusal(Disarm(reason="again"))


def test_stop_when_idle_is_refused_with_and_without_close() -> None:
    story = in_phase(Phase.IDLE)
    for close in (False, True):
        assert story.refusal(Disarm(reason="x", close=close)) == "No active strategy to stop"


def test_stop_with_close_after_a_plain_stop_closes() -> None:
    story = in_phase(Phase.POSITION_OPEN)
    story.tell(Disarm(reason="later"))
    story.tell(Disarm(reason="now", close=True))
    assert story.phase() is Phase.CLOSING


@pytest.mark.parametrize("phase", PHASES)
def test_halt_in_every_phase_closes_and_lets_nothing_in(phase: Phase) -> None:
    story = in_phase(phase)
    story.tell(Halt(by="operator", reason="news"))
    assert story.state.signal is None
    finish(story)
    quiet = Phase.IDLE if phase is Phase.IDLE else Phase.ANALYZING
    assert story.phase() is quiet
    assert story.state.closing == ""
    assert barrier(story.state) == "halted by operator: news"
    story.start("bb", cause="killed")
    assert barrier(story.state) == "halted by operator: news", "sticky across restarts"
    story.tell(Resume(by="operator"))
    assert barrier(story.state) == ""
    assert story.refusal(Resume(by="operator")) == "nothing is halted"


def test_a_halt_during_an_entry_closes_what_the_entry_opens() -> None:
    story = in_phase(Phase.ENTERING_POSITION)
    story.tell(Halt(by="operator", reason="news"))
    intent = story.intent()
    story.facts(story.fill(intent.label, "1000"))
    assert story.phase() is Phase.CLOSING
    assert only(story.tend(), OrderIntended).intent.role == "c"


def test_a_halt_closes_a_position_of_ours_that_a_restored_log_does_not_know() -> None:
    story = in_phase(Phase.ANALYZING)
    story.tell(Halt(by="halt file", reason="restored"))
    assert story.state.closing == ""
    theirs = story.position_fact("1000")
    story.facts(theirs, complete=True)
    assert story.phase() is Phase.ANALYZING, "it is the owner's, as far as one can tell"
    story.facts(story.order("tb1-zz-1-s", "stop", state="untriggered"), theirs, complete=True)
    assert story.state.closing == "halted: restored"
    assert only(story.tend(), OrderIntended).intent.role == "c"


@pytest.mark.parametrize("phase", PHASES)
def test_close_in_every_phase(phase: Phase) -> None:
    story = in_phase(phase)
    if phase in (Phase.POSITION_OPEN, Phase.CLOSING):
        story.tell(ClosePosition(reason="operator"))
        assert story.state.closing == "operator"
        assert story.tell(ClosePosition(reason="again")) == ()
    else:
        assert story.refusal(ClosePosition(reason="operator")) == "no position is open"


def test_the_single_strategy_guard_names_the_active_one() -> None:
    story = in_phase(Phase.ANALYZING)
    second = Arm(assignment=assignment(strategy="other"))
    assert story.refusal(second) == (
        'Cannot start strategy "other": strategy "ma-cross" is already active. '
        "Only one strategy can run at a time."
    )


def test_another_instrument_is_armed_only_when_the_last_one_is_done() -> None:
    story = in_phase(Phase.POSITION_OPEN)
    story.tell(Disarm(reason="switch"))
    other = Arm(assignment=assignment(LINEAR))
    assert "while BTC-PERPETUAL is in POSITION_OPEN" in story.refusal(other)
    story.tell(Arm(assignment=assignment()))
    story.tell(Disarm(reason="switch"))
    finish(story)
    story.tell(other)
    assert story.phase() is Phase.ANALYZING


def test_a_store_belongs_to_one_account() -> None:
    story = in_phase(Phase.IDLE)
    reason = story.refusal(Link(connection=2, up=True, account="other"))
    assert "belongs to account me" in reason


def test_the_loss_of_a_connection_that_is_not_ours_any_more_is_nothing() -> None:
    story = in_phase(Phase.ANALYZING)
    assert story.tell(Link(connection=7, up=False, reason="x")) == ()


def test_lives_are_numbered_and_crashes_counted() -> None:
    story = Story()
    story.start()
    assert only(story.events, LifeStarted).life == 1
    assert story.state.recovering.cause == "clean start"
    assert only(story.tell(EndLife(wall_ms=5)), LifeEnded).life == 1
    story.start("bb")
    assert story.state.counters.crashes == 0
    story.start("cc")
    assert story.state.counters.crashes == 1
    assert story.state.recovering.cause == "killed"
    story.start("dd", cause="ValueError in strategy", poisoned=True)
    assert "crash loop: ValueError in strategy" in barrier(story.state)
    story.start("ee")
    assert barrier(story.state) == ""


def test_the_halt_file_halts_a_life_before_anything_else() -> None:
    story = in_phase(Phase.POSITION_OPEN)
    story.tell(
        StartLife(token="bb", wall_ms=0, cause="", poisoned=False, halt_file="operator: fire")
    )
    assert barrier(story.state) == "halted by halt file: operator: fire"
    assert story.phase() is Phase.CLOSING
    assert kinds(
        story.tell(
            StartLife(token="cc", wall_ms=0, cause="", poisoned=False, halt_file="operator: fire")
        )
    ) == ["LifeStarted"]


def test_guards_are_noted_once_each_way() -> None:
    story = in_phase(Phase.ANALYZING)
    on, off = Guard(cause="disk full", active=True), Guard(cause="disk full", active=False)
    assert kinds(story.tell(on)) == ["ProtectOnlyEntered"]
    assert story.tell(on) == ()
    assert kinds(story.tell(off)) == ["ProtectCauseGone"]
    assert story.tell(off) == ()
    assert "disk full" in barrier(story.state), "not before the account was read again"
    story.reconcile()
    assert barrier(story.state) == ""
    assert story.state.lifting == ()


def test_a_cause_that_comes_back_before_the_read_stays() -> None:
    story = in_phase(Phase.ANALYZING)
    on, off = Guard(cause="disk full", active=True), Guard(cause="disk full", active=False)
    story.tell(on)
    story.tell(off)
    assert kinds(story.tell(on)) == ["ProtectOnlyEntered"]
    story.reconcile()
    assert "disk full" in barrier(story.state)
    story.tell(off)
    story.tell(Guard(cause="other", active=True))
    story.reconcile()
    assert list(story.state.protect) == ["other"]


def test_ping_leaves_no_trace() -> None:
    assert in_phase(Phase.IDLE).tell(Ping()) == ()


def test_a_recovery_is_recorded_and_ends_the_findings() -> None:
    story = in_phase(Phase.IDLE)
    report = RecoveryReport(
        life=1,
        cause="killed",
        phase=Phase.IDLE,
        events_replayed=0,
        unresolved=(),
        findings=(),
        position="flat",
        naked_ms=0,
        store_notes=(),
        steps={},
        recovered_seconds=0.1,
        settle_seconds=0.0,
    )
    only(story.tell(RecordRecovery(report=report)), Recovered)
    assert story.state.last_recovery == report
    assert story.state.recovering.cause == ""
    story.tell(Arm(assignment=assignment()))
    story.propose()
    story.facts(RejectFact(label=story.intent().label, code=1, message="no"))
    assert story.state.recovering.findings == (), "only a recovery collects findings"


def test_no_phase_of_a_story_breaks_an_invariant() -> None:
    for phase in PHASES:
        assert violations(in_phase(phase).state) == {}


def test_the_same_halt_again_is_no_event_and_another_ones_takes_over() -> None:
    story = Story().up()
    assert "Halted" in kinds(story.tell(Halt(by="operator", reason="news")))
    assert story.tell(Halt(by="operator", reason="news")) == ()
    assert "Halted" in kinds(story.tell(Halt(by="breaker", reason="news")))
    assert story.state.halted == HaltLatch(by="breaker", reason="news")
