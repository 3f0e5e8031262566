"""Fail closed: nothing that adds risk arrives without a read account and a log that commits."""

import pytest
from chaos_kit import (
    ENTRY,
    T,
    begun,
    booked,
    entered,
    entered_rows,
    intent,
    log,
    request_row,
    told,
)

from chaos.world.closed import fail_closed, without_ground
from chaos.world.ledger import SessionRow
from chaos.world.mark import Mark
from chaos.world.oracle import HaltWindow, Witness
from chaos.world.standing import Standing
from tradebaas.core.events import (
    Event,
    LifeStarted,
    Linked,
    LinkLost,
    OrderIntended,
    Reconciled,
)

NOBODY = Witness()
LOST = LinkLost(connection=1, reason="x")
READ = Reconciled(connection=1, read_ms=T + 2)
LINKED = Linked(connection=1, account="me")


def test_a_sound_entry_is_left_alone() -> None:
    assert fail_closed(booked(entered_rows()), told(entered()), NOBODY) == []


WITHOUT_GROUND: list[tuple[str, list[Event]]] = [
    ("no connection", begun()[:1]),
    ("not read since the connect", begun()[:2]),
    ("no connection", [*begun(), LOST]),
    ("not read since the connect", [*begun(), LOST, LINKED]),
    ("connection 2 is not its own", [*begun(), Linked(connection=2, account="me"),
                                     Reconciled(connection=2, read_ms=T)]),
    ("not read since the connect", [*begun()[:2], Reconciled(connection=2, read_ms=T)]),
    ("no connection", [*begun(), LifeStarted(life=1, token="aa", wall_ms=T)]),
    ("life 2 is not its own, 1", [*begun(), LifeStarted(life=2, token="bb", wall_ms=T),
                                  LINKED, READ]),
]  # fmt: skip


@pytest.mark.parametrize("words, before", WITHOUT_GROUND)
def test_an_entry_without_ground_is_found_at_the_exchange(words: str, before: list[Event]) -> None:
    story = told([*before, OrderIntended(intent=intent())])
    (violation,) = fail_closed(booked(entered_rows()), story, NOBODY)
    assert violation.check == "fail closed"
    assert words in violation.text
    # What was intended and never arrived traded nothing.
    assert fail_closed(booked([]), story, NOBODY) == []


def test_a_connection_that_follows_another_must_be_read_anew() -> None:
    second = Linked(connection=2, account="me")
    story = told([*begun(), second, OrderIntended(intent=intent(connection=2))])
    (violation,) = fail_closed(booked(entered_rows()), story, NOBODY)
    assert "not read since the connect" in violation.text


def test_what_reduces_risk_needs_no_ground() -> None:
    story = told([*begun()[:1], OrderIntended(intent=intent())])
    rows = [(T, request_row(reduce_only=True))]
    assert fail_closed(booked(rows), story, NOBODY) == []


def test_the_ground_is_folded_without_the_daemons_own_fold() -> None:
    """A state that forgets to take the permit away deceives ``gated``, and not this."""
    standing = Standing()
    for row in log([*begun(), LOST]):
        standing.take(row.event)
    assert "no connection" in standing.lacks(intent())


def test_an_entry_that_was_decided_during_an_outage_is_found() -> None:
    books, story = booked(entered_rows()), told(entered())
    entry_n, seq = books.requests[0].n, story.intent_seqs[ENTRY]

    def judged(*outages: HaltWindow, since: int = 0) -> list[str]:
        witness = Witness(outages=list(outages))
        return [v.key for v in fail_closed(books, story, witness, Mark(n=since))]

    assert judged(HaltWindow(seq - 1, entry_n - 1)) == [f"outage {ENTRY}"]
    assert judged(HaltWindow(seq - 1, entry_n - 1, entry_n)) == [f"outage {ENTRY}"]
    # It was on its way when the outage began, came before it, or after it had ended.
    assert judged(HaltWindow(seq, entry_n - 1)) == []
    assert judged(HaltWindow(seq - 1, entry_n)) == []
    assert judged(HaltWindow(seq - 1, 1, entry_n - 1)) == []
    # Judged before.
    assert judged(HaltWindow(seq - 1, entry_n - 1), since=entry_n) == []


def test_an_entry_that_no_commit_knows_is_found_in_an_outage() -> None:
    """It was sent although its commit had failed."""
    books = booked(entered_rows())
    outage = Witness(outages=[HaltWindow(99, books.requests[0].n - 1)])
    assert [v.key for v in fail_closed(books, told(begun()), outage)] == [f"outage {ENTRY}"]


def test_what_it_is_held_against_is_what_was_out_and_nothing_where_nothing_was() -> None:
    rows = entered_rows()
    assert without_ground(booked(rows), NOBODY) == 0, "an entry in fair weather shows nothing"
    again = [(T + 30, SessionRow(2, "connect")), (T + 31, SessionRow(2, "login"))]
    books = booked([*rows, (T + 20, SessionRow(1, "disconnect")), *again])
    assert without_ground(books, NOBODY) == 1
    assert without_ground(books, NOBODY, Mark(n=books.n)) == 0, "counted before"
    outages = Witness(outages=[HaltWindow(0, 1, 2), HaltWindow(9, 5)])
    assert without_ground(booked(rows), outages) == 2
    assert without_ground(booked(rows), outages, Mark(n=3)) == 1
