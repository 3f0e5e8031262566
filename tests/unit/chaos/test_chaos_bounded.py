"""Bounded: each limit of the owner's is judged by itself, to the last digit, from the journal."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chaos_kit import (
    ENTRY,
    STOP,
    D,
    T,
    booked,
    closed_rows,
    entered,
    logged_in,
    request_row,
    told,
    trade_row,
)
from msgspec.structs import replace as change

from chaos.world.bounded import DAY_MS, Bounds, bounded
from chaos.world.ledger import BalanceRow, Body, RequestRow
from chaos.world.mark import Mark
from chaos.world.story import Story

Params = dict[str, Any]
STARTED = {"BTC": D(1), "USDC": D(50_000)}
BOUNDS = Bounds(STARTED)
EXAMPLE = Path(__file__).parents[3] / "deploy/tradebaas.toml.example"
NOBODY = Story()
"""A log without any intent: the moment of a request is then that of its arrival."""


def asked(label: str = ENTRY, method: str = "private/buy", **params: Any) -> RequestRow:
    """An entry of 1000 dollars at 50,000 with its stop at 49,000, or as said otherwise."""
    stop = params.pop("stop", 49_000)
    legs = [{"type": "stop_market", "trigger_price": stop}, {"type": "limit", "price": 52_000}]
    usual = {"instrument_name": "BTC-PERPETUAL", "price": 50_000, "otoco_config": legs}
    row = request_row(label, **{**usual, **params})
    return RequestRow(row.session, method, label, row.leg_labels, row.params, row.outcome)


def found(
    rows: Sequence[tuple[int, Body]], bounds: Bounds = BOUNDS, story: Story = NOBODY
) -> list[str]:
    """What is amiss, by the first word of each key."""
    return [violation.key.split()[0] for violation in bounded(booked(rows), story, bounds)]


def alone(row: RequestRow, **bounds: Any) -> list[str]:
    return found([*logged_in(), (T + 10, row)], replace(BOUNDS, **bounds))


def test_an_entry_within_all_bounds_is_left_alone() -> None:
    assert alone(asked()) == []
    assert alone(asked(method="private/sell", stop=51_000)) == []
    linear: Params = {"instrument_name": "BTC_USDC-PERPETUAL", "amount": 0.5}
    assert alone(asked(**linear)) == []
    assert alone(asked(method="private/sell", stop=51_000, **linear)) == []


def test_what_reduces_or_is_the_owners_is_not_judged() -> None:
    assert alone(asked(reduce_only=True, amount=10**9)) == []
    assert alone(asked(label="", amount=10**9)) == []


# The largest amounts at 1 BTC or 50,000 USDC of equity, and the smallest beyond each limit.
EDGES: list[tuple[str, Params, Params, Params]] = [
    # 1 / (1/49,000 - 1/50,000) = 2,450,000, of which 0.01 is 24,500
    ("risk", {}, {"amount": 24_500}, {"amount": 24_510}),
    # a short of coin: 1 / (1/50,000 - 1/51,000) = 2,550,000
    ("risk", {"method": "private/sell", "stop": 51_000}, {"amount": 25_500}, {"amount": 25_510}),
    # 500 USDC / 1,000
    ("risk", {"instrument_name": "BTC_USDC-PERPETUAL"}, {"amount": 0.5}, {"amount": 0.5001}),
    ("leverage", {"stop": 49_990}, {"amount": 250_000}, {"amount": 250_010}),
    (
        "leverage",
        {"instrument_name": "BTC_USDC-PERPETUAL", "stop": 49_990},
        {"amount": 5},
        {"amount": 5.0001},
    ),
]


@pytest.mark.parametrize("what, order, most, more", EDGES)
def test_each_size_is_judged_to_the_last_step(
    what: str, order: Params, most: Params, more: Params
) -> None:
    assert alone(asked(**order, **most)) == []
    assert alone(asked(**order, **more)) == [what]


def test_more_than_the_largest_amount_is_found() -> None:
    assert alone(asked(), max_amount=D(1000)) == []
    assert alone(asked(), max_amount=D(999)) == ["size"]


def test_leverage_counts_where_the_entry_filled_too() -> None:
    order = asked(amount=250_000, price=50_100, stop=50_050)
    for price, found in ((49_990.5, []), (49_490.5, ["leverage"])):
        cheap: dict[str, object] = {"order": {"average_price": price}}
        assert alone(RequestRow(1, order.method, ENTRY, [], order.params, cheap)) == found
    assert alone(order) == []


def test_an_entry_without_a_bound_is_found() -> None:
    no_stop = asked(otoco_config=[{"type": "limit", "price": 52_000}])
    assert alone(no_stop) == ["open"]
    assert alone(asked(otoco_config=None)) == ["open"]
    assert alone(asked(price=None)) == ["open"]
    assert alone(asked(instrument_name="ETH-PERPETUAL")) == ["open"]
    assert alone(asked(stop=50_000)) == ["stop"]
    assert alone(asked(stop=50_500)) == ["stop"]
    assert alone(asked(method="private/sell")) == ["stop"]


# --------------------------------------------------------------------------------------- the equity


def cash(at_ms: int, balance: str) -> tuple[int, Body]:
    return at_ms, BalanceRow("BTC", D(balance))


def test_the_equity_is_the_cash_of_that_moment() -> None:
    most = asked(amount=24_500)
    assert found([cash(T, "0.99"), (T + 10, most)]) == ["risk"]
    assert found([cash(T, "0.99"), cash(T + 5, "1"), (T + 10, most)]) == []
    assert found([cash(T, "1"), cash(T + 5, "0.99"), (T + 10, most)]) == ["risk"]
    assert found([(T, BalanceRow("USDC", D(1))), (T + 10, most)]) == []


def test_a_loss_that_the_daemon_may_not_have_heard_of_is_forgiven() -> None:
    rows = [cash(T, "1"), cash(T + 50, "0.99"), (T + 60, asked(amount=24_500))]
    assert found(rows) == ["risk"]
    assert found(rows, replace(BOUNDS, grace_ms=9)) == ["risk"]
    assert found(rows, replace(BOUNDS, grace_ms=11)) == []
    # So is one between the decision, which was at T + 5, and the arrival; no gain is counted then.
    assert found(rows, story=told(entered())) == []
    gain = [cash(T, "0.99"), cash(T + 8, "1"), (T + 10, asked(amount=24_500))]
    assert found(gain, story=told(entered())) == ["risk"]
    assert found(gain, replace(BOUNDS, grace_ms=3), told(entered())) == []


def test_the_fee_of_the_entry_itself_was_not_paid_when_it_was_decided() -> None:
    paid = [cash(T + 10, "0.999"), (T + 10, asked(amount=24_500))]
    assert found(paid, story=told(entered())) == []


# ------------------------------------------------------------------------------------------ the day


def labels(count: int) -> list[str]:
    return [f"tb1-aa-{n}-e" for n in range(count)]


def test_too_many_entries_of_a_day_are_found_and_no_earlier_ones() -> None:
    rows = [(T + n, asked(label)) for n, label in enumerate(labels(4))]
    assert found(rows, replace(BOUNDS, max_entries_per_day=4)) == []
    books = booked(rows)
    (last,) = bounded(books, NOBODY, replace(BOUNDS, max_entries_per_day=3))
    assert last.key == f"rate {labels(4)[3]}"
    # Judged since a mark, the day still counts from its beginning.
    assert bounded(books, NOBODY, replace(BOUNDS, max_entries_per_day=3), Mark(n=3)) == [last]
    assert bounded(books, NOBODY, replace(BOUNDS, max_entries_per_day=3), Mark(n=4)) == []


def test_a_new_day_has_its_own_entries() -> None:
    midnight = (T // DAY_MS + 1) * DAY_MS
    before, after = labels(2)
    one = replace(BOUNDS, max_entries_per_day=1)
    assert found([(midnight - 1, asked(before)), (midnight, asked(after))], one) == []
    assert found([(midnight - 2, asked(before)), (midnight - 1, asked(after))], one) == ["rate"]


def test_an_entry_counts_for_the_day_on_which_it_was_intended() -> None:
    midnight = (T // DAY_MS + 1) * DAY_MS
    story = told(entered())
    story.intents[ENTRY] = change(story.intents[ENTRY], intended_ms=midnight - 1)
    late = [(midnight + 1, asked(ENTRY)), (midnight + 2, asked("tb1-aa-9-e"))]
    assert found(late, replace(BOUNDS, max_entries_per_day=1), story) == []


AFTER = "tb1-aa-9-e"


def test_an_entry_after_the_loss_of_the_day_is_found() -> None:
    rows = [*closed_rows(), (T + 90, asked(AFTER))]  # the trade lost 0.000422163265
    allowed = D("0.0422163265") / D("0.999577836735")  # per cent of the cash after it
    entry = [row for row in rows if not isinstance(row[1], RequestRow) or row[1].label == AFTER]
    exact = replace(BOUNDS, max_daily_loss_percent=allowed)
    assert found(entry, replace(exact, max_daily_loss_percent=allowed * D("0.999999"))) == ["day"]
    assert found(entry, replace(exact, max_daily_loss_percent=allowed * D("1.000001"))) == []


def test_a_loss_of_another_day_or_currency_or_of_the_owners_does_not_count() -> None:
    strict = replace(BOUNDS, max_daily_loss_percent=D("0.000001"))
    rows = [row for row in closed_rows() if not isinstance(row[1], RequestRow)]
    assert found([*rows, (T + 90, asked(AFTER))], strict) == ["day"]
    assert found([*rows, (T + DAY_MS, asked(AFTER))], strict) == []
    usdc = asked(AFTER, instrument_name="BTC_USDC-PERPETUAL", amount=0.1)
    stricter = replace(BOUNDS, max_daily_loss_percent=D("0.0000000001"))
    assert found([*rows, (T + 90, usdc)], stricter) == []
    owners: list[tuple[int, Body]] = [
        (T + 10, trade_row(1, "buy", "50000", "", T + 10, "0")),
        (T + 20, trade_row(2, "sell", "49000", "", T + 20, "-0.0004")),
    ]
    assert found([*owners, (T + 90, asked(AFTER))], strict) == []


def test_a_loss_that_came_after_the_decision_does_not_count() -> None:
    strict = replace(BOUNDS, max_daily_loss_percent=D("0.000001"))
    rows: list[tuple[int, Body]] = [
        (T + 2, trade_row(1, "buy", "50000", "tb1-aa-2-e", T + 2, "0")),
        (T + 5, trade_row(2, "sell", "49000", STOP, T + 5, "-0.0004")),
        (T + 10, asked()),
    ]
    assert found(rows, strict, told(entered())) == ["day"]  # it was intended at T + 5
    rows[1] = (T + 6, trade_row(2, "sell", "49000", STOP, T + 6, "-0.0004"))
    assert found(rows, strict, told(entered())) == []


# --------------------------------------------------------------------------- the configuration


def test_the_bounds_are_read_from_the_daemons_configuration() -> None:
    assert Bounds.of(EXAMPLE.read_text("utf-8"), STARTED) == BOUNDS
    assert Bounds.of("", STARTED, 7, D(60)) == replace(BOUNDS, grace_ms=7, rate=D(60))
    moment = '[risk]\nslippage_percent = "0.2"\nprice_age_ms = 900\nvalidity_ms = 700\n'
    assert Bounds.of(moment, STARTED) == replace(
        BOUNDS, slippage_percent=D("0.2"), price_age_ms=900, validity_ms=700
    )
    told_of = (
        '[risk]\nrisk_percent = "0.1"\nmax_amount = "10000"\nmax_leverage = 2.5\n'
        "max_entries_per_day = 9\nmax_daily_loss_percent = 100\n"
    )
    assert Bounds.of(told_of, STARTED) == Bounds(STARTED, D("0.1"), D("2.5"), D(10_000), 9, D(100))
