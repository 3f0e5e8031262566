"""The transaction log: what moved the balance, row by row, and the funding of each trade."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from paper_kit import ALICE, BTC, FLAT, LINEAR, T0, Bar, Guest, Lab, RpcError, replay

from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.credits import limits_of
from tradebaas.paper.funding import HOUR_MS
from tradebaas.paper.journal import Journal
from tradebaas.paper.ledger import restore

D = Decimal
ENDS = 10**14
METHOD = "private/get_transaction_log"


def paced(*bars: Bar, hours: int = 9, rate: str = "0.0008", **settings: Any) -> Lab:
    """A market of some hours at one price unless told otherwise, with one rate of funding."""
    made = list(bars) or [FLAT]
    market = replay(*made, *[made[-1]] * (hours * 60 + 5 - len(made)))
    lab = Lab(market, lockstep=False, funding=D("0.003"), **settings)
    times = range(T0 // HOUR_MS - 1, T0 // HOUR_MS + hours + 1)
    lab.exchange.terms.funding._rates.update(dict.fromkeys(times, D(rate)))
    return lab


def advance(lab: Lab, hours: float) -> None:
    lab.exchange.advance(T0 + int(hours * HOUR_MS))
    lab.drain()


def log(lab: Lab, currency: str = "BTC", **more: Any) -> list[dict[str, Any]]:
    """The rows, oldest first."""
    asked = {"currency": currency, "start_timestamp": 0, "end_timestamp": ENDS, "count": 250}
    page = lab.call(METHOD, **asked | more)
    assert page["continuation"] is None
    rows: list[dict[str, Any]] = page["logs"]
    return rows[::-1]


def total(rows: list[dict[str, Any]], name: str) -> Decimal:
    return sum((D(str(row.get(name, 0))) for row in rows), D(0))


def balance(lab: Lab, currency: str = "BTC") -> Decimal:
    return D(lab.call("private/get_account_summary", currency=currency)["balance"])


def test_a_trade_row_tells_what_it_cost() -> None:
    lab = paced()
    trade = lab.buy(80_000, label="in")["trades"][0]
    start, row = log(lab)
    assert (start["type"], start["change"], start["balance"], start["user_seq"]) == (
        "deposit",
        1,
        1,
        1,
    )
    assert "instrument_name" not in start
    # 80 000 / 80 000.5 BTC at 0.035 %.
    assert row == row | {
        "id": start["id"] + 2,  # the other currency has its own beginning between them
        "user_seq": 3,
        "type": "trade",
        "timestamp": T0,
        "username": "paper",
        "user_id": 4242,
        "currency": "BTC",
        "instrument_name": BTC,
        "side": "open buy",
        "price": D("80000.5"),
        "price_currency": "USD",
        "amount": 80_000,
        "contracts": 8_000,
        "position": 80_000,
        "change": D("-0.000349997813"),
        "commission": D("0.000349997813"),
        "balance": D("0.999650002187"),
        "cashflow": 0,
        "profit_as_cashflow": False,
        "interest_pl": 0,
        "trade_id": trade["trade_id"],
        "order_id": trade["order_id"],
        "user_role": "taker",
        "fee_role": "taker",
        "mark_price": 80_000,
        "index_price": 80_000,
    }
    assert D(row["equity"]) == lab.call("private/get_account_summary", currency="BTC")["equity"]


def test_the_rows_of_a_trade_sum_up_to_the_funding_it_was_charged() -> None:
    lab = paced()
    lab.buy(80_000)
    advance(lab, 1)
    assert lab.call("private/get_position", instrument_name=BTC)["realized_funding"] == D("-0.0001")
    lab.sell(40_000)
    advance(lab, 3)
    lab.sell(40_000)
    advance(lab, 4)  # flat: nothing is charged any more
    opened, first, last = log(lab)[1:]
    assert [row["interest_pl"] for row in (opened, first, last)] == [0, D("-0.0001"), D("-0.0001")]
    assert [row["total_interest_pl"] for row in (opened, first, last)] == [
        0,
        D("-0.0001"),
        D("-0.0002"),
    ]
    assert (first["side"], first["position"], last["side"], last["position"]) == (
        "close sell",
        40_000,
        "close sell",
        0,
    )


@pytest.mark.parametrize("rate", ["0.0008", "-0.0008"])
def test_a_settlement_between_takes_its_share_and_no_funding_is_told_twice(rate: str) -> None:
    lab = paced(hours=11, rate=rate)
    before = balance(lab)
    lab.sell(80_000)
    advance(lab, 7)
    lab.buy(30_000)
    advance(lab, 9)
    settled = balance(lab)
    lab.buy(50_000)
    advance(lab, 10.5)
    rows = log(lab)[1:]
    assert [row["type"] for row in rows] == ["trade", "trade", "settlement", "trade"]
    settlement = rows[2]
    assert (settlement["side"], settlement["amount"], settlement["position"]) == (
        "short",
        50_000,
        -50_000,
    )
    moved = [D(str(settlement[name])) for name in ("session_rpl", "session_upl")]
    assert settlement["change"] == sum(moved) + D(settlement["total_interest_pl"])
    assert settlement["total_interest_pl"] == total(rows[:3], "interest_pl")
    assert settled == before + total(rows[:3], "change")
    assert balance(lab) == before + total(rows, "change")
    # What the position still shows is this session's: the rest is in the settlement.
    shown = D(lab.call("private/get_position", instrument_name=BTC)["realized_funding"])
    assert total(rows, "interest_pl") == D(settlement["total_interest_pl"]) + shown
    assert abs(total(rows, "interest_pl")) > D("0.0007")


def test_both_sides_of_a_trade_have_their_rows() -> None:
    lab = paced(**ALICE)
    alice = Guest(lab, "alice")
    lab.sell(40_000, price=80_000.5)
    alice.buy(40_000)
    mine, hers = log(lab)[-1], log(alice)[-1]
    assert (mine["user_role"], mine["side"]) == ("maker", "open sell")
    assert (hers["user_role"], hers["side"]) == ("taker", "open buy")
    assert mine["trade_id"] == hers["trade_id"]
    assert (hers["username"], hers["user_id"]) == ("alice", 4243)
    assert mine["id"] != hers["id"]


def test_a_fill_through_zero_closes() -> None:
    lab = paced(FLAT, ("81000",) * 4)
    lab.buy(1_000)
    advance(lab, 0.5)
    lab.sell(3_000)
    row = log(lab)[-1]
    assert (row["side"], row["position"], row["profit_as_cashflow"]) == ("close sell", -2_000, True)
    # 1000 / 80 000.5 - 1000 / 81 000
    assert row["cashflow"] == row["session_rpl"] == D("0.000154242863")


def test_a_liquidation_is_called_that() -> None:
    lab = paced()
    lab.buy(1_000)
    lab.call("admin/liquidate")
    assert [row["type"] for row in log(lab)] == ["deposit", "trade", "liquidation"]
    assert log(lab, query="liquidation")[0]["info"] == "Liquidation"
    assert len(log(lab, query="trade")) == 2
    assert balance(lab) == total(log(lab), "change")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        *[("", 5), ("trade", 4), ("deposit", 1), ("settlement", 0), ("open", 2), ("close", 2)],
        *[("sell", 2), ("buy", 2), ("maker", 1), ("taker", 3), ("future", 4), ("option", 0)],
        *[("withdrawal", 0), ("bc1qnobody", 0)],
    ],
)
def test_the_search_words(query: str, count: int) -> None:
    lab = paced(("80000", "80200", "80000", "80000"))
    lab.buy(1_000)
    lab.sell(500, price=80_100)
    advance(lab, 0.1)
    lab.sell(500)
    lab.buy(100)
    assert len(log(lab, query=query)) == count


def test_pages_follow_each_other_without_a_gap() -> None:
    lab = paced(**ALICE)
    alice = Guest(lab, "alice")
    for _ in range(7):
        lab.buy(10)
        alice.buy(10)
        lab.buy("0.0001", instrument_name=LINEAR)
    asked = {"currency": "any", "start_timestamp": T0, "end_timestamp": ENDS, "count": 4}
    seen: list[dict[str, Any]] = []
    page = lab.call(METHOD, **asked)
    while True:
        seen += page["logs"]
        if page["continuation"] is None:
            break
        assert page["continuation"] == page["logs"][-1]["id"]
        page = lab.call(METHOD, **asked, continuation=page["continuation"])
    assert [row["user_seq"] for row in seen] == list(range(16, 0, -1))
    assert {row["currency"] for row in seen} == {"BTC", "USDC"}
    assert len(log(lab, "USDC")) == 8
    assert log(lab, "ETH") == []


def test_the_span_is_kept_and_both_ends_belong_to_it() -> None:
    lab = paced()
    lab.buy(10)
    advance(lab, 1)
    lab.buy(10)
    hour = T0 + HOUR_MS
    assert len(log(lab, start_timestamp=hour, end_timestamp=hour)) == 1
    assert len(log(lab, start_timestamp=T0, end_timestamp=hour - 1)) == 2
    assert log(lab, start_timestamp=hour + 1) == []


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"currency": "DOGE"}, "currency"),
        ({"currency": None}, "currency"),
        ({"start_timestamp": None}, "start_timestamp"),
        ({"end_timestamp": -1}, "end_timestamp"),
        ({"count": 0}, "count"),
        ({"count": 251}, "count"),
        ({"continuation": "x"}, "continuation"),
    ],
)
def test_wrong_questions_are_refused(change: dict[str, Any], param: str) -> None:
    asked = {"currency": "BTC", "start_timestamp": 0, "end_timestamp": ENDS} | change
    with pytest.raises(RpcError) as refused:
        paced().call(METHOD, **{k: v for k, v in asked.items() if v is not None})
    assert (refused.value.code, refused.value.data["param"]) == (-32602, param)


def test_it_has_a_pool_of_its_own() -> None:
    lab = paced()
    for _ in range(limits_of(4)["transaction_log"].burst):
        log(lab)
    with pytest.raises(RpcError, match="too_many_requests"):
        log(lab)


def test_it_needs_to_read_the_account() -> None:
    lab = paced()
    lab.login("paper", "paper-secret", scope="account:none trade:read_write")
    with pytest.raises(RpcError) as refused:
        log(lab)
    assert refused.value.code == 13021


def test_what_an_account_began_with_is_in_its_first_log_and_in_every_later_one(
    tmp_path: Path,
) -> None:
    alice = ALICE["accounts"]
    wholes = []
    for accounts in ((), alice, alice):
        config = ExchangeConfig(directory=tmp_path, start_ms=T0, accounts=accounts)
        with closing(Journal(tmp_path / "exchange.db")) as journal:
            exchange = restore(config, journal, lambda: "token", T0, replay(FLAT))
            journal.commit(exchange.take_step(), exchange.saved)
        wholes.append({name: desk.transactions for name, desk in exchange.desks.items()})
    first, second, third = wholes
    assert [row.change for row in first[""]] == [1, 50_000]
    assert second == third == first | {"alice": second["alice"]}
    assert [(row.change, row.user_seq, row.id) for row in second["alice"]] == [(D(2), 1, 61_003)]


def test_it_survives_a_restart_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    config = ExchangeConfig(directory=tmp_path, start_ms=T0, remembered=8)
    with closing(Journal(tmp_path / "exchange.db")) as journal:
        lab = Lab(replay(FLAT))
        lab.exchange = restore(config, journal, lambda: "token", T0, replay(FLAT))
        lab.front.exchange = lab.exchange
        lab.session = lab.exchange.connect().number
        lab.login("paper", "paper-secret")
        for _ in range(20):
            lab.buy(10)
            journal.commit(lab.steps[-1], lab.exchange.saved)
        before = lab.exchange.desk.transactions
        again = restore(config, journal, lambda: "token", T0, replay(FLAT)).desk
        assert len(before) <= 8 + 1
        assert again.transactions == before[-8:]
        assert again.stamp().user_seq == before[-1].user_seq + 1 == 23
