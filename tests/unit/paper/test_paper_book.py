"""The real book: orders of all accounts stand in it, in their turn, and trade with each other."""

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import ALICE, BTC, FLAT, Bar, Guest, Lab, RpcError, replay

D = Decimal
BID, ASK = D(80_000), D("80000.5")
BOB: dict[str, Any] = {
    "accounts": (*ALICE["accounts"], ALICE["accounts"][0].__class__(name="bob", balance_btc=D(1))),
    "keys": (
        *ALICE["keys"],
        ALICE["keys"][0].__class__(client_id="bob", secret="secret", account="bob"),
    ),
}


def three(*bars: Bar) -> tuple[Lab, Guest, Guest]:
    lab = Lab(replay(*(bars or [FLAT] * 4)), **BOB)
    return lab, Guest(lab, "alice"), Guest(lab, "bob")


def fills(client: Lab) -> list[tuple[Any, ...]]:
    asked = {"instrument_name": BTC, "sorting": "asc"}
    trades = client.call("private/get_user_trades_by_instrument", **asked)["trades"]
    return [(t["direction"], t["amount"], t["price"], t["liquidity"]) for t in trades]


def test_a_taker_meets_the_orders_of_others_first() -> None:
    lab, alice, _ = three()
    lab.sell(100, price=80_000.5)
    bought = alice.buy(300)
    assert bought["order"]["average_price"] == ASK
    assert fills(lab) == [("sell", 100, ASK, "M")]
    assert lab.call("private/get_open_orders") == []
    assert fills(alice) == [("buy", 100, ASK, "T"), ("buy", 200, ASK, "T")]
    mine, hers = (c.call("private/get_user_trades_by_instrument", instrument_name=BTC)["trades"]
                  for c in (lab, alice))  # fmt: skip
    assert mine[0]["trade_id"] == hers[-1]["trade_id"]
    assert mine[0]["trade_seq"] == hers[-1]["trade_seq"]
    assert D(mine[0]["fee"]) == round(D(100) / ASK * lab.exchange.config.maker_fee, 12)
    assert D(hers[-1]["fee"]) == round(D(100) / ASK * lab.exchange.config.taker_fee, 12)


def test_the_longest_there_trades_first_and_the_better_price_before() -> None:
    lab, alice, bob = three()
    lab.call("admin/depth", amount=0)
    bob.sell(50, price=80_001)
    alice.sell(50, price=80_000.5)
    bob.sell(50, price=80_000.5)
    lab.buy(120, price=80_001)
    assert fills(lab) == [("buy", 50, ASK, "T"), ("buy", 50, ASK, "T"), ("buy", 20, 80_001, "T")]
    assert [f[1] for f in fills(alice)] == [50]
    assert [f[1:3] for f in fills(bob)] == [(50, ASK), (20, 80_001)]


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"amount": 40}, "alice"),
        ({"amount": 60}, "bob"),
        ({"amount": 50, "price": 80_000.5}, "alice"),
    ],
)
def test_only_who_asks_for_more_loses_the_turn(change: dict[str, Any], first: str) -> None:
    lab, alice, bob = three()
    lab.call("admin/depth", amount=0)
    order = alice.sell(50, price=80_000.5)["order"]
    bob.sell(50, price=80_000.5)
    alice.call("private/edit", order_id=order["order_id"], **change)
    lab.buy(10, price=80_001)
    assert [c.name for c in (alice, bob) if fills(c)] == [first]


def test_an_order_that_moves_and_comes_back_is_the_last() -> None:
    lab, alice, bob = three()
    order = alice.sell(50, price=80_000.5)["order"]
    bob.sell(50, price=80_000.5)
    for price in (80_010, 80_000.5):
        alice.call("private/edit", order_id=order["order_id"], amount=50, price=price)
    lab.buy(10)
    assert (fills(alice), len(fills(bob))) == ([], 1)


def test_what_the_market_comes_to_is_filled_in_its_turn_too() -> None:
    lab, alice, bob = three(FLAT, ("80000", "80020", "80000", "80020"), FLAT)
    for client in (bob, alice):
        client.sell(50, price=80_010)
    lab.play(2)
    assert [t["timestamp"] for c in (bob, alice) for t in c.call(
        "private/get_user_trades_by_instrument", instrument_name=BTC)["trades"]]  # fmt: skip
    numbers = [c.call("private/get_user_trades_by_instrument", instrument_name=BTC)["trades"][0][
        "trade_seq"] for c in (bob, alice)]  # fmt: skip
    assert numbers == sorted(numbers)


def test_everybody_sees_all_orders_in_the_book() -> None:
    lab, alice, _ = three()
    before = dict(lab.call("public/get_order_book", instrument_name=BTC)["bids"])
    lab.call("public/subscribe", channels=[f"book.{BTC}.100ms"])
    lab.notes.clear()
    alice.buy(70, price=79_999)
    after = dict(lab.call("public/get_order_book", instrument_name=BTC)["bids"])
    assert after[D(79_999)] - before[D(79_999)] == 70


def test_a_change_of_the_book_is_told_to_those_who_follow_it() -> None:
    lab, alice, _ = three()
    alice.call("public/subscribe", channels=[f"book.{BTC}.100ms"])
    alice.notes.clear()
    lab.buy(70, price=79_000)
    changes = [note["data"]["bids"] for note in alice.notes if "bids" in note["data"]]
    assert changes == [[["new", 79_000, 70]]]


