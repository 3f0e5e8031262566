"""What must hold for every size and price, whatever the numbers."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

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

ANY = st.decimals()  # NaN, signalling NaN and the infinities included
KINDS = st.sampled_from(ContractKind)
SIDES = st.sampled_from(Direction)
PRICES = st.decimals("0.0001", "1000000", places=4)
EQUITIES = st.decimals("0.0001", "10000000", places=8)
PERCENTS = st.decimals("0.01", "100", places=2)
STEPS = st.sampled_from([Decimal(t) for t in ("10", "1", "0.5", "0.001", "0.0001", "0.03")])
HUGE = st.builds(
    lambda digits, exponent: Decimal((0, digits, exponent)),
    st.lists(st.integers(0, 9), min_size=1, max_size=80).map(tuple),
    st.integers(-999_999, 999_900),
)


def instrument(kind: ContractKind, step: Decimal, tick: Decimal, leverage: Decimal) -> Instrument:
    return Instrument(
        name="X",
        kind=kind,
        currency="C",
        tick_size=tick,
        amount_step=step,
        min_amount=step,
        max_leverage=leverage,
        taker_commission=Decimal(0),
    )


def loss(kind: ContractKind, amount: Decimal, entry: Decimal, stop: Decimal) -> Fraction:
    """Exact loss at the stop in settlement currency, from the contract's payoff."""
    if kind is ContractKind.LINEAR:
        return Fraction(amount) * abs(Fraction(entry) - Fraction(stop))
    return Fraction(amount) * abs(1 / Fraction(entry) - 1 / Fraction(stop))


def leverage_of(kind: ContractKind, amount: Decimal, entry: Decimal, equity: Decimal) -> Fraction:
    price = Fraction(entry) if kind is ContractKind.LINEAR else 1 / Fraction(entry)
    return Fraction(amount) * price / Fraction(equity)


@given(
    KINDS,
    PRICES,
    st.decimals("-0.9", "3", places=6),
    EQUITIES,
    PERCENTS,
    STEPS,
    st.decimals("0.1", "200", places=1),
    st.decimals("0.1", "200", places=1),
    st.decimals("0", "0.2", places=4),
)
def test_a_size_is_within_every_limit_and_the_next_step_is_not_within_the_risk(
    kind: ContractKind,
    entry: Decimal,
    relative: Decimal,
    equity: Decimal,
    percent: Decimal,
    step: Decimal,
    own_leverage: Decimal,
    their_leverage: Decimal,
    slippage: Decimal,
) -> None:
    contract = instrument(kind, step, Decimal("0.0001"), their_leverage)
    stop = entry + (entry * relative).quantize(Decimal("0.0001"))
    direction = Direction.BUY if stop < entry else Direction.SELL
    better = entry * (1 - direction.sign * slippage)
    allowed = Limits(risk_percent=percent, max_leverage=own_leverage)
    amount = size_entry(contract, direction, entry, stop, equity, allowed, reference=better)
    if isinstance(amount, NoSize):
        return
    risk = Fraction(equity) * Fraction(percent) / 100
    assert amount >= step
    assert amount % step == 0
    assert loss(kind, amount, entry, stop) <= risk
    assert loss(kind, amount + step, entry, stop) > risk
    highest = min(own_leverage, their_leverage)
    for price in (entry, better):
        assert leverage_of(kind, amount, price, equity) <= Fraction(highest)


