"""Judging round by round finds what judging everything at once finds, and looks at no more."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from chaos_kit import (
    ENTRY,
    STOP,
    T,
    admin_row,
    begun,
    cancel_row,
    closed,
    closed_rows,
    entered,
    entered_rows,
    intent,
    log,
    order_row,
    request_row,
)
from msgspec.structs import replace

from chaos.world import oracle
from chaos.world.alive import alive
from chaos.world.books import Books
from chaos.world.ledger import Body, JournalRow, SessionRow
from chaos.world.mark import START, Mark, mark
from chaos.world.once import once
from chaos.world.oracle import HaltWindow, Violation, Witness
from chaos.world.protected import protected
from chaos.world.story import Story
from tradebaas.core.events import Event, Halted, LifeStarted, OrderIntended, TradeClosed

LIMIT_MS = 5_000
END_MS = T + 90_000
SECOND = "tb1-aa-9-e"


def judged(books: Books, story: Story, since: Mark) -> list[Violation]:
    witness = Witness(halts=[HaltWindow(0, 1)])
    return [
        *once(books, story, since),
        *protected(books, story, END_MS, LIMIT_MS, since),
        *oracle.gated(books, story, witness, since),
        *oracle.same(books, story, witness, (), flat=False, since=since),
        *alive(story, witness, since),
    ]


def keys(found: list[Violation]) -> set[str]:
    return {f"{violation.check} {violation.key}" for violation in found}


def bent_trade() -> list[Event]:
    def bend(event: Event) -> Event:
        if not isinstance(event, TradeClosed):
            return event
        return TradeClosed(trade=replace(event.trade, net=event.trade.net + Decimal("1E-12")))

    return [bend(event) for event in closed()]


Ledgers = tuple[list[Event], list[tuple[int, Body]]]


def sent_twice() -> Ledgers:
    return entered(), [*entered_rows(), (T + 11, request_row())]


def second_entry() -> Ledgers:
    rows = [*entered_rows(), (T + 11, request_row(SECOND))]
    return [*entered(), OrderIntended(intent=intent(SECOND))], rows


def unintended() -> Ledgers:
    return entered(), [*entered_rows(), (T + 11, order_row("x", "tb1-zz-1-e", "cancelled"))]


def other_session() -> Ledgers:
    events = [*entered(), OrderIntended(intent=intent(SECOND, "next", connection=2))]
    return events, [*entered_rows(), (T + 30, request_row(SECOND))]


def stop_gone() -> Ledgers:
    return entered(), [*entered_rows(), (T + 20, order_row("SL-1", STOP, "cancelled"))]


def stop_removed() -> Ledgers:
    gone = (T + 20, order_row("SL-1", STOP, "cancelled"))
    return entered(), [*entered_rows(), gone, (T + 20, admin_row("admin/cancel"))]


def stop_replaced() -> Ledgers:
    gone, back = order_row("SL-1", STOP, "cancelled"), order_row("SL-2", "tb1-aa-9-s")
    at_ms = T + 20
    return entered(), [*entered_rows(), *((at_ms, b) for b in (gone, cancel_row("SL-1"), back))]


def bad_trade() -> Ledgers:
    return bent_trade(), closed_rows()


def strange_death() -> Ledgers:
    died = LifeStarted(life=2, token="bb", wall_ms=T, cause="persister AssertionError")
    return [*begun(), Halted(by="daemon", reason="x"), died], entered_rows()[:2]


def ungated() -> Ledgers:
    return [*begun()[:2], OrderIntended(intent=intent())], entered_rows()


CASES: list[Callable[[], Ledgers]] = [
    sent_twice, second_entry, unintended, other_session, stop_gone, stop_removed, stop_replaced,
    bad_trade, strange_death, ungated,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_judging_in_two_parts_finds_what_judging_at_once_finds(case: Callable[[], Ledgers]) -> None:
    """Cut between any two steps of the exchange, which it commits whole."""
    events, rows = case()
    lines = [JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1)]
    whole_books, whole_story = Books(), Story()
    whole_books.take(lines)
    whole_story.take(log(events))
    wanted = keys(judged(whole_books, whole_story, START))
    assert wanted
    for cut in (n for n in range(1, len(rows)) if rows[n - 1][0] < rows[n][0]):
        books, story = Books(), Story()
        books.take(lines[:cut])
        story.take(log(events))
        found = keys(judged(books, story, START))
        at = mark(books, story)
        books.take(lines[cut:])
        assert found | keys(judged(books, story, at)) == wanted, cut


def test_what_was_judged_is_not_judged_again() -> None:
    for case in (sent_twice, unintended, stop_replaced, bad_trade, strange_death, ungated):
        events, rows = case()
        books, story = Books(), Story()
        books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1))
        story.take(log(events))
        assert judged(books, story, mark(books, story)) == [], case


def test_a_naked_stretch_is_judged_until_it_has_ended() -> None:
    events, rows = stop_gone()
    books, story = Books(), Story()
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1))
    story.take(log(events))
    assert judged(books, story, mark(books, story))


def test_a_trade_is_compared_when_both_sides_have_it() -> None:
    books, story = Books(), Story()
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(closed_rows(), start=1))
    story.take(log(entered()))
    at = mark(books, story)
    assert (at.spans, at.trades) == (0, 0)
    story.take(log(bent_trade())[len(entered()) :])
    assert keys(oracle.same(books, story, Witness(), (), flat=False, since=at)) == {"same trade 1"}
    assert mark(books, story, at).trades == 1


def test_pairs_may_begin_at_different_places() -> None:
    """As after a restore: the log has fewer trades than the exchange closed positions of ours."""
    books, story = Books(), Story()
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(closed_rows(), start=1))
    story.take(log(begun()))
    restored = Mark(n=books.n, spans=1, trades=0)
    assert oracle.same(books, story, Witness(), (), flat=True, since=restored) == []
    assert mark(books, story, restored).spans == 1


def test_a_session_that_only_connected_owns_nothing() -> None:
    books, story = Books(), Story()
    books.take([JournalRow(1, T, SessionRow(1, "connect"))])
    assert oracle.gated(books, story, Witness()) == []
    assert ENTRY not in books.by_label
