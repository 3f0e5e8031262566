"""No parameter is taken and dropped: it counts, or it is refused by its name."""

from typing import Any

import pytest
from paper_kit import BTC, FLAT, LINEAR, Lab, RpcError, replay

from tradebaas.paper.methods import METHODS


@pytest.fixture
def lab() -> Lab:
    made = Lab(replay(FLAT, FLAT))
    made.buy(1_000)
    made.buy(10, price=79_000, label="rests")
    return made


def refused(lab: Lab, method: str, /, **asked: Any) -> tuple[int, str | None]:
    with pytest.raises(RpcError) as error:
        lab.call(method, **asked)
    return error.value.code, (error.value.data or {}).get("param")


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"advanced": "usd"}, 11038, None),
        ({"advanced": "implv"}, 11038, None),
        ({"advanced": "x"}, -32602, "advanced"),
        ({"mmp": True}, -32602, "mmp"),
        ({"max_show": 10}, -32602, "max_show"),
    ],
)
@pytest.mark.parametrize("method", ["buy", "sell", "edit", "edit_by_label"])
def test_what_is_for_options_and_market_makers(
    lab: Lab, method: str, asked: dict[str, Any], code: int, param: str | None
) -> None:
    (resting,) = lab.by_label("rests")
    whole = {"instrument_name": BTC, "amount": 20, "price": 79_000, "label": "rests"}
    whole["order_id"] = resting["order_id"]
    if method in {"buy", "sell"}:
        whole |= {"price": 78_900 if method == "buy" else 81_000, "label": "another"}
    assert refused(lab, f"private/{method}", **whole, **asked) == (code, param)
    assert lab.by_label("rests") == [resting]
    lab.call(f"private/{method}", **whole, mmp=False)


KINDED = sorted(
    name
    for name, method in METHODS.items()
    if "kind" in method.params.__struct_fields__ and not name.endswith("get_expirations")
)
QUESTION = {"currency": "BTC", "currency_pair": "btc_usd", "instrument_name": BTC}


@pytest.mark.parametrize("method", KINDED)
def test_a_kind_counts(lab: Lab, method: str) -> None:
    assert refused(lab, method, **QUESTION, kind="bond") == (-32602, "kind")
    if method.endswith(("_by_instrument", "_by_instrument_and_time")):
        return  # the instrument says what it is
    shown = lab.call(method, **QUESTION, kind="option")
    assert not (shown["trades"] if isinstance(shown, dict) else shown)
    extra = {"include_unfilled": True} if "history" in method else {}
    shown = lab.call(method, **QUESTION, **extra, kind="future")
    assert shown["trades"] if isinstance(shown, dict) else shown


def test_the_instruments_of_any_currency_are_what_other_clients_ask_for(lab: Lab) -> None:
    assert len(lab.call("public/get_instruments")) == 2


def test_an_expired_instrument_is_none_of_ours(lab: Lab) -> None:
    assert lab.call("public/get_instruments", currency="any", expired=True) == []
    assert len(lab.call("public/get_instruments", currency="any", expired=False)) == 2


@pytest.mark.parametrize(
    "method",
    ["get_positions", "get_account_summary", "get_account_summaries", "get_transaction_log"],
)
def test_another_account_is_not_answered_for(lab: Lab, method: str) -> None:
    own = lab.call("private/get_subaccounts")[0]["id"]
    asked = {"currency": "BTC", "start_timestamp": 0, "end_timestamp": 10**14}
    assert lab.call(f"private/{method}", **asked, subaccount_id=own)
    wrong = refused(lab, f"private/{method}", **asked, subaccount_id=own + 1)
    assert wrong == (-32602, "subaccount_id")


def test_trades_are_asked_for_by_their_ids(lab: Lab) -> None:
    for amount in (20, 30, 40):
        lab.buy(amount)
    ids = [trade["trade_id"] for trade in lab.trades()]
    for method in ("private/get_user_trades_by_currency", "public/get_last_trades_by_currency"):
        found = lab.call(method, currency="BTC", start_id=ids[1], end_id=ids[2], sorting="asc")
        assert [trade["amount"] for trade in found["trades"]] == [20, 30], method
        assert refused(lab, method, currency="BTC", start_id="5") == (-32602, "start_id")
        assert refused(lab, method, currency="BTC", end_id="x") == (-32602, "end_id")


def test_the_markets_own_trades_are_asked_for_by_their_ids(lab: Lab) -> None:
    lab.play()
    asked = {"instrument_name": LINEAR, "sorting": "asc", "count": 100}
    every = lab.call("public/get_last_trades_by_instrument", **asked)["trades"]
    part = {"start_id": every[2]["trade_id"], "end_id": every[4]["trade_id"]}
    assert lab.call("public/get_last_trades_by_instrument", **asked, **part)["trades"] == every[2:5]


def test_a_label_comes_back_with_the_news_of_its_channels(lab: Lab) -> None:
    channels = [f"user.trades.{BTC}.raw", f"user.orders.{BTC}.raw"]
    lab.call("private/subscribe", channels=channels[:1], label="mine")
    lab.call("private/subscribe", channels=channels[1:])
    lab.buy(10)
    assert {note["channel"]: note.get("label") for note in lab.notes} == {
        channels[0]: "mine",
        channels[1]: None,
    }
    lab.call("private/unsubscribe", channels=channels)
    lab.call("private/subscribe", channels=channels[:1])
    lab.notes.clear()
    lab.buy(10)
    assert [note.get("label") for note in lab.notes] == [None]
    assert refused(lab, "private/subscribe", channels=[], label="x" * 17) == (-32602, "label")


