"""The oracle can fail: for each check a ledger that breaks it, beside the sound one."""

from decimal import Decimal

import msgspec
import pytest
from chaos_kit import (
    ENTRY,
    NAME,
    SIGNAL,
    D,
    T,
    begun,
    booked,
    closed,
    closed_rows,
    entered,
    entered_rows,
    intent,
    logged_in,
    request_row,
    told,
    trade_row,
)
from msgspec.structs import replace

from chaos.world import oracle
from chaos.world.alive import alive, never_halted
from chaos.world.durable import durable
from chaos.world.known import known
from chaos.world.ledger import Body, SnapshotRow
from chaos.world.once import once
from chaos.world.oracle import HaltWindow, Published, Violation, Witness
from chaos.world.protected import protected
from tradebaas.core.events import (
    DiscrepancyGivenUp,
    Event,
    Filled,
    Halted,
    LinkLost,
    OrderIntended,
    PositionCorrected,
    TradeClosed,
)
from tradebaas.core.state import FOLD_VERSION, State

NOBODY = Witness()
LIMIT_MS = 1_000


def checks(found: list[Violation]) -> list[str]:
    return [violation.check for violation in found]


def everything(rows: list[tuple[int, Body]], events: list[Event]) -> list[Violation]:
    books, story = booked(rows), told(events)
    return [
        *durable(story, NOBODY),
        *once(books, story),
        *known(books, story),
        *protected(books, story, T + 100_000, LIMIT_MS),
        *oracle.gated(books, story, NOBODY),
        *oracle.same(books, story, NOBODY, [], flat=True),
        *alive(story, NOBODY),
        *never_halted(story),
    ]


def test_sound_ledgers_are_left_alone() -> None:
    assert everything(logged_in(), begun()) == []
    assert everything(entered_rows(), entered()) == []
    assert everything(closed_rows(), closed()) == []


# ------------------------------------------------------------------------------------------- gated


def test_an_entry_without_a_reconcile_is_found() -> None:
    events = [*begun()[:2], OrderIntended(intent=intent())]
    found = oracle.gated(booked(entered_rows()), told(events), NOBODY)
    assert {v.key for v in found} == {f"intent {ENTRY}", f"reconcile {ENTRY}"}


@pytest.mark.parametrize(
    "between, words",
    [
        (LinkLost(connection=1, reason="x"), "no connection"),
        (Halted(by="operator", reason="x"), "halted"),
        (OrderIntended(intent=intent("tb1-aa-3-e", "other")), "not proven"),
    ],
)
def test_an_entry_that_something_forbade_is_found(between: Event, words: str) -> None:
    story = told([*begun(), between, OrderIntended(intent=intent())])
    assert any(words in v.text for v in oracle.gated(booked([]), story, NOBODY))


def test_an_entry_while_a_position_is_open_is_found() -> None:
    story = told([*entered(), OrderIntended(intent=intent("tb1-aa-8-e", "next"))])
    assert any("a position is open" in v.text for v in oracle.gated(booked([]), story, NOBODY))


def test_an_order_through_another_connection_than_its_own_is_found() -> None:
    second = intent("tb1-aa-9-e", "next", connection=2)
    events = [*entered(), OrderIntended(intent=second)]
    rows = [*entered_rows(), (T + 30, request_row("tb1-aa-9-e", session=1))]
    assert any(
        v.key.startswith("session") for v in oracle.gated(booked(rows), told(events), NOBODY)
    )


def test_an_entry_at_the_exchange_while_halted_is_found() -> None:
    books, story = booked(entered_rows()), told(entered())
    entry_n = books.requests[0].n
    halted = Witness(halts=[HaltWindow(0, entry_n - 1)])
    assert any(v.key == f"halt {ENTRY}" for v in oracle.gated(books, story, halted))
    before = Witness(halts=[HaltWindow(0, entry_n), HaltWindow(0, 1, entry_n - 1)])
    assert oracle.gated(books, story, before) == []


def test_an_entry_that_was_on_its_way_when_the_halt_came_is_not() -> None:
    books, story = booked(entered_rows()), told(entered())
    halted = Witness(halts=[HaltWindow(story.intent_seqs[ENTRY], books.requests[0].n - 1)])
    assert oracle.gated(books, story, halted) == []


# -------------------------------------------------------------------------------------------- same


