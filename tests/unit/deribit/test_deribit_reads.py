"""Reads page to the end, look into every store, and leave nothing out in silence."""

import itertools
from collections.abc import Callable
from decimal import Decimal

import pytest
from deribit_kit import BTC, NOW_MS, Desk, Timeframe, fails, wire_order, wire_trade

from tradebaas.core.model import Absence
from tradebaas.core.proof import PLACES
from tradebaas.deribit import reads
from tradebaas.deribit.errors import CallFailed, LinkLost, Unanswered
from tradebaas.deribit.rpc import Params

MINUTE = 60_000
HOUR = 60 * MINUTE
TRADES = "private/get_user_trades_by_currency_and_time"
HISTORY = "private/get_order_history_by_instrument"
TRIGGERS = "private/get_trigger_order_history"
BY_LABEL = "private/get_order_state_by_label"
OPEN = "private/get_open_orders"
POSITIONS = "private/get_positions"
NOTHING: dict[str, object] = {
    TRADES: {"trades": [], "has_more": False},
    HISTORY: [],
    TRIGGERS: {"entries": [], "continuation": None},
    BY_LABEL: [],
    OPEN: [],
    POSITIONS: [],
}
LABELS = ("tb1-life-7-e", "tb1-life-7-s", "tb1-life-7-t")


# --------------------------------------------------------------------------------- the market


