"""Each field checked: numbers in any form, missing parts, sides, signs, states."""

from decimal import Decimal

import msgspec
import pytest
from deribit_kit import wire_order, wire_trade
from msgspec import Raw

from tradebaas.core.model import ContractKind, Direction, Fill, Order
from tradebaas.deribit import convert, wire
from tradebaas.deribit.convert import CANNOT_READ, Contracts, Unusable

D = Decimal


def order(**changes: object) -> Order:
    raw = Raw(msgspec.json.encode(wire_order(**changes)))
    return convert.order(wire.parse(raw, wire.Order))


def order_with(field: str, text: str) -> Order:
    """An order with one field as literal JSON text."""
    plain = msgspec.json.encode(wire_order(**{field: "@"})).decode()
    return convert.order(wire.parse(Raw(plain.replace('"@"', text).encode()), wire.Order))


@pytest.mark.parametrize("text", ["10", "10.0", "1e1", "1.0E+1", '"10"'])
def test_every_form_of_a_number_is_the_same_amount(text: str) -> None:
    assert order_with("amount", text).amount == D(10)


def test_numbers_keep_all_their_digits() -> None:
    assert str(order_with("price", "80500.123456789012345678").price) == "80500.123456789012345678"


@pytest.mark.parametrize(
    "text, price",
    [("80500.0", D(80500)), ('"market_price"', None), ("null", None), ('"80500.0"', D(80500))],
)
def test_prices(text: str, price: Decimal | None) -> None:
    assert order_with("price", text).price == price


@pytest.mark.parametrize("text", ['"NaN"', '"Infinity"', "1e99", "1e-99", "true", "[]", '"a lot"'])
def test_amounts_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(CANNOT_READ):
        order_with("amount", text)


@pytest.mark.parametrize("field", ["amount", "direction", "instrument_name", "order_state"])
def test_what_an_order_must_say(field: str) -> None:
    with pytest.raises(Unusable, match=field):
        order(**{field: None})


def test_everything_else_may_be_missing() -> None:
    needed = {"order_id", "amount", "direction", "instrument_name", "order_state"}
    bare = {key: value for key, value in wire_order().items() if key in needed}
    found = convert.order(wire.parse(Raw(msgspec.json.encode(bare)), wire.Order))
    assert (found.label, found.filled, found.price, found.updated_ms) == ("", D(0), None, 0)


@pytest.mark.parametrize("order_id", ["90000000001", "TPMS-1", "ETH-OTO-7", "taker:1/é", "0"])
def test_an_id_is_whatever_the_exchange_says(order_id: str) -> None:
    found = order(order_id=order_id, trigger_order_id=order_id, oto_order_ids=[order_id])
    assert (found.order_id, found.trigger_order_id) == (order_id, order_id)
    assert found.oto_order_ids == (order_id,)


def test_an_unknown_state_counts_as_live() -> None:
    assert order(order_state="speed_bumped").live
    assert not order(order_state="cancelled").live


@pytest.mark.parametrize(
    "secondary, state, waiting",
    [
        (True, "untriggered", True),
        ("true", "untriggered", True),
        (True, "triggered", False),
        (True, "open", False),
        (False, "untriggered", False),
        (None, "untriggered", False),
    ],
)
def test_only_untriggered_secondaries_wait(secondary: object, state: str, waiting: bool) -> None:
    assert order(is_secondary_oto=secondary, order_state=state).waiting is waiting


def fill(orders: tuple[Order, ...] = (), **changes: object) -> object:
    raw = Raw(msgspec.json.encode(wire_trade(**changes)))
    item = wire.parse(raw, wire.Trade)
    return convert.fill(item, Contracts(), {order.order_id: order for order in orders})


def test_the_order_beside_a_trade_decides_its_side_and_label() -> None:
    found = fill((order(direction="sell", label="mine"),), direction="buy", label=None)
    assert isinstance(found, Fill)
    assert (found.direction, found.label) == (Direction.SELL, "mine")


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, False),
        ({"liquidation": "T", "liquidity": "T"}, True),
        ({"liquidation": "M", "liquidity": "T"}, False),
        ({"liquidation": "MT", "liquidity": "M"}, True),
        ({"order_type": "liquidation"}, True),
    ],
)
def test_liquidations_count_when_they_are_ours(changes: dict[str, object], expected: bool) -> None:
    found = fill(**changes)  # type: ignore[arg-type]
    assert isinstance(found, Fill)
    assert found.liquidation is expected


