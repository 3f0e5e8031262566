"""Known can fail: every particular in which the state and the exchange may differ."""

from typing import Any

import pytest
from chaos_kit import (
    ENTRY,
    NAME,
    STOP,
    TAKE,
    D,
    T,
    begun,
    booked,
    closed,
    closed_rows,
    entered,
    entered_rows,
    fill,
    intent,
    logged_in,
    order,
    order_row,
    told,
    trade_row,
)
from msgspec.structs import replace

from chaos.world.known import known
from chaos.world.ledger import Body, OrderRow, PositionRow, TradeRow
from chaos.world.mark import Mark
from chaos.world.oracle import Violation
from tradebaas.core.events import Event, Filled, ForeignFound, OrderIntended, OrderUpdated
from tradebaas.core.model import Direction

Rows = list[tuple[int, Body]]


def judged(rows: Rows, events: list[Event]) -> list[Violation]:
    found = known(booked(rows), told(events))
    assert {violation.check for violation in found} <= {"known"}
    return found


def after(*bodies: Body, events: list[Event] | None = None) -> list[str]:
    """What is found when ``bodies`` follow the entry of the kit."""
    rows: Rows = [*entered_rows(), *((T + 11, body) for body in bodies)]
    return [violation.text for violation in judged(rows, events or entered())]


def test_sound_ledgers_are_left_alone() -> None:
    assert judged(logged_in(), begun()) == []
    assert after() == []
    assert judged(closed_rows(), closed()) == []


# ------------------------------------------------------------------------------------- the orders


STOP_ROW: dict[str, Any] = {"trigger_price": D(49_000), "price": "market_price"}
TAKE_ROW: dict[str, Any] = {"order_type": "limit", "price": 52_000.5}


def bracket(stop: OrderRow, take: OrderRow) -> list[str]:
    """What is found when the legs are so at the exchange, and as planned in the state."""
    events = [
        *entered(),
        OrderUpdated(order=order("SL-1", STOP, trigger_price=D(49_000), updated_ms=T + 11)),
        OrderUpdated(
            order=order("t1", TAKE, "open", order_type="limit", price=D("52000.5"),
                        updated_ms=T + 11)
        ),
    ]  # fmt: skip
    return after(stop, take, events=events)


def test_legs_that_are_as_planned_are_known() -> None:
    stop, take = order_row("SL-1", STOP, **STOP_ROW), order_row("t1", TAKE, "open", **TAKE_ROW)
    assert bracket(stop, take) == []


@pytest.mark.parametrize(
    "words, change",
    [
        ("trigger price 49000 in the state, 48000 at", {"trigger_price": D(48_000)}),
        ("type stop_market in the state, stop_limit at", {"order_type": "stop_limit"}),
        ("reduce-only True in the state, False at", {"reduce_only": False}),
        ("amount 1000 in the state, 900 at", {"amount": D(900)}),
        ("filled 0 in the state, 100 at", {"filled_amount": D(100)}),
        ("price None in the state, 48999.5 at", {"price": 48_999.5}),
        ("side sell in the state, buy at", {"direction": "buy"}),
        ("waiting False in the state, True at", {"is_secondary_oto": True}),
    ],
)
def test_a_stop_that_would_do_something_else_is_found(words: str, change: dict[str, Any]) -> None:
    stop = order_row("SL-1", STOP, **{**STOP_ROW, **change})
    (text,) = bracket(stop, order_row("t1", TAKE, "open", **TAKE_ROW))
    assert text.startswith("order SL-1: ")
    assert words in text


def test_a_take_profit_at_another_price_is_found() -> None:
    take = order_row("t1", TAKE, "open", **{**TAKE_ROW, "price": 52_000})
    (text,) = bracket(order_row("SL-1", STOP, **STOP_ROW), take)
    assert "price 52000.5 in the state, 52000 at the exchange" in text


def test_an_order_that_is_live_on_one_side_only_is_found() -> None:
    assert after(order_row("SL-9", STOP)) == [f"order SL-9 {STOP} is live at the exchange only"]
    gone = order_row("SL-1", STOP, "cancelled")
    assert after(gone) == [f"order SL-1 {STOP} is live in the state only"]


def test_an_intent_that_is_not_proven_is_found() -> None:
    events = [*begun(), OrderIntended(intent=intent())]
    (found,) = judged(logged_in(), events)
    assert found.text == f"intent {ENTRY} is not proven"


# --------------------------------------------------------------------------------- what is not ours


