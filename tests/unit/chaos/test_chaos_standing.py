"""What forbids an entry, by the judge's own fold: each barrier comes, stays and goes."""

import pytest
from chaos_kit import (
    ENTRY,
    NAME,
    STOP,
    D,
    T,
    begun,
    booked,
    closed,
    entered,
    fill,
    intent,
    order,
    told,
)
from msgspec.structs import replace

from chaos.world import oracle
from chaos.world.oracle import Witness
from chaos.world.standing import APART_MS, OLD_MS, PLACES, QUEUE_MS
from tradebaas.core.events import (
    DiscrepancyResolved,
    Event,
    Filled,
    ForeignFound,
    ForeignGone,
    Halted,
    LifeStarted,
    Linked,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    PositionCorrected,
    ProtectCauseGone,
    ProtectOnlyEntered,
    ProtectOnlyLeft,
    Reconciled,
    Resumed,
)
from tradebaas.core.model import Absence, Direction

EARLIER = "tb1-aa-3-e"
SENT = OrderIntended(intent=intent(EARLIER, "earlier"))
ENOUGH_MS = SENT.intent.valid_until_ms + QUEUE_MS + 1


def forbidden(*between: Event) -> str:
    """What is said of an entry that follows ``between`` in a life that has reconciled."""
    story = told([*begun(), *between, OrderIntended(intent=intent())])
    found = oracle.gated(booked([]), story, Witness())
    texts = [violation.text for violation in found if violation.key == f"intent {ENTRY}"]
    return texts[0] if texts else ""


def reborn(life: int = 2, *, poisoned: bool = False) -> list[Event]:
    """The next life, which reads the account as well."""
    return [
        LifeStarted(life=life, token="bb", wall_ms=T, poisoned=poisoned),
        Linked(connection=1, account="me"),
        Reconciled(connection=1, read_ms=T + 3),
    ]


def test_nothing_forbids_an_entry_in_a_life_that_has_read_the_account() -> None:
    assert forbidden() == ""
    assert forbidden(*closed()[4:]) == "", "nor after a trade that is over"


# ------------------------------------------------------------------------------- unproven orders


def absent(
    read_ms: int = ENOUGH_MS, sources: frozenset[str] = PLACES, size: str = "0", first_ms: int = 0
) -> OrderAbandoned:
    evidence = Absence(
        label=EARLIER, read_ms=read_ms, sources=tuple(sorted(sources)), position=D(size),
        first_read_ms=first_ms,
    )  # fmt: skip
    return OrderAbandoned(label=EARLIER, evidence=evidence)


GONE = order("x1", EARLIER, "cancelled", direction=Direction.BUY, order_type="limit")
PROOFS: list[Event] = [
    OrderNotSent(label=EARLIER, reason="x"),
    OrderRejected(label=EARLIER, code=1, message="x"),
    OrderUpdated(order=GONE),
    absent(),
]


def test_an_order_that_is_on_its_way_or_unknown_forbids_another() -> None:
    assert f"{EARLIER} is not proven" in forbidden(SENT)
    lost = OrderUnknown(label=EARLIER, reason="no answer")
    assert f"{EARLIER} is unknown: no answer" in forbidden(SENT, lost)
    found = OrderAdopted(label=EARLIER, order_id="x1", how="x")
    assert "unknown" in forbidden(SENT, lost, found), "found, and not yet described"


def test_an_order_of_a_life_that_ended_is_unknown() -> None:
    later = replace(intent(), life=2)
    story = told([*begun(), SENT, *reborn(), OrderIntended(intent=later)])
    ((_, label, why),) = story.ungated[1:] or story.ungated
    assert label == ENTRY
    assert f"{EARLIER} is unknown: its life ended" in why


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: type(proof).__name__)
def test_proof_ends_it(proof: Event) -> None:
    assert forbidden(SENT, proof) == ""
    assert forbidden(SENT, OrderUnknown(label=EARLIER, reason="x"), proof) == ""


def test_an_absence_that_proves_nothing_leaves_it_unknown() -> None:
    lost = OrderUnknown(label=EARLIER, reason="x")
    assert "is unknown" in forbidden(SENT, lost, absent(read_ms=ENOUGH_MS - 1))
    for place in sorted(PLACES):
        assert "is unknown" in forbidden(SENT, lost, absent(sources=PLACES - {place}))
    assert "is unknown" in forbidden(SENT, lost, absent(size="10")), "executed, and not listed"