@pytest.mark.parametrize("changes", [{"price": 0}, {"amount": -1}, {"fee": None}, {"timestamp": 0}])
def test_a_trade_without_its_numbers_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Unusable):
        fill(**changes)  # type: ignore[arg-type]


def test_a_rebate_is_a_negative_fee() -> None:
    found = fill(fee=-1e-8)
    assert isinstance(found, Fill)
    assert found.fee == D("-1E-8")


@pytest.mark.parametrize(
    "name, kind",
    [
        ("BTC-PERPETUAL", ContractKind.INVERSE),
        ("ETH-27JUN25", ContractKind.INVERSE),
        ("BTC-FS-27SEP24_PERP", ContractKind.INVERSE),
        ("BTC_USDC-PERPETUAL", ContractKind.LINEAR),
    ],
)
def test_an_instrument_not_read_is_judged_by_its_name(name: str, kind: ContractKind) -> None:
    assert Contracts().kind(name) is kind


@pytest.mark.parametrize(
    "position, kind, size",
    [
        ({"direction": "buy", "size": 1000.0}, ContractKind.INVERSE, D(1000)),
        ({"direction": "sell", "size": -1000.0}, ContractKind.INVERSE, D(-1000)),
        ({"direction": "sell", "size": 1000.0}, ContractKind.INVERSE, D(-1000)),
        ({"direction": "zero", "size": 0.0}, ContractKind.INVERSE, D(0)),
        ({"direction": "sell", "size": -0.5}, ContractKind.LINEAR, D("-0.5")),
        (
            {"direction": "sell", "size": -40000, "size_currency": -0.5},
            ContractKind.LINEAR,
            D("-0.5"),
        ),
        (
            {"direction": "buy", "size": 1000, "size_currency": 0.0125},
            ContractKind.INVERSE,
            D(1000),
        ),
    ],
)
def test_position_sizes_are_signed_amounts(
    position: dict[str, object], kind: ContractKind, size: Decimal
) -> None:
    item = wire.parse(Raw(msgspec.json.encode({"instrument_name": "x", **position})), wire.Position)
    assert convert.position(item, kind)[0] == size


@pytest.mark.parametrize("position", [{"size": 5}, {"direction": "up", "size": 5}])
def test_a_position_without_a_side_is_refused(position: dict[str, object]) -> None:
    item = wire.parse(Raw(msgspec.json.encode({"instrument_name": "x", **position})), wire.Position)
    with pytest.raises(Unusable):
        convert.position(item, ContractKind.INVERSE)


@pytest.mark.parametrize("size, price", [(2**70, 80_000), (1_000, 1e-20), (10**20, 1e-3)])
def test_a_position_or_a_fill_that_is_worth_more_than_can_be_is_refused(
    size: int, price: float
) -> None:
    """The books could not take it, and the life that was told of it would end."""
    held = {"instrument_name": "x", "direction": "buy", "size": size, "average_price": price}
    item = wire.parse(Raw(msgspec.json.encode(held)), wire.Position)
    with pytest.raises(Unusable, match="worth more than can be"):
        convert.position(item, ContractKind.INVERSE)
    with pytest.raises(Unusable, match="worth more than can be"):
        fill(amount=size, price=price)


def test_a_chart_with_columns_of_unequal_length_is_refused() -> None:
    with pytest.raises(Unusable, match="equally long"):
        convert.candles(wire.Chart(ticks=[1, 2], open=[D(1)]), ContractKind.INVERSE)


def test_a_rejected_trigger_keeps_its_reason() -> None:
    entry = wire.TriggerEntry(
        trigger_order_id="SLMS-1",
        instrument_name="BTC-PERPETUAL",
        direction="sell",
        order_state="rejected:reduce_direction",
        amount=D(10),
    )
    found = convert.trigger_entry(entry)
    assert (found.state, found.cancel_reason, found.live) == ("rejected", "reduce_direction", False)


def test_tokens_do_not_show() -> None:
    assert "t0ken" not in repr(wire.Tokens(refresh_token="t0ken", expires_in=900))
