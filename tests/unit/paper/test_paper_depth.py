"""The book that is shown is the book that executes, level by level, whoever offers."""

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import ALICE, BTC, FLAT, Guest, Lab, RpcError, replay

from tradebaas.paper.levels import LEVELS, USUAL_DEPTH

D = Decimal
BID, ASK, TICK = D(80_000), D("80000.5"), D("0.5")
HOLDS = USUAL_DEPTH[BTC]


def two(**settings: Any) -> tuple[Lab, Guest]:
    lab = Lab(replay(FLAT, FLAT, FLAT), **ALICE, **settings)
    return lab, Guest(lab, "alice")


def shown(lab: Lab, side: str) -> list[list[D]]:
    book = lab.call("public/get_order_book", instrument_name=BTC, depth=10_000)
    return [[D(number) for number in level] for level in book[side]]


def got(answer: dict[str, Any]) -> list[list[D]]:
    return [[D(trade["price"]), D(trade["amount"])] for trade in answer["trades"]]


def locked() -> tuple[Lab, Guest]:
    """What is made up at the best ask is taken, and the rest of who took it bids for more there."""
    lab, alice = two()
    lab.call("admin/depth", amount=50)
    order = lab.buy(3000, type="market_limit")["order"]
    assert (order["filled_amount"], order["price"]) == (50, ASK)
    return lab, alice


# ------------------------------------------------------------------------------------------ depth


def test_a_market_order_slips_from_level_to_level_as_they_are_shown() -> None:
    lab, _ = two()
    lab.call("admin/depth", amount=50)
    before = shown(lab, "asks")
    assert got(lab.buy(120)) == [*before[:2], [before[2][0], D(20)]]
    assert shown(lab, "asks") == [[before[2][0], D(30)], *before[3:]]


def test_a_market_order_takes_what_is_shown_and_the_rest_of_it_is_cancelled() -> None:
    lab, _ = two()
    lab.call("admin/depth", amount=50)
    before = shown(lab, "asks")
    answer = lab.buy(5000)
    assert got(answer) == before
    assert answer["order"]["order_state"] == "cancelled"
    assert lab.size() == 50 * LEVELS
    ticker = lab.call("public/ticker", instrument_name=BTC)
    assert (shown(lab, "asks"), ticker["best_ask_price"]) == ([], None)
    assert lab.sell(10)["order"]["average_price"] == BID


def test_what_was_taken_is_there_again_at_the_next_step() -> None:
    lab, _ = two()
    before = shown(lab, "asks")
    lab.buy(120)
    assert shown(lab, "asks")[0] == [ASK, HOLDS - 120]
    lab.play()
    assert shown(lab, "asks") == before