def chart(newest_ms: int) -> Callable[[Params], object]:
    """A market whose running bar opens at ``newest_ms``."""

    def answer(params: Params) -> object:
        start, end = params["start_timestamp"], params["end_timestamp"]
        assert isinstance(start, int)
        assert isinstance(end, int)
        first = -(-start // MINUTE) * MINUTE
        ticks = list(range(first, min(end, newest_ms) + 1, MINUTE))[:5000]
        column = [100.5] * len(ticks)
        names = ("open", "high", "low", "close", "volume", "cost")
        return {"status": "ok", "ticks": ticks} | dict.fromkeys(names, column)

    return answer


CHART = "public/get_tradingview_chart_data"


async def test_history_ends_with_the_last_closed_bar() -> None:
    running = NOW_MS // MINUTE * MINUTE
    desk = Desk({CHART: chart(running)})
    found = await reads.history(desk, BTC, Timeframe(), 600)
    assert len(found) == 600
    assert found[-1].open_ms == running - MINUTE
    assert {b.open_ms - a.open_ms for a, b in itertools.pairwise(found)} == {MINUTE}


async def test_a_bar_just_over_counts_when_the_next_one_is_there() -> None:
    boundary = (NOW_MS // MINUTE + 1) * MINUTE
    late = Desk({CHART: chart(boundary - MINUTE)}, now_ms=boundary + 5)
    assert (await reads.history(late, BTC, Timeframe(), 10))[-1].open_ms == boundary - 2 * MINUTE
    there = Desk({CHART: chart(boundary)}, now_ms=boundary + 5)
    assert (await reads.history(there, BTC, Timeframe(), 10))[-1].open_ms == boundary - MINUTE


async def test_long_histories_come_in_pages_without_a_hole() -> None:
    desk = Desk({CHART: chart(NOW_MS)})
    end = NOW_MS // MINUTE * MINUTE - 2 * MINUTE
    start = end - 11_999 * MINUTE
    found = await reads.candles(desk, BTC, Timeframe(), start, end)
    assert [bar.open_ms for bar in found] == list(range(start, end + 1, MINUTE))
    assert desk.methods().count(CHART) == 3


async def test_no_data_is_no_candles() -> None:
    assert await reads.candles(Desk({CHART: {"status": "no_data"}}), BTC, Timeframe(), 0, 1) == ()


async def test_an_instrument_is_remembered() -> None:
    wire = {
        "instrument_name": "BTCX-PERPETUAL", "instrument_type": "linear", "tick_size": 0.5,
        "settlement_currency": "USDC", "contract_size": 0.001, "min_trade_amount": 0.001,
        "max_leverage": 50, "taker_commission": 0.00035,
    }  # fmt: skip
    desk = Desk({"public/get_instrument": wire})
    await reads.instrument(desk, "BTCX-PERPETUAL")
    assert desk.contracts.kind("BTCX-PERPETUAL") == "linear"


async def test_a_ticker_without_a_bid_is_no_answer() -> None:
    desk = Desk({"public/ticker": {"instrument_name": "x", "timestamp": 1, "best_bid_price": None}})
    with pytest.raises(Unanswered, match="best_bid_price"):
        await reads.ticker(desk, "x")


# -------------------------------------------------------------------------------- the account


async def test_closed_positions_are_no_positions() -> None:
    listed = [
        {"instrument_name": "ETH-PERPETUAL", "direction": "zero", "size": 0.0},
        {"instrument_name": "BTC-PERPETUAL", "direction": "sell", "size": -10.0,
         "average_price": 80000.0},
    ]  # fmt: skip
    taken = await reads.positions(Desk({POSITIONS: listed}))
    assert taken.asked_ms == NOW_MS + 10, "the exchange's own time of receiving the call"
    assert [(p.instrument, p.size, p.average_price) for p in taken.found] == [
        ("BTC-PERPETUAL", Decimal(-10), Decimal(80000))
    ]


async def test_an_option_is_a_position_too() -> None:
    """It draws on the same margin; of what kind is asked for is no question."""
    name = "BTC-27DEC24-80000-C"
    listed = [{"instrument_name": name, "direction": "buy", "size": 2.5, "average_price": 0.0435,
               "kind": "option"}]  # fmt: skip
    desk = Desk({POSITIONS: listed})
    (found,) = (await reads.positions(desk)).found
    assert (found.instrument, found.size) == (name, Decimal("2.5"))
    assert desk.asked == [(POSITIONS, {"currency": "any"})]


async def test_one_unreadable_order_spoils_the_list() -> None:
    desk = Desk({OPEN: [wire_order(), wire_order(amount=None)]})
    with pytest.raises(Unanswered, match="amount is missing"):
        await reads.open_orders(desk)


@pytest.mark.parametrize(
    "error", [fails(10004), fails(-32602, data='{"reason":"invalid_order_id","param":"order_id"}')]
)
async def test_an_order_that_the_exchange_does_not_know(error: CallFailed) -> None:
    assert await reads.order(Desk({"private/get_order_state": error}), "1") is None


async def test_other_errors_are_not_an_unknown_order() -> None:
    with pytest.raises(CallFailed):
        await reads.order(Desk({"private/get_order_state": fails(13021)}), "1")


def trade_store(*ids_and_times: tuple[int, int]) -> Callable[[Params], object]:
    """Trades by (number, ms), served in pages of two: recent for a day, archived after."""

    def answer(params: Params) -> object:
        start = params["start_timestamp"]
        assert isinstance(start, int)
        archived = params["historical"]
        rows = [
            wire_trade(trade_id=str(number), timestamp=at)
            for number, at in ids_and_times
            if at >= start and (at < NOW_MS - 24 * HOUR) == archived
        ]
        return {"trades": rows[:2], "has_more": len(rows) > 2}

    return answer


async def test_trades_are_paged_and_merged() -> None:
    desk = Desk({TRADES: trade_store(*((n, NOW_MS - 5000 + n) for n in range(5)))})
    found = await reads.trades(desk, BTC, NOW_MS - 10_000)
    assert [fill.trade_id for fill in found] == ["0", "1", "2", "3", "4"]


async def test_trades_come_from_both_stores() -> None:
    old, new = (1, NOW_MS - 30 * HOUR), (2, NOW_MS - HOUR)
    desk = Desk({TRADES: trade_store(old, new)})
    found = await reads.trades(desk, BTC, NOW_MS - 31 * HOUR)
    assert [fill.trade_id for fill in found] == ["1", "2"]


async def test_more_trades_in_a_moment_than_a_page_holds_is_no_answer() -> None:
    desk = Desk({TRADES: trade_store((1, NOW_MS), (2, NOW_MS), (3, NOW_MS))})
    with pytest.raises(Unanswered, match="cannot page further"):
        await reads.trades(desk, BTC, NOW_MS - 1000)


async def test_an_endless_list_of_trades_is_no_answer() -> None:
    count = iter(range(10_000_000))
    desk = Desk({
        TRADES: lambda _: {
            "trades": [wire_trade(trade_id=str(next(count)))], "has_more": True,
        }
    })  # fmt: skip
    with pytest.raises(Unanswered, match="more than 50000 trades"):
        await reads.trades(desk, BTC, NOW_MS - 1000)


# ---------------------------------------------------------------------------- proof of absence


async def probe(desk: Desk, since_ms: int = NOW_MS) -> reads.Found | Absence:
    return await reads.probe(desk, LABELS, BTC, since_ms)


async def test_absence_names_every_source_and_the_earliest_read() -> None:
    desk = Desk(dict(NOTHING))
    found = await probe(desk)
    assert isinstance(found, Absence)
    assert found.label == LABELS[0]
    assert set(found.sources) == PLACES.keys()
    assert found.read_ms == NOW_MS + 10
    assert [params["label"] for method, params in desk.asked if method == BY_LABEL] == [*LABELS]


async def test_an_answer_without_a_stamp_proves_nothing() -> None:
    desk = Desk(dict(NOTHING))
    desk.now_ms = -10  # the first answer bears 0
    found = await probe(desk)
    assert isinstance(found, Absence)
    assert found.read_ms == 0


@pytest.mark.parametrize(
    "method, result",
    [
        (BY_LABEL, [wire_order()]),
        (OPEN, [wire_order(label="tb1-life-7-s", order_id="OTO-1")]),
        (HISTORY, [wire_order(order_state="cancelled")]),
        (TRIGGERS, {"entries": [
            {"trigger_order_id": "SLMS-1", "label": "tb1-life-7-s", "direction": "sell",
             "instrument_name": "BTC-PERPETUAL", "order_state": "triggered", "amount": 10.0},
        ]}),
        (TRADES, {"trades": [wire_trade()], "has_more": False}),
    ],
)  # fmt: skip
async def test_a_hit_in_any_one_place_is_a_find(method: str, result: object) -> None:
    found = await probe(Desk(NOTHING | {method: result}))
    assert isinstance(found, reads.Found)
    assert len(found.orders) + len(found.fills) == 1


@pytest.mark.parametrize("method", [BY_LABEL, OPEN, HISTORY, TRIGGERS, TRADES, POSITIONS])
@pytest.mark.parametrize("error", [Unanswered("late"), LinkLost("gone"), fails(10041)])
async def test_without_any_one_place_nothing_is_known(method: str, error: Exception) -> None:
    with pytest.raises(type(error)):
        await probe(Desk(NOTHING | {method: error}))


async def test_what_bears_other_labels_is_not_ours() -> None:
    others = NOTHING | {
        OPEN: [wire_order(label="s1-x")],
        HISTORY: [wire_order(label="", order_id="2")],
        TRADES: {"trades": [wire_trade(label=None, order_id="3")], "has_more": False},
    }
    assert isinstance(await probe(Desk(others)), Absence)


@pytest.mark.parametrize(
    "child",
    [
        {"trigger_order_id": "OTO-1"},
        {"primary_order_id": "90000000001"},
        {"oco_ref": "71001"},
        {"order_id": "OTO-2"},
    ],
    ids=lambda edge: next(iter(edge)),
)
async def test_a_child_without_a_label_is_found_by_its_edges(child: dict[str, str]) -> None:
    primary = wire_order(oto_order_ids=["OTO-1", "OTO-2"], oco_ref="71001")
    found = await probe(Desk(NOTHING | {
        BY_LABEL: [primary],
        OPEN: [wire_order(**({"label": "", "order_id": "9"} | child))],
    }))  # fmt: skip
    assert isinstance(found, reads.Found)
    assert len(found.orders) == 2
    assert found.orders[1].label == ""


async def test_fills_without_a_label_belong_to_the_orders_found() -> None:
    found = await probe(Desk(NOTHING | {
        HISTORY: [wire_order(order_state="filled")],
        TRADES: {"trades": [wire_trade(label=None)], "has_more": False},
    }))  # fmt: skip
    assert isinstance(found, reads.Found)
    assert len(found.fills) == 1


async def test_the_newest_description_of_an_order_counts() -> None:
    found = await probe(Desk(NOTHING | {
        BY_LABEL: [wire_order(last_update_timestamp=5, order_state="open")],
        OPEN: [wire_order(last_update_timestamp=4, order_state="untriggered")],
        HISTORY: [wire_order(last_update_timestamp=6, order_state="filled")],
    }))  # fmt: skip
    assert isinstance(found, reads.Found)
    assert [order.state for order in found.orders] == ["filled"]


async def test_of_two_descriptions_of_one_moment_the_fuller_counts() -> None:
    for first, second in (("0", "10"), ("10", "0")):
        found = await probe(Desk(NOTHING | {
            BY_LABEL: [wire_order(last_update_timestamp=5, filled_amount=first)],
            OPEN: [wire_order(last_update_timestamp=5, filled_amount=second)],
        }))  # fmt: skip
        assert isinstance(found, reads.Found)
        assert [order.filled for order in found.orders] == [10]


def stores(desk: Desk) -> set[object]:
    return {params["historical"] for method, params in desk.asked if method == HISTORY}


async def test_intents_are_looked_for_in_both_stores() -> None:
    """However young: how far the recent store reaches back is the exchange's to change."""
    desk = Desk(dict(NOTHING))
    await probe(desk, NOW_MS - MINUTE)
    assert stores(desk) == {False, True}
    asked = [params for method, params in desk.asked if method == HISTORY]
    assert all(params["include_old"] and params["include_unfilled"] for params in asked)


async def test_an_order_on_a_later_page_of_the_history_is_found() -> None:
    def pages(params: Params) -> object:
        full = [wire_order(order_id=str(n), label="") for n in range(1000)]
        return [wire_order(order_id="last")] if params["offset"] == 2000 else full

    found = await probe(Desk(NOTHING | {HISTORY: pages}))
    assert isinstance(found, reads.Found)
    assert found.orders[0].order_id == "last"


async def test_history_is_read_back_to_the_intent_and_no_further() -> None:
    def pages(params: Params) -> object:
        assert params["offset"] == 0
        old = NOW_MS - HOUR
        return [wire_order(order_id=str(n), last_update_timestamp=old) for n in range(1000)]

    desk = Desk(NOTHING | {HISTORY: pages})
    assert isinstance(await probe(desk), reads.Found)


async def test_a_history_without_end_is_no_answer() -> None:
    page = [wire_order(label="")] * 1000
    with pytest.raises(Unanswered, match="more than 50000 ended orders"):
        await probe(Desk(NOTHING | {HISTORY: page}))


async def test_trigger_history_follows_its_continuation() -> None:
    entry = {
        "trigger_order_id": "SLMS-1", "label": "", "direction": "sell", "order_state": "cancelled",
        "instrument_name": "BTC-PERPETUAL", "amount": 10.0, "timestamp": NOW_MS,
    }  # fmt: skip

    def pages(params: Params) -> object:
        if params.get("continuation") == "more":
            return {"entries": [entry | {"label": LABELS[1]}], "continuation": None}
        return {"entries": [entry] * 1000, "continuation": "more"}

    assert isinstance(await probe(Desk(NOTHING | {TRIGGERS: pages})), reads.Found)
