"""Orders and their families: brackets, triggers, gaps, the path inside a bar, reduce-only."""

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import BTC, FLAT, Lab, RpcError, prices, replay

D = Decimal
IOC: dict[str, Any] = {
    "price": 80000.5,
    "time_in_force": "immediate_or_cancel",
    "trigger_fill_condition": "incremental",
}
UP = ("80000", "80500", "79500", "80400")
DOWN = ("80000", "80500", "79500", "79600")


def test_bracket_lives_from_the_fill_and_its_stop_closes_it() -> None:
    lab = Lab(replay(FLAT, UP))
    placed = lab.bracket(1000, take=81000, stop=79600, **IOC)
    assert placed["order"]["order_state"] == "filled"
    assert placed["order"]["oto_order_ids"] == ["OTO-5001", "OTO-5002"]
    assert placed["order"]["is_primary_otoco"] is True
    take, stop = lab.call("private/get_open_orders", kind="future")
    assert (take["order_type"], take["order_state"], take["price"]) == ("limit", "open", 81000)
    assert (stop["order_id"][:5], stop["order_state"]) == ("SLMS-", "untriggered")
    assert stop["price"] == "market_price"
    assert "filled_amount" not in stop
    assert take["oco_ref"] == stop["oco_ref"]
    assert take["primary_order_id"] == stop["primary_order_id"] == placed["order"]["order_id"]
    assert lab.states("take")[0] == ("limit", "triggered")
    lab.play(2)
    assert lab.size() == 0
    assert lab.states("stop") == [
        ("stop_market", "triggered"),
        ("stop_market", "triggered"),
        ("market", "filled"),
    ]
    fired = lab.by_label("stop")[-1]
    assert (fired["trigger_order_id"], fired["average_price"]) == (stop["order_id"], 79600)
    other = lab.by_label("take")[-1]
    assert (other["order_state"], other["cancel_reason"]) == ("cancelled", "oco_other_closed")
    entries = lab.call("private/get_trigger_order_history", currency="BTC")["entries"]
    assert entries[0]["trigger_order_id"] == stop["order_id"]
    assert entries[0]["order_id"] == fired["order_id"]
    assert entries[0]["price"] == fired["price"] < 79_000, "a market order's is the protective one"
    assert {entry["price"] for entry in entries} == {fired["price"], "market_price", 81_000}


def test_take_profit_closes_the_bracket_and_cancels_the_stop() -> None:
    lab = Lab(replay(FLAT, UP))
    lab.bracket(1000, take=80450, stop=79000, **IOC)
    lab.play(2)
    assert lab.size() == 0
    assert prices(lab.trades()) == [D("80000.5"), 80450]
    assert lab.by_label("stop")[-1]["cancel_reason"] == "oco_other_closed"
    assert lab.call("private/get_open_orders") == []


@pytest.mark.parametrize("bar, met_first", [(UP, 79600), (DOWN, 80400)])
def test_an_up_bar_dips_first_and_a_down_bar_rises_first(bar: Any, met_first: int) -> None:
    lab = Lab(replay(FLAT, bar))
    lab.bracket(1000, take=80400, stop=79600, **IOC)
    lab.play(2)
    assert prices(lab.trades())[1:] == [met_first]


def test_levels_inside_a_bar_are_executed_in_the_order_they_are_met() -> None:
    lab = Lab(replay(FLAT, DOWN))
    lab.buy(10, price=79700, label="second")
    lab.buy(10, price=79900, label="first")
    lab.sell(10, price=80300, label="zero")
    lab.play(2)
    trades = lab.trades()
    assert [trade["label"] for trade in trades] == ["zero", "first", "second"]
    assert prices(trades) == [80300, 79900, 79700]
    times = [trade["timestamp"] for trade in trades]
    assert times == sorted(times)
    assert len(set(times)) == 3


def test_a_stop_fills_at_the_open_when_the_market_gaps_through_it() -> None:
    lab = Lab(replay(FLAT, ("78500.3", "78600", "78400", "78500")))
    lab.bracket(1000, take=81000, stop=79600, **IOC)
    lab.play()
    assert prices(lab.trades())[1:] == [D("78500")]
    assert lab.size() == 0


def test_a_resting_limit_keeps_its_own_price_in_a_gap() -> None:
    lab = Lab(replay(FLAT, ("82000", "82000", "82000", "82000")))
    lab.bracket(1000, take=81000, stop=79600, **IOC)
    lab.play()
    assert prices(lab.trades())[1:] == [81000]


