"""The wire: envelopes, refusals, logins, channels, stores, and the faults of the test driver."""

import hmac
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from paper_kit import BTC, FLAT, T0, Lab, RpcError, prices, replay

from tradebaas.paper import outbox

D = Decimal
UP = ("80000", "80500", "79500", "80400")


def refusal(lab: Lab, method: str, /, **params: Any) -> tuple[int, Any]:
    with pytest.raises(RpcError) as caught:
        lab.call(method, **params)
    return caught.value.code, caught.value.data


@pytest.mark.parametrize(
    "change, param, reason",
    [
        ({"price": 80000.3}, "price", "must conform to tick size"),
        ({"price": None}, "price", "value is required"),
        ({"price": "x"}, "price", "invalid value"),
        ({"amount": 15}, "amount", "must be a multiple of contract size"),
        ({"amount": 1}, "amount", "must be a multiple of the minimum order size"),
        ({"instrument_name": "ETH-PERPETUAL"}, "instrument_name", "instrument not found"),
        ({"type": "magic"}, "type", "invalid value"),
        ({"type": "stop_market"}, "trigger", "value is required"),
        ({"type": "market", "time_in_force": "immediate_or_cancel"}, "time_in_force", None),
        ({"linked_order_type": "one_triggers_other"}, "otoco_config", "invalid value"),
        ({"label": "x" * 65}, "label", "invalid value"),
    ],
)
def test_bad_order_parameters_are_named(change: Any, param: str, reason: str | None) -> None:
    lab = Lab(replay(FLAT))
    params: dict[str, Any] = {"instrument_name": BTC, "amount": 10, "price": 80000, **change}
    code, data = refusal(lab, "private/buy", **params)
    assert (code, data["param"]) == (-32602, param)
    assert reason is None or data["reason"] == reason
    assert not lab.exchange.desk.orders
    assert lab.journal("request")[-1]["outcome"]["error"]["code"] == -32602


def test_missing_parameter_unknown_method_and_bad_frames() -> None:
    lab = Lab(replay(FLAT))
    assert refusal(lab, "private/buy", amount=10) == (
        -32602,
        {"reason": "value is required", "param": "instrument_name"},
    )
    assert refusal(lab, "private/nothing")[0] == -32601
    (answer,) = lab.raw("{not json")
    assert (answer["error"]["code"], "id" in answer) == (11050, False)
    (answer,) = lab.raw('{"method": "public/test", "params": {"x": "' + "y" * 33_000 + '"}}')
    assert answer["error"]["code"] == -32600
    (answer,) = lab.raw('{"jsonrpc": "2.0", "id": "abc", "method": "public/get_time"}')
    assert (answer["id"], answer["result"]) == ("abc", T0)
    assert answer["usOut"] >= answer["usIn"] == T0 * 1000


def test_price_band() -> None:
    lab = Lab(replay(FLAT))
    assert refusal(lab, "private/buy", instrument_name=BTC, amount=10, price=81200.5)[0] == 10007
    assert refusal(lab, "private/sell", instrument_name=BTC, amount=10, price=78799.5)[0] == 10005


def test_late_requests_are_refused() -> None:
    lab = Lab(replay(FLAT))
    order: dict[str, Any] = {"instrument_name": BTC, "amount": 10, "price": 79000}
    lab.call("private/buy", **order, valid_until=T0)
    lab.exchange.set_now(T0 + 1)
    assert refusal(lab, "private/buy", **order, valid_until=T0)[0] == 13888


def test_private_calls_need_a_login_or_a_token() -> None:
    lab = Lab(replay(FLAT))
    token = lab.call(
        "public/auth", grant_type="client_credentials", client_id="paper",
        client_secret="paper-secret", scope="session:bot", state="s",
    )  # fmt: skip
    assert (token["state"], token["token_type"]) == ("s", "bearer")
    stranger = lab.exchange.connect().number
    lab.drain()
    text = '{"id":1,"method":"private/get_positions","params":{%s}}'
    (answer,) = lab.raw(text % "", stranger)
    assert (answer["error"]["code"], answer["error"]["data"]["reason"]) == (13009, "invalid_token")
    (answer,) = lab.raw(text % f'"access_token":"{token["access_token"]}"', stranger)
    assert answer["result"] == []
    lab.wall_ms += 901_000
    (answer,) = lab.raw(text % f'"access_token":"{token["access_token"]}"', stranger)
    assert answer["error"]["code"] == 13009
    refresh: dict[str, Any] = {
        "grant_type": "refresh_token",
        "refresh_token": token["refresh_token"],
    }
    assert lab.call("public/auth", **refresh)["access_token"]
    assert refusal(lab, "public/auth", **refresh)[0] == 13004


