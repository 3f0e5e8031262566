"""Sizing and rounding: known numbers, every refusal with its numbers, and the order of checks."""

from decimal import Decimal

import msgspec
import pytest

from tradebaas.core.model import ContractKind, Direction, Instrument
from tradebaas.core.risk import (
    Limits,
    NoSize,
    Rounding,
    round_price,
    round_stop,
    round_take,
    size_entry,
    worst_entry_price,
)

D = Decimal

INVERSE = Instrument(
    name="BTC-PERPETUAL",
    kind=ContractKind.INVERSE,
    currency="BTC",
    tick_size=D("0.5"),
    amount_step=D(10),
    min_amount=D(10),
    max_leverage=D(50),
    taker_commission=D("0.0005"),
)
LINEAR = Instrument(
    name="BTC_USDC-PERPETUAL",
    kind=ContractKind.LINEAR,
    currency="USDC",
    tick_size=D("0.5"),
    amount_step=D("0.0001"),
    min_amount=D("0.001"),
    max_leverage=D(50),
    taker_commission=D("0.0005"),
)
# The predecessor counted amounts in whole USD at a price of 50 000, with a minimum of 10 USD.
USD_STEP = D("0.00002")
OLD_LINEAR = msgspec.structs.replace(LINEAR, amount_step=USD_STEP, min_amount=10 * USD_STEP)
OLD_INVERSE = msgspec.structs.replace(INVERSE, amount_step=D(1))


def limits(risk: str, leverage: str = "50") -> Limits:
    return Limits(risk_percent=D(risk), max_leverage=D(leverage))


def side(entry: Decimal, stop: Decimal) -> Direction:
    return Direction.BUY if stop < entry else Direction.SELL


@pytest.mark.parametrize(
    "equity, stop, risk, notional",
    [
        ("50000", "49000", "5", "125000"),
        ("10000", "49000", "2", "10000"),
        ("1000", "49750", "1", "2000"),
        ("10000", "24000", "1", "192"),
    ],
)
def test_linear_sizes_of_the_predecessor(equity: str, stop: str, risk: str, notional: str) -> None:
    entry = D(50000)
    amount = size_entry(
        OLD_LINEAR, side(entry, D(stop)), entry, D(stop), D(equity), limits(risk), reference=entry
    )
    assert isinstance(amount, Decimal)
    assert amount * entry == D(notional)


@pytest.mark.parametrize(
    "equity, stop, predecessor, amount",
    [
        ("1", "49000", "125000", "122500"),
        ("1", "49500", "250000", "247500"),
        ("1", "48000", "62500", "60000"),
        ("1", "52000", "62500", "65000"),
        ("10", "45000", "250000", "225000"),
        ("1", "49900", "1250000", "1247500"),
        ("0.1", "49900", "125000", "124750"),
        ("0.1", "49500", "25000", "24750"),
    ],
)
def test_inverse_sizes_differ_from_the_predecessor_by_stop_over_entry(
    equity: str, stop: str, predecessor: str, amount: str
) -> None:
    """The predecessor used the linear formula for inverse contracts too.

    A BTC-settled position of A USD loses A x (1/stop - 1/entry) BTC, which is the linear loss
    times entry/stop: its long positions lost more than the 5 % they were sized for, its shorts
    less. The exact amount is therefore the predecessor's times stop/entry.
    """
    entry = D(50000)
    sized = size_entry(
        OLD_INVERSE, side(entry, D(stop)), entry, D(stop), D(equity), limits("5"), reference=entry
    )
    assert sized == D(amount) == D(predecessor) * D(stop) / entry


def test_a_far_stop_is_sized_exactly_where_the_predecessor_lost_two_and_a_half_times_as_much() -> (
    None
):
    sized = size_entry(
        OLD_INVERSE, Direction.BUY, D(50000), D(20000), D(1), limits("5"), reference=D(50000)
    )
    assert sized == D(1666)  # 4166 in the predecessor: 0.125 BTC lost instead of 0.05


