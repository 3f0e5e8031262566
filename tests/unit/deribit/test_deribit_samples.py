"""Every message of the protocol's sample book is understood, and means what it should."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from deribit_kit import SAMPLES
from msgspec import Raw

from tradebaas.core.model import ContractKind, Direction
from tradebaas.deribit import convert, stream, wire
from tradebaas.deribit.convert import Contracts
from tradebaas.deribit.histories import read_orders
from tradebaas.deribit.rpc import Answer, Failure, Garbage, Heartbeat, Notification, decode

D = Decimal


class Asked(msgspec.Struct):
    method: str
    id: int | None = None


def placed(raw: Raw) -> object:
    item = wire.parse(raw, wire.Placed)
    return convert.bundle([item.order], item.trades or (), Contracts())


def one_order(raw: Raw) -> object:
    return convert.order(wire.parse(raw, wire.Order))


def trades(raw: Raw) -> object:
    items = wire.parse(raw, list[wire.Trade])
    return convert.bundle((), items, Contracts())


READERS: dict[str, Callable[[Raw], object]] = {
    "public/get_time": lambda raw: wire.parse(raw, int),
    "public/auth": lambda raw: wire.parse(raw, wire.Tokens),
    "public/hello": lambda raw: wire.parse(raw, wire.Hello),
    "public/status": lambda raw: wire.parse(raw, wire.Status),
    "private/get_cancel_on_disconnect": lambda raw: wire.parse(raw, wire.CancelOnDisconnect),
    "public/get_instrument": lambda raw: convert.instrument(wire.parse(raw, wire.Instrument)),
    "public/ticker": lambda raw: convert.ticker(wire.parse(raw, wire.Ticker)),
    "public/get_tradingview_chart_data": lambda raw: convert.candles(
        wire.parse(raw, wire.Chart), ContractKind.INVERSE
    ),
    "private/buy": placed,
    "private/sell": placed,
    "private/edit": placed,
    "private/cancel": one_order,
    "private/get_trigger_order_history": lambda raw: [
        convert.trigger_entry(entry) for entry in wire.parse(raw, wire.TriggerHistory).entries
    ],
    "private/get_open_orders_by_instrument": read_orders,
    "private/get_order_state_by_label": read_orders,
    "private/get_order_history_by_instrument": read_orders,
    "private/get_user_trades_by_order": trades,
    "private/get_user_trades_by_instrument_and_time": lambda raw: wire.parse(raw, wire.Trades),
    "private/get_position": lambda raw: convert.position(
        wire.parse(raw, wire.Position), ContractKind.INVERSE
    ),
    "private/get_positions": lambda raw: wire.parse(raw, list[wire.Position]),
    "private/get_account_summary": lambda raw: convert.account(wire.parse(raw, wire.Summary)),
    "private/subscribe": lambda raw: wire.parse(raw, list[str]),
}


def dialogue() -> tuple[dict[int, str], list[str]]:
    """The method of each call by id, and everything that the exchange sends."""
    methods: dict[int, str] = {}
    received = []
    for line in SAMPLES:
        asked = msgspec.json.decode(line, type=dict[str, Raw])
        if "id" in asked and "method" in asked:
            call = msgspec.json.decode(line, type=Asked)
            assert call.id is not None
            methods[call.id] = call.method
        else:
            received.append(line)
    return methods, received


METHODS, RECEIVED = dialogue()
ANSWERS = {a.id: a for line in RECEIVED if isinstance(a := decode(line), Answer)}
NOTES = [n for line in RECEIVED if isinstance(n := decode(line), Notification)]


@pytest.mark.parametrize("line", RECEIVED)
def test_every_frame_is_understood(line: str) -> None:
    assert not isinstance(decode(line), Garbage)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=lambda a: METHODS[a.id])
def test_every_result_that_we_use_can_be_read(answer: Answer) -> None:
    reader = READERS.get(METHODS[answer.id])
    if reader is None:
        assert METHODS[answer.id].split("/")[1] in {
            "set_heartbeat", "test", "enable_cancel_on_disconnect", "get_order_book",
            "cancel_by_label", "cancel_all_by_instrument",
        }  # fmt: skip
    else:
        assert reader(answer.result) is not None


def test_stamps_and_errors() -> None:
    assert ANSWERS[17].in_ms == 1790000000123
    failure = next(f for line in RECEIVED if isinstance(f := decode(line), Failure) and f.id == 18)
    assert (failure.code, failure.message) == (-32602, "Invalid params")
    assert failure.data == '{"reason":"must conform to tick size","param":"price"}'
    assert failure.us_in == 1790000000223410
    assert Heartbeat(wants_answer=True) in [decode(line) for line in RECEIVED]


def test_an_instrument() -> None:
    found = convert.instrument(wire.parse(ANSWERS[20].result, wire.Instrument))
    assert (found.name, found.kind, found.currency) == ("BTC-PERPETUAL", "inverse", "BTC")
    assert (found.tick_size, found.amount_step, found.min_amount) == (D("0.5"), D(10), D(10))
    assert (found.max_leverage, found.taker_commission) == (D(50), D("0.00035"))


def test_candles_of_an_inverse_contract_count_volume_in_usd() -> None:
    found = convert.candles(wire.parse(ANSWERS[23].result, wire.Chart), ContractKind.INVERSE)
    assert [bar.open_ms for bar in found] == [1789999920000, 1789999980000]
    assert (found[1].high, found[1].volume) == (D(81010), D(79980))
    linear = convert.candles(wire.parse(ANSWERS[23].result, wire.Chart), ContractKind.LINEAR)
    assert linear[1].volume == D("0.9876")


def test_a_market_order_and_its_fill() -> None:
    item = wire.parse(ANSWERS[31].result, wire.Placed)
    orders, fills = convert.bundle([item.order], item.trades or (), Contracts())
    assert (orders[0].state, orders[0].average_price, orders[0].live) == (
        "filled", D("80999.5"), False,
    )  # fmt: skip
    assert (fills[0].fee, fills[0].currency, fills[0].contract) == (
        D("0.00000216"),
        "BTC",
        "inverse",
    )
    assert (fills[0].direction, fills[0].label) == (Direction.SELL, "s1-x1")


def test_a_resting_stop_has_no_price_and_is_live() -> None:
    item = wire.parse(ANSWERS[40].result, wire.Placed)
    order = convert.order(item.order)
    assert (order.price, order.trigger_price, order.filled) == (None, D(78000), D(0))
    assert order.live
    assert not order.waiting


def test_secondaries_of_an_unfilled_primary_are_waiting() -> None:
    primary, take, stop = read_orders(ANSWERS[43].result)
    assert [primary.waiting, take.waiting, stop.waiting] == [False, True, True]
    assert (stop.price, take.price) == (None, D(83000))


def test_a_fired_stop_is_two_orders_with_one_label() -> None:
    fired, child = read_orders(ANSWERS[50].result)
    assert (fired.state, fired.live, child.trigger_order_id) == ("triggered", False, "SLMS-7001")
    entry = wire.parse(ANSWERS[41].result, wire.TriggerHistory).entries[0]
    assert convert.trigger_entry(entry).order_id == "SLMS-7001"


def test_notifications() -> None:
    items = [stream.decode(note, Contracts()) for note in NOTES]
    changes, book, bar, index, platform = items
    assert isinstance(changes, stream.Changes)
    assert (changes.orders[0].state, changes.fills[0].amount) == ("filled", D(10))
    assert isinstance(bar, stream.BarTick)
    assert (bar.instrument, bar.resolution, bar.candle.volume) == ("BTC-PERPETUAL", "1", D(79980))
    assert platform is None, "it tells of one index"
    for unasked in (book, index):
        assert isinstance(unasked, stream.Unreadable)
        assert "not subscribed" in unasked.reason
