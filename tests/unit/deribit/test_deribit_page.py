"""docs/orders.md says what codes and answers mean: each of them is tried."""

import runpy
from decimal import Decimal
from pathlib import Path

import pytest
from deribit_kit import ENTRY, Desk, fails, wire_order

from tradebaas.core.model import Edit, Order
from tradebaas.deribit import trade
from tradebaas.deribit.errors import (
    CANCEL_READ_BACK,
    MAYBE_ORDER,
    NO_ORDER,
    CallFailed,
    LinkLost,
    NotSent,
    Unanswered,
    codes_of,
)

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "orders.py"))
REFUSALS = sorted(code for codes in NO_ORDER.values() for code in codes)
NOT_NOW = sorted(code for kind in CANCEL_READ_BACK for code in codes_of(kind))
UNHEARD_OF = 424242


async def placed(code: int) -> trade.Outcome:
    return await trade.place(Desk({"private/buy": fails(code)}), ENTRY, lambda: True)


@pytest.mark.parametrize("code", REFUSALS)
async def test_a_refusal_of_the_page_ends_the_order(code: int) -> None:
    assert isinstance(await placed(code), trade.Rejected)


@pytest.mark.parametrize("code", [*sorted(MAYBE_ORDER), UNHEARD_OF])
async def test_a_doubt_of_the_page_leaves_it_open(code: int) -> None:
    assert isinstance(await placed(code), trade.Lost)


# ------------------------------------------------------------------------ an order was cancelled


ANSWERS: dict[str, tuple[object, type[object]]] = {
    "cancelled": (wire_order(order_state="cancelled"), Order),
    "answered as live": (wire_order(order_state="untriggered"), trade.Gone),
    "not now": (fails(10041), trade.Gone),
    "refused": (fails(13021), CallFailed),
    "unanswered": (Unanswered("late"), Unanswered),
}


def test_each_answer_to_a_cancel_is_played() -> None:
    assert list(ANSWERS) == [row.outcome for row in SCRIPT["CANCEL_ROWS"]]


@pytest.mark.parametrize("outcome", ANSWERS)
async def test_an_answer_to_a_cancel(outcome: str) -> None:
    answer, expected = ANSWERS[outcome]
    try:
        got: object = await trade.cancel(Desk({"private/cancel": answer}), "1")
    except (CallFailed, Unanswered) as error:
        got = error
    assert isinstance(got, expected)


# ------------------------------------------------------------------------- a stop was edited


EDIT = Edit(
    order_id="1", amount=Decimal(1), trigger_price=Decimal(1), life=1, connection=1,
    intended_ms=1, valid_until_ms=2,
)  # fmt: skip
EDITED: dict[str, tuple[object, type[object]]] = {
    "carried out": ({"order": wire_order()}, trade.Accepted),
    "refused": (fails(11044), trade.Gone),
    "unanswered": (Unanswered("late"), trade.Gone),
    "connection lost": (LinkLost("gone"), LinkLost),
    "not written": (NotSent("closed before"), trade.NotSent),
}


def test_each_answer_to_an_edit_is_played() -> None:
    assert list(EDITED) == [row.outcome for row in SCRIPT["EDIT_ROWS"]]


@pytest.mark.parametrize("outcome", EDITED)
async def test_an_answer_to_an_edit(outcome: str) -> None:
    answer, expected = EDITED[outcome]
    try:
        got: object = await trade.edit(Desk({"private/edit": answer}), EDIT, lambda: True)
    except LinkLost as error:
        got = error
    assert isinstance(got, expected)


@pytest.mark.parametrize("code", NOT_NOW)
async def test_a_cancel_that_is_refused_for_now_is_read_back(code: int) -> None:
    got = await trade.cancel(Desk({"private/cancel": fails(code)}), "1")
    assert isinstance(got, trade.Gone)
