"""Intents as calls: everything said explicitly, nothing that the type forbids."""

from decimal import Decimal

from deribit_kit import ENTRY, NOW_MS, STOP
from msgspec.structs import replace

from tradebaas.core.model import Direction, Role
from tradebaas.deribit.orders import request

D = Decimal


def test_an_entry_that_may_rest_is_good_till_cancelled() -> None:
    _, params = request(ENTRY, resting=True)
    assert params["time_in_force"] == "good_til_cancelled"
    assert request(STOP, resting=True) == request(STOP), "it has none"


def test_an_entry_takes_its_stop_and_take_along() -> None:
    method, params = request(ENTRY)
    assert method == "private/buy"
    assert params == {
        "instrument_name": "BTC-PERPETUAL",
        "amount": D(1000),
        "type": "limit",
        "price": D("80500.5"),
        "time_in_force": "immediate_or_cancel",
        "label": "tb1-life-7-e",
        "post_only": False,
        "reduce_only": False,
        "valid_until": NOW_MS + 2000,
        "linked_order_type": "one_triggers_one_cancels_other",
        "trigger_fill_condition": "incremental",
        "otoco_config": [
            {
                "direction": "sell",
                "amount": D(1000),
                "type": "stop_market",
                "trigger": "mark_price",
                "trigger_price": D("79000.0"),
                "label": "tb1-life-7-s",
                "reduce_only": True,
                "post_only": False,
            },
            {
                "direction": "sell",
                "amount": D(1000),
                "type": "limit",
                "price": D("83000.0"),
                "time_in_force": "good_til_cancelled",
                "label": "tb1-life-7-t",
                "reduce_only": True,
                "post_only": False,
            },
        ],
    }


def test_a_short_entry_mirrors_it() -> None:
    method, params = request(replace(ENTRY, direction=Direction.SELL))
    assert method == "private/sell"
    legs = params["otoco_config"]
    assert isinstance(legs, list)
    assert {leg["direction"] for leg in legs} == {"buy"}


def test_a_stop_names_its_reference_and_no_time_in_force() -> None:
    assert request(STOP) == (
        "private/sell",
        {
            "instrument_name": "BTC-PERPETUAL",
            "amount": D(1000),
            "type": "stop_market",
            "trigger": "mark_price",
            "trigger_price": D(79000),
            "label": "tb1-life-8-s",
            "post_only": False,
            "reduce_only": True,
            "valid_until": NOW_MS + 2000,
        },
    )


def test_a_market_close_has_no_price_trigger_or_time_in_force() -> None:
    close = replace(STOP, role=Role.CLOSE, order_type="market", trigger_price=None)
    _, params = request(close)
    assert not {"price", "trigger", "trigger_price", "time_in_force"} & set(params)
    assert params["reduce_only"] is True


def test_a_resting_take_stays_until_cancelled() -> None:
    take = replace(STOP, role=Role.TAKE, order_type="limit", price=D(83000), trigger_price=None)
    assert request(take)[1]["time_in_force"] == "good_til_cancelled"
