"""How much to trade, and at which prices: limits, position sizing and rounding to the tick.

Sizing risks a fixed percentage of equity between the entry and the stop, counted in the
settlement currency and before fees and slippage. Every rounding goes the careful way: the amount
down, the leverage up, the stop away from the entry. A size that no limit allows is a ``NoSize``
that says why in numbers; it is never made to fit.

Everything here is pure Decimal arithmetic in contexts without traps, so no input can raise: what
cannot be computed becomes NaN and is refused. Nothing here may round an amount up, clip an amount
to a limit, or read a market.
"""

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_UP,
    Context,
    Decimal,
    localcontext,
)
from enum import StrEnum

from msgspec import Struct

from tradebaas.core.model import ContractKind, Direction, Instrument

_DOWN = Context(prec=60, rounding=ROUND_DOWN, traps=[])
_UP = Context(prec=60, rounding=ROUND_UP, traps=[])
_HUNDRED = Decimal(100)
_CENT = Decimal("0.01")


class Policy(StrEnum):
    """What becomes of an order or a position of the account's owner."""

    QUARANTINE = "quarantine"
    ADOPT = "adopt"
    CLOSE = "close"


class Limits(Struct, frozen=True, kw_only=True):
    """What the owner allows. Percentages are of equity unless said otherwise; times in ms.

    ``risk_percent`` is lost when the stop fills at its price. ``max_leverage`` bounds notional
    through equity. ``max_amount`` is in the instrument's amount unit, None for no such limit.
    ``slippage_percent`` is how far from the reference price an entry may fill.
    ``adopted_stop_percent`` of its entry price is the stop distance of a position without a plan.
    ``validity_ms`` is how long the exchange may accept an order after its intent. ``price_age_ms``
    is how old, in real time, the prices of an entry may be. ``naked_ms`` is how long a position
    may be without a full stop while something can be done about it: then it is closed. Absence of
    an order counts as proven only in reads later than its validity + ``queue_bound_ms`` (the
    exchange's own) + ``proof_margin_ms``. ``foreign_*`` are for what is not ours (ADR 0010).
    """

    risk_percent: Decimal = Decimal(1)
    max_leverage: Decimal = Decimal(5)
    max_amount: Decimal | None = None
    max_entries_per_day: int = 200
    max_daily_loss_percent: Decimal = Decimal(5)
    slippage_percent: Decimal = Decimal("0.05")
    adopted_stop_percent: Decimal = Decimal(2)
    validity_ms: int = 2_000
    price_age_ms: int = 5_000
    naked_ms: int = 2_000
    queue_bound_ms: int = 5_000
    proof_margin_ms: int = 1_000
    foreign_orders: Policy = Policy.QUARANTINE
    foreign_positions: Policy = Policy.QUARANTINE


class NoSize(Struct, frozen=True):
    """No amount is allowed; ``reason`` names the limit and the numbers, for a person."""

    reason: str


class Rounding(StrEnum):
    """Where a price between two ticks goes."""

    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


_MODES = {
    Rounding.UP: ROUND_CEILING,
    Rounding.DOWN: ROUND_FLOOR,
    Rounding.NEAREST: ROUND_HALF_EVEN,
}


def size_entry(
    instrument: Instrument,
    direction: Direction,
    entry: Decimal,
    stop: Decimal,
    equity: Decimal,
    limits: Limits,
    *,
    reference: Decimal,
) -> Decimal | NoSize:
    """The largest amount whose loss at the stop is at most ``risk_percent`` of ``equity``.

    ``entry`` is the worst price at which the order may fill, ``reference`` the price at which it
    would fill now: the loss is counted from the worst, the leverage at whichever makes more of it,
    since dollars are worth more coin at a lower price. ``equity`` is in ``instrument.currency``;
    the result is in the instrument's amount unit, a multiple of its step. The formula is amount =
    risk / loss at the stop of one unit, which follows from the contract's payoff: |entry - stop|
    for linear contracts (amount in coin) and |1/entry - 1/stop| for inverse ones (amount in USD,
    profit in coin), as Deribit's contract specifications state them. In coin an inverse long loses
    more on the way down than the linear formula says, so it is smaller by stop/entry; a short is
    larger.
    """
    with localcontext(_DOWN):
        problem = _bad_number(instrument, entry, stop, equity, limits, reference) or _bad_stop(
            instrument, direction, entry, stop
        )
        if problem:
            return NoSize(problem)
        raw = _raw_amount(instrument.kind, entry, stop, equity * limits.risk_percent / _HUNDRED)
        amount = _on_grid(raw, instrument.amount_step, ROUND_FLOOR)
        dearest = _dearest(instrument.kind, entry, reference)
        problem = _above_limit(instrument, amount, raw, dearest, equity, limits)
        return NoSize(problem) if problem else amount


