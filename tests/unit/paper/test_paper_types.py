"""The rarer orders: trailing stops, market-limit, day orders, icebergs; edits by label, cancels."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from paper_kit import BTC, FLAT, LINEAR, T0, Lab, RpcError, replay

from tradebaas.paper.market import GeneratedMarket, ReplayMarket
from tradebaas.paper.orders import Order

D = Decimal
UP = ("80000", "80600", "79900", "80500")
DOWN = ("80500", "80500", "79000", "79100")
HOUR_MS = 3_600_000


def refusal(lab: Lab, method: str, /, **params: Any) -> tuple[int, Any]:
    with pytest.raises(RpcError) as caught:
        lab.call(method, **params)
    return caught.value.code, caught.value.data


def trailing(
    lab: Lab, direction: str, amount: int = 100, offset: float = 200, **params: Any
) -> Any:
    found = lab.call(
        f"private/{direction}",
        instrument_name=BTC,
        amount=amount,
        type="trailing_stop",
        trigger="mark_price",
        trigger_offset=offset,
        **params,
    )
    return found["order"]


# -- trailing stops -------------------------------------------------------------------------------


def test_a_trailing_stop_follows_the_best_price_and_fires_at_its_distance() -> None:
    lab = Lab(replay(UP, DOWN, FLAT))
    lab.buy(100)
    born = trailing(lab, "sell", reduce_only=True, label="trail")
    assert (born["order_state"], born["order_type"], born["price"]) == (
        "untriggered", "trailing_stop", "market_price",
    )  # fmt: skip
    assert (born["trigger_price"], born["trigger_offset"]) == (79_800, 200)
    assert born["trigger_reference_price"] == 80_000
    assert born["order_id"].startswith("TSMS-")
    assert lab.exchange.desk.live_stop_amount(BTC) == 100
    lab.play()
    (moved,) = lab.by_label("trail")
    assert (moved["trigger_price"], moved["trigger_reference_price"]) == (80_400, 80_600)
    lab.play()
    parent, child = lab.by_label("trail")
    assert (parent["order_state"], child["order_state"]) == ("triggered", "filled")
    assert child["average_price"] == 80_400
    assert lab.size() == 0


def test_a_trailing_buy_follows_the_market_down() -> None:
    lab = Lab(replay(UP, DOWN, ("79100", "79100", "79100", "79100")))
    lab.sell(100)
    trailing(lab, "buy", offset=700.5, reduce_only=True, label="trail")
    lab.play(2)
    (moved,) = lab.by_label("trail")
    assert (moved["trigger_price"], moved["trigger_reference_price"]) == (D("79700.5"), 79_000)
    lab.exchange.shock(D(79_900))
    lab.drain()
    assert lab.states("trail") == [("trailing_stop", "triggered"), ("market", "filled")]


def test_a_trailing_stop_that_never_retreats_is_kept_over_a_restart() -> None:
    lab = Lab(replay(UP, DOWN))
    trailing(lab, "sell", label="trail")
    lab.play()
    kept = {order.order_id: order for step in lab.steps for order in step.orders}
    (order,) = [order for order in kept.values() if order.label == "trail"]
    again = msgspec.json.decode(msgspec.json.encode(order), type=Order)
    assert (again.trigger_price, again.trigger_reference, again.trigger_offset) == (
        D(80_400), D(80_600), D(200),
    )  # fmt: skip


def test_a_trailing_leg_starts_where_the_market_is_when_it_goes_live() -> None:
    lab = Lab(replay(UP, DOWN, FLAT))
    leg = {
        "direction": "sell", "amount": 100, "type": "trailing_stop", "trigger": "mark_price",
        "trigger_offset": 150, "label": "leg", "reduce_only": True,
    }  # fmt: skip
    lab.buy(100, price=79_900, linked_order_type="one_triggers_other", otoco_config=[leg])
    (waiting,) = lab.by_label("leg")
    assert "trigger_price" not in waiting
    lab.play()
    live = lab.by_label("leg")[-1]
    assert (live["order_state"], live["trigger_reference_price"]) == ("untriggered", 80_600)
    lab.play()
    assert lab.size() == 0


def test_the_distance_of_a_trailing_stop_can_be_edited() -> None:
    lab = Lab(replay(UP, FLAT))
    order = trailing(lab, "sell", label="trail")
    edited = lab.call("private/edit", order_id=order["order_id"], amount=100, trigger_offset=50)
    assert edited["order"]["trigger_price"] == 79_950
    assert lab.call("private/cancel", order_id=order["order_id"])["order_state"] == "cancelled"
    (entry,) = lab.call("private/get_trigger_order_history", currency="BTC")["entries"]
    assert entry["trigger_offset"] == 50


@pytest.mark.parametrize(
    "change, param",
    [
        ({"trigger_offset": None}, "trigger_offset"),
        ({"trigger_offset": 0}, "trigger_offset"),
        ({"trigger_offset": 10.3}, "trigger_offset"),
        ({"trigger": None}, "trigger"),
        ({"time_in_force": "good_til_day"}, "time_in_force"),
    ],
)
def test_what_a_trailing_stop_needs(change: dict[str, Any], param: str) -> None:
    lab = Lab(replay(FLAT))
    asked = {"trigger": "mark_price", "trigger_offset": 100, "amount": 10, **change}
    code, data = refusal(lab, "private/sell", instrument_name=BTC, type="trailing_stop", **asked)
    assert (code, data["param"]) == (-32602, param)


# -- market-limit, day orders, icebergs -----------------------------------------------------------


def test_a_market_limit_order_leaves_its_rest_at_the_best_price() -> None:
    lab = Lab(replay(UP, FLAT))
    lab.call("admin/depth", amount=30)
    order = lab.buy(100, type="market_limit")["order"]
    assert (order["order_state"], order["order_type"]) == ("open", "limit")
    assert (order["original_order_type"], order["price"]) == ("market_limit", D("80000.5"))
    assert (order["filled_amount"], order["average_price"]) == (30, D("80000.5"))
    lab.play()
    assert lab.size() == 100
    assert refusal(lab, "private/buy", instrument_name=BTC, amount=10, type="market_limit",
                   post_only=True)[0] == 11055  # fmt: skip
    leg = {"direction": "sell", "amount": 10, "type": "market_limit"}
    linked = {"linked_order_type": "one_triggers_other", "otoco_config": [leg]}
    assert (
        refusal(lab, "private/buy", instrument_name=BTC, amount=10, price=79_000, **linked)[0]
        == -32602
    )


def eve() -> ReplayMarket | GeneratedMarket:
    """A market that starts a minute before the settlement."""
    return GeneratedMarket(1, T0 + 8 * HOUR_MS - 60_000)


@pytest.mark.parametrize("settlement_ms", [0, 5_000])
def test_day_orders_end_at_the_settlement(settlement_ms: int) -> None:
    lab = Lab(eve(), lockstep=False, settlement_ms=settlement_ms, rate_limits=False)
    price = int(lab.exchange.tape.price) - 500
    day = {"time_in_force": "good_til_day", "price": price}
    lab.buy(10, label="day", **day)
    stop = {"type": "stop_limit", "trigger": "mark_price", "trigger_price": price + 100}
    lab.sell(10, label="day stop", **stop, **day)
    lab.buy(10, label="kept", price=price)
    lab.exchange.advance(T0 + 8 * HOUR_MS - 1)
    assert lab.states("day") == [("limit", "open")]
    lab.exchange.advance(T0 + 8 * HOUR_MS + 6_000)
    lab.drain()
    for label in ("day", "day stop"):
        (ended,) = lab.by_label(label)
        assert (ended["order_state"], ended["cancel_reason"]) == ("cancelled", "settlement")
        assert ended["last_update_timestamp"] <= T0 + 8 * HOUR_MS + 6_000
    assert lab.states("kept") == [("limit", "open")]
    lab.buy(10, label="next day", **day)
    lab.exchange.advance(T0 + 9 * HOUR_MS)
    assert lab.states("next day") != [("limit", "cancelled")]


def test_an_iceberg_shows_a_part_of_itself() -> None:
    lab = Lab(replay(FLAT))
    order = lab.sell(50_000, price=80_900, display_amount=2_000)["order"]
    assert (order["display_amount"], order["refresh_amount"], order["amount"]) == (
        2_000,
        2_000,
        50_000,
    )
    book = lab.call("public/get_order_book", instrument_name=BTC, depth=1000)
    assert book["asks"][-1] == [80_900, 2_000]
    edited = lab.call(
        "private/edit", order_id=order["order_id"], amount=1_500, display_amount=1_000
    )
    assert edited["order"]["display_amount"] == 1_000


@pytest.mark.parametrize(
    "amount, shown, kind",
    [
        (50_000, 990, "limit"),
        (50_000, 1_005, "limit"),
        (2_000, 2_010, "limit"),
        (101_000, 1_000, "limit"),
        (50_000, 2_000, "market"),
    ],
)
def test_what_an_iceberg_may_not_hide(amount: int, shown: int, kind: str) -> None:
    lab = Lab(replay(FLAT), balance_btc=D(100))
    asked = {"amount": amount, "display_amount": shown, "type": kind}
    if kind == "limit":
        asked["price"] = 79_900
    assert refusal(lab, "private/buy", instrument_name=BTC, **asked)[0] == 10036
    assert not lab.exchange.desk.orders


# -- edits by label, cancels by many --------------------------------------------------------------


def test_an_edit_by_label_needs_one_order_that_bears_it() -> None:
    lab = Lab(replay(FLAT))
    asked = {"label": "mine", "instrument_name": BTC, "amount": 20, "price": 79_800}
    assert refusal(lab, "private/edit_by_label", **asked)[0] == 10004
    first = lab.buy(10, price=79_900, label="mine")["order"]["order_id"]
    lab.call("private/buy", instrument_name=LINEAR, amount=0.001, price=79_900, label="mine")
    edited = lab.call("private/edit_by_label", **asked)["order"]
    assert (edited["order_id"], edited["amount"], edited["price"]) == (first, 20, 79_800)
    lab.buy(10, price=79_900, label="mine")
    assert refusal(lab, "private/edit_by_label", **asked)[0] == 13032


def crowd() -> Lab:
    lab = Lab(replay(FLAT), rate_limits=False)
    lab.buy(10, price=79_500, label="a")
    lab.buy(10, price=79_400, label="b")
    trailing(lab, "sell", 10)
    lab.sell(10, type="stop_market", trigger="mark_price", trigger_price=79_000)
    lab.sell(10, type="take_market", trigger="mark_price", trigger_price=81_000)
    lab.call("private/buy", instrument_name=LINEAR, amount=0.001, price=79_900, label="a")
    return lab


@pytest.mark.parametrize(
    "how, params, count",
    [
        ("all", {}, 6),
        ("all_by_currency", {"currency": "USDC"}, 1),
        ("all_by_currency", {"currency": "BTC", "type": "limit"}, 2),
        ("all_by_currency", {"currency": "BTC", "kind": "option"}, 0),
        ("all_by_currency_pair", {"currency_pair": "btc_usdc"}, 1),
        ("all_by_instrument", {"instrument_name": BTC, "type": "trigger_all"}, 3),
        ("all_by_instrument", {"instrument_name": BTC, "type": "trailing_stop"}, 1),
        ("all_by_kind_or_type", {"currency": ["BTC", "USDC"], "type": "limit"}, 3),
        ("all_by_kind_or_type", {"currency": "any", "kind": "future", "type": "stop"}, 1),
        ("all_by_kind_or_type", {"currency": "any", "type": "take"}, 1),
        ("by_label", {"label": "a"}, 2),
        ("by_label", {"label": "a", "currency": "BTC"}, 1),
        ("by_label", {"label": "none"}, 0),
    ],
)
def test_cancelling_many(how: str, params: dict[str, Any], count: int) -> None:
    lab = crowd()
    assert lab.call(f"private/cancel_{how}", **params) == count
    assert len(lab.exchange.desk.live) == 6 - count
    ended = [order for order in lab.exchange.desk.ended if order.state == "cancelled"]
    assert {order.reason for order in ended} <= {"user_request"}
    assert len(ended) == count


def test_a_detailed_cancel_reports_each_book_and_kind() -> None:
    lab = crowd()
    reports = lab.call("private/cancel_all", detailed=True)
    found = [(r["instrument_name"], r["currency"], r["type"], len(r["result"])) for r in reports]
    assert found == [
        (BTC, "BTC", "limit", 2),
        (BTC, "BTC", "trigger", 3),
        (LINEAR, "USDC", "limit", 1),
    ]
    assert {order["order_state"] for r in reports for order in r["result"]} == {"cancelled"}
    assert lab.call("private/cancel_all", detailed=True) == []


@pytest.mark.parametrize(
    "how, params, param",
    [
        ("all", {"type": "magic"}, "type"),
        ("all_by_currency", {}, "currency"),
        ("all_by_currency_pair", {"currency_pair": "btc_doge"}, "currency_pair"),
        ("all_by_instrument", {"instrument_name": "X"}, "instrument_name"),
        ("all_by_kind_or_type", {"currency": ["BTC", "DOGE"]}, "currency"),
    ],
)
def test_a_cancel_of_nothing_known_is_refused(how: str, params: dict[str, Any], param: str) -> None:
    lab = crowd()
    code, data = refusal(lab, f"private/cancel_{how}", **params)
    assert (code, data["param"]) == (-32602, param)
    assert len(lab.exchange.desk.live) == 6
