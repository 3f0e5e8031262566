"""The daemon in worlds that take one question of the protocol in its other way (readings)."""

import pytest
from msgspec.structs import replace

from chaos.sim import profiles
from chaos.sim.world import Outcome, play
from chaos.world.ledger import AdminRow, TradeRow
from tradebaas.paper.readings import CHOICES, Readings, changed

USUAL = (*profiles.TRADES, profiles.STOPS, "cut", "order done, cut")
"""Fills, stops that have to be put back, and orders whose outcome has to be found out."""
STOP_FIRES = "market: gap through the stop"
MATTERS = {
    "cod": "network: cut",
    "wrong_side": STOP_FIRES,
    "reduce_only": "owner: owner reduces",
    "take_leg": STOP_FIRES,
    "child_label": STOP_FIRES,
    "part_legs": "market: thin book",
    "cancelled": "operator: command",
    "close": "errors: credits run out at an order",
    "maintenance": "house: maintenance",
}
"""Where it matters how a question is answered; else where an order has to be looked for."""
LOOKS = "calls: order done, cut"
WORLDS = 24
"""So many are tried, one after another, until one has come to where the answer matters."""
ENDS_ORDERS = {"reduce_only", "take_leg", "part_legs", "maintenance"}
"""In these worlds it is the answer itself that ends an order."""


def ended_by_the_answer(row: AdminRow) -> bool:
    """What the exchange writes down where a reading ended an order."""
    return row.method == "admin/reading" or row.outcome == {"result": "cancels"}


def answer_ended_orders(outcome: Outcome) -> bool:
    rows = (line.body for line in outcome.lines if isinstance(line.body, AdminRow))
    return any(ended_by_the_answer(row) for row in rows)


def meets(outcome: Outcome, name: str, matters: str) -> bool:
    """Whether a world has come to where the answer matters, and shows the answer."""
    trades = (line.body for line in outcome.lines if isinstance(line.body, TradeRow))
    return (
        outcome.faults[matters] > 0
        and answer_ended_orders(outcome) is (name in ENDS_ORDERS)
        and (name != "child_label" or "" in {trade.label for trade in trades})
    )


@pytest.mark.parametrize("name", CHOICES)
def test_the_daemon_holds_when_a_question_is_answered_in_the_other_way(name: str) -> None:
    matters = MATTERS.get(name, LOOKS)
    group, deed = matters.split(": ")
    usual = {"market": 2.0, "owner": 0.5, "network": 0.5, "calls": 1.0}
    for seed in range(3, 3 + WORLDS):
        swarm = replace(
            profiles.world("calls", seed), instrument="BTC_USDC-PERPETUAL", faults_s=4.0,
            deeds=(*USUAL, deed), rates=usual | {group: 2.0},
            readings=changed(Readings(), {name: CHOICES[name][1]}),
        )  # fmt: skip
        outcome = play(swarm)
        assert outcome.passed, [f"{v.check}: {v.text}" for v in outcome.violations]
        if meets(outcome, name, matters):
            return
    pytest.fail(f"none of {WORLDS} worlds has come to where the answer matters")


def test_a_stop_that_comes_too_late_for_the_market_is_made_good() -> None:
    """The entry waits, the market leaps beyond its stop, and the leg is refused at its birth."""
    for seed in range(36, 36 + WORLDS):
        swarm = replace(
            profiles.world("calls", seed), instrument="BTC_USDC-PERPETUAL", faults_s=16.0, rate=20,
            market_pause_s=0.3, deeds=("order queued", "market jumps"),
            rates={"market": 20.0, "calls": 20.0}, readings=Readings(wrong_side="refuse"),
        )  # fmt: skip
        outcome = play(swarm)
        assert outcome.passed, [f"{v.check}: {v.text}" for v in outcome.violations]
        if answer_ended_orders(outcome):
            return
    pytest.fail(f"in none of {WORLDS} worlds a leg came too late")
