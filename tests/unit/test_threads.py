"""Every line of a trade can be found by the id of its signal."""

import pytest

from tests.unit.cli.test_cli_describe import CASES
from tests.unit.core.core_kit import Story
from tradebaas.core import events as e
from tradebaas.core.state import State
from tradebaas.threads import KEPT, Threads


def test_every_kind_of_event_has_its_fields() -> None:
    for event, _ in CASES:
        fields = Threads().of(event, State(life=4))
        assert fields["kind"] == type(event).__name__
        assert isinstance(fields["life"], int)
        assert all(isinstance(fields[name], str) for name in fields.keys() & {"order", "signal"})


def test_a_leg_and_what_fills_it_lead_back_to_the_signal() -> None:
    intended = next(event for event, _ in CASES if isinstance(event, e.OrderIntended))
    threads = Threads()
    signal = threads.of(intended, State()).get("signal")
    for leg in intended.intent.legs:
        unknown = e.OrderUnknown(label=leg.label, reason="x")
        assert threads.of(unknown, State()).get("signal") == signal


@pytest.mark.parametrize("leg", [0, 1])
def test_the_thread_is_not_cut_by_a_death(leg: int) -> None:
    """A leg of an earlier process closes the position in this one."""
    story = Story()
    intent = story.entered()
    threads, begun = Threads(), len(story.events)
    story.start()
    story.link()
    story.reconcile(size=str(intent.amount), orders=("stop", "take"))
    told = [(event, threads.of(event, story.state)) for event in story.events[begun:]]
    label = intent.legs[leg].label
    filled = story.order(label, ("stop", "take")[leg], state="filled", filled=intent.amount)
    closing = story.facts(story.fill(label, intent.amount), filled)
    told += [(event, threads.of(event, story.state)) for event in closing]
    assert "TradeClosed" in {fields["kind"] for _, fields in told}
    of_orders = [fields for _, fields in told if "order" in fields]
    assert {fields.get("signal") for fields in of_orders} == {intent.signal_id}


def test_old_orders_are_forgotten() -> None:
    intended = next(event for event, _ in CASES if isinstance(event, e.OrderIntended))
    threads = Threads()
    for number in range(KEPT * 2):
        threads._remember(f"tb1-x-{number}-e", "s")
    assert len(threads._signals) <= KEPT
    assert threads.of(intended, State())["order"] == intended.intent.label
