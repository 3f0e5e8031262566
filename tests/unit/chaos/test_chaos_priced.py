"""Bounded: an entry is held against the best prices that the exchange had told its connection."""

from dataclasses import replace
from typing import Any

import pytest
from chaos_kit import ENTRY, D, T, booked, entered, logged_in, request_row, told
from msgspec.structs import replace as change

from chaos.sim.judge import STARTED
from chaos.world.bounded import Bounds
from chaos.world.ledger import RequestRow
from chaos.world.mark import Mark
from chaos.world.priced import judgeable, priced
from chaos.world.story import Story

BOUNDS = Bounds(STARTED, slippage_percent=D("0.05"), price_age_ms=1_000)
ASK = D(50_000)
INTENDED = T + 5
"""When the entry of the kit's log was decided."""
Steps = list[tuple[int, Any]]


def asked(steps: Steps | None, price: str, method: str = "private/buy") -> RequestRow:
    return change(request_row(price=float(price)), method=method, told=steps)


def amiss(row: RequestRow, story: Story | None = None, **bounds: Any) -> list[str]:
    """What is wrong, by the first word of each key; decided at T + 5 unless ``story`` says else."""
    story = told(entered()) if story is None else story
    books = booked([*logged_in(), (T + 10, row)])
    found = priced(books, story, replace(BOUNDS, **bounds))
    return [violation.key.split()[0] for violation in found]


@pytest.mark.parametrize(
    ("method", "price", "expected"),
    [
        ("private/buy", "50025", []),
        ("private/buy", "50025.5", ["slippage"]),
        ("private/buy", "49000", []),
        ("private/sell", "49975", []),
        ("private/sell", "49974.5", ["slippage"]),
        ("private/sell", "51000", []),
    ],
)
def test_the_limit_is_worse_than_the_best_price_by_the_slippage_at_most(
    method: str, price: str, expected: list[str]
) -> None:
    assert amiss(asked([(T, ASK)], price, method)) == expected


def test_it_may_be_rounded_to_the_tick_that_is_farther_away() -> None:
    odd = [(T, D("50000.5"))]  # its slippage ends at 50025.50025
    assert amiss(asked(odd, "50026")) == []
    assert amiss(asked(odd, "50026.5")) == ["slippage"]
    assert amiss(asked([(T, D("49999.5"))], "49974.5", "private/sell")) == []
    assert amiss(asked([(T, D("0.5"))], "0.5", "private/sell")) == [], "never below a tick"
    assert amiss(asked([(T, D("0.5"))], "0", "private/sell")) == ["slippage"]


def test_a_market_entry_has_no_limit_that_could_be_too_far() -> None:
    row = asked([(T, ASK)], "1")
    params = {name: value for name, value in row.params.items() if name != "price"}
    assert amiss(change(row, params=params)) == []


def test_any_price_that_was_new_enough_may_have_been_the_one() -> None:
    steps = [(INTENDED - 1_001, D(60_000)), (INTENDED - 1_000, D(51_000)), (T, ASK)]
    assert amiss(asked(steps, "51025.5")) == []
    assert amiss(asked(steps, "51026")) == ["slippage"]
    assert amiss(asked(steps, "51025.5"), price_age_ms=999) == ["slippage"]


def test_an_entry_on_old_prices_is_found_to_the_millisecond() -> None:
    assert amiss(asked([(INTENDED - 1_000, ASK)], "50000")) == []
    assert amiss(asked([(INTENDED - 1_001, ASK)], "50000")) == ["old"]
    assert amiss(asked([], "50000")) == ["old"], "it was never told any"


def test_the_age_is_counted_in_the_daemons_time() -> None:
    fast: dict[str, Any] = {"rate": D(60)}
    assert amiss(asked([(INTENDED - 60_000, ASK)], "50000"), **fast) == []
    assert amiss(asked([(INTENDED - 60_001, ASK)], "50000"), **fast) == ["old"]


def test_without_an_intent_the_moment_is_that_of_its_arrival() -> None:
    assert amiss(asked([(T + 10 - 1_000, ASK)], "50000"), Story()) == []
    assert amiss(asked([(T + 9 - 1_000, ASK)], "50000"), Story()) == ["old"]


def test_what_the_journal_says_nothing_of_is_neither_judged_nor_counted() -> None:
    books = booked([*logged_in(), (T + 10, request_row()), (T + 10, asked([(T, ASK)], "50000"))])
    assert [request.n for request in judgeable(books)] == [4]
    assert judgeable(books, Mark(n=4)) == []
    assert amiss(request_row()) == []
    assert amiss(change(request_row(reduce_only=True), told=[])) == []
    foreign = change(asked([], "1"), label="hand")
    assert amiss(foreign) == []


def test_what_was_judged_before_the_mark_is_not_judged_again() -> None:
    books = booked([*logged_in(), (T + 10, asked([], "50000"))])
    (violation,) = priced(books, told(entered()), BOUNDS)
    assert (violation.check, violation.key) == ("bounded", f"old {ENTRY}")
    assert priced(books, told(entered()), BOUNDS, Mark(n=3)) == []