@pytest.mark.parametrize(
    "instrument, direction, entry, stop, equity, allowed, words",
    [
        (LINEAR, "buy", "50000", "49000", "-1", limits("5"), "equity in USDC is -1; it must be"),
        (LINEAR, "buy", "50000", "49000", "0", limits("5"), "equity in USDC is 0"),
        (LINEAR, "buy", "50000", "49000", "NaN", limits("5"), "equity in USDC is NaN"),
        (LINEAR, "buy", "50000", "49000", "Infinity", limits("5"), "equity in USDC is Infinity"),
        (LINEAR, "buy", "0", "49000", "1", limits("5"), "entry price is 0"),
        (LINEAR, "buy", "50000", "-1", "1", limits("5"), "stop price is -1"),
        (LINEAR, "buy", "50000", "sNaN", "1", limits("5"), "stop price is sNaN"),
        (LINEAR, "buy", "50000", "49000", "1", limits("0"), "risk_percent is 0"),
        (
            LINEAR,
            "buy",
            "50000",
            "49000",
            "1",
            limits("150"),
            "risk_percent is 150; it must be at most 100",
        ),
        (LINEAR, "buy", "50000", "49000", "1", limits("5", "NaN"), "max_leverage is NaN"),
        (LINEAR, "buy", "50000", "50000", "1", limits("5"), "stop 50000 equals the entry price"),
        (
            LINEAR,
            "buy",
            "50000",
            "51000",
            "1",
            limits("5"),
            "stop 51000 is on the wrong side: a buy at 50000 needs it below",
        ),
        (
            LINEAR,
            "sell",
            "50000",
            "49000",
            "1",
            limits("5"),
            "stop 49000 is on the wrong side: a sell at 50000 needs it above",
        ),
        (
            LINEAR,
            "buy",
            "50000",
            "49999.75",
            "1",
            limits("5"),
            "stop 49999.75 is less than one tick (0.5) from entry 50000",
        ),
        (
            LINEAR,
            "buy",
            "50000",
            "49000",
            "10",
            limits("5"),
            "amount 0.0005 (rounded down from 0.0005) is below the minimum 0.001 of "
            "BTC_USDC-PERPETUAL (5% of 10 USDC at risk)",
        ),
        (
            INVERSE,
            "buy",
            "50000",
            "49000",
            "0.00001",
            limits("5"),
            "amount 0 (rounded down from 1.225) is below the minimum 10 of BTC-PERPETUAL "
            "(5% of 0.00001 BTC at risk)",
        ),
        (
            LINEAR,
            "buy",
            "50000",
            "49500",
            "100",
            limits("10", "5"),
            "leverage 10.00x is above the limit 5x "
            "(amount 0.0200 at 50000, 10% of 100 USDC at risk)",
        ),
        (
            OLD_INVERSE,
            "buy",
            "50000",
            "49990",
            "0.001",
            limits("5"),
            "leverage 249.94x is above the limit 50x",
        ),
        (
            OLD_INVERSE,
            "buy",
            "50000",
            "49900",
            "0.001",
            limits("95"),
            "leverage 474.04x is above the limit 50x",
        ),
        (LINEAR, "buy", "50000", "49900", "1000", limits("20", "200"), "above the limit 50x"),
    ],
)
def test_refusals_say_what_is_wrong_in_numbers(
    instrument: Instrument,
    direction: str,
    entry: str,
    stop: str,
    equity: str,
    allowed: Limits,
    words: str,
) -> None:
    refused = size_entry(
        instrument, Direction(direction), D(entry), D(stop), D(equity), allowed, reference=D(entry)
    )
    assert isinstance(refused, NoSize)
    assert words in refused.reason


def test_an_amount_above_max_amount_is_refused_and_not_clipped() -> None:
    allowed = Limits(risk_percent=D(5), max_leverage=D(50), max_amount=D("2.4999"))
    refused = size_entry(
        LINEAR, Direction.BUY, D(50000), D(49000), D(50000), allowed, reference=D(50000)
    )
    assert isinstance(refused, NoSize)
    assert "amount 2.5000 is above max_amount 2.4999" in refused.reason
    exact = msgspec.structs.replace(allowed, max_amount=D("2.5"))
    assert size_entry(
        LINEAR, Direction.BUY, D(50000), D(49000), D(50000), exact, reference=D(50000)
    ) == D("2.5")


def test_leverage_at_its_limit_is_allowed_and_a_step_above_is_not() -> None:
    at_limit = size_entry(
        LINEAR, Direction.BUY, D(50000), D(49000), D(10000), limits("10", "5"), reference=D(50000)
    )
    assert at_limit == D(1)
    above = size_entry(
        LINEAR,
        Direction.BUY,
        D(50000),
        D(49000),
        D(10000),
        limits("10.001", "5"),
        reference=D(50000),
    )
    assert isinstance(above, NoSize)
    assert "leverage 5.01x is above the limit 5x" in above.reason


@pytest.mark.parametrize(
    "instrument, direction, limit, reference, stop, equity, risk, leverage",
    [
        (INVERSE, "buy", "50025", "50000", "49900", "1", "1.252", "5.01"),
        (LINEAR, "sell", "49975", "50000", "50100", "10000", "1.2503", "5.01"),
    ],
)
def test_leverage_counts_at_the_price_at_which_the_order_would_fill_now(
    instrument: Instrument,
    direction: str,
    limit: str,
    reference: str,
    stop: str,
    equity: str,
    risk: str,
    leverage: str,
) -> None:
    """Within the limit at the limit price, and above it where the order really fills."""
    order = (instrument, Direction(direction), D(limit), D(stop), D(equity), limits(risk, "5"))
    assert isinstance(size_entry(*order, reference=D(limit)), Decimal)
    refused = size_entry(*order, reference=D(reference))
    assert isinstance(refused, NoSize)
    assert f"leverage {leverage}x is above the limit 5x" in refused.reason
    assert f"at {reference}" in refused.reason