@given(
    KINDS,
    st.decimals("100", "100000", places=1),
    st.decimals("0.001", "0.2", places=4),
    SIDES,
    st.decimals("0.01", "1000000", places=4),
    st.decimals("1", "3", places=3),
    PERCENTS,
)
def test_more_equity_or_a_nearer_stop_never_sizes_less(
    kind: ContractKind,
    entry: Decimal,
    relative: Decimal,
    direction: Direction,
    equity: Decimal,
    factor: Decimal,
    percent: Decimal,
) -> None:
    contract = instrument(kind, Decimal("0.0001"), Decimal("0.0001"), Decimal(100_000))
    allowed = Limits(risk_percent=percent, max_leverage=Decimal(100_000))
    stop = entry - direction.sign * entry * relative
    nearer = entry - direction.sign * entry * relative / factor
    base = size_entry(contract, direction, entry, stop, equity, allowed, reference=entry)
    richer = size_entry(contract, direction, entry, stop, equity * factor, allowed, reference=entry)
    closer = size_entry(contract, direction, entry, nearer, equity, allowed, reference=entry)
    if isinstance(base, Decimal):
        assert isinstance(richer, Decimal)
        assert isinstance(closer, Decimal)
        assert richer >= base
        assert closer >= base


@given(KINDS, SIDES, *([ANY | HUGE] * 11))
def test_no_number_makes_sizing_raise_or_pass_through(
    kind: ContractKind,
    direction: Direction,
    entry: Decimal,
    stop: Decimal,
    equity: Decimal,
    percent: Decimal,
    leverage: Decimal,
    most: Decimal,
    tick: Decimal,
    step: Decimal,
    least: Decimal,
    their_leverage: Decimal,
    reference: Decimal,
) -> None:
    contract = Instrument(
        name="X",
        kind=kind,
        currency="C",
        tick_size=tick,
        amount_step=step,
        min_amount=least,
        max_leverage=their_leverage,
        taker_commission=Decimal(0),
    )
    allowed = Limits(risk_percent=percent, max_leverage=leverage, max_amount=most)
    sized = size_entry(contract, direction, entry, stop, equity, allowed, reference=reference)
    if isinstance(sized, NoSize):
        assert sized.reason
    else:
        assert sized.is_finite()
        assert 0 < least <= sized <= most


@given(KINDS, HUGE, HUGE, HUGE)
def test_numbers_beyond_any_market_never_risk_too_much(
    kind: ContractKind, entry: Decimal, stop: Decimal, equity: Decimal
) -> None:
    tiny = Decimal("1E-999999")
    contract = instrument(kind, tiny, tiny, Decimal("1E+999999"))
    direction = Direction.BUY if stop < entry else Direction.SELL
    allowed = Limits(max_leverage=Decimal("1E+999999"))
    sized = size_entry(contract, direction, entry, stop, equity, allowed, reference=entry)
    assert isinstance(sized, NoSize) or sized.is_finite()


@given(ANY | HUGE, ANY | HUGE, ANY | HUGE, SIDES)
def test_no_number_makes_rounding_raise(
    price: Decimal, tick: Decimal, slippage: Decimal, direction: Direction
) -> None:
    for toward in Rounding:
        round_price(price, tick, toward)
    round_stop(direction, price, tick)
    round_take(direction, price, tick)
    worst_entry_price(direction, price, slippage, tick)


@given(PRICES, STEPS, SIDES)
def test_rounded_prices_are_on_the_tick_and_on_the_right_side(
    price: Decimal, tick: Decimal, direction: Direction
) -> None:
    stop, take = round_stop(direction, price, tick), round_take(direction, price, tick)
    assert stop % tick == take % tick == 0
    assert (price - stop) * direction.sign >= 0
    assert (take - price) * direction.sign >= 0
    assert abs(price - stop) < tick
    assert abs(price - take) < tick
    assert abs(price - round_price(price, tick, Rounding.NEAREST)) <= tick / 2


@given(PRICES, STEPS, SIDES, st.decimals("0", "10", places=2))
def test_the_worst_entry_price_lets_the_order_fill_up_to_the_slippage(
    reference: Decimal, tick: Decimal, direction: Direction, slippage: Decimal
) -> None:
    worst = worst_entry_price(direction, reference, slippage, tick)
    slipped = reference * (1 + direction.sign * slippage / 100)
    assert worst % tick == 0
    assert worst >= tick
    assert (worst - slipped) * direction.sign >= 0 or worst == tick
    assert abs(worst - slipped) < tick