def test_unfilled_ioc_primary_takes_its_secondaries_with_it() -> None:
    lab = Lab(replay(FLAT))
    order = lab.bracket(1000, take=81000, stop=79000, **{**IOC, "price": 79990})["order"]
    assert (order["order_state"], order["filled_amount"]) == ("cancelled", 0)
    for label in ("take", "stop"):
        (secondary,) = lab.by_label(label)
        assert secondary["is_secondary_oto"] is True
        assert secondary["cancel_reason"] == "oto_primary_closed"
    assert lab.call("private/get_open_orders") == []


def test_partly_filled_ioc_protects_what_it_filled() -> None:
    lab = Lab(replay(FLAT, UP))
    lab.call("admin/depth", amount=300)
    order = lab.bracket(1000, take=81000, stop=79600, **IOC)["order"]
    assert (order["order_state"], order["filled_amount"]) == ("cancelled", 300)
    assert [item["amount"] for item in lab.call("private/get_open_orders")] == [300, 300]
    assert lab.states("stop")[0] == ("stop_market", "triggered")
    assert lab.exchange.desk.live_stop_amount(BTC) == 300


def test_incremental_gives_a_pair_of_legs_for_each_execution() -> None:
    lab = Lab(replay(FLAT, ("80000", "80100", "79900", "79990"), UP))
    lab.call("admin/depth", amount=300)
    lab.bracket(1000, take=80450, stop=79000, price=79900, trigger_fill_condition="incremental")
    secondaries = lab.call("private/get_open_orders")
    assert [item["order_state"] for item in secondaries] == ["untriggered", "untriggered", "open"]
    lab.play(2)
    live = lab.call("private/get_open_orders", type="stop_all")
    assert [item["amount"] for item in live] == [1000, 300]
    assert lab.exchange.desk.live_stop_amount(BTC) == 300
    lab.play()
    assert lab.size() == 0
    assert [D(trade["amount"]) for trade in lab.trades()] == [300, 700, 300, 700]
    refs = [item.get("oco_ref") for item in lab.by_label("stop")[1:]]
    assert len(set(refs)) == 2
    assert lab.call("private/get_open_orders") == []


def test_first_hit_and_complete_fill_differ_on_a_partial_fill() -> None:
    amounts = {}
    for condition in ("first_hit", "complete_fill"):
        lab = Lab(replay(FLAT))
        lab.call("admin/depth", amount=300)
        lab.bracket(1000, 81000, 79000, **{**IOC, "trigger_fill_condition": condition})
        amounts[condition] = [item["amount"] for item in lab.call("private/get_open_orders")]
    assert amounts == {"first_hit": [1000, 1000], "complete_fill": []}


def test_a_partly_filled_leg_shrinks_the_other() -> None:
    lab = Lab(replay(FLAT, ("80000", "80450", "80000", "80450"), UP))
    lab.bracket(1000, take=80450, stop=79000, **IOC)
    lab.call("admin/depth", amount=400)
    lab.play(2)
    (stop,) = lab.call("private/get_open_orders", type="stop_all")
    assert lab.size() == stop["amount"] == 600


def test_a_stop_of_a_live_leg_can_be_moved() -> None:
    lab = Lab(replay(FLAT, UP))
    lab.bracket(1000, take=81000, stop=79000, **IOC)
    (stop,) = lab.call("private/get_open_orders", type="stop_market")
    edited = lab.call("private/edit", order_id=stop["order_id"], amount=1000, trigger_price=79700)[
        "order"
    ]
    assert (edited["replaced"], edited["trigger_price"]) == (True, 79700)
    lab.play(2)
    assert prices(lab.trades())[1:] == [79700]


def test_a_trigger_on_the_wrong_side_fires_at_once() -> None:
    lab = Lab(replay(FLAT))
    lab.buy(1000)
    placed = lab.sell(
        1000, type="stop_market", trigger="mark_price", trigger_price=80500, reduce_only=True
    )
    assert placed["order"]["order_state"] == "triggered"
    assert lab.size() == 0


def test_stop_limit_waits_in_the_book_after_it_fired() -> None:
    falls, rises = ("80000", "80000", "78900", "78950"), ("78950", "79100", "78900", "79000")
    lab = Lab(replay(FLAT, falls, rises))
    lab.buy(1000)
    lab.sell(
        1000, type="stop_limit", trigger="mark_price", trigger_price=79000, price=79050,
        reduce_only=True, label="sl",
    )  # fmt: skip
    lab.play(2)
    assert lab.states("sl") == [("stop_limit", "triggered"), ("limit", "open")]
    lab.play()
    assert prices(lab.trades())[1:] == [79050]