def test_the_public_is_told_of_a_trade_once() -> None:
    lab, alice, bob = three()
    bob.call("public/subscribe", channels=[f"trades.{BTC}.100ms"])
    bob.notes.clear()
    lab.sell(100, price=80_000.5)
    alice.buy(100)
    told = [t for note in bob.notes for t in note["data"]]
    assert [(t["direction"], t["amount"]) for t in told] == [("buy", 100)]
    asked = {"instrument_name": BTC, "count": 5}
    found = bob.call("public/get_last_trades_by_instrument", **asked)["trades"]
    assert [t["trade_id"] for t in found].count(told[0]["trade_id"]) == 1


def test_a_post_only_order_never_takes_from_others() -> None:
    lab, alice, _ = three()
    lab.sell(100, price=80_000.5)
    slid = alice.buy(50, price=80_001, post_only=True)["order"]
    assert (slid["price"], slid["filled_amount"]) == (BID, 0)
    with pytest.raises(RpcError) as refused:
        alice.buy(50, price=80_001, post_only=True, reject_post_only=True)
    assert refused.value.code == 11054
    assert fills(lab) == []


def test_fill_or_kill_counts_what_others_offer() -> None:
    lab, alice, _ = three()
    lab.call("admin/depth", amount=30)
    lab.sell(50, price=80_000.5)
    at = {"price": 80_000.5, "time_in_force": "fill_or_kill"}
    assert alice.buy(90, **at)["order"]["order_state"] == "cancelled"
    assert alice.buy(80, **at)["order"]["order_state"] == "filled"


def test_a_reduce_only_maker_gives_no_more_than_it_may() -> None:
    lab, alice, _ = three()
    lab.buy(100)
    lab.sell(100, price=80_000.5, reduce_only=True)
    lab.sell(60, reduce_only=True)
    alice.buy(200)
    assert lab.size() == 0
    assert fills(lab)[-1][1] == 40


def test_legs_follow_when_another_account_fills_the_entry() -> None:
    lab, alice, _ = three()
    lab.bracket(100, 81_000, 79_000, price=80_000, type="limit")
    assert lab.exchange.desk.live_stop_amount(BTC) == 0
    alice.sell(100)
    assert lab.size() == 100
    assert lab.exchange.desk.live_stop_amount(BTC) == 100


def test_a_liquidation_is_told_on_both_sides() -> None:
    lab, alice, _ = three()
    lab.buy(1_000)
    alice.buy(20, price=80_000)
    lab.call("admin/liquidate")
    mine, hers = (c.call("private/get_user_trades_by_instrument", instrument_name=BTC)["trades"]
                  for c in (lab, alice))  # fmt: skip
    assert [t["liquidation"] for t in hers] == ["T"]
    assert alice.size() == 20
    assert {t.get("liquidation") for t in mine if t["trade_id"] == hers[0]["trade_id"]} == {"T"}


# ---------------------------------------------------------------------------------- self-trades


def test_an_order_that_would_trade_with_its_own_account_is_refused() -> None:
    lab, alice, _ = three()
    lab.sell(100, price=80_000.5)
    with pytest.raises(RpcError) as refused:
        lab.buy(10)
    assert (refused.value.code, refused.value.message) == (10003, "order_overlap")
    assert lab.size() == 0
    assert len(lab.exchange.desk.orders) == 1
    alice.buy(10)


def test_an_own_order_that_is_not_reached_refuses_nothing() -> None:
    lab, alice, _ = three()
    lab.call("admin/depth", amount=30)
    alice.sell(50, price=80_000.5)
    lab.sell(100, price=80_000.5)
    lab.buy(50, price=80_000.5)
    with pytest.raises(RpcError):
        lab.buy(10, price=80_000.5)


def test_a_resting_own_order_can_be_taken_away_instead() -> None:
    lab, alice, _ = three()
    assert lab.call("private/set_self_trading_config", mode="cancel_maker") == "ok"
    mine = lab.sell(100, price=80_000.5)["order"]
    alice.sell(30, price=80_000.5)
    assert lab.buy(50)["order"]["filled_amount"] == 50
    gone = lab.call("private/get_order_state", order_id=mine["order_id"])
    assert (gone["order_state"], gone["cancel_reason"]) == ("cancelled", "self_trade")
    assert fills(alice) == [("sell", 30, ASK, "M")]
    assert alice.call("private/set_self_trading_config", mode="reject_taker") == "ok"
    told = lab.call("private/get_account_summary", currency="BTC", extended=True)
    assert told["self_trading_reject_mode"] == "cancel_maker"


def test_an_edit_that_would_trade_with_its_own_account_changes_nothing() -> None:
    lab, _, _ = three()
    lab.sell(100, price=80_000.5)
    mine = lab.buy(10, price=79_000)["order"]
    with pytest.raises(RpcError) as refused:
        lab.call("private/edit", order_id=mine["order_id"], amount=10, price=80_000.5)
    assert refused.value.code == 10003
    state = lab.call("private/get_order_state", order_id=mine["order_id"])
    assert (state["price"], state["replaced"]) == (79_000, False)


def test_a_stop_that_fires_into_an_own_order_is_rejected() -> None:
    lab, _, _ = three(FLAT, ("80000", "80000", "79900", "79900"), FLAT)
    lab.call("admin/depth", amount=10)
    lab.buy(100, price=79_900, label="owner")
    lab.sell(50, type="stop_market", trigger="mark_price", trigger_price=79_900, label="stop")
    lab.play(2)
    child = next(o for o in lab.by_label("stop") if o["order_type"] == "market")
    assert (child["order_state"], child["cancel_reason"]) == ("rejected", "self_trade")
    assert lab.size() == 10
