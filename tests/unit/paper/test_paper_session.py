"""What a day brings besides fills: funding, settlement, margin. Worked out by hand."""

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import ALICE, BTC, FLAT, LINEAR, T0, Bar, Guest, Lab, RpcError, replay

from tradebaas.paper.accounts import Margin, Position
from tradebaas.paper.funding import CAP, DAMPER, HOUR_MS, Funding
from tradebaas.paper.instruments import INSTRUMENTS
from tradebaas.paper.market import GeneratedMarket

D = Decimal
PREMIUM = D("0.003")
EIGHT_MS = 8 * HOUR_MS


def flat(price: str) -> Bar:
    return price, price, price, price


def paced(*bars: Bar, **settings: Any) -> Lab:
    """A market of nine hours, at one price unless told otherwise."""
    made = list(bars) or [FLAT]
    return Lab(replay(*made, *[made[-1]] * (545 - len(made))), lockstep=False, **settings)


def fixed(lab: Lab, rate: str) -> None:
    """Have one rate for as long as the market goes."""
    hours = range(T0 // HOUR_MS - 1, T0 // HOUR_MS + 10)
    lab.exchange.terms.funding._rates.update(dict.fromkeys(hours, D(rate)))


def advance(lab: Lab, to_ms: int) -> None:
    lab.exchange.advance(to_ms)
    lab.drain()


def position(lab: Lab, name: str = BTC) -> dict[str, Any]:
    found: dict[str, Any] = lab.call("private/get_position", instrument_name=name)
    return found


def summary(lab: Lab, currency: str = "BTC") -> dict[str, Any]:
    found: dict[str, Any] = lab.call("private/get_account_summary", currency=currency)
    return found


# -------------------------------------------------------------------------------------- funding


def test_who_is_long_pays_a_positive_rate() -> None:
    # 1000 USD at 81 000 are 0.012345679... BTC; an eighth of 0.01 % of that.
    long, short = Position(instrument_name=BTC), Position(instrument_name=BTC)
    long.fill("buy", D(1000), D(81_000))
    short.fill("sell", D(1000), D(81_000))
    for held in (long, short):
        held.accrue(D("0.0001") / 8, D(81_000))
    assert (long.funding_due, short.funding_due) == (D("-1.54321E-7"), D("1.54321E-7"))


def test_linear_funding_is_in_dollars() -> None:
    held = Position(instrument_name=LINEAR)
    held.fill("sell", D("0.5"), D(80_000))
    held.accrue(D("-0.0002"), D(82_000))
    assert held.funding_due == D("-8.2")


def test_an_hour_costs_an_eighth_of_the_rate_however_often_one_looks() -> None:
    lab = paced(funding=PREMIUM)
    fixed(lab, "0.0008")
    lab.buy(80_000)
    for minute in (1, 2, 3.5, 17, 59, 60):
        advance(lab, T0 + int(minute * 60_000))
        position(lab)
    assert position(lab)["realized_funding"] == D("-0.0001")
    told = summary(lab)
    # The fee of 80 000 USD at 80 000.5, and what they are worth less at 80 000.
    assert told["balance"] == D("0.999650002187")
    assert told["session_rpl"] == D("-0.0001")
    assert told["equity"] == told["balance"] + told["session_rpl"] + told["session_upl"]


def test_one_pays_what_the_other_gets() -> None:
    lab = paced(funding=PREMIUM, **ALICE)
    alice = Guest(lab, "alice")
    fixed(lab, "0.0008")
    lab.sell(40_000, price=80_000.5)
    alice.buy(40_000)
    advance(lab, T0 + HOUR_MS)
    assert (position(lab)["realized_funding"], position(alice)["realized_funding"]) == (
        D("0.00005"),
        D("-0.00005"),
    )


def test_the_rate_is_damped_and_capped_and_a_function_of_the_hour() -> None:
    wild = Funding(D("0.01"), seed=3)
    rates = [wild.rate(hour * HOUR_MS) for hour in range(2_000)]
    assert max(rates) == CAP
    assert min(rates) == -CAP
    assert rates.count(D(0)) > 10
    assert rates == [Funding(D("0.01"), seed=3).rate(h * HOUR_MS + 5) for h in range(2_000)]
    assert rates != [Funding(D("0.01"), seed=4).rate(h * HOUR_MS) for h in range(2_000)]
    calm = Funding(DAMPER, seed=3)
    assert {calm.rate(hour * HOUR_MS) for hour in range(500)} == {D(0)}


def test_what_is_said_of_funding_fits_together() -> None:
    lab = paced(funding=PREMIUM, seed=5)
    advance(lab, T0 + 7 * HOUR_MS + 1_800_000)
    asked = {"instrument_name": BTC, "start_timestamp": T0, "end_timestamp": T0 + 7 * HOUR_MS}
    rows = lab.call("public/get_funding_rate_history", **asked)
    whole = lab.call("public/get_funding_rate_value", **asked)
    assert len(rows) == 7
    assert abs(sum(D(row["interest_1h"]) for row in rows) - D(whole)) < D("1E-16")
    assert whole != 0
    ticker = lab.call("public/ticker", instrument_name=BTC)
    rate = lab.exchange.terms.funding.rate(lab.exchange.now_ms)
    assert D(ticker["current_funding"]) == rate
    chart = lab.call("public/get_funding_chart_data", instrument_name=BTC, length="8h")
    assert D(chart["current_interest"]) == rate
    lab.call("public/subscribe", channels=[f"perpetual.{BTC}.raw"])
    lab.exchange.shock(D(80_100))
    lab.notes += [frame["params"] for frame in lab.drain()]
    assert D(lab.notes[-1]["data"]["interest"]) == rate


def test_without_funding_nothing_is_taken_and_nothing_said() -> None:
    lab = paced()
    lab.buy(80_000)
    advance(lab, T0 + EIGHT_MS + 60_000)
    assert position(lab)["realized_funding"] == 0
    ticker = lab.call("public/ticker", instrument_name=BTC)
    assert {ticker[k] for k in ("current_funding", "funding_8h", "interest_value")} == {0}
    assert [line["funding"] for line in lab.journal("settlement")] == [0]


# ----------------------------------------------------------------------------------- settlement


def test_the_settlement_moves_profit_and_funding_to_the_balance() -> None:
    lab = paced(FLAT, flat("82000"), funding=PREMIUM)
    fixed(lab, "0.0008")
    lab.buy(1_000, price=80_000, post_only=True)
    lab.buy(82_000, price=80_000.5)
    advance(lab, T0 + EIGHT_MS - 1)
    before = summary(lab)
    advance(lab, T0 + EIGHT_MS + 60_000)
    after, held = summary(lab), position(lab)
    (line,) = lab.journal("settlement")
    assert (line["currency"], line["at_ms"]) == ("BTC", T0 + EIGHT_MS)
    # 82 000 / 80 000.5 - 82 000 / 82 000, realised or not.
    assert line["profit"] == D("0.024993593790")
    assert D("-0.00081") < line["funding"] < D("-0.0008")
    assert after["balance"] == before["balance"] + line["profit"] + line["funding"]
    assert abs(after["equity"] - before["equity"]) < D("0.00001")
    assert (held["floating_profit_loss"], held["settlement_price"]) == (0, 82_000)
    assert held["total_profit_loss"] == D("0.024993593790")
    assert (
        lab.exchange.saved.accounts[0].balances["BTC"] == lab.exchange.desk.account.balances["BTC"]
    )


def test_profit_after_a_settlement_counts_from_its_price() -> None:
    # Protocol section 11: 1000 USD from 80 000, settled at 80 410.5, now at 81 000.
    held = Position(instrument_name=BTC)
    held.fill("buy", D(1000), D(80_000))
    assert held.settle(D("80410.5")) == (D("0.000063813184"), D(0))
    assert held.floating(D(81_000)) - held.settled == D("0.000090507804")
    held.fill("sell", D(500), D(81_000))
    assert held.session == D("0.000045253902")
    held.fill("sell", D(500), D(81_000))
    assert (held.session, held.settled) == (D("0.000090507804"), D(0))
    assert held.realized == D("0.000154320988")


def test_a_day_is_settled_once() -> None:
    lab = paced()
    lab.buy(1_000)
    advance(lab, T0 + EIGHT_MS + 60_000)
    assert lab.exchange.saved.settled_ms == T0 + EIGHT_MS
    advance(lab, T0 + EIGHT_MS + 120_000)
    assert len(lab.journal("settlement")) == 1


EVE_MS = 120_000


def eve(**settings: Any) -> tuple[Lab, int]:
    """A market that begins shortly before a settlement, and when that is."""
    market = GeneratedMarket(1, T0 + EIGHT_MS - EVE_MS)
    lab = Lab(market, lockstep=False, funding=PREMIUM, **settings)
    fixed(lab, "0.0008")
    lab.buy(100_000)
    return lab, T0 + EIGHT_MS


def settle_stamps(lab: Lab) -> set[int]:
    """When the log, the journal, the account and the public were told that it was settled."""
    rows = lab.call(
        "private/get_transaction_log", currency="BTC", start_timestamp=0,
        end_timestamp=lab.exchange.now_ms,
    )["logs"]  # fmt: skip
    stamps = [row["timestamp"] for row in rows if row["type"] == "settlement"]
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    assert [row["timestamp"] for row in rows] == sorted(
        (row["timestamp"] for row in rows), reverse=True
    )
    stamps += [line["at_ms"] for line in lab.journal("settlement")]
    stamps += [each.at_ms for each in lab.exchange.saved.settlements]
    return set(stamps)


@pytest.mark.parametrize("closed_ms", [0, 5_000])
@pytest.mark.parametrize("step_ms", [50_000, 7_001, 333])
def test_a_settlement_is_of_its_own_instant_whenever_it_is_noticed(
    closed_ms: int, step_ms: int
) -> None:
    lab, due_ms = eve(settlement_ms=closed_ms)
    while lab.exchange.now_ms < due_ms + 70_000:
        advance(lab, lab.exchange.now_ms + step_ms)
    assert settle_stamps(lab) == {due_ms}
    assert len(lab.journal("settlement")) == 1
    (line,) = lab.journal("settlement")
    (trade,) = lab.trades()
    share = D("0.0008") * EVE_MS / EIGHT_MS * 100_000 / D(trade["price"])
    assert abs(line["funding"] + share) < share / 200, "funding is taken up to there, no longer"


def test_a_call_after_the_end_of_a_day_finds_it_settled() -> None:
    lab, due_ms = eve()
    lab.exchange.set_now(due_ms + 1_234)  # as a call does, before the market moves on
    lab.drain()
    assert settle_stamps(lab) == {due_ms}


def test_a_market_that_stood_for_days_was_settled_at_each_of_their_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tradebaas.paper.exchange.MAX_ABSENCE_MS", 0)
    lab, due_ms = eve()
    lab.exchange.catch_up(due_ms + 2 * 24 * HOUR_MS + 5_000)
    lab.drain()
    assert settle_stamps(lab) == {due_ms + day * 24 * HOUR_MS for day in range(3)}


# --------------------------------------------------------------------------------------- margin


def test_margin_grows_with_the_size() -> None:
    margin, inverse, linear = Margin(50), *INSTRUMENTS.values()
    # 0.012345679012 BTC: 2 % and 0.005 % of its square; half of the first, and the same.
    assert margin.of(inverse, D(1000), D(81_000)) == (D("0.000246921201"), D("0.000123464411"))
    # 10 coins at 80 000: (2 % + 0.05 %), (1 % + 0.05 %).
    assert margin.of(linear, D(-10), D(80_000)) == (D(16_400), D(8_400))
    assert margin.of(inverse, D(0), D(80_000)) == (D(0), D(0))


def test_open_orders_reserve_margin_for_their_worse_side() -> None:
    lab = paced()
    lab.buy(80_000)
    for price, amount in ((79_000, 40_000), (78_000, 40_000)):
        lab.buy(amount, price=price)
    lab.sell(100_000, price=81_000)
    # 2 BTC need 0.04 and 4 x 0.00005; the one that is held 0.02 and 0.00005.
    assert position(lab)["initial_margin"] == D("0.02005")
    assert position(lab)["open_orders_margin"] == D("0.02015")
    told = summary(lab)
    assert told["initial_margin"] == told["projected_initial_margin"] == D("0.0402")
    assert told["available_funds"] == told["equity"] - D("0.0402")
    assert told["maintenance_margin"] == D("0.01005")


def test_what_waits_counts_before_more_is_let_in() -> None:
    lab = paced()
    lab.buy(2_000_000, price=79_000)
    with pytest.raises(RpcError) as refused:
        lab.buy(1_595_920, price=79_000)
    assert refused.value.code == 10009
    lab.buy(1_595_910, price=79_000)
    lab.sell(3_595_910, price=81_000)


def test_who_earns_funding_is_not_liquidated_for_it_and_who_pays_may_be() -> None:
    lab = paced(funding=PREMIUM)
    fixed(lab, "0.005")
    lab.buy(3_500_000)
    advance(lab, T0 + EIGHT_MS - 1)
    assert lab.size() == 3_500_000
    fixed(lab, "0.05")
    advance(lab, T0 + EIGHT_MS + HOUR_MS - 60_000)
    assert lab.size() < 3_500_000
