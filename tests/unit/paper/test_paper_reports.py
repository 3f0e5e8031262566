"""What the exchange reports: its settlements, its past, and what an account is."""

from decimal import Decimal
from math import log, sqrt
from typing import Any

import pytest
from paper_kit import ALICE, BTC, FLAT, LINEAR, T0, Bar, Guest, Lab, RpcError, replay
from test_paper_transactions import advance, paced

from tradebaas.paper.funding import HOUR_MS
from tradebaas.paper.keys import Key
from tradebaas.paper.recorder import MAX_SETTLEMENTS
from tradebaas.paper.tape import Stand

D = Decimal
EIGHT = T0 + 8 * HOUR_MS


def refusal(lab: Lab, method: str, **asked: Any) -> tuple[int, str]:
    with pytest.raises(RpcError) as refused:
        lab.call(method, **asked)
    return refused.value.code, refused.value.data["param"]


# ---------------------------------------------------------------------------------- settlements


def settled() -> Lab:
    """Two days' settlements of a long BTC position at rising prices."""
    bars: list[Bar] = [FLAT] * 60 + [("81000",) * 4]
    lab = paced(*bars, hours=40, **ALICE)
    lab.buy(8_000)
    lab.sell("0.1", instrument_name=LINEAR)
    advance(lab, 33)
    return lab


def test_an_account_is_told_of_its_settlements() -> None:
    lab = settled()
    page = lab.call("private/get_settlement_history_by_instrument", instrument_name=BTC)
    newest, oldest = page["settlements"]
    assert page["continuation"] is None
    # 8 000 / 80 000.5 - 8 000 / 81 000 and then nothing but funding.
    assert oldest == {
        "type": "settlement",
        "timestamp": EIGHT,
        "instrument_name": BTC,
        "position": 8_000,
        "mark_price": 81_000,
        "index_price": 81_000,
        "session_profit_loss": D("0.001233942905"),
        "profit_loss": D("0.001233942905"),
        "funding": oldest["funding"],
    }
    assert D("-0.000081") < oldest["funding"] < D("-0.000079")
    assert (newest["timestamp"], newest["session_profit_loss"]) == (EIGHT + 24 * HOUR_MS, 0)
    rows = lab.call("private/get_settlement_history_by_currency", currency="any")["settlements"]
    assert len(rows) == 4
    log = {"currency": "BTC", "start_timestamp": EIGHT, "end_timestamp": EIGHT}
    (row,) = lab.call("private/get_transaction_log", **log)["logs"]
    assert D(row["change"]) == D(oldest["profit_loss"]) + D(oldest["funding"])


@pytest.mark.parametrize("scope", ["private/get_settlement_history", "public/get_last_settlements"])
def test_settlements_come_in_pages_and_from_a_time_backwards(scope: str) -> None:
    lab = settled()
    method = f"{scope}_by_currency"
    every = lab.call(method, currency="any")["settlements"]
    first = lab.call(method, currency="any", count=3)
    rest = lab.call(method, currency="any", count=3, continuation=first["continuation"])
    assert (len(every), rest["continuation"]) == (4, None)
    assert first["settlements"] + rest["settlements"] == every
    early = lab.call(method, currency="any", search_start_timestamp=EIGHT)["settlements"]
    assert early == every[2:]
    assert lab.call(method, currency="any", type="delivery")["settlements"] == []
    assert lab.call(method, currency="ETH")["settlements"] == []
    assert refusal(lab, method, currency="BTC", type="x") == (-32602, "type")
    assert refusal(lab, method, currency="BTC", continuation="x") == (-32602, "continuation")
    assert refusal(lab, f"{scope}_by_instrument") == (-32602, "instrument_name")


def test_the_public_is_told_what_all_accounts_were_settled_together() -> None:
    lab = paced(hours=20, **ALICE)
    alice = Guest(lab, "alice")
    lab.buy(8_000)
    alice.buy(2_000)
    advance(lab, 9)
    (row,) = lab.call("public/get_last_settlements_by_instrument", instrument_name=BTC)[
        "settlements"
    ]
    mine, hers = (
        each.call("private/get_settlement_history_by_instrument", instrument_name=BTC)[
            "settlements"
        ][0]
        for each in (lab, alice)
    )
    assert row["position"] == 10_000
    for name in ("funding", "profit_loss"):
        assert D(row[name]) == D(mine[name]) + D(hers[name])
    assert row["mark_price"] == mine["mark_price"] == 80_000


