"""Linked orders that are edited while they wait: amounts never go below what has gone live."""

from decimal import Decimal

import pytest
from paper_kit import BTC, FLAT, Lab, RpcError, replay

D = Decimal


def half_filled() -> Lab:
    """A bracket of 1000 whose entry has filled 400, so that legs of 400 are live."""
    lab = Lab(replay(FLAT, FLAT, FLAT))
    lab.call("admin/depth", amount=400)
    lab.bracket(1000, 81000, 79000, price=80000.5, trigger_fill_condition="incremental")
    assert lab.size() == 400
    return lab


def live(lab: Lab, label: str) -> list[Decimal]:
    """The amounts of live orders with a label, waiting secondaries first."""
    found = [o for o in lab.exchange.desk.live.values() if o.label == label]
    return [o.amount for o in sorted(found, key=lambda o: not o.is_secondary)]


def test_a_waiting_leg_cannot_become_smaller_than_what_has_gone_live() -> None:
    lab = half_filled()
    waiting = next(o for o in lab.exchange.desk.live.values() if o.is_secondary)
    with pytest.raises(RpcError, match="above the filled amount"):
        lab.call("private/edit", order_id=waiting.order_id, amount=400)
    lab.call("private/edit", order_id=waiting.order_id, amount=410)
    assert live(lab, waiting.label) == [410, 400]


def test_a_larger_entry_takes_no_leg_back() -> None:
    lab = half_filled()
    entry = next(o for o in lab.exchange.desk.live.values() if o.label == "entry")
    lab.call("admin/depth", amount=10)
    lab.call("admin/price", price=80001)
    lab.call("private/edit", order_id=entry.order_id, amount=10_000, price=80001.5)
    assert lab.size() == 410
    # 410 of 10000 is a smaller share than what has gone live: nothing more, and nothing less.
    assert live(lab, "take") == [1000, 400]
    assert live(lab, "stop") == [1000, 400]
    assert lab.exchange.desk.live_stop_amount(BTC) == 400


def test_a_leg_whose_other_leg_rounds_to_nothing_stands_alone() -> None:
    lab = Lab(replay(FLAT, FLAT, FLAT))
    lab.call("admin/depth", amount=30)
    legs = (
        {"direction": "sell", "type": "take_market", "trigger": "last_price", "amount": 10,
         "trigger_price": 81000, "reduce_only": True, "label": "take"},
        {"direction": "sell", "type": "stop_market", "trigger": "last_price", "amount": 20,
         "trigger_price": 79000, "reduce_only": True, "label": "stop"},
    )  # fmt: skip
    lab.call(
        "private/buy", instrument_name=BTC, amount=40, type="limit", price=80000.5,
        linked_order_type="one_triggers_one_cancels_other", otoco_config=list(legs),
        trigger_fill_condition="incremental",
    )  # fmt: skip
    assert live(lab, "take") == [10]
    assert live(lab, "stop") == [20, 10]
    alone = [o for o in lab.exchange.desk.live.values() if o.label == "stop" and not o.is_secondary]
    assert [o.oco_ref for o in alone] == [None]
