"""Outcomes of sending and cancelling are values, and doubt is never taken for a refusal."""

from decimal import Decimal

import msgspec
import pytest
from deribit_kit import ENTRY, NOW_MS, Desk, fails, wire_order, wire_trade

from tradebaas.core.model import Edit
from tradebaas.deribit import trade
from tradebaas.deribit.errors import CallFailed, Garbled, LinkLost, NotSent, Unanswered


def yes() -> bool:
    return True


async def place(result: object) -> trade.Outcome:
    return await trade.place(Desk({"private/buy": result}), ENTRY, yes)


async def test_accepted_with_what_was_filled_at_once() -> None:
    outcome = await place({"order": wire_order(order_state="filled"), "trades": [wire_trade()]})
    assert isinstance(outcome, trade.Accepted)
    assert outcome.orders[0].label == ENTRY.label
    assert [fill.trade_id for fill in outcome.fills] == ["410000001"]


@pytest.mark.parametrize("trades", [None, []])
async def test_accepted_without_trades(trades: object) -> None:
    outcome = await place({"order": wire_order(), "trades": trades})
    assert isinstance(outcome, trade.Accepted)
    assert outcome.fills == ()


async def test_an_explicit_refusal() -> None:
    outcome = await place(fails(10009, "not_enough_funds", '{"need":1}'))
    assert outcome == trade.Rejected(code=10009, message='not_enough_funds {"need":1}')


@pytest.mark.parametrize("code", [11094, 13503, 10040, 10047, 10003, 424242])
async def test_an_error_that_may_hide_an_order(code: int) -> None:
    outcome = await place(fails(code))
    assert isinstance(outcome, trade.Lost)
    assert str(code) in outcome.reason
    assert outcome.raw == ""


@pytest.mark.parametrize(
    "answer",
    [
        {"order": {"order_id": "1"}, "trades": []},
        {"order": wire_order(amount="a lot"), "trades": []},
        {"order": wire_order(), "trades": [wire_trade(price=None)]},
        {"trades": []},
        [],
        None,
    ],
)
async def test_an_answer_that_makes_no_sense_is_lost_and_kept(answer: object) -> None:
    outcome = await place(answer)
    assert isinstance(outcome, trade.Lost)
    assert msgspec.json.decode(outcome.raw) == msgspec.json.decode(msgspec.json.encode(answer))


async def test_a_garbled_frame_is_lost_and_kept() -> None:
    outcome = await place(Garbled("private/buy", '{"id":7,', "truncated"))
    assert isinstance(outcome, trade.Lost)
    assert outcome.raw == '{"id":7,'


@pytest.mark.parametrize("error", [Unanswered("late"), LinkLost("gone")])
async def test_no_answer_is_lost(error: Exception) -> None:
    assert await place(error) == trade.Lost(reason=str(error))


async def test_never_written_is_not_lost() -> None:
    assert await place(NotSent("closed before")) == trade.NotSent(reason="closed before")


async def test_cancelled() -> None:
    desk = Desk({"private/cancel": wire_order(order_state="cancelled")})
    order = await trade.cancel(desk, "90000000001")
    assert not isinstance(order, trade.Gone)
    assert order.state == "cancelled"
    assert desk.asked == [("private/cancel", {"order_id": "90000000001"})]


@pytest.mark.parametrize(
    "answer",
    [
        fails(11044, "not_open_order"),
        fails(10004, "order_not_found"),
        fails(-32602, "Invalid params", '{"reason":"invalid_order_id","param":"order_id"}'),
        fails(10040, "retry"),
        wire_order(order_state="untriggered"),
    ],
)
async def test_what_must_be_read_back_after_a_cancel(answer: object) -> None:
    assert isinstance(await trade.cancel(Desk({"private/cancel": answer}), "1"), trade.Gone)


async def test_a_cancel_that_is_not_allowed_is_an_error() -> None:
    with pytest.raises(CallFailed, match="13021"):
        await trade.cancel(Desk({"private/cancel": fails(13021, "forbidden")}), "1")


# ------------------------------------------------------------------------------------- edits


EDIT = Edit(
    order_id="SLMS-1", amount=Decimal(1000), trigger_price=Decimal(79_500), life=1, connection=1,
    intended_ms=NOW_MS, valid_until_ms=NOW_MS + 2_000,
)  # fmt: skip


async def test_an_edit_says_everything_that_would_default() -> None:
    desk = Desk({"private/edit": {"order": wire_order(order_id="SLMS-1"), "trades": []}})
    outcome = await trade.edit(desk, EDIT, yes)
    assert isinstance(outcome, trade.Accepted)
    ((method, params),) = desk.asked
    assert method == "private/edit"
    assert params == {
        "order_id": "SLMS-1", "amount": 1000, "trigger_price": 79_500, "reduce_only": True,
        "post_only": False, "valid_until": NOW_MS + 2_000,
    }  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [fails(11044), fails(10041), fails(-32602), fails(10035), Unanswered("late"), {"order": 7}],
)
async def test_an_edit_that_is_not_answered_as_wanted_is_to_be_read_back(answer: object) -> None:
    assert isinstance(await trade.edit(Desk({"private/edit": answer}), EDIT, yes), trade.Gone)


async def test_an_edit_that_was_never_written_needs_no_reading() -> None:
    answer = NotSent("closed before")
    outcome = await trade.edit(Desk({"private/edit": answer}), EDIT, yes)
    assert outcome == trade.NotSent(reason="closed before")


async def test_a_link_that_is_lost_after_an_edit_ends_the_session() -> None:
    with pytest.raises(LinkLost):
        await trade.edit(Desk({"private/edit": LinkLost("gone")}), EDIT, yes)