@pytest.mark.parametrize("currency", ["ETH", "usdt", "EURR"])
def test_there_is_nothing_in_a_currency_that_nothing_settles_in(lab: Lab, currency: str) -> None:
    summary = lab.call("private/get_account_summary", currency=currency)
    assert summary["currency"] == currency.upper()
    assert {summary[name] for name in ("balance", "equity", "available_funds", "session_upl")} == {
        0
    }
    assert refused(lab, "private/get_account_summary", currency="any") == (-32602, "currency")
    assert refused(lab, "private/get_account_summary", currency="DOGE") == (-32602, "currency")


def test_volumes_that_are_not_counted_are_not_told(lab: Lab) -> None:
    assert refused(lab, "public/get_trade_volumes", extended=True) == (-32602, "extended")
    assert len(lab.call("public/get_trade_volumes")) == 2


def test_all_summaries_tell_of_the_account_when_asked_to(lab: Lab) -> None:
    own = {"id", "username", "type", "self_trading_reject_mode"}
    assert lab.call("private/get_account_summaries").keys() == {"summaries"}
    whole = lab.call("private/get_account_summaries", extended=True)
    assert whole.keys() == own | {"summaries"}
    one = lab.call("private/get_account_summary", currency="BTC", extended=True)
    assert {name: whole[name] for name in own} == {name: one[name] for name in own}


# ------------------------------------------------------------ what an edit must not get around


@pytest.mark.parametrize("way", ["edit", "edit_by_label"])
@pytest.mark.parametrize(
    ("change", "code"),
    [({"price": 90_000}, 10007), ({"amount": 4_000_000}, 10009), ({"amount": 20}, 0)],
)
def test_an_edit_meets_the_band_and_the_funds(
    lab: Lab, way: str, change: dict[str, Any], code: int
) -> None:
    (before,) = lab.by_label("rests")
    whole = {"order_id": before["order_id"], "label": "rests", "instrument_name": BTC} | change
    if not code:
        assert lab.call(f"private/{way}", **whole)["order"]["amount"] == 20
        return
    assert refused(lab, f"private/{way}", **whole)[0] == code
    assert lab.by_label("rests") == [before]


def test_an_edit_pays_for_what_it_adds_and_not_for_what_waits_already(lab: Lab) -> None:
    order_id = lab.buy(2_000_000, price=79_000)["order"]["order_id"]
    lab.call("private/edit", order_id=order_id, amount=2_010_000)
    lab.call("private/edit", order_id=order_id, amount=1_000_000)
    reducing = lab.sell(1_000, price=81_000, reduce_only=True)["order"]["order_id"]
    lab.call("private/edit", order_id=reducing, amount=900_000_000)
    assert refused(lab, "private/edit", order_id=reducing, reduce_only=False)[0] == 10009


# ------------------------------------------------------------------------------- what is no call


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"id":7}', {"id": 7}),
        ('{"id":"a","method":5}', {"id": "a"}),
        ('{"id":7,"method":null,"params":{}}', {"id": 7}),
        ('{"id":1.5,"method":"public/test"}', {}),
        ('{"id":true,"method":"public/test"}', {}),
        ('{"method":5}', {}),
        ('[{"id":7,"method":"public/test"}]', {}),
        ('"public/test"', {}),
    ],
)
def test_who_sent_what_is_no_call_gets_its_id_back(
    lab: Lab, text: str, wanted: dict[str, Any]
) -> None:
    (answer,) = lab.raw(text)
    assert answer["error"] == {"code": -32600, "message": "Invalid Request"}
    assert {name: answer[name] for name in answer if name == "id"} == wanted
    assert {"usIn", "usOut", "usDiff", "testnet"} <= answer.keys()


def test_an_unknown_method_is_told_when_it_came_in(lab: Lab) -> None:
    (answer,) = lab.raw('{"id":"a","method":"PUBLIC/test"}')
    assert answer["error"] == {"code": -32601, "message": "Method not found"}
    assert answer.keys() == {"jsonrpc", "id", "error", "usIn", "usOut", "usDiff", "testnet"}


@pytest.mark.parametrize("label", ["a\nb", "\x00", "tab\there", "\x7f", "x\n", "x" * 65])
def test_a_label_can_be_printed(lab: Lab, label: str) -> None:
    order = {"instrument_name": BTC, "amount": 10, "price": 79_000}
    assert refused(lab, "private/buy", **order, label=label) == (-32602, "label")
    lab.call("private/buy", **order, label="é 漢 € ok")
    leg = {"direction": "sell", "amount": 10, "price": 81_000, "label": label}
    linked = {"linked_order_type": "one_triggers_other", "otoco_config": [leg]}
    code, param = refused(lab, "private/buy", **order, **linked)
    assert (code, param) == (-32602, "otoco_config[0].label")


@pytest.mark.parametrize("price", [1e30, 1e-30])
def test_a_price_beyond_all_bounds_is_not_called_too_low(lab: Lab, price: float) -> None:
    with pytest.raises(RpcError) as error:
        lab.buy(10, price=price)
    assert error.value.data == {"reason": "invalid value", "param": "price"}
