"""What any client of Deribit may count on, row by row (docs/protocol-checklists.md)."""

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import BTC, FLAT, LINEAR, Bar, Lab, RpcError, replay

D = Decimal
FALLS: Bar = ("80000", "80000", "79800", "79800")


def refused(lab: Lab, method: str, /, **params: Any) -> tuple[int, str]:
    """The code of a refusal, and the parameter that it names ("" for none)."""
    with pytest.raises(RpcError) as caught:
        lab.call(method, **params)
    data = caught.value.data
    return caught.value.code, data.get("param", "") if isinstance(data, dict) else ""


def test_a_call_without_an_id_is_done_and_answered_without_one() -> None:
    lab = Lab(replay(FLAT))
    params = f'{{"instrument_name":"{BTC}","amount":10,"type":"market"}}'
    (answer,) = lab.raw(f'{{"method":"private/buy","params":{params}}}')
    assert answer.keys() == {"jsonrpc", "result", "usIn", "usOut", "usDiff", "testnet"}
    assert answer["usDiff"] == answer["usOut"] - answer["usIn"]
    assert lab.size() == 10


def test_what_is_wrong_is_looked_at_in_its_order() -> None:
    """Everything is wrong at first; one after the other is put right."""
    lab = Lab(replay(FLAT))
    owner, stranger = lab.session, lab.exchange.connect().number
    asked: dict[str, Any] = {"instrument_name": "ETH-PERPETUAL", "amount": "x", "price": 90000.3}
    steps: list[tuple[dict[str, Any], int, tuple[int, str]]] = [
        ({}, stranger, (-32602, "amount")),
        ({"amount": 8_000_005}, stranger, (13009, "")),
        ({}, owner, (-32602, "instrument_name")),
        ({"instrument_name": BTC}, owner, (-32602, "amount")),
        ({"amount": 8_000_000}, owner, (-32602, "price")),
        ({"price": 90000}, owner, (10007, "")),
        ({"price": 80000.5}, owner, (10009, "")),
    ]
    for change, lab.session, refusal in steps:
        asked |= change
        assert refused(lab, "private/buy", **asked) == refusal
    assert lab.call("private/buy", **{**asked, "amount": 10})["order"]["filled_amount"] == 10


def test_a_test_can_be_asked_to_fail() -> None:
    lab = Lab(replay(FLAT))
    assert lab.call("public/test")["version"]
    assert refused(lab, "public/test", expected_result="exception") == (10001, "")


# ------------------------------------------------------------------------------ connections


def test_a_logout_is_not_answered_and_leaves_the_orders() -> None:
    lab = Lab(replay(FLAT))
    lab.call("private/enable_cancel_on_disconnect")
    lab.buy(10, price=79000, label="stays")
    assert lab.raw('{"id":1,"method":"private/logout"}') == []
    assert lab.steps[-1].drops == [lab.session]
    assert [order.label for order in lab.exchange.desk.live.values()] == ["stays"]


@pytest.mark.parametrize("invalidates", [True, False])
def test_a_logout_ends_the_tokens_of_its_connection_if_it_shall(invalidates: bool) -> None:
    lab = Lab(replay(FLAT))
    token = lab.login("paper", "paper-secret", scope="session:bot")["access_token"]
    said = f'{{"invalidate_token":{str(invalidates).lower()}}}'
    lab.raw(f'{{"method":"private/logout","params":{said}}}')
    lab.session = lab.exchange.connect().number
    shown = {"access_token": token}
    if invalidates:
        assert refused(lab, "private/get_positions", **shown)[0] == 13009
    else:
        assert lab.call("private/get_positions", **shown) == []


def renewed(lab: Lab, token: dict[str, Any]) -> Any:
    """What a refresh token is answered with."""
    refresh_token = token["refresh_token"]
    return lab.call("public/auth", grant_type="refresh_token", refresh_token=refresh_token)


def test_a_renewed_token_of_a_connection_ends_the_one_before_it() -> None:
    lab = Lab(replay(FLAT))
    old = lab.login("paper", "paper-secret")
    new = renewed(lab, old)
    assert "connection" in new["scope"].split()
    assert refused(lab, "private/get_positions", access_token=old["access_token"])[0] == 13009
    assert lab.call("private/get_positions", access_token=new["access_token"]) == []


def test_a_renewed_token_of_a_named_session_stays_in_it() -> None:
    lab = Lab(replay(FLAT))
    old = lab.login("paper", "paper-secret", scope="session:bot")
    new = old
    for _ in range(2):
        new = renewed(lab, new)
        lab.session = lab.exchange.connect().number
        assert "session:bot" in new["scope"].split()
        assert lab.call("private/get_positions", access_token=new["access_token"]) == []
    assert lab.call("private/get_positions", access_token=old["access_token"]) == []


# ---------------------------------------------------------------------------------- streams


def test_orders_travel_bare_on_raw_channels_and_in_lists_on_others() -> None:
    lab = Lab(replay(FLAT))
    names = [f"user.orders.{BTC}.{interval}" for interval in ("raw", "100ms", "agg2")]
    kinds = ["user.orders.future.BTC.raw", "user.orders.any.any.100ms"]
    lab.call("private/subscribe", channels=[*names, *kinds])
    lab.buy(10, label="x")
    raw, *lists, raw_of_kind, list_of_kind = (note["data"] for note in lab.notes)
    assert raw["label"] == raw_of_kind["label"] == "x"
    assert [*lists, list_of_kind] == [[raw]] * 3