def test_client_signature_checks_secret_age_and_nonce() -> None:
    lab = Lab(replay(FLAT))

    def sign(stamp: int, nonce: str, secret: str = "paper-secret") -> dict[str, Any]:
        text = f"{stamp}\n{nonce}\n"
        digest = hmac.new(secret.encode(), text.encode(), sha256).hexdigest()
        return {
            "grant_type": "client_signature", "client_id": "paper", "timestamp": stamp,
            "nonce": nonce, "signature": digest,
        }  # fmt: skip

    assert lab.call("public/auth", **sign(T0 - 60_000, "a"))["expires_in"] == 900
    assert refusal(lab, "public/auth", **sign(T0, "a"))[0] == 13004
    assert refusal(lab, "public/auth", **sign(T0 - 60_001, "b"))[0] == 13004
    assert refusal(lab, "public/auth", **sign(T0, "c", "wrong"))[0] == 13004


def test_unknown_channels_are_left_out_and_raw_needs_a_login() -> None:
    lab = Lab(replay(FLAT))
    channels = ["user.changes.any.any.raw", "user.portfolio.btc", "user.chagnes.x.raw", "nonsense"]
    assert lab.call("private/subscribe", channels=channels) == channels[:2]
    assert lab.call("public/subscribe", channels=["user.portfolio.btc"]) == []
    stranger = lab.exchange.connect().number
    lab.drain()
    text = '{"id":1,"method":"public/subscribe","params":{"channels":["ticker.BTC-PERPETUAL.raw"]}}'
    (answer,) = lab.raw(text, stranger)
    assert answer["error"]["code"] == 13778


def test_the_account_hears_before_the_candle_is_closed() -> None:
    lab = Lab(replay(FLAT, UP))
    chart, changes = f"chart.trades.{BTC}.1", f"user.changes.{BTC}.raw"
    lab.call("private/subscribe", channels=[changes, chart, f"chart.trades.{BTC}.3"])
    assert lab.notes[0]["data"]["tick"] == T0
    lab.play()
    lab.buy(100, price=79800, label="x")
    lab.notes.clear()
    lab.play()
    frames = [(note["channel"], note["data"]) for note in lab.notes]
    names = [name for name, _ in frames]
    mine = [data for name, data in frames if name == chart]
    assert [data["tick"] for data in mine] == [T0 + 60_000] * 3 + [T0 + 120_000]
    final = mine[2]
    assert [final[key] for key in ("open", "high", "low", "close")] == [80000, 80500, 79500, 80400]
    assert names.index(changes) < names.index(chart)
    change = frames[names.index(changes)][1]
    assert change["orders"][0]["order_state"] == "filled"
    assert change["positions"][0]["size"] == 100
    threes = [data for name, data in frames if name == f"chart.trades.{BTC}.3"]
    assert [data["tick"] for data in threes] == [T0] * 4


def test_charts_are_aggregated_on_the_clock() -> None:
    lab = Lab(replay(*[(str(n), str(n + 9), str(n - 9), str(n + 1)) for n in range(100, 110)]))
    lab.play(7)
    chart = lab.call(
        "public/get_tradingview_chart_data", instrument_name=BTC, start_timestamp=T0,
        end_timestamp=T0 + 3_600_000, resolution="3",
    )  # fmt: skip
    assert chart["ticks"] == [T0, T0 + 180_000, T0 + 360_000]
    assert chart["open"] == [100, 103, 106]
    assert chart["high"] == [111, 114, 115]
    assert chart["low"] == [91, 94, 97]
    assert chart["close"] == [103, 106, 107]
    assert chart["cost"] == [18000, 18000, 6460]
    later = lab.call(
        "public/get_tradingview_chart_data",
        instrument_name=BTC,
        start_timestamp=T0 + 1,
        end_timestamp=T0 + 300_000,
        resolution="3",
    )
    assert later["ticks"] == [T0 + 180_000]


def test_recent_store_and_archive_do_not_overlap() -> None:
    lab = Lab(replay(*[FLAT] * 40))
    order = lab.buy(10, label="old")["order"]
    book = {"instrument_name": BTC, "include_unfilled": True}
    history = "private/get_order_history_by_instrument"
    assert [len(lab.call(history, **book, historical=old)) for old in (False, True)] == [1, 0]
    lab.play(31)
    assert [len(lab.call(history, **book, historical=old)) for old in (False, True)] == [0, 1]
    assert lab.by_label("old") == []
    assert refusal(lab, "private/get_order_state", order_id=order["order_id"])[0] == 10004
    malformed = refusal(lab, "private/get_order_state", order_id="x y")
    assert malformed[1]["reason"] == "invalid_order_id"
    assert refusal(lab, "private/cancel", order_id=order["order_id"])[0] == 11044
    trades = lab.call("private/get_user_trades_by_instrument", instrument_name=BTC)
    assert (len(trades["trades"]), trades["has_more"]) == (1, False)


def test_pages_are_capped_by_count() -> None:
    lab = Lab(replay(FLAT))
    for _ in range(12):
        lab.buy(10)
    first = lab.call("private/get_user_trades_by_instrument", instrument_name=BTC, sorting="asc")
    assert (len(first["trades"]), first["has_more"]) == (10, True)
    page = lab.call(
        "private/get_order_history_by_currency", currency="BTC", count=5, with_continuation=True
    )
    rest = lab.call(
        "private/get_order_history_by_currency", currency="BTC", count=9,
        continuation=page["continuation"],
    )  # fmt: skip
    assert (len(page["orders"]), len(rest)) == (5, 7)
    assert refusal(lab, "private/get_order_history_by_currency", currency="BTC", count=1001)[0]