def test_a_published_part_that_is_not_the_fold_is_found() -> None:
    story = told(entered())
    state = story.state
    whole = msgspec.json.decode(msgspec.json.encode(state))
    right = Published("/api/orders", state.seq, 1, {"orders": whole["orders"]})
    wrong = Published("/api/orders", state.seq, 1, {"orders": {}})
    other_life = Published("/api/orders", state.seq, 2, {})
    books = booked(entered_rows())
    assert oracle.same(books, story, Witness(published=[right]), [], flat=False) == []
    for shown in (wrong, other_life):
        assert oracle.same(books, story, Witness(published=[shown]), [], flat=False)


def test_a_whole_view_must_be_the_fold_in_every_field() -> None:
    story, books = told(closed()), booked(closed_rows())
    empty, state = State(), story.state

    def judged(shown: State) -> list[str]:
        witness = Witness(published=[Published.whole("process 1", shown)])
        return checks(oracle.same(books, story, witness, [], flat=False))

    assert judged(state) == []
    fields = {
        name for name in state.__struct_fields__ if getattr(state, name) != getattr(empty, name)
    }
    assert {"armed", "counters", "day", "streams", "last_trade"} <= fields
    for name in sorted(fields - {"seq"}):
        assert judged(replace(state, **{name: getattr(empty, name)})) == ["same"], name


def test_a_snapshot_that_is_not_the_fold_is_found() -> None:
    story, books = told(entered()), booked(entered_rows())
    body = msgspec.json.encode(story.states[5])
    right, wrong = SnapshotRow(5, FOLD_VERSION, body), SnapshotRow(6, FOLD_VERSION, body)
    assert oracle.same(books, story, NOBODY, [right], flat=False) == []
    assert oracle.same(books, story, NOBODY, [wrong], flat=False)


@pytest.mark.parametrize("field", ["gross", "fees", "net", "amount", "closed_ms"])
def test_a_trade_that_differs_in_its_last_digit_is_found(field: str) -> None:
    events = closed()
    for n, event in enumerate(events):
        if isinstance(event, TradeClosed):
            value = getattr(event.trade, field)
            bent = value + (1 if isinstance(value, int) else Decimal("1E-12"))
            events[n] = TradeClosed(trade=replace(event.trade, **{field: bent}))
    found = oracle.same(booked(closed_rows()), told(events), NOBODY, [], flat=True)
    assert [v.key for v in found] == ["trade 1"]


def test_a_trade_that_is_missing_in_the_log_is_found_at_the_end() -> None:
    books, story = booked(closed_rows()), told(entered())
    assert oracle.same(books, story, NOBODY, [], flat=False) == []
    assert [v.key for v in oracle.same(books, story, NOBODY, [], flat=True)] == ["number of trades"]


def test_a_position_of_the_owner_alone_is_no_trade_of_ours() -> None:
    rows = [
        *closed_rows(),
        (T + 30, trade_row(3, "buy", "50000", "", T + 30, "0")),
        (T + 40, trade_row(4, "sell", "51000", "", T + 40, "0.000392156863")),
    ]
    assert oracle.same(booked(rows), told(closed()), NOBODY, [], flat=True) == []


def test_a_correction_is_found_unless_it_awaits_fills_and_they_come() -> None:
    final = PositionCorrected(instrument=NAME, position=None, reason="fills were lost", at_ms=T)
    waits = msgspec.structs.replace(final, awaits=True)
    gone = DiscrepancyGivenUp(instrument=NAME, reason="none came")
    for events, found in (([final], ["same"]), ([waits], []), ([waits, gone], ["same"])):
        story = told([*entered(), *events])
        assert checks(oracle.same(booked([]), story, NOBODY, [], flat=False)) == found


def test_a_correction_of_what_is_the_owners_misses_nothing_of_ours() -> None:
    gone = PositionCorrected(instrument=NAME, position=None, reason="its owner closed it", at_ms=T)
    assert oracle.same(booked([]), told([*begun(), gone]), NOBODY, [], flat=False) == []


def test_a_balance_that_the_trades_do_not_explain_is_found() -> None:
    books, story = booked(closed_rows()), told(closed())
    assert oracle.balances(books, story, {"BTC": D(1), "USDC": D(50_000)}) == []
    assert oracle.balances(books, story, {"BTC": D("1.000000000001")})
    bent = told([e for e in closed() if not isinstance(e, TradeClosed)])
    assert [v.key for v in oracle.balances(books, bent, {"BTC": D(1)})] == ["net BTC"]


def test_the_kit_has_one_signal() -> None:
    assert SIGNAL.signal_id == intent().signal_id
    assert any(isinstance(event, Filled) for event in entered())