def test_what_is_the_owners_is_known_while_it_is_there() -> None:
    order_found: list[Event] = [*entered(), ForeignFound(key="order f1", detail="x")]
    assert after(order_row("f1", "")) == ["foreign order f1 is live and not in the state"]
    assert after(order_row("f1", ""), events=order_found) == []
    (text,) = after(order_row("f1", "", "cancelled"), events=order_found)
    assert text == "foreign order f1 is in the state and not live"
    full: list[Event] = [*entered(), ForeignFound(key="order *", detail="more")]
    assert after(order_row("f1", ""), events=full) == []
    held: list[Event] = [*entered(), ForeignFound(key="position OTHER", detail="x")]
    assert after(PositionRow("OTHER", D(5), D(0)), events=held) == []
    (text,) = after(PositionRow("OTHER", D(0), D(0)), events=held)
    assert text == "foreign position in OTHER is in the state and not at the exchange"


# ------------------------------------------------------------------------------------ the position


def test_a_position_of_another_size_is_found() -> None:
    assert "position in" in after(PositionRow(NAME, D(900), D(1000), D(50_000)))[0]
    assert "position in OTHER" in after(PositionRow("OTHER", D(5), D(0)))[0]


def test_a_position_at_another_average_price_is_found() -> None:
    assert after(PositionRow(NAME, D(1000), D(1000), D("50000.009"))) == []
    (text,) = after(PositionRow(NAME, D(1000), D(1000), D("50000.02")))
    assert "average price in BTC-PERPETUAL: 50000.00 in the state, 50000.02" in text


def test_averages_that_mean_different_things_are_not_compared() -> None:
    """The exchange's average forgets what was closed, ours has all that was ever entered."""
    fills = [(2, "sell", "51000"), (3, "buy", "52000")]
    rows: Rows = [
        *entered_rows(),
        *((T + n, trade_row(n, side, price, "", T + n, "0")) for n, side, price in fills),
        (T + 9, PositionRow(NAME, D(1000), D(1000), D(52_000))),
    ]
    trimmed = [replace(body, amount=D(500)) if _is_owners(body) else body for _, body in rows]
    events = [
        *entered(),
        *(
            Filled(fill=replace(fill(n, Direction(side), price, "", T + n), amount=D(500)))
            for n, side, price in fills
        ),
    ]
    assert judged([(at, body) for (at, _), body in zip(rows, trimmed, strict=True)], events) == []


def _is_owners(body: Body) -> bool:
    return isinstance(body, TradeRow) and not body.label


# ------------------------------------------------------------------------------------------- fills


def test_a_fill_of_ours_that_is_not_in_the_log_or_twice_is_found() -> None:
    events = closed()
    (n,) = [n for n, e in enumerate(events) if isinstance(e, Filled) and e.fill.label == STOP]
    lost = [violation.key for violation in judged(closed_rows(), [*events[:n], *events[n + 1 :]])]
    assert f"fill {NAME}/BTC-2" in lost
    twice = judged(closed_rows(), [*events[:n], events[n], *events[n:]])
    assert f"fill {NAME}/BTC-2" in [violation.key for violation in twice]
    assert any("2000 of 1000 in the log" in violation.text for violation in twice)


def test_a_fill_that_the_exchange_never_had_is_found() -> None:
    ghost = Filled(fill=fill(7, Direction.BUY, "50000", "", T + 11))
    texts = after(events=[*entered(), ghost])
    assert f"fill {NAME}/BTC-7 is in the log, and the exchange has none" in texts


def test_a_fill_of_which_the_log_has_a_part_only_is_found() -> None:
    row = trade_row(2, "sell", "49000", STOP, T + 20, "-0.1", "1500")
    part = fill(2, Direction.SELL, "49000", STOP, T + 20)
    rows: Rows = [*entered_rows(), (T + 20, row)]
    whole = judged(rows, [*entered(), Filled(fill=replace(part, amount=D(1500)))])
    assert not any(violation.key.startswith("fill") for violation in whole)
    half = judged(rows, [*entered(), Filled(fill=part)])
    assert any("1000 of 1500 in the log" in violation.text for violation in half)


def test_a_fill_of_the_owners_may_be_left_out_but_not_made_larger() -> None:
    row = trade_row(2, "buy", "50000", "", T + 11, "0", "10")
    assert not any("fill" in text for text in after(row))
    more = Filled(fill=fill(2, Direction.BUY, "50000", "", T + 11))
    assert any("1000 of 10 in the log" in text for text in after(row, events=[*entered(), more]))


def test_fills_are_compared_since_the_mark() -> None:
    books, story = booked(closed_rows()), told(entered())
    assert any(v.key.startswith("fill") for v in known(books, story))
    found = known(books, story, Mark(n=books.n))
    assert not any(v.key.startswith("fill") for v in found)