def test_delivery_prices_are_those_of_the_settlements() -> None:
    lab = settled()
    told = lab.call("public/get_delivery_prices", index_name="btc_usd")
    assert told == {
        "data": [
            {"date": "2022-01-02", "delivery_price": 81_000},
            {"date": "2022-01-01", "delivery_price": 81_000},
        ],
        "records_total": 2,
    }
    page = lab.call("public/get_delivery_prices", index_name="btc_usd", offset=1, count=1)
    assert page["data"] == told["data"][1:]
    assert refusal(lab, "public/get_delivery_prices", index_name="x") == (-32602, "index_name")


def test_only_a_month_of_settlements_is_kept() -> None:
    lab = Lab(replay(FLAT))
    for _ in range(40):
        lab.exchange.recorder.settle_day(Stand(D(80_000), D(80_000)))
    assert len(lab.exchange.saved.settlements) == MAX_SETTLEMENTS


# ------------------------------------------------------------------------------------- the past


def test_the_chart_of_an_index_has_the_prices_that_there_were() -> None:
    bars: list[Bar] = [(str(80_000 + 10 * n),) * 4 for n in range(200)]
    lab = Lab(replay(*bars), lockstep=False)
    lab.exchange.advance(T0 + 150 * 60_000)
    hour = lab.call("public/get_index_chart_data", index_name="btc_usd", range="1h")
    assert len(hour) == 61
    assert hour[0] == [T0 + 90 * 60_000, 80_900]
    assert hour[-1] == [T0 + 150 * 60_000, 81_500]
    day = lab.call("public/get_index_chart_data", index_name="btc_usdc", range="1d")
    assert [at_ms for at_ms, _ in day] == [T0 + n * 600_000 for n in range(16)]
    asked = {"index_name": "btc_usd", "range": "2h"}
    assert refusal(lab, "public/get_index_chart_data", **asked) == (-32602, "range")


