"""What everybody may read of the market: trades, books, tickers, funding, and their channels."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from paper_kit import BTC, FLAT, LINEAR, T0, Lab, RpcError, replay

from tradebaas.paper.market import GeneratedMarket

D = Decimal
UP = ("80000", "80500", "79500", "80400")
DOWN = ("80300", "80600", "79000", "79100")
HOUR_MS = 3_600_000


def paced(*bars: Any) -> Lab:
    return Lab(replay(*bars), lockstep=False, rate_limits=False)


def advance(lab: Lab, at_ms: int) -> list[dict[str, Any]]:
    """Let the market run until ``at_ms``; the notifications."""
    lab.exchange.advance(at_ms)
    return [frame["params"] for frame in lab.drain()]


def trades(lab: Lab, name: str = BTC, **params: Any) -> list[dict[str, Any]]:
    method = "public/get_last_trades_by_instrument"
    found: list[dict[str, Any]] = lab.call(method, instrument_name=name, **params)["trades"]
    return found


def seqs(found: Iterable[dict[str, Any]]) -> list[int]:
    return [trade["trade_seq"] for trade in found]


# -- trades ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [BTC, LINEAR])
def test_the_trades_of_a_bar_make_its_candle(name: str) -> None:
    lab = paced(UP, DOWN, FLAT)
    advance(lab, T0 + 120_000)
    found = trades(lab, name, sorting="asc", count=26)
    for number, (opened, high, low, close) in enumerate((UP, DOWN)):
        bar = [
            t
            for t in found
            if T0 + number * 60_000 <= t["timestamp"] < T0 + number * 60_000 + 60_000
        ]
        prices = [D(trade["price"]) for trade in bar]
        assert (prices[0], max(prices), min(prices), prices[-1]) == tuple(
            map(D, (opened, high, low, close))
        )
        worth = sum(D(t["amount"]) * (1 if name == BTC else D(t["price"])) for t in bar)
        assert 6000 - D(10) < worth <= 6000  # less than a contract is left
    assert seqs(found) == sorted(set(seqs(found)))
    assert len({trade["trade_id"] for trade in found}) == len(found)


def test_a_trade_is_not_told_before_the_market_gets_there() -> None:
    lab = paced(UP, FLAT)
    advance(lab, T0 + 12_000)
    lab.exchange.set_now(T0 + 59_000)
    assert [t["timestamp"] - T0 for t in trades(lab)] == [10_000, 5_000, 0]


def test_the_accounts_fills_are_among_the_public_trades() -> None:
    lab = paced(UP, DOWN, FLAT)
    lab.buy(100, price=79_600)
    advance(lab, T0 + 31_000)
    lab.sell(100)
    advance(lab, T0 + 60_000)
    maker, taker = lab.trades()
    shown = {trade["trade_id"]: trade for trade in trades(lab, count=100)}
    for own, direction in ((maker, "sell"), (taker, "sell")):
        public = shown[own["trade_id"]]
        assert public["direction"] == direction
        assert {"order_id", "fee", "label", "liquidity"}.isdisjoint(public)
        same = ("trade_seq", "timestamp", "amount", "price", "instrument_name")
        assert [D(str(public[key])) if key != "instrument_name" else 0 for key in same] == [
            D(str(own[key])) if key != "instrument_name" else 0 for key in same
        ]
    times = [trade["timestamp"] for trade in trades(lab, count=100)]
    assert times == sorted(times, reverse=True)


def test_trades_are_paged_by_sequence_and_by_time() -> None:
    lab = Lab(GeneratedMarket(1, T0), lockstep=False, rate_limits=False)
    advance(lab, T0 + 300_000)
    whole = trades(lab, count=60)
    method = "public/get_last_trades_by_instrument_and_time"
    paged: list[dict[str, Any]] = []
    end = whole[0]["trade_seq"]
    while len(paged) < len(whole):
        page = lab.call(method, instrument_name=BTC, count=7, end_seq=end)
        assert page["has_more"]
        paged += page["trades"]
        end = paged[-1]["trade_seq"] - 1
    assert paged[: len(whole)] == whole
    early = lab.call(
        method,
        instrument_name=BTC,
        start_timestamp=T0,
        end_timestamp=T0 + 59_999,
        sorting="asc",
        count=100,
    )
    assert [early["trades"][0]["timestamp"], early["trades"][-1]["timestamp"]] == [T0, T0 + 59_999]
    assert not early["has_more"]
    assert seqs(early["trades"]) == seqs(whole)[::-1][: len(early["trades"])] or len(whole) == 60


def test_trades_of_a_currency_and_what_is_refused() -> None:
    lab = Lab(GeneratedMarket(1, T0))
    method = "public/get_last_trades_by_currency"
    assert {t["instrument_name"] for t in lab.call(method, currency="any", count=9)["trades"]} == {
        BTC,
        LINEAR,
    }
    assert {t["instrument_name"] for t in lab.call(method, currency="USDC")["trades"]} == {LINEAR}
    assert lab.call(method, currency="BTC", kind="option") == {"trades": [], "has_more": False}
    for bad in ({"currency": "DOGE"}, {}, {"currency": "BTC", "count": 1001}):
        with pytest.raises(RpcError) as caught:
            lab.call(method, **bad)
        assert caught.value.code == -32602


def test_a_restart_shows_the_same_trades() -> None:
    lab, again = (Lab(GeneratedMarket(5, T0), lockstep=False) for _ in range(2))
    advance(lab, T0 + 90_000)
    advance(again, T0 + 30_000)
    advance(again, T0 + 90_000)
    assert trades(lab, count=200) == trades(again, count=200)


def test_the_trades_channel_tells_each_trade_once() -> None:
    lab = paced(UP, DOWN, FLAT)
    channels = [f"trades.{BTC}.100ms", "trades.future.any.100ms"]
    assert lab.call("public/subscribe", channels=channels) == channels
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in channels}
    for at_ms in range(T0, T0 + 125_000, 700):
        if at_ms == T0 + 14_000:
            lab.buy(10)
        for note in [*advance(lab, at_ms), *lab.notes]:
            told[note["channel"]] += note["data"]
        lab.notes.clear()
    stored = trades(lab, count=100, sorting="asc")
    assert sorted(told[channels[0]], key=lambda t: t["trade_seq"]) == stored[1:]
    assert len(stored) == 2 * 13 + 2
    assert len(told[channels[1]]) == len(stored) - 1 + 2 * 13


# -- the book -------------------------------------------------------------------------------------


class Mirror:
    """A book that a client keeps by its channel."""

    def __init__(self) -> None:
        self.change_id = 0
        self.sides: dict[str, dict[D, D]] = {"bids": {}, "asks": {}}

    def take(self, data: dict[str, Any]) -> None:
        if data["type"] == "change":
            assert data["prev_change_id"] == self.change_id
        else:
            assert "prev_change_id" not in data
            self.sides = {"bids": {}, "asks": {}}
        self.change_id = data["change_id"]
        for side, levels in self.sides.items():
            for what, price, amount in data[side]:
                assert (what == "new") == (D(price) not in levels)
                if what == "delete":
                    assert amount == 0
                    del levels[D(price)]
                else:
                    levels[D(price)] = D(amount)

    def best(self, count: int) -> tuple[list[list[D]], list[list[D]]]:
        bids = sorted(self.sides["bids"].items(), reverse=True)[:count]
        asks = sorted(self.sides["asks"].items())[:count]
        return [list(level) for level in bids], [list(level) for level in asks]


def numbers(levels: list[list[Any]]) -> list[list[D]]:
    return [[D(number) for number in level] for level in levels]


def test_a_book_kept_by_changes_is_the_book_that_is_asked_for() -> None:
    lab = paced(UP, DOWN, FLAT)
    lab.call("admin/depth", amount=5000)
    channel = f"book.{BTC}.100ms"
    lab.call("public/subscribe", channels=[channel])
    mirror, asked = Mirror(), 0
    for at_ms in range(T0, T0 + 125_000, 900):
        if at_ms == T0 + 9_000:
            resting = lab.buy(30, price=78_950, label="own")["order"]["order_id"]
        if at_ms == T0 + 99_000:
            assert lab.call("private/cancel", order_id=resting)["order_state"] == "cancelled"
        lab.notes += advance(lab, at_ms)
        book = lab.call("public/get_order_book", instrument_name=BTC, depth=20)
        for note in lab.notes:
            mirror.take(note["data"])
        lab.notes.clear()
        assert (book["change_id"], numbers(book["bids"]), numbers(book["asks"])) == (
            mirror.change_id,
            *mirror.best(20),
        )
        asked += D("78950") in mirror.sides["bids"]
    assert asked > 10
    assert D("78950") not in mirror.sides["bids"]


def test_a_later_subscriber_joins_the_same_chain_of_changes() -> None:
    lab = paced(UP, FLAT)
    raw, slow = f"book.{BTC}.raw", f"book.{BTC}.agg2"
    lab.call("private/subscribe", channels=[raw])
    advance(lab, T0 + 5_000)
    lab.notes.clear()
    lab.call("public/subscribe", channels=[slow])
    (first,) = [note["data"] for note in lab.notes if note["channel"] == slow]
    later = advance(lab, T0 + 6_000)
    assert first["type"] == "snapshot"
    assert {n["channel"]: n["data"]["prev_change_id"] for n in later} == dict.fromkeys(
        (raw, slow), first["change_id"]
    )


def test_own_orders_show_in_the_book_where_they_rest() -> None:
    lab = paced(FLAT)
    plain = lab.call("public/get_order_book", instrument_name=BTC, depth=5)
    lab.buy(50, price=79_999.5)
    lab.sell(70, price=80_900)
    book = lab.call("public/get_order_book", instrument_name=BTC, depth=1000)
    assert book["change_id"] > plain["change_id"]
    shown = plain["bids"][0][1]
    assert numbers(book["bids"])[1] == [D("79999.5"), D(shown) + 50]
    assert numbers(book["asks"])[-1] == [D(80_900), D(70)]
    assert len(plain["bids"]) == 5


def test_a_book_in_groups() -> None:
    lab = paced(UP, FLAT)
    lab.call("admin/depth", amount=1000)
    plain, tens = f"book.{BTC}.none.10.100ms", f"book.{BTC}.10.20.agg2"
    wrong = [f"book.{BTC}.7.10.100ms", f"book.{BTC}.10.11.100ms", f"book.{BTC}.10.10.raw"]
    assert lab.call("private/subscribe", channels=[plain, tens, *wrong]) == [plain, tens]
    first, second = (note["data"] for note in lab.notes)
    assert set(first) == {"timestamp", "instrument_name", "change_id", "bids", "asks"}
    assert len(first["bids"]) == 10
    assert numbers(second["bids"]) == [[D(80_000), D(1000)], [D(79_990), D(19_000)]]
    assert numbers(second["asks"]) == [[D(80_010), D(20_000)]]
    assert {note["channel"] for note in advance(lab, T0 + 3_000)} == {plain, tens}
    assert not advance(lab, T0 + 3_000)


def test_a_thin_book_shows_what_it_holds() -> None:
    lab = paced(FLAT)
    lab.call("admin/thin", thin="cancel", for_ms=1000)
    assert len(lab.call("public/get_order_book", instrument_name=BTC, depth=20)["asks"]) == 5


# -- other channels -------------------------------------------------------------------------------


def test_quotes_come_when_they_change() -> None:
    lab = paced(UP, FLAT)
    channel = f"quote.{BTC}"
    lab.call("public/subscribe", channels=[channel])
    (first,) = lab.notes
    assert first["data"]["best_bid_price"] == 80_000
    assert set(first["data"]) == {
        "timestamp", "instrument_name",
        "best_bid_price", "best_bid_amount", "best_ask_price", "best_ask_amount",
    }  # fmt: skip
    (moved,) = advance(lab, T0 + 1_000)
    assert D(moved["data"]["best_bid_price"]) == 79_975
    assert len(advance(lab, T0 + 1_010)) == 1
    assert not advance(lab, T0 + 1_015)


def test_an_incremental_ticker_adds_up_to_the_ticker() -> None:
    lab = paced(UP, DOWN, FLAT)
    channel = f"incremental_ticker.{BTC}"
    lab.call("public/subscribe", channels=[channel])
    kept: dict[str, Any] = {}
    for at_ms in range(T0 + 1_000, T0 + 70_000, 1_500):
        for note in lab.notes:
            assert note["data"].pop("type") == ("change" if kept else "snapshot")
            kept |= note["data"]
        lab.notes = advance(lab, at_ms)
    for note in lab.notes:
        assert len(note["data"]) < 20
        kept |= {key: value for key, value in note["data"].items() if key != "type"}
    assert kept == lab.call("public/ticker", instrument_name=BTC)


def test_the_perpetual_channel_and_the_index() -> None:
    lab = paced(UP, FLAT)
    channels = [f"perpetual.{BTC}.100ms", "deribit_price_index.btc_usd"]
    lab.call("public/subscribe", channels=channels)
    first, second = lab.notes
    assert first["data"] == {"timestamp": T0, "index_price": 80_000, "interest": 0}
    assert second["data"] == {"timestamp": T0, "index_name": "btc_usd", "price": 80_000}


def test_the_state_of_instruments_is_told() -> None:
    lab = Lab(
        GeneratedMarket(1, T0 + 8 * HOUR_MS - 60_000),
        lockstep=False, settlement_ms=5_000, rate_limits=False,
    )  # fmt: skip
    lab.call("public/subscribe", channels=["instrument.state.any.BTC", "instrument.state.x.BTC"])
    told = [
        note for s in range(58, 70) for note in advance(lab, T0 + 8 * HOUR_MS - 60_000 + s * 1000)
    ]
    assert [(n["channel"], n["data"]["state"], n["data"]["instrument_name"]) for n in told] == [
        ("instrument.state.any.BTC", "settled", BTC),
        ("instrument.state.any.BTC", "started", BTC),
    ]


def test_channels_without_news_are_known_and_misspelt_ones_are_left_out() -> None:
    lab = paced(FLAT)
    known = ["announcements", "platform_state.public_methods_state", f"chart.trades.{BTC}.1D"]
    wrong = [f"trades.{BTC}", "trades.option.BTC.raw", "quote.X", f"perpetual.{BTC}", "", "book"]
    assert lab.call("public/subscribe", channels=[*known, *wrong, "user.lock"]) == known
    assert lab.call("private/subscribe", channels=["user.lock"]) == ["user.lock"]


# -- the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "resolution, minutes",
    [("1", 1), ("10", 10), ("30", 30), ("120", 120), ("180", 180), ("360", 360), ("720", 720)],
)
def test_every_resolution_is_drawn_on_the_clock(resolution: str, minutes: int) -> None:
    lab = Lab(GeneratedMarket(1, T0))
    chart = lab.call(
        "public/get_tradingview_chart_data",
        instrument_name=BTC,
        start_timestamp=T0 - 2000 * 60_000,
        end_timestamp=T0,
        resolution=resolution,
    )
    assert {tick % (minutes * 60_000) for tick in chart["ticks"]} == {0}
    assert all(later - tick == minutes * 60_000 for tick, later in pairwise(chart["ticks"]))
    assert chart["ticks"][-1] == T0
    assert len(chart["ticks"]) >= 2000 // minutes


def test_daily_candles_and_a_bound_for_long_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(GeneratedMarket(1, T0))
    asked = {"instrument_name": BTC, "start_timestamp": 0, "end_timestamp": T0}
    method = "public/get_tradingview_chart_data"
    days = lab.call(method, resolution="1D", **asked)["ticks"]
    assert days == [T0 - n * 24 * HOUR_MS for n in (3, 2, 1, 0)]
    monkeypatch.setattr("tradebaas.paper.charts.MAX_CHART_MINUTES", 2 * 24 * 60)
    assert lab.call(method, resolution="1D", **asked)["ticks"] == days[-2:]


def test_what_there_is_to_trade() -> None:
    lab = paced(UP, FLAT)
    assert [row["currency"] for row in lab.call("public/get_currencies")] == ["BTC", "USDC"]
    assert lab.call("public/get_contract_size", instrument_name=LINEAR) == {
        "contract_size": D("0.0001")
    }
    assert lab.call("public/get_index_price_names") == ["btc_usd", "btc_usdc"]
    extended = lab.call("public/get_index_price_names", extended=True)
    assert [row["name"] for row in extended] == ["btc_usd", "btc_usdc"]
    assert lab.call("public/get_index_price", index_name="btc_usdc")["index_price"] == 80_000
    assert lab.call("public/get_announcements") == []
    by_id = lab.call("public/get_order_book_by_instrument_id", instrument_id=900_001)
    assert by_id["instrument_name"] == BTC
    with pytest.raises(RpcError):
        lab.call("public/get_order_book_by_instrument_id", instrument_id=1)
    (summary,) = lab.call("public/get_book_summary_by_instrument", instrument_name=BTC)
    assert (summary["bid_price"], summary["mid_price"]) == (80_000, D("80000.25"))
    both = lab.call("public/get_book_summary_by_currency", currency="any", kind="future")
    assert [row["instrument_name"] for row in both] == [BTC, LINEAR]
    assert not lab.call("public/get_book_summary_by_currency", currency="BTC", kind="option")
    advance(lab, T0 + 60_000)
    volumes = lab.call("public/get_trade_volumes")
    assert [(row["currency"], row["futures_volume"]) for row in volumes] == [
        ("BTC", D("0.08037687")), ("USDC", D("0.08032687")),
    ]  # fmt: skip


def test_there_is_no_funding_and_its_history_says_so() -> None:
    lab = Lab(GeneratedMarket(1, T0))
    asked = {"instrument_name": BTC, "start_timestamp": T0 - 3 * HOUR_MS, "end_timestamp": T0 + 5}
    assert lab.call("public/get_funding_rate_value", **asked) == 0
    rows = lab.call("public/get_funding_rate_history", **asked)
    assert [row["timestamp"] for row in rows] == [T0 - n * HOUR_MS for n in (3, 2, 1, 0)]
    assert all(later["prev_index_price"] == row["index_price"] for row, later in pairwise(rows))
    assert {row["interest_8h"] for row in rows} == {0}
    for length, count in (("8h", 96), ("24h", 96), ("1m", 11)):
        chart = lab.call("public/get_funding_chart_data", instrument_name=BTC, length=length)
        assert len(chart["data"]) == count
        assert chart["data"][-1]["timestamp"] == T0
    for method in ("get_funding_rate_value", "get_funding_rate_history"):
        with pytest.raises(RpcError) as caught:
            lab.call(f"public/{method}", **{**asked, "end_timestamp": 0})
        assert caught.value.data["param"] == "end_timestamp"