def _bad_number(
    instrument: Instrument,
    entry: Decimal,
    stop: Decimal,
    equity: Decimal,
    limits: Limits,
    reference: Decimal,
) -> str:
    """Which input is not a positive number; "" when all are."""
    inputs = (
        (f"equity in {instrument.currency}", equity),
        ("entry price", entry),
        ("stop price", stop),
        ("reference price", reference),
        ("risk_percent", limits.risk_percent),
        ("max_leverage", limits.max_leverage),
        ("max_amount", _HUNDRED if limits.max_amount is None else limits.max_amount),
        (f"tick size of {instrument.name}", instrument.tick_size),
        (f"amount step of {instrument.name}", instrument.amount_step),
        (f"minimum amount of {instrument.name}", instrument.min_amount),
        (f"maximum leverage of {instrument.name}", instrument.max_leverage),
    )
    for name, value in inputs:
        if not (value.is_finite() and value > 0):
            return f"{name} is {value}; it must be a number above 0"
    if limits.risk_percent > _HUNDRED:
        return f"risk_percent is {limits.risk_percent}; it must be at most 100"
    return ""


def _bad_stop(instrument: Instrument, direction: Direction, entry: Decimal, stop: Decimal) -> str:
    """Why the stop does not protect this entry; "" when it does."""
    if stop == entry:
        return f"stop {stop} equals the entry price"
    if (stop > entry) is (direction is Direction.BUY):
        side = "below" if direction is Direction.BUY else "above"
        return f"stop {stop} is on the wrong side: a {direction} at {entry} needs it {side}"
    if abs(entry - stop) < instrument.tick_size:
        return f"stop {stop} is less than one tick ({instrument.tick_size}) from entry {entry}"
    return ""


def _raw_amount(kind: ContractKind, entry: Decimal, stop: Decimal, risk: Decimal) -> Decimal:
    """risk / loss per unit, rounded down; the inverse loss is |entry - stop| / (entry x stop)."""
    distance = _UP.subtract(max(entry, stop), min(entry, stop))
    match kind:
        case ContractKind.INVERSE:
            return risk * entry * stop / distance
        case ContractKind.LINEAR:
            return risk / distance


def _dearest(kind: ContractKind, entry: Decimal, reference: Decimal) -> Decimal:
    """The price of the two at which an amount is worth more in settlement currency."""
    match kind:
        case ContractKind.INVERSE:
            return min(entry, reference)
        case ContractKind.LINEAR:
            return max(entry, reference)


def _above_limit(
    instrument: Instrument,
    amount: Decimal,
    raw: Decimal,
    price: Decimal,
    equity: Decimal,
    limits: Limits,
) -> str:
    """Which limit ``amount`` breaks, with the leverage counted at ``price``; "" when none."""
    budget = f"{limits.risk_percent}% of {equity} {instrument.currency} at risk"
    if not amount >= instrument.min_amount:
        return (
            f"amount {amount} (rounded down from {raw:.4g}) is below the minimum "
            f"{instrument.min_amount} of {instrument.name} ({budget}): "
            "more equity or a higher risk_percent is needed"
        )
    leverage = _leverage(instrument.kind, amount, price, equity)
    allowed = min(limits.max_leverage, instrument.max_leverage)
    if not leverage <= allowed:
        shown = leverage.quantize(_CENT, ROUND_UP)
        return (
            f"leverage {shown}x is above the limit {allowed}x (amount {amount} at {price}, "
            f"{budget}): a wider stop or a lower risk_percent is needed"
        )
    if limits.max_amount is not None and not amount <= limits.max_amount:
        return (
            f"amount {amount} is above max_amount {limits.max_amount} ({budget}): "
            "a wider stop or a lower risk_percent is needed"
        )
    return ""


def _leverage(kind: ContractKind, amount: Decimal, price: Decimal, equity: Decimal) -> Decimal:
    """Notional through equity, both in settlement currency, rounded up."""
    match kind:
        case ContractKind.INVERSE:
            return _UP.divide(amount, _DOWN.multiply(price, equity))
        case ContractKind.LINEAR:
            return _UP.divide(_UP.multiply(amount, price), equity)


def worst_entry_price(
    direction: Direction, reference: Decimal, slippage_percent: Decimal, tick: Decimal
) -> Decimal:
    """Limit price of an immediate-or-cancel entry: the worst at which it may still fill.

    ``reference`` is the price now at which such an order would fill. A buy is rounded up and a
    sell down (never below one tick), so that rounding does not keep the order from filling.
    """
    with localcontext(_DOWN):
        slipped = reference * (1 + direction.sign * slippage_percent / _HUNDRED)
    if direction is Direction.BUY:
        return round_price(slipped, tick, Rounding.UP)
    return _DOWN.max(round_price(slipped, tick, Rounding.DOWN), tick)


def round_price(price: Decimal, tick: Decimal, toward: Rounding) -> Decimal:
    """``price`` as a multiple of ``tick``; ties of NEAREST go to the even multiple."""
    with localcontext(_DOWN):
        return _on_grid(price, tick, _MODES[toward])


def round_stop(direction: Direction, price: Decimal, tick: Decimal) -> Decimal:
    """The stop of an entry in ``direction``, rounded away from the entry: never tighter."""
    return round_price(price, tick, Rounding.DOWN if direction is Direction.BUY else Rounding.UP)


def round_take(direction: Direction, price: Decimal, tick: Decimal) -> Decimal:
    """The take profit of an entry in ``direction``, rounded away from the entry: never less."""
    return round_price(price, tick, Rounding.UP if direction is Direction.BUY else Rounding.DOWN)


def _on_grid(value: Decimal, step: Decimal, mode: str) -> Decimal:
    """A multiple of ``step`` near ``value``, written with as many decimals as ``step``."""
    return ((value / step).to_integral_value(mode) * step).quantize(step)