def test_volatility_is_that_of_the_last_fifteen_days() -> None:
    hours = 15 * 24 + 3
    wave = [(str(80_000 + 800 * (n // 60 % 2)),) * 4 for n in range(hours * 60)]
    lab = Lab(replay(*wave), lockstep=False)
    assert lab.call("public/get_historical_volatility", currency="BTC") == []
    lab.exchange.tape.state.bar = (hours - 1) * 60
    values = lab.call("public/get_historical_volatility", currency="BTC")
    assert [at_ms for at_ms, _ in values] == [T0 + n * HOUR_MS for n in range(360, hours)]
    expected = 100 * abs(log(80_800 / 80_000)) * sqrt(365 * 24)
    assert [float(value) for _, value in values] == pytest.approx([expected] * 3)


def test_a_perpetual_never_ends() -> None:
    lab = Lab(replay(FLAT))

    def ends(currency: str, kind: str = "any") -> Any:
        return lab.call("public/get_expirations", currency=currency, kind=kind)

    own = {"future": ["PERPETUAL"], "option": []}
    assert ends("BTC") == own
    assert ends("grouped") == {"btc": own, "usdc": own}
    assert ends("ETH") == {"future": [], "option": []}
    assert ends("any", "option") == {"option": []}
    assert refusal(lab, "public/get_expirations", currency="BTC", kind="x") == (-32602, "kind")
    names = lab.call("public/get_supported_index_names", type="derivative")
    assert names == lab.call("public/get_index_price_names") == ["btc_usd", "btc_usdc"]
    assert lab.call("public/get_supported_index_names", type="spot") == []


# -------------------------------------------------------------------------------------- margins


def test_what_an_order_would_reserve() -> None:
    lab = Lab(replay(FLAT))
    asked = {"instrument_name": BTC, "amount": 1_000, "price": 81_000}
    told = lab.call("private/get_margins", **asked)
    # 0.012345679012 BTC: 2 % and 0.005 % of its square.
    assert told["buy"] == told["sell"] == D("0.000246921201")
    assert (told["min_price"], told["max_price"]) == (78_800, 81_200)
    assert refusal(lab, "private/get_margins", **asked | {"amount": 5}) == (-32602, "amount")
    assert refusal(lab, "private/get_margins", **asked | {"price": 0.3}) == (-32602, "price")


def test_what_each_order_reserves() -> None:
    lab = Lab(replay(FLAT))
    resting = lab.buy(1_000, price=79_500)["order"]["order_id"]
    lab.buy(1_000)
    stop = lab.sell(
        1_000, type="stop_market", trigger="mark_price", trigger_price=79_000, reduce_only=True
    )["order"]["order_id"]
    told = lab.call("private/get_order_margin_by_ids", ids=[resting, stop])
    # 1 000 / 79 500
    assert told == [
        {
            "order_id": resting,
            "initial_margin": D("0.000251580238"),
            "initial_margin_currency": "BTC",
        },
        {"order_id": stop, "initial_margin": 0, "initial_margin_currency": "BTC"},
    ]
    assert refusal(lab, "private/get_order_margin_by_ids", ids="x") == (-32602, "ids")


def test_a_summary_tells_by_how_many_coins_it_moves_with_the_market() -> None:
    lab = Lab(replay(FLAT))
    lab.sell(8_000)
    lab.buy("0.3", instrument_name=LINEAR)
    lab.buy(10, price=79_000)
    for currency, index, name in (("BTC", "btc_usd", BTC), ("USDC", "btc_usdc", LINEAR)):
        summary = lab.call("private/get_account_summary", currency=currency)
        delta = lab.call("private/get_position", instrument_name=name)["delta"]
        assert summary["delta_total"] == summary["projected_delta_total"] == delta
        assert summary["delta_total_map"] == {index: delta}
        assert (summary["options_value"], summary["options_gamma_map"]) == (0, {})
    nothing = lab.call("private/get_account_summary", currency="ETH")
    assert (nothing["delta_total"], nothing["delta_total_map"]) == (0, {})


# --------------------------------------------------------------------------------- the account


def test_an_account_has_itself_below_it() -> None:
    lab = Lab(replay(FLAT))
    lab.buy(1_000)
    lab.buy(10, price=79_000)
    summary = lab.call("private/get_account_summary", currency="BTC", extended=True)
    (own,) = lab.call("private/get_subaccounts")
    assert (own["id"], own["username"], own["type"]) == (summary["id"], "paper", "main")
    assert "portfolio" not in own
    (own,) = lab.call("private/get_subaccounts", with_portfolio=True)
    assert own["portfolio"]["btc"] == {name: summary[name] for name in own["portfolio"]["btc"]}
    assert own["portfolio"]["usdc"]["equity"] == 50_000
    (details,) = lab.call("private/get_subaccounts_details", currency="BTC")
    assert details["uid"] == own["id"]
    assert details["positions"] == lab.call("private/get_positions", currency="BTC")
    assert "open_orders" not in details
    (details,) = lab.call("private/get_subaccounts_details", currency="BTC", with_open_orders=True)
    assert details["open_orders"] == lab.call("private/get_open_orders")


def test_every_login_is_noted_and_told() -> None:
    lab = Lab(replay(FLAT), **ALICE)
    alice = Guest(lab, "alice")
    alice.call("private/subscribe", channels=["user.access_log", "user.lock", "user.nothing"])
    with pytest.raises(RpcError):
        lab.login("alice", "wrong")
    alice.drain()
    log = alice.call("private/get_access_log")
    assert [row["log"] for row in log["data"]] == ["failure", "success"]
    assert log["records_total"] == 2
    assert alice.notes == [{"channel": "user.access_log", "data": log["data"][0]}]
    assert log["data"][0]["ip"] == "127.0.0.1"
    assert alice.call("private/get_access_log", offset=1, count=1)["data"] == log["data"][1:]
    assert [row["log"] for row in lab.call("private/get_access_log")["data"]] == ["success"]


def test_only_the_newest_logins_are_kept() -> None:
    lab = Lab(replay(FLAT))
    for _ in range(30):
        lab.login("paper", "paper-secret")
    log = lab.call("private/get_access_log", count=1000)
    assert [row["id"] for row in log["data"]] == list(range(31, 11, -1))


def test_an_account_knows_its_keys_and_not_their_secrets() -> None:
    keys = (*ALICE["keys"], Key(client_id="audit", secret="hush", scope="trade:read account:none"))
    lab = Lab(replay(FLAT), **ALICE | {"keys": keys})
    told = lab.call("private/list_api_keys")
    assert [(key["client_id"], key["default"]) for key in told] == [
        ("paper", True),
        ("audit", False),
    ]
    assert told[1]["max_scope"] == "account:none mainaccount trade:read"
    assert "hush" not in str(told)
    locks = lab.call("private/get_user_locks")
    assert [(lock["currency"], lock["locked"]) for lock in locks] == [
        ("BTC", False),
        ("USDC", False),
    ]