def test_a_reference_price_that_is_no_price_is_refused() -> None:
    refused = size_entry(
        INVERSE, Direction.BUY, D(50000), D(49000), D(1), limits("5"), reference=D("NaN")
    )
    assert isinstance(refused, NoSize)
    assert "reference price is NaN" in refused.reason


def test_checks_come_in_a_fixed_order() -> None:
    """Mending one fault after the other shows the next one, cheapest cause first."""
    steps = [
        ("NaN", "0", "-1", "equity"),
        ("0.001", "0", "-1", "entry price"),
        ("0.001", "50000", "-1", "stop price"),
        ("0.001", "50000", "60000", "wrong side"),
        ("0.001", "50000", "49999.9", "one tick"),
        ("0.0000001", "50000", "49000", "below the minimum"),
        ("0.01", "50000", "49999", "leverage"),
        ("1", "50000", "49000", "max_amount"),
    ]
    allowed = Limits(max_amount=D(10))
    for equity, entry, stop, words in steps:
        refused = size_entry(
            INVERSE, Direction.BUY, D(entry), D(stop), D(equity), allowed, reference=D(entry)
        )
        assert isinstance(refused, NoSize)
        assert words in refused.reason


def test_amounts_and_prices_have_the_decimals_of_their_step() -> None:
    amount = size_entry(
        LINEAR, Direction.BUY, D(50000), D(49000), D("2E+3"), limits("5"), reference=D(50000)
    )
    assert str(amount) == "0.1000"
    coarse = size_entry(
        INVERSE, Direction.BUY, D("5E+4"), D("4E+4"), D("1E+2"), limits("5"), reference=D("5E+4")
    )
    assert str(coarse) == "1000000"
    assert str(round_price(D("5E+4"), D("0.5"), Rounding.UP)) == "50000.0"


def test_a_leverage_beyond_all_numbers_is_refused_and_does_not_raise() -> None:
    coarse = msgspec.structs.replace(LINEAR, amount_step=D("1E+100"))
    entry, stop = D("1E+999900"), D("9" * 50 + "E+999850")
    refused = size_entry(
        coarse, Direction.BUY, entry, stop, D("1E+999979"), Limits(), reference=entry
    )
    assert isinstance(refused, NoSize)
    assert "above the limit 5x" in refused.reason


def test_the_defaults_risk_one_percent_at_up_to_five_times() -> None:
    sized = size_entry(
        INVERSE, Direction.SELL, D(50000), D(50500), D(1), Limits(), reference=D(50000)
    )
    assert sized == D(50500)


@pytest.mark.parametrize(
    "direction, reference, slippage, price",
    [
        ("buy", "50000", "0.05", "50025.0"),
        ("buy", "50000.5", "0.05", "50026.0"),  # 50025.50025
        ("sell", "50000.5", "0.05", "49975.0"),  # 49975.49975
        ("sell", "50000", "100", "0.5"),  # never below one tick
    ],
)
def test_worst_entry_price(direction: str, reference: str, slippage: str, price: str) -> None:
    worst = worst_entry_price(Direction(direction), D(reference), D(slippage), D("0.5"))
    assert worst == D(price)


def test_rounding_to_the_tick() -> None:
    tick = D("0.5")
    assert round_price(D("100.3"), tick, Rounding.NEAREST) == D("100.5")
    assert round_price(D("100.2"), tick, Rounding.NEAREST) == D(100)
    assert round_price(D("100.25"), tick, Rounding.NEAREST) == D(100)  # 200.5 ticks, to even
    assert round_price(D("100.75"), tick, Rounding.NEAREST) == D(101)  # 201.5 ticks, to even
    assert round_price(D("100.1"), tick, Rounding.UP) == D("100.5")
    assert round_price(D("100.4"), tick, Rounding.DOWN) == D(100)
    assert round_price(D("100.5"), tick, Rounding.UP) == D("100.5")


def test_stop_and_take_are_rounded_away_from_the_entry() -> None:
    tick = D("0.5")
    assert round_stop(Direction.BUY, D("99.9"), tick) == D("99.5")
    assert round_stop(Direction.SELL, D("100.1"), tick) == D("100.5")
    assert round_take(Direction.BUY, D("100.1"), tick) == D("100.5")
    assert round_take(Direction.SELL, D("99.9"), tick) == D("99.5")
