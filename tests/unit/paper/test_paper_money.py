"""Money to the last digit: every literal here was worked out by hand."""

from decimal import Decimal

import pytest
from paper_kit import BTC, FLAT, LINEAR, Lab, replay

from tradebaas.paper.accounts import Position

D = Decimal


def test_inverse_long_earns_the_difference_of_coin_values() -> None:
    position = Position(instrument_name=BTC)
    assert position.fill("buy", D(1000), D(80000)) == 0
    assert position.fill("sell", D(1000), D(82000)) == D("0.000304878049")
    assert position.size == position.cost == position.weight == 0


def test_inverse_short_earns_when_the_price_falls() -> None:
    position = Position(instrument_name=BTC)
    position.fill("sell", D(1000), D(82000))
    assert position.floating(D(80000)) == D("0.000304878049")
    assert position.fill("buy", D(1000), D(80000)) == D("0.000304878049")


def test_inverse_average_is_harmonic() -> None:
    position = Position(instrument_name=BTC)
    position.fill("buy", D(1000), D(80000))
    position.fill("buy", D(500), D(84000))
    assert position.average_price == D("81290.32258065")


def test_partial_closes_share_the_cost_and_the_last_takes_the_rest() -> None:
    position = Position(instrument_name=BTC)
    position.fill("buy", D(1000), D(80000))
    position.fill("buy", D(500), D(84000))
    assert position.fill("sell", D(600), D(82000)) == D("0.000063879210")
    assert position.average_price == D("81290.32258065")
    assert position.fill("sell", D(900), D(81000)) == D("-0.000039682540")
    # 0.0125 + 0.005952380952 - 0.007317073171 - 0.011111111111
    assert position.realized == D("0.000024196670")


def test_a_fill_through_zero_closes_first_and_opens_the_rest() -> None:
    position = Position(instrument_name=BTC)
    position.fill("buy", D(1000), D(80000))
    assert position.fill("sell", D(1500), D(82000)) == D("0.000304878049")
    assert (position.size, position.cost) == (D(-500), D("0.006097560976"))
    assert position.average_price == 82000


def test_linear_profit_is_exact() -> None:
    position = Position(instrument_name=LINEAR)
    position.fill("buy", D("0.025"), D(80000))
    position.fill("buy", D("0.025"), D(81000))
    assert position.average_price == 80500
    assert position.fill("sell", D("0.05"), D(82000)) == 75


def test_inverse_round_trip_reaches_the_balance() -> None:
    lab = Lab(replay(FLAT, ("82000", "82000", "82000", "82000")))
    entry = lab.buy(1000, price=80000.5, time_in_force="immediate_or_cancel")["trades"][0]
    # 1000 / 80000.5 = 0.012499921875 coins
    assert (entry["fee"], entry["fee_currency"]) == (D("0.000004374973"), "BTC")
    lab.play()
    leaving = lab.sell(1000)["trades"][0]
    assert (leaving["fee"], leaving["profit_loss"]) == (D("0.000004268293"), D("0.000304799924"))
    summary = lab.call("private/get_account_summary", currency="BTC")
    # 1 + 0.000304799924 - 0.000004374973 - 0.000004268293; the profit is the session's until 08:00
    assert summary["equity"] == D("1.000296156658")
    assert summary["balance"] == D("0.999991356734")
    assert (summary["session_rpl"], summary["session_upl"]) == (D("0.000304799924"), 0)


def test_linear_round_trip_reaches_the_balance() -> None:
    lab = Lab(replay(FLAT, ("82000", "82000", "82000", "82000")))
    bought = lab.buy("0.025", instrument_name=LINEAR)["trades"][0]
    assert (bought["price"], bought["fee"]) == (D("80000.5"), D("0.70000438"))
    lab.play()
    sold = lab.sell("0.025", instrument_name=LINEAR)["trades"][0]
    assert (sold["fee"], sold["profit_loss"], sold["fee_currency"]) == (
        D("0.7175"),
        D("49.9875"),
        "USDC",
    )
    summary = lab.call("private/get_account_summary", currency="USDC")
    # 50000 + 49.9875 - 0.70000438 - 0.7175
    assert summary["equity"] == D("50048.56999562")
    assert summary["balance"] == D("49998.58249562")


def test_floating_profit_counts_in_equity_and_not_in_balance() -> None:
    lab = Lab(replay(FLAT, ("82000", "82000", "82000", "82000")))
    lab.buy("0.025", instrument_name=LINEAR)
    lab.play()
    summary = lab.call("private/get_account_summary", currency="USDC")
    assert summary["balance"] == D("49999.29999562")
    assert summary["equity"] == D("50049.28749562")
    assert lab.call("private/get_position", instrument_name=LINEAR)["size"] == D("0.025")


def test_maker_fee_is_taken_from_resting_orders() -> None:
    lab = Lab(replay(FLAT, ("80000", "80100", "80000", "80100")))
    lab.buy(1000, price=79000)
    lab.sell(500, price=80050)
    lab.play(2)
    (trade,) = lab.trades()
    # 500 / 80050 = 0.006246096190 coins at 0.00015
    assert (trade["liquidity"], D(trade["fee"])) == ("M", D("0.000000936914"))


@pytest.mark.parametrize("name, amount", [(BTC, 3_595_920), (LINEAR, 29.1288)])
def test_more_than_the_greatest_leverage_is_refused(name: str, amount: float) -> None:
    lab = Lab(replay(FLAT))
    step = 10 if name == BTC else 0.0001
    with pytest.raises(Exception, match="not_enough_funds"):
        lab.call("private/buy", instrument_name=name, amount=amount, type="market")
    # At 80000, 44.9489 BTC need (2 % + 0.005 % for each) of themselves: the 1 BTC there is.
    # 29.1287 coins need (2 % + 0.005 % for each) of their 2 330 296 USDC: 49 999.7 of the 50 000.
    limit = round(amount - step, 4)
    assert lab.call("private/buy", instrument_name=name, amount=limit, type="market")["trades"]
