"""Signals: their identity, their prices on the tick, and proposals that are no signal."""

from decimal import Decimal

import msgspec
import pytest

from tradebaas.core.model import (
    Assignment,
    Candle,
    ContractKind,
    Direction,
    Instrument,
    Signal,
)
from tradebaas.strategies.protocol import Proposal
from tradebaas.strategies.signals import BadProposal, to_signal

D = Decimal
REPLACE = msgspec.structs.replace

ASSIGNMENT = Assignment(
    strategy="ma_cross",
    parameters={"fast": "9", "slow": "21"},
    instrument="BTC-PERPETUAL",
    timeframe="5m",
)
INSTRUMENT = Instrument(
    name="BTC-PERPETUAL",
    kind=ContractKind.INVERSE,
    currency="BTC",
    tick_size=D("0.5"),
    amount_step=D(10),
    min_amount=D(10),
    max_leverage=D(50),
    taker_commission=D("0.0005"),
)
CANDLE = Candle(1_641_000_000_000, D(100), D(101), D(99), D(100), D(5))
LONG = Proposal(
    direction=Direction.BUY, entry=D("100.2"), stop=D("98.9"), take=D("103.1"), reasons=("why",)
)
SHORT = Proposal(
    direction=Direction.SELL, entry=D("100.3"), stop=D("101.1"), take=D("97.9"), reasons=()
)


def signal(
    assignment: Assignment = ASSIGNMENT, candle: Candle = CANDLE, proposal: Proposal = LONG
) -> Signal:
    made = to_signal(assignment, candle, INSTRUMENT, proposal)
    assert isinstance(made, Signal)
    return made


def test_a_signal_carries_its_candle_timeframe_and_reasons() -> None:
    made = signal()
    assert made.instrument == "BTC-PERPETUAL"
    assert made.direction is Direction.BUY
    assert (made.candle_ms, made.timeframe_ms) == (1_641_000_000_000, 300_000)
    assert made.reasons == ("why",)


def test_prices_go_to_the_tick_and_away_from_the_entry() -> None:
    long, short = signal(), signal(proposal=SHORT)
    assert (long.stop, long.entry, long.take) == (D("98.5"), D("100.0"), D("103.5"))
    assert (short.take, short.entry, short.stop) == (D("97.5"), D("100.5"), D("101.5"))


def test_identities_never_change_between_versions() -> None:
    """A stored signal must be the same signal for every later version of this program."""
    assert signal().signal_id == "8cc742e9e32ed420389458de99c9b4e7"
    assert signal().stream == "d2d135e516268cb43ca946a94de7070b"


def test_identity_ignores_prices_reasons_and_the_order_of_parameters() -> None:
    other = REPLACE(LONG, entry=D(100), stop=D(90), reasons=())
    turned = REPLACE(ASSIGNMENT, parameters={"slow": "21", "fast": "9"})
    assert signal(turned, proposal=other).signal_id == signal().signal_id


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": "other"},
        {"parameters": {"fast": "9", "slow": "22"}},
        {"parameters": {"fast": "9"}},
        {"instrument": "ETH-PERPETUAL"},
        {"timeframe": "1m"},
    ],
)
def test_everything_that_defines_a_signal_changes_stream_and_identity(
    change: dict[str, object],
) -> None:
    other = signal(REPLACE(ASSIGNMENT, **change))
    assert other.stream != signal().stream
    assert other.signal_id != signal().signal_id


def test_candle_and_side_change_the_identity_but_not_the_stream() -> None:
    later = signal(candle=REPLACE(CANDLE, open_ms=CANDLE.open_ms + 300_000))
    short = signal(proposal=SHORT)
    assert len({signal().signal_id, later.signal_id, short.signal_id}) == 3
    assert signal().stream == later.stream == short.stream
    assert signal().stream != signal().signal_id


@pytest.mark.parametrize(
    "change, words",
    [
        ({"entry": D("NaN")}, "the entry is NaN"),
        ({"stop": D("-Infinity")}, "must be a price above 0"),
        ({"take": D("sNaN")}, "the take profit is NaN"),
        ({"stop": D("0.4")}, "the stop is 0.0; it must be a price above 0"),
        ({"stop": D("100.4")}, "a buy at 100.0 with stop 100.0"),
        ({"stop": D("104")}, "the entry must lie between them"),
        ({"take": D("99.5")}, "the entry must lie between them"),
        ({"take": D("100")}, "at least a tick from each"),
    ],
)
def test_a_proposal_that_is_no_bracket_is_refused(change: dict[str, Decimal], words: str) -> None:
    made = to_signal(ASSIGNMENT, CANDLE, INSTRUMENT, REPLACE(LONG, **change))
    assert isinstance(made, BadProposal)
    assert made.reason.startswith("ma_cross on BTC-PERPETUAL: ")
    assert words in made.reason


def test_a_short_with_its_stop_below_is_refused() -> None:
    made = to_signal(ASSIGNMENT, CANDLE, INSTRUMENT, REPLACE(LONG, direction=Direction.SELL))
    assert isinstance(made, BadProposal)