def test_the_usual_book_has_depth_too() -> None:
    lab, _ = two(balance_btc=D(100_000))
    answer = lab.buy(int(HOLDS) * 5 // 2)
    assert got(answer) == [[ASK, HOLDS], [ASK + TICK, HOLDS], [ASK + 2 * TICK, HOLDS / 2]]
    answer = lab.sell(int(HOLDS) * 13 // 10, type="market_limit")
    assert got(answer) == [[BID, HOLDS]]
    assert (answer["order"]["order_state"], answer["order"]["price"]) == ("open", BID)


def test_a_limit_takes_as_far_as_it_goes_and_rests() -> None:
    lab, _ = two()
    lab.call("admin/depth", amount=50)
    answer = lab.buy(120, price=float(ASK + TICK))
    assert got(answer) == [[ASK, D(50)], [ASK + TICK, D(50)]]
    assert shown(lab, "bids")[0] == [ASK + TICK, D(20)]
    assert shown(lab, "asks")[0] == [ASK + 2 * TICK, D(50)]


def test_orders_of_accounts_beyond_what_is_made_up_are_reached_too() -> None:
    lab, alice = two()
    lab.call("admin/depth", amount=50)
    alice.sell(30, price=80_100)
    assert shown(lab, "asks")[-1] == [D(80_100), D(30)]
    answer = lab.buy(5000)
    assert got(answer)[-1] == [D(80_100), D(30)]
    assert answer["order"]["filled_amount"] == 50 * LEVELS + 30


def test_a_market_order_goes_no_further_than_its_protective_price() -> None:
    lab, alice = two()
    lab.call("admin/depth", amount=0)
    far = lab.call("public/ticker", instrument_name=BTC)["max_price"]
    alice.sell(30, price=float(far))
    lab.exchange.shock(D(79_000))
    answer = lab.buy(30)
    assert (answer["trades"], answer["order"]["order_state"]) == ([], "cancelled")


# --------------------------------------------------------------------------------- a locked book


def test_an_order_that_rests_where_the_other_side_was_is_shown_and_met() -> None:
    lab, alice = locked()
    assert shown(lab, "bids")[:2] == [[ASK, D(2950)], [BID, D(50)]]
    assert shown(lab, "asks")[0][0] == ASK + TICK
    ticker = lab.call("public/ticker", instrument_name=BTC)
    assert (ticker["best_bid_price"], ticker["best_ask_price"]) == (ASK, ASK + TICK)
    answer = alice.sell(100, price=float(ASK))
    assert got(answer) == [[ASK, D(100)]]
    assert answer["order"]["order_state"] == "filled"
    assert lab.size() == 150


def test_the_better_price_goes_first_whoever_offers_it() -> None:
    _, alice = locked()
    assert got(alice.sell(10)) == [[ASK, D(10)]]
    assert got(alice.sell(3000)) == [[ASK, D(2940)], [BID, D(50)], [BID - TICK, D(10)]]


def test_who_stands_in_his_own_way_there_is_refused() -> None:
    lab, _ = locked()
    with pytest.raises(RpcError) as refused:
        lab.sell(100, price=float(ASK))
    assert refused.value.code == 10003


def test_post_only_minds_the_orders_of_accounts() -> None:
    _, alice = locked()
    with pytest.raises(RpcError) as refused:
        alice.sell(100, price=float(ASK), post_only=True, reject_post_only=True)
    assert refused.value.code == 11054
    slid = alice.sell(100, price=float(ASK), post_only=True)["order"]
    assert (slid["price"], slid["order_state"]) == (ASK + TICK, "open")
    low = alice.buy(10, price=80_010, post_only=True)["order"]
    assert low["price"] == ASK


def test_market_limit_takes_the_price_of_the_best_order() -> None:
    _, alice = locked()
    answer = alice.sell(100, type="market_limit")
    assert (answer["order"]["price"], got(answer)) == (ASK, [[ASK, D(100)]])


@pytest.mark.parametrize("amount", [50, 5000])
def test_a_full_level_does_not_come_back_behind_an_order_that_stands_there(amount: int) -> None:
    lab, alice = two()
    lab.call("admin/depth", amount=50)
    lab.sell(100, price=float(BID))
    lab.play()
    lab.call("admin/depth", amount=amount)
    assert shown(lab, "asks")[0] == [BID, D(50)]
    assert shown(lab, "bids")[0] == [BID - TICK, D(amount)]
    assert got(alice.buy(50)) == [[BID, D(50)]]
    assert shown(lab, "bids")[0] == [BID, D(amount)]


def test_in_a_gap_the_orders_that_it_passes_are_in_nobodys_way() -> None:
    lab, alice = two()
    lab.buy(100)
    lab.sell(100, type="stop_market", trigger="index_price", trigger_price=79_000, label="stop")
    lab.buy(30, price=78_990)
    alice.buy(20, price=78_980)
    lab.exchange.shock(D(78_900))
    assert [state for _, state in lab.states("stop")] == ["triggered", "filled"]
    assert [[D(t["price"]), D(t["amount"])] for t in lab.trades()[1:]] == [
        [D(78_900), D(100)],
        [D(78_990), D(30)],
    ]


def test_what_a_gap_leaves_of_an_order_stands_in_the_book_again() -> None:
    lab, alice = two()
    lab.call("admin/depth", amount=50)
    lab.buy(100, price=78_900)
    lab.exchange.shock(D(78_900))
    assert shown(lab, "bids")[0] == [D(78_900), D(100)]
    assert got(alice.sell(70)) == [[D(78_900), D(50)], [D(78_900), D(20)]]


def test_nobody_bids_nothing() -> None:
    lab, _ = two()
    lab.exchange.shock(D("1.5"))
    assert [price for price, _ in shown(lab, "bids")] == [D("1.5"), D(1), D("0.5")]


def test_what_only_reduces_offers_no_more_than_there_is_to_reduce() -> None:
    lab, _ = two()
    lab.buy(100)
    lab.sell(100, price=80_002, reduce_only=True)
    lab.sell(60)
    assert [D(80_002), HOLDS + 40] in shown(lab, "asks")
    lab.sell(40)
    assert [D(80_002), HOLDS] in shown(lab, "asks")
    lab.buy(100)
    lab.sell(100, price=80_100, reduce_only=True)
    assert shown(lab, "asks")[-1] == [D(80_100), D(100)]
    lab.sell(100)
    assert len(shown(lab, "asks")) == LEVELS
