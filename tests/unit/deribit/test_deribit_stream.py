"""Subscriptions are verified; notifications become values or are kept raw."""

import msgspec
import pytest
from deribit_kit import BTC, Desk, Timeframe, wire_order, wire_trade
from msgspec import Raw

from tradebaas.core.model import ContractKind
from tradebaas.deribit import stream
from tradebaas.deribit.convert import Contracts
from tradebaas.deribit.errors import LinkLost
from tradebaas.deribit.rpc import Notification

CHANNELS = [
    "user.changes.future.BTC.raw",
    "user.portfolio.btc",
    "ticker.BTC-PERPETUAL.100ms",
    "chart.trades.BTC-PERPETUAL.1",
]
TICKER = {
    "instrument_name": "BTC-PERPETUAL",
    "timestamp": 1790000003500,
    "best_bid_price": 80999.5,
    "best_ask_price": 81000,
    "mark_price": 80998.71,
    "index_price": 80990.12,
}


def decode(channel: str, data: object) -> stream.Item | None:
    note = Notification(channel=channel, data=Raw(msgspec.json.encode(data)), raw="the frame")
    return stream.decode(note, Contracts())


async def test_all_channels_of_a_session_in_one_call() -> None:
    desk = Desk({"private/subscribe": [name.upper() for name in reversed(CHANNELS)]})
    await stream.subscribe(desk, BTC, Timeframe())
    assert desk.asked == [("private/subscribe", {"channels": [*CHANNELS, "platform_state"]})]


async def test_a_channel_left_out_silently_is_named() -> None:
    desk = Desk({"private/subscribe": CHANNELS[1:3]})
    with pytest.raises(LinkLost, match=r"user\.changes\.future\.BTC\.raw, chart\.trades"):
        await stream.subscribe(desk, BTC, Timeframe())


def test_changes_may_have_empty_or_missing_parts() -> None:
    empty = stream.Changes(orders=(), fills=())
    parts: tuple[dict[str, object], ...] = ({"orders": [], "trades": []}, {"orders": None}, {})
    for data in parts:
        assert decode("user.changes.future.BTC.raw", data) == empty


def test_changes_and_their_stamp() -> None:
    data = {"orders": [wire_order()], "trades": [wire_trade(timestamp=1790000000777)]}
    item = decode("user.changes.future.BTC.raw", data)
    assert isinstance(item, stream.Changes)
    assert item.fills[0].contract is ContractKind.INVERSE
    assert stream.stamp_ms(item) == 1790000000777


def test_prices() -> None:
    item = decode("ticker.BTC-PERPETUAL.100ms", TICKER)
    assert isinstance(item, stream.TickerTick)
    assert (item.instrument, stream.stamp_ms(item)) == ("BTC-PERPETUAL", 1790000003500)


@pytest.mark.parametrize("side", ["best_bid_price", "best_ask_price"])
@pytest.mark.parametrize("empty", [None, 0.0])
def test_a_book_with_an_empty_side_gives_no_price(side: str, empty: object) -> None:
    assert decode("ticker.BTC-PERPETUAL.100ms", TICKER | {side: empty}) is None


@pytest.mark.parametrize("coming", [True, False])
def test_a_maintenance_is_announced_and_called_off(coming: bool) -> None:
    told = decode("platform_state", {"maintenance": coming})
    assert told == stream.Maintenance(coming=coming)
    assert stream.stamp_ms(told) == 0


def test_what_the_platform_says_of_one_index_is_no_news() -> None:
    assert decode("platform_state", {"price_index": "sol_usdc", "locked": True}) is None


def test_equity() -> None:
    data = {"currency": "btc", "equity": 0.5, "available_funds": 0.25, "limits": {}}
    item = decode("user.portfolio.btc", data)
    assert isinstance(item, stream.AccountTick)
    assert item.account.currency == "BTC"
    assert stream.stamp_ms(item) == 0


@pytest.mark.parametrize(
    "channel, data, reason",
    [
        ("user.changes.future.BTC.raw", {"orders": [{}]}, "order_id"),
        ("user.changes.future.BTC.raw", [], "Expected `object`"),
        ("user.changes.future.BTC.raw", {"trades": [wire_trade(amount=0)]}, "amount"),
        ("user.portfolio.btc", {"currency": "BTC"}, "equity"),
        ("ticker.BTC-PERPETUAL.100ms", TICKER | {"mark_price": "high"}, "mark_price"),
        ("chart.trades.BTC-PERPETUAL.1", {"tick": 1}, "open"),
        ("quote.BTC-PERPETUAL", {}, "not subscribed"),
        ("", {}, "not subscribed"),
    ],
)
def test_what_makes_no_sense_is_kept_raw(channel: str, data: object, reason: str) -> None:
    item = decode(channel, data)
    assert isinstance(item, stream.Unreadable)
    assert item.raw == "the frame"
    assert reason in item.reason
