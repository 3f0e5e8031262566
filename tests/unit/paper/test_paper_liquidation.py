"""At which price a position is taken away, as told and as it happens; the settlement price."""

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import ALICE, BTC, FLAT, LINEAR, T0, Guest, Lab, replay

from tradebaas.paper.basis import MARK_STEP
from tradebaas.paper.market import GeneratedMarket

D = Decimal
HOUR_MS = 3_600_000
FIELD = "estimated_liquidation_price"


def position(lab: Lab, name: str = BTC) -> dict[str, Any]:
    held: dict[str, Any] = lab.call("private/get_position", instrument_name=name)
    return held


def carried_at(lab: Lab, price: Decimal, name: str) -> bool:
    """Whether the account keeps its position when the mark jumps to a price."""
    before, tape = lab.size(name), lab.exchange.tape
    lab.exchange.shock(price - (tape.mark - tape.price))
    assert tape.mark == price
    lab.exchange.check_margin()
    lab.drain()
    return lab.size(name) == before


@pytest.mark.parametrize("name, amount", [(BTC, 2_000_000), (LINEAR, 20), (LINEAR, 0.7)])
@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("basis", [D(0), D("0.001")])
def test_a_position_is_taken_at_the_price_that_was_told_and_not_before(
    name: str, amount: float, side: str, basis: Decimal
) -> None:
    settings = {"balance_usdc": D(40_000), "funding": D("0.005"), "basis": basis}
    lab = Lab(replay(FLAT, FLAT), lockstep=False, **settings)
    lab.exchange.advance(T0 + 17_000)
    lab.enter(f"private/{side}", str(amount), {"instrument_name": name})
    lab.exchange.set_now(T0 + HOUR_MS)  # funding is part of what is left
    told = position(lab, name)[FIELD]
    away = MARK_STEP if side == "buy" else -MARK_STEP
    assert (told < 80_000) is (side == "buy")
    assert carried_at(lab, D(told) + away, name)
    assert D(position(lab, name)[FIELD]) == told, "the price alone does not move it"
    assert not carried_at(lab, D(told), name)
    trade = lab.trades()[-1]
    assert (trade["order_type"], trade["liquidation"]) == ("liquidation", "T")


def test_what_no_price_takes_away_has_no_such_price() -> None:
    lab = Lab(replay(FLAT, FLAT))
    assert position(lab)[FIELD] is None
    lab.sell(10_000)  # less than the coins are worth: the dearer they are, the better
    assert position(lab)[FIELD] is None
    lab.sell(100_000)
    assert position(lab)[FIELD] > 80_000
    lab.buy("0.01", instrument_name=LINEAR)  # a hundredth of a coin, all of it paid for
    assert position(lab, LINEAR)[FIELD] is None


def test_it_follows_the_account_and_its_margin() -> None:
    lab = Lab(replay(FLAT, FLAT), **ALICE)
    alice = Guest(lab, "alice")
    for who in (lab, alice):
        who.buy(2_000_000)
    poorer, richer = position(lab)[FIELD], position(alice)[FIELD]
    assert richer < poorer
    lab.call("admin/reading", readings={"margin": "twice"})
    assert position(lab)[FIELD] > poorer


def test_what_is_due_already_says_where_the_market_is() -> None:
    lab = Lab(replay(FLAT, FLAT))
    lab.buy(2_000_000)
    lab.exchange.shock(D(70_000))
    assert position(lab)[FIELD] == 70_000


def test_the_settlement_price_stays_until_the_next_settlement() -> None:
    lab = Lab(GeneratedMarket(3, T0), lockstep=False)
    market = lab.exchange.tape.market

    def close_at(minute: int) -> Decimal:
        bar = market.bar(minute - 1)
        assert bar is not None
        return bar.close

    def told() -> set[Decimal]:
        ticker = lab.call("public/ticker", instrument_name=BTC)
        return {D(ticker["settlement_price"]), D(position(lab)["settlement_price"])}

    assert told() == {close_at(-16 * 60)}  # of 08:00 on the day before the market began
    lab.buy(1_000)
    for hours, minute in ((7.9, -16 * 60), (8.1, 8 * 60), (31, 8 * 60), (33, 32 * 60)):
        lab.exchange.catch_up(T0 + int(hours * HOUR_MS))
        lab.drain()
        assert told() == {close_at(minute)}
        assert told() != {lab.exchange.tape.price}


def test_a_market_that_is_younger_or_over_has_a_settlement_price_too() -> None:
    lab = Lab(replay(("80300", "80600", "79000", "79100"), FLAT), lockstep=False)
    assert lab.call("public/ticker", instrument_name=BTC)["settlement_price"] == 80_300
    lab.exchange.advance(T0 + 50 * HOUR_MS)
    assert lab.call("public/ticker", instrument_name=BTC)["settlement_price"] == 80_000
