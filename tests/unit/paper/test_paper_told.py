"""What the journal says of an entry: which best prices its own connection was told, and when."""

from decimal import Decimal
from typing import Any

from paper_kit import Lab, replay

from tradebaas.paper.instruments import Wire
from tradebaas.paper.told import MAX_STEPS, Told

NAME = "BTC-PERPETUAL"
FALLS = ("80000", "80000", "79000", "79000")
THEN = ("79000", "79000", "79000", "79000")
D = Decimal


def ticker(at_ms: int, bid: int, ask: int | None = None) -> Wire:
    ask = bid + 1 if ask is None else ask
    return {"timestamp": at_ms, "best_bid_price": D(bid), "best_ask_price": D(ask)}


def told(*tickers: Wire) -> Told:
    known = Told()
    for each in tickers:
        known.note(each)
    return known


def asked(lab: Lab, method: str = "private/buy", **params: Any) -> dict[str, Any]:
    """The journal's line of an order at the market."""
    lab.call(method, instrument_name=NAME, amount=10, type="market", **params)
    line: dict[str, Any] = lab.journal("request")[-1]
    return line


def test_the_first_step_since_a_moment_is_the_worst_price_since() -> None:
    known = told(ticker(1, 100), ticker(2, 98), ticker(3, 99), ticker(4, 90))
    assert known.asks == [(1, D(101)), (3, D(100)), (4, D(91))]
    assert known.bids == [(4, D(90))]


def test_a_price_that_is_told_again_is_as_new_as_that() -> None:
    assert told(ticker(1, 100), ticker(5, 100)).asks == [(5, D(101))]


def test_a_ticker_without_both_sides_says_no_price() -> None:
    empty: Wire = {"timestamp": 1, "best_bid_price": None, "best_ask_price": D(1)}
    assert told(empty).asks == []


def test_it_is_bounded_and_forgets_only_so_that_nobody_is_accused() -> None:
    fallen = [ticker(at, 1_000 - at) for at in range(2 * MAX_STEPS)]
    known = told(*fallen).asks
    assert len(known) == MAX_STEPS
    assert known[-1] == (2 * MAX_STEPS - 1, D(1_001 - 2 * MAX_STEPS + 1))
    assert known[0] == (MAX_STEPS, D(1_001)), "as bad as the oldest, as late as the last forgotten"


def test_an_entry_is_journalled_with_what_its_connection_was_told_of_that_side() -> None:
    lab = Lab(replay(FALLS, THEN))
    assert asked(lab)["told"] == [], "nothing was told to it"
    first = lab.call("public/ticker", instrument_name=NAME)
    at_ms = first["timestamp"]
    assert asked(lab)["told"] == [[at_ms, 80_000.5]]
    assert asked(lab, "private/sell")["told"] == [[at_ms, 80_000]]
    lab.call("public/subscribe", channels=[f"ticker.{NAME}.100ms"])
    lab.play()
    steps = asked(lab)["told"]
    assert [price for _, price in steps] == [80_000.5, 79_000.5]
    assert at_ms < steps[0][0] < steps[1][0]
    assert asked(lab, "private/sell")["told"] == [[steps[-1][0], 79_000]]


def test_what_reduces_or_cancels_is_not_journalled_with_prices() -> None:
    lab = Lab(replay(FALLS, THEN))
    assert "told" in asked(lab)
    assert "told" not in asked(lab, "private/sell", reduce_only=True)


def test_another_connection_is_told_for_itself() -> None:
    lab = Lab(replay(FALLS, THEN))
    lab.call("public/ticker", instrument_name=NAME)
    lab.session = lab.exchange.connect().number
    lab.login("paper", "paper-secret")
    assert asked(lab)["told"] == []