def test_cancel_on_disconnect_spares_other_connections() -> None:
    lab = Lab(replay(FLAT))
    lab.buy(10, price=79000, label="mine")
    lab.call("admin/order", side="buy", instrument_name=BTC, amount=10, price=79000)
    lab.call("private/enable_cancel_on_disconnect", scope="connection")
    number = lab.session
    lab.session = lab.exchange.connect().number
    lab.exchange.sessions[lab.session].logged_in = True
    lab.buy(10, price=79000, label="other")
    lab.exchange.disconnect(number)
    assert lab.by_label("mine")[0]["cancel_reason"] == "cancel_on_disconnect"
    assert lab.states("other") == [("limit", "open")]


def test_a_held_answer_waits_with_the_accounts_news() -> None:
    lab = Lab(replay(FLAT, UP))
    lab.call("private/subscribe", channels=[f"user.changes.{BTC}.raw"])
    lab.call("admin/hold", method="private/buy", params_match={"label": "x"})
    lab.buy(10, label="y")
    frames = lab.raw(
        '{"id":1,"method":"private/buy","params":{"instrument_name":"BTC-PERPETUAL","amount":10,'
        '"type":"market","label":"x"}}'
    )
    assert frames == []
    assert lab.size() == 20
    assert lab.states("x") == [("market", "filled")]
    released, answer, news = lab.raw('{"id":2,"method":"admin/release"}')
    assert (released["id"], released["result"], answer["id"]) == (2, 2, 1)
    assert news["params"]["data"]["orders"][0]["label"] == "x"


def test_a_hold_that_is_never_released_ends_in_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_HELD_FRAMES", 3)
    lab = Lab(replay(FLAT))
    lab.call("private/subscribe", channels=[f"user.changes.{BTC}.raw"])
    lab.call("admin/hold", method="private/buy")
    text = '{"method":"private/buy","params":{"instrument_name":"BTC-PERPETUAL","amount":10,'
    drops = []
    for _ in range(3):
        assert lab.raw(text + '"type":"market"}}') == []
        drops.append(lab.steps[-1].drops)
    assert drops == [[], [], [lab.session]]


def test_lost_swallowed_and_forged_answers() -> None:
    lab = Lab(replay(FLAT))
    buy = '{"id":1,"method":"private/buy","params":{"instrument_name":"BTC-PERPETUAL","amount":10}}'
    market = buy.replace('"amount":10', '"amount":10,"type":"market"')
    lab.call("admin/reject", method="private/buy", code=10041, message="settlement_in_progress")
    (answer,) = lab.raw(market)
    assert (answer["error"]["code"], lab.size()) == (10041, D(0))
    lab.call("admin/refuse_before", method="private/buy")
    assert lab.raw(market) == []
    assert lab.steps[-1].drops == [lab.session]
    assert (lab.size(), len(lab.journal("request"))) == (D(0), 1)
    lab.call("admin/lose_answer", method="private/buy")
    assert lab.raw(market) == []
    assert lab.steps[-1].drops == [lab.session]
    assert (lab.size(), len(lab.journal("request"))) == (D(10), 2)
    lab.raw(market)
    assert lab.size() == 20


def test_admin_methods_do_not_exist_without_admin() -> None:
    lab = Lab(replay(FLAT), admin=False)
    assert refusal(lab, "admin/state")[0] == -32601


def test_a_shock_gaps_the_market_and_it_goes_on_from_there() -> None:
    lab = Lab(replay(FLAT, UP, FLAT))
    lab.buy(100, label="e")
    lab.sell(100, type="stop_market", trigger="mark_price", trigger_price=79000, reduce_only=True)
    lab.call("admin/price", price=78000)
    assert lab.size() == 0
    assert prices(lab.trades())[-1] == 78000
    lab.play(2)
    chart = lab.call(
        "public/get_tradingview_chart_data", instrument_name=BTC, start_timestamp=T0,
        end_timestamp=T0 + 120_000, resolution="1",
    )  # fmt: skip
    assert chart["open"] == [80000, 78000, 78000]
    assert chart["high"] == [80000, 78500, 78000]
    assert chart["low"] == [78000, 77500, 78000]
    assert chart["close"] == [78000, 78400, 78000]
    state = lab.call("admin/state")
    assert (state["bar"], state["ended"], state["price"]) == (2, False, 78000)


def test_requests_are_journalled_with_all_labels() -> None:
    lab = Lab(replay(FLAT))
    lab.bracket(10, take=81000, stop=79000, price=80000.5)
    (line,) = lab.journal("request")
    assert (line["label"], line["leg_labels"]) == ("entry", ["take", "stop"])
    assert line["outcome"]["order"]["order_state"] == "filled"
