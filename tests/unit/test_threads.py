"""Every line of a trade can be found by the id of its signal."""

from pathlib import Path

from tests.unit.cli.test_cli_describe import CASES
from tradebaas.core import events as e
from tradebaas.core.state import State
from tradebaas.threads import KEPT, Threads

GOLDEN = Path(__file__).parents[1] / "golden" / "inverse.jsonl"


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


def test_old_orders_are_forgotten() -> None:
    intended = next(event for event, _ in CASES if isinstance(event, e.OrderIntended))
    threads = Threads()
    for number in range(KEPT * 2):
        threads._remember(f"tb1-x-{number}-e", "s")
    assert len(threads._signals) <= KEPT
    assert threads.of(intended, State())["order"] == intended.intent.label