def test_what_an_event_changed_comes_together_and_its_money_too() -> None:
    lab = Lab(replay(FLAT))
    changes, trades = f"user.changes.{BTC}.raw", f"user.trades.{BTC}.raw"
    lab.call("private/subscribe", channels=[changes, trades, "user.portfolio.btc"])
    lab.buy(10, label="x")
    told = {note["channel"]: note["data"] for note in lab.notes}
    assert [order["label"] for order in told[changes]["orders"]] == ["x"]
    assert told[changes]["trades"] == told[trades]
    assert [position["size"] for position in told[changes]["positions"]] == [10]
    assert told["user.portfolio.btc"]["initial_margin"] > 0
    lab.notes.clear()
    lab.buy(10, price=79000)
    (resting,) = [note["data"] for note in lab.notes if note["channel"] == changes]
    assert (len(resting["orders"]), resting["trades"], resting["positions"]) == (1, [], [])


def test_an_account_that_is_subscribed_to_is_not_told_what_it_has() -> None:
    lab = Lab(replay(FLAT))
    lab.buy(10)
    lab.buy(10, price=79000)
    lab.notes.clear()
    for what in ("changes", "orders", "trades"):
        lab.call("private/subscribe", channels=[f"user.{what}.{BTC}.raw"])
    assert lab.notes == []


# ----------------------------------------------------------------------------------- orders


@pytest.mark.parametrize(("trigger", "letter"), [
    ("mark_price", "M"), ("index_price", "I"), ("last_price", "T"),
])  # fmt: skip
def test_each_reference_fires_and_shows_in_the_id(trigger: str, letter: str) -> None:
    lab = Lab(replay(FALLS))
    lab.buy(20)
    waits = {"trigger": trigger, "trigger_price": 79900, "reduce_only": True, "amount": 10}
    ids = []
    for kind, side in (("stop_market", "sell"), ("take_market", "buy")):
        asked = {**waits, "type": kind, "instrument_name": BTC, "reduce_only": side == "sell"}
        ids.append(lab.call(f"private/{side}", **asked, label=side)["order"]["order_id"])
    assert [order_id[:4] for order_id in ids] == [f"SL{letter}S", f"TP{letter}B"]
    lab.play()
    for side, kind in (("sell", "stop_market"), ("buy", "take_market")):
        assert lab.states(side) == [(kind, "triggered"), ("market", "filled")]
        parent, child = lab.by_label(side)
        assert child["trigger_order_id"] == parent["order_id"] != child["order_id"]
        assert refused(lab, "private/cancel", order_id=parent["order_id"])[0] == 11044


def test_an_edit_that_would_take_and_must_not_ends_the_order() -> None:
    lab = Lab(replay(FLAT))
    rests = lab.buy(10, price=79000, post_only=True, reject_post_only=True)["order"]
    lab.call("private/edit", order_id=rests["order_id"], amount=10, price=80100)
    order = lab.call("private/get_order_state", order_id=rests["order_id"])
    assert (order["order_state"], order["cancel_reason"]) == ("cancelled", "edit_post_only_reject")
    assert lab.size() == 0


def test_an_edit_names_the_new_total() -> None:
    lab = Lab(replay(FLAT, FALLS))
    lab.call("admin/depth", amount=40)
    order = lab.buy(100, price=80000.5)["order"]
    assert order["filled_amount"] == 40
    edited = lab.call("private/edit", order_id=order["order_id"], amount=60, price=79000)["order"]
    assert (edited["amount"], edited["filled_amount"], edited["replaced"]) == (60, 40, True)
    assert refused(lab, "private/edit", order_id=order["order_id"], amount=40)[1] == "amount"


def test_a_market_order_shows_how_far_it_would_have_gone() -> None:
    lab = Lab(replay(FLAT))
    order = lab.buy(10)["order"]
    assert (order["price"], order["average_price"]) == (81_200, D("80000.5"))
    assert lab.sell(10)["order"]["price"] == 78_800


def test_an_answer_that_is_late_is_overtaken_by_the_next() -> None:
    lab = Lab(replay(FLAT, FLAT), lockstep=False, faults={"ack-late": 1.0})
    params = f'{{"instrument_name":"{BTC}","amount":10,"type":"market"}}'
    assert lab.raw(f'{{"id":1,"method":"private/buy","params":{params}}}') == []
    assert lab.size() == 10
    (answer,) = lab.raw('{"id":2,"method":"public/get_time"}')
    assert answer["id"] == 2
    later_us = (lab.exchange.now_ms + 1_000) * 1000
    lab.front.run_due(later_us, lab.wall_ms, {"rate": 1})
    (answer,) = lab.drain()
    assert (answer["id"], answer["result"]["order"]["order_state"]) == (1, "filled")


def test_a_label_may_be_borne_by_any_number_of_orders() -> None:
    lab = Lab(replay(FLAT))
    sent = [lab.buy(10, label="twice")["order"]["order_id"] for _ in range(2)]
    assert [order["order_id"] for order in lab.by_label("twice")] == sent
    assert lab.size() == 20


# -------------------------------------------------------------------------------- contracts


def test_there_is_a_contract_of_each_kind() -> None:
    lab = Lab(replay(FLAT))
    told = {name: lab.call("public/get_instrument", instrument_name=name) for name in (BTC, LINEAR)}
    fields = ("instrument_type", "settlement_currency", "contract_size", "tick_size")
    assert [told[BTC][field] for field in fields] == ["reversed", "BTC", 10, D("0.5")]
    assert [told[LINEAR][field] for field in fields[:3]] == ["linear", "USDC", D("0.0001")]