def test_an_old_order_is_proven_absent_by_two_looks_only() -> None:
    lost = OrderUnknown(label=EARLIER, reason="x")
    late_ms = intent().intended_ms + OLD_MS + 1
    assert "is unknown" in forbidden(SENT, lost, absent(late_ms))
    assert "is unknown" in forbidden(SENT, lost, absent(late_ms, first_ms=late_ms - APART_MS + 1))
    assert forbidden(SENT, lost, absent(late_ms, first_ms=late_ms - APART_MS)) == ""


# ----------------------------------------------------------------------- halts and protect-only


HALT = Halted(by="operator", reason="x")
PROTECT = ProtectOnlyEntered(cause="disk full", detail="x")
BROKEN = ProtectOnlyEntered(cause="invariant", detail="x")
OVER, LEFT = ProtectCauseGone(cause="disk full"), ProtectOnlyLeft(cause="disk full")
READ = Reconciled(connection=1, read_ms=T + 5)
FOREIGN = ForeignFound(key="order f1", detail="x")
PAIRS: list[tuple[str, Event, Event]] = [
    ("halted", HALT, Resumed(by="operator")),
    ("protect-only: invariant", BROKEN, ProtectOnlyLeft(cause="invariant")),
    ("quarantine: order f1", FOREIGN, ForeignGone(key="order f1")),
]


@pytest.mark.parametrize("words, comes, goes", PAIRS)
def test_a_barrier_holds_over_deaths_until_it_is_lifted(
    words: str, comes: Event, goes: Event
) -> None:
    assert words in forbidden(comes)
    story = told([*begun(), comes, *reborn(), OrderIntended(intent=replace(intent(), life=2))])
    assert words in story.ungated[0][2]
    assert forbidden(comes, goes) == ""


@pytest.mark.parametrize(
    ("after", "free"),
    [
        ([OVER, READ, LEFT], True),
        ([OVER, LEFT], False),
        ([READ, OVER, LEFT], False),
        ([OVER, READ, PROTECT, LEFT], False),
        ([LEFT], False),
    ],
)
def test_a_cause_from_outside_is_left_when_it_is_gone_and_a_read_has_passed(
    after: list[Event], free: bool
) -> None:
    assert (forbidden(PROTECT, *after) == "") is free


def test_one_cause_that_goes_leaves_the_other() -> None:
    other = ProtectOnlyEntered(cause="other", detail="x")
    assert "protect-only: other" in forbidden(PROTECT, other, OVER, READ, LEFT)


def test_a_poisoned_life_only_protects_and_the_next_is_free_again() -> None:
    second, third = replace(intent(), life=2), replace(intent(), life=3)
    poisoned = told([*begun(), *reborn(poisoned=True), OrderIntended(intent=second)])
    assert "protect-only" in poisoned.ungated[0][2]
    after = [*begun(), *reborn(poisoned=True), *reborn(3), OrderIntended(intent=third)]
    assert told(after).ungated == []
    cause = "crash loop"
    lifted: list[Event] = [ProtectCauseGone(cause=cause), READ, ProtectOnlyLeft(cause=cause)]
    forgiven = [*begun(), *reborn(poisoned=True), *lifted, OrderIntended(intent=second)]
    assert told(forgiven).ungated == []


# --------------------------------------------------------------------------- what is there already


def test_a_position_or_a_live_order_forbids_an_entry() -> None:
    assert "a position is open: 1000 BTC-PERPETUAL" in forbidden(*entered()[4:])
    leftover = OrderUpdated(order=order("SL-1", STOP))
    assert "orders are live: SL-1" in forbidden(leftover)
    ended = OrderUpdated(order=order("SL-1", STOP, "cancelled", updated_ms=T + 20))
    assert forbidden(leftover, ended) == ""


def test_a_position_of_which_a_part_is_left_forbids_too() -> None:
    part = replace(fill(2, Direction.SELL, "49000", STOP, T + 20), amount=D(600))
    assert "a position is open: 400" in forbidden(*entered()[4:], Filled(fill=part))


def test_what_the_exchange_corrects_counts() -> None:
    gone = PositionCorrected(instrument=NAME, position=None, reason="x", at_ms=T)
    assert "a position is open" not in forbidden(*entered()[4:], gone)


def test_a_late_fill_is_in_the_corrected_size_already() -> None:
    gone = PositionCorrected(instrument=NAME, position=None, reason="x", at_ms=T + 30, awaits=True)
    late = fill(2, Direction.SELL, "49000", STOP, T + 20)
    told_late = [*entered()[4:], gone, Filled(fill=late, late=True)]
    assert "a position is open" not in forbidden(*told_late)
    assert "a position is open" in forbidden(*entered()[4:], gone, Filled(fill=late))
    explained = DiscrepancyResolved(instrument=NAME, size=D(700), at_ms=T + 40)
    assert "a position is open: 700" in forbidden(*told_late, explained)
