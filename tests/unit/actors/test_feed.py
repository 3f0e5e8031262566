"""The feed: when a bar counts as closed, holes, late frames, and when there is a whole picture."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import INVERSE
from tradebaas.actors.feed import WINDOW, CandleGap, Feed
from tradebaas.core.model import Account, Candle, Ticker
from tradebaas.deribit.stream import AccountTick, BarTick, TickerTick

MINUTE = 60_000
T0 = 1_700_000_040_000
TICKER = Ticker(at_ms=T0, bid=Decimal(1), ask=Decimal(2), mark=Decimal(1), index=Decimal(1))
ACCOUNT = Account(currency="BTC", equity=Decimal(1), available=Decimal(1))


def bar(number: int, close: int = 100) -> Candle:
    price = Decimal(close)
    return Candle(T0 + number * MINUTE, price, price, price, price, Decimal(0))


def feed(*closed: int) -> Feed:
    """A feed that was loaded with these closed bars."""
    made = Feed(3, INVERSE, MINUTE, Decimal(60))
    made.load([bar(number) for number in closed], TICKER, ACCOUNT)
    return made


def closed_of(made: Feed) -> list[int]:
    market = made.market(T0)
    assert market is not None
    return [(candle.open_ms - T0) // MINUTE for candle in market.candles]


def test_a_bar_is_closed_by_the_first_frame_of_the_next() -> None:
    made = feed(0)
    assert not made.bar(bar(1, 100))
    assert not made.bar(bar(1, 105))
    assert made.bar(bar(2, 106))
    assert closed_of(made) == [0, 1]
    market = made.market(T0)
    assert market is not None
    assert market.candles[-1].close == 105, "the last frame of the bar is its close"


def test_a_bar_that_the_history_had_is_not_closed_twice() -> None:
    made = feed(0, 1)
    assert not made.bar(bar(1))
    assert not made.bar(bar(2))
    assert made.bar(bar(3))
    assert closed_of(made) == [0, 1, 2]


def test_a_hole_is_an_error() -> None:
    with pytest.raises(CandleGap, match="no candle between"):
        feed(0).bar(bar(2))
    made = feed(0)
    made.bar(bar(1))
    with pytest.raises(CandleGap, match="no candle between"):
        made.bar(bar(3))


def test_a_late_frame_of_a_bar_that_is_over_changes_nothing() -> None:
    made = feed(0)
    made.bar(bar(1))
    assert made.bar(bar(2))
    assert not made.bar(bar(1, 999))
    assert made.bar(bar(3)), "the late frame must not make a hole"
    assert closed_of(made) == [0, 1, 2]
    market = made.market(T0)
    assert market is not None
    assert all(candle.close == 100 for candle in market.candles)


def test_the_first_frame_may_come_without_any_history() -> None:
    made = feed()
    assert not made.bar(bar(7))
    assert made.bar(bar(8))
    assert closed_of(made) == [7]


def test_the_window_is_bounded() -> None:
    made = feed(*range(WINDOW + 5))
    assert len(closed_of(made)) == WINDOW
    made.bar(bar(WINDOW + 5))
    made.bar(bar(WINDOW + 6))
    assert closed_of(made)[-1] == WINDOW + 5
    assert len(closed_of(made)) == WINDOW


def test_there_is_no_market_before_all_its_parts() -> None:
    made = Feed(3, INVERSE, MINUTE, Decimal(60))
    assert made.market(T0) is None
    assert made.take(TickerTick(instrument=INVERSE.name, ticker=TICKER))
    assert made.market(T0) is None
    assert not made.take(AccountTick(account=ACCOUNT))
    market = made.market(T0 + 5)
    assert market is not None
    assert (market.connection, market.at_ms, market.rate) == (3, T0 + 5, Decimal(60))


def test_another_currencys_account_is_not_ours() -> None:
    made = feed(0)
    made.take(
        AccountTick(account=Account(currency="USDC", equity=Decimal(9), available=Decimal(9)))
    )
    market = made.market(T0)
    assert market is not None
    assert market.account == ACCOUNT


def test_a_bar_is_worth_showing_when_it_closed_one() -> None:
    made = feed(0)
    ticks = [BarTick(instrument=INVERSE.name, resolution="1", candle=bar(n)) for n in (1, 1, 2)]
    assert [made.take(tick) for tick in ticks] == [False, False, True]


def test_prices_are_the_known_ones_whatever_their_age() -> None:
    made = feed(0)
    assert made.shows(replace(TICKER, at_ms=T0 + 1))
    assert not made.shows(replace(TICKER, at_ms=T0, mark=Decimal(3)))
    assert not Feed(3, INVERSE, MINUTE, Decimal(1)).shows(TICKER)