def test_take_market_fires_upwards_for_a_sell() -> None:
    lab = Lab(replay(FLAT, UP))
    lab.buy(1000)
    lab.sell(1000, type="take_market", trigger="last_price", trigger_price=80300, reduce_only=True)
    lab.play(2)
    # Between two trades of the market, five seconds apart, nobody sees where it goes through.
    assert prices(lab.trades())[1:] == [80500]


def test_reduce_only_clips_refuses_and_never_opens() -> None:
    lab = Lab(replay(FLAT, DOWN))
    with pytest.raises(RpcError, match="other_reject"):
        lab.sell(1000, reduce_only=True)
    lab.buy(500)
    with pytest.raises(RpcError, match="other_reject"):
        lab.buy(100, reduce_only=True)
    lab.sell(500, price=80400, reduce_only=True, label="rest")
    lab.sell(
        500, type="stop_market", trigger="mark_price", trigger_price=79700, reduce_only=True,
        label="stale",
    )  # fmt: skip
    closed = lab.sell(1000, reduce_only=True)["order"]
    assert (closed["amount"], lab.size()) == (500, D(0))
    assert len(lab.call("private/get_open_orders")) == 2
    lab.play(2)
    assert lab.size() == 0
    assert lab.states("rest") == [("limit", "cancelled")]
    assert lab.states("stale") == [("stop_market", "rejected")]
    entries = lab.call("private/get_trigger_order_history", currency="BTC")["entries"]
    assert entries[0]["order_state"] == "rejected:reduce_direction"
    assert (entries[0]["order_id"], entries[0]["price"]) == (None, "market_price")


def test_post_only_slides_or_is_rejected() -> None:
    lab = Lab(replay(FLAT))
    slid = lab.buy(10, price=80100, post_only=True)["order"]
    assert (slid["price"], slid["order_state"]) == (80000, "open")
    with pytest.raises(RpcError, match="post_only_reject"):
        lab.buy(10, price=80100, post_only=True, reject_post_only=True)


def test_fill_or_kill_is_all_or_nothing() -> None:
    lab = Lab(replay(FLAT))
    lab.call("admin/depth", amount=300)
    killed = lab.buy(700, price=80001, time_in_force="fill_or_kill")["order"]
    assert (killed["order_state"], killed["filled_amount"]) == ("cancelled", 0)
    filled = lab.buy(600, price=80001, time_in_force="fill_or_kill")["order"]
    assert filled["order_state"] == "filled"
    # 600 / (300 / 80000.5 + 300 / 80001)
    assert filled["average_price"] == D("80000.74999922")


def test_one_cancels_other_without_a_primary_fill() -> None:
    lab = Lab(replay(FLAT, UP))
    lab.buy(
        100, price=79800, label="low", linked_order_type="one_cancels_other",
        otoco_config=[{"direction": "sell", "amount": 100, "price": 80300, "label": "high"}],
    )  # fmt: skip
    lab.play(2)
    assert lab.states("low") == [("limit", "filled")]
    assert lab.by_label("high")[0]["cancel_reason"] == "oco_other_closed"


def test_cancelling_the_primary_closes_its_secondaries() -> None:
    lab = Lab(replay(FLAT))
    lab.bracket(1000, take=81000, stop=79000, price=79900)
    assert lab.call("private/cancel_by_label", label="entry", currency="BTC") == 1
    assert lab.states("stop") == [("stop_market", "cancelled")]
    assert lab.by_label("take")[0]["cancel_reason"] == "oto_primary_closed"


def test_close_position_needs_one() -> None:
    lab = Lab(replay(FLAT))
    with pytest.raises(RpcError, match="already_closed"):
        lab.call("private/close_position", instrument_name=BTC, type="market")
    lab.sell(500)
    closed = lab.call("private/close_position", instrument_name=BTC, type="market")["order"]
    assert (closed["direction"], closed["reduce_only"], closed["label"]) == ("buy", True, "")
    assert lab.size() == 0


def test_no_moment_between_fill_and_stop_is_naked() -> None:
    lab = Lab(replay(FLAT, UP))
    lab.bracket(1000, take=81000, stop=79600, **IOC)
    (stop,) = lab.call("private/get_open_orders", type="stop_all")
    lab.call("admin/cancel", order_id=stop["order_id"])
    journal = [(D(line["size"]), D(line["live_stop_amount"])) for line in lab.journal("position")]
    assert journal == [(D(1000), D(1000)), (D(1000), D(0))]
