"""May this signal become an order, and how large? The only place that adds risk.

A signal is admitted (an ``OrderIntended`` in the same transaction), dropped with a reason, or left
waiting in SIGNAL_DETECTED until what it waits for has passed or it is stale. Equity and prices
come from the market value that the strategy saw; the state decides whether risk may be added.
"""

from decimal import Decimal

from tradebaas.core.draft import Draft
from tradebaas.core.events import OrderIntended, SignalDetected, SignalDropped
from tradebaas.core.fold_tallies import day_of
from tradebaas.core.messages import Admit, Propose, Refused
from tradebaas.core.model import ZERO, Direction, Intent, Leg, Market, Phase, Role, Signal
from tradebaas.core.risk import Limits, NoSize, size_entry, worst_entry_price
from tradebaas.core.state import State, barrier, waiting_reason

MIN_VALIDITY_REAL_MS = 200
"""An order stays valid at least this long in real time, however fast the exchange's clock runs."""


def propose(draft: Draft, request: Propose, limits: Limits) -> Refused | None:
    """Take a new signal into consideration, once ever per candle and stream."""
    signal, state = request.signal, draft.state
    if state.phase is not Phase.ANALYZING:
        return Refused(reason=f"signals are only taken in ANALYZING, the phase is {state.phase}")
    if signal.candle_ms <= state.streams.get(signal.stream, -1):
        return Refused(reason=f"signal {signal.signal_id} was considered before")
    draft.emit(SignalDetected(signal=signal))
    _consider(draft, signal, request.market, limits)
    return None


def admit(draft: Draft, request: Admit, limits: Limits) -> Refused | None:
    """Consider the waiting signal again with a fresh view of the market."""
    signal = draft.state.signal
    if signal is None or signal.signal_id != request.signal_id:
        return Refused(reason=f"signal {request.signal_id} is not waiting")
    _consider(draft, signal, request.market, limits)
    return None


def validity_ms(limits: Limits, rate: Decimal) -> int:
    """How long, in exchange time, an order may take to reach the exchange."""
    return max(limits.validity_ms, int(MIN_VALIDITY_REAL_MS * rate))


def _consider(draft: Draft, signal: Signal, market: Market, limits: Limits) -> None:
    refusal = (
        barrier(draft.state)
        or _other_market(signal, market)
        or _stale(signal, market)
        or _old_prices(market, limits)
        or _day_spent(draft.state, market, limits)
    )
    if refusal:
        draft.emit(SignalDropped(signal_id=signal.signal_id, reason=refusal))
    elif not waiting_reason(draft.state) and market.connection == draft.state.connection:
        _enter(draft, signal, market, limits)


def _other_market(signal: Signal, market: Market) -> str:
    """Prices and equity of another contract must not size this signal."""
    instrument, account = market.instrument, market.account
    if signal.instrument != instrument.name:
        return f"the signal is for {signal.instrument}, the market for {instrument.name}"
    if account.currency != instrument.currency:
        return f"{instrument.name} settles in {instrument.currency}, not {account.currency}"
    return ""


def _stale(signal: Signal, market: Market) -> str:
    """A signal lives until the candle after its own has closed."""
    end = signal.candle_ms + 2 * signal.timeframe_ms
    return f"stale: waited until {market.at_ms}, good until {end}" if market.at_ms >= end else ""


def _old_prices(market: Market, limits: Limits) -> str:
    """Prices that nobody has confirmed for a while: the market may be anywhere by now."""
    age_ms, most_ms = market.at_ms - market.ticker.at_ms, int(limits.price_age_ms * market.rate)
    return f"the prices are {age_ms} ms old, {most_ms} are allowed" if age_ms > most_ms else ""


def _day_spent(state: State, market: Market, limits: Limits) -> str:
    today = day_of(state.day, market.at_ms)
    if today.entries >= limits.max_entries_per_day:
        return f"{today.entries} entries today, the limit is {limits.max_entries_per_day}"
    allowed = market.account.equity * limits.max_daily_loss_percent / 100
    currency = market.account.currency
    lost = -today.net.get(currency, ZERO)
    if lost > 0 and lost >= allowed:
        return f"lost {lost} {currency} today, the limit is {allowed} {currency}"
    return ""


def _enter(draft: Draft, signal: Signal, market: Market, limits: Limits) -> None:
    ticker, instrument = market.ticker, market.instrument
    reference = ticker.ask if signal.direction is Direction.BUY else ticker.bid
    price = worst_entry_price(
        signal.direction, reference, limits.slippage_percent, instrument.tick_size
    )
    refusal = _price_left_bracket(signal, reference, price)
    amount = size_entry(
        instrument,
        signal.direction,
        price,
        signal.stop,
        market.account.equity,
        limits,
        reference=reference,
    )
    if isinstance(amount, NoSize):
        refusal = refusal or amount.reason
    if refusal or isinstance(amount, NoSize):
        draft.emit(SignalDropped(signal_id=signal.signal_id, reason=refusal))
        return
    draft.emit(OrderIntended(intent=_entry(draft, signal, market, limits, amount, price)))


def _price_left_bracket(signal: Signal, reference: Decimal, price: Decimal) -> str:
    """Refuse an entry whose stop or take profit the market has already passed."""
    low, high = sorted((signal.stop, signal.take))
    if low < reference < high and low < price < high:
        return ""
    return f"price {reference} has left the bracket {low} to {high} of the signal"


def _entry(
    draft: Draft, signal: Signal, market: Market, limits: Limits, amount: Decimal, price: Decimal
) -> Intent:
    """An immediate-or-cancel limit order that carries its stop and take profit from birth."""
    entry = draft.label(Role.ENTRY)
    stem = entry.removesuffix(Role.ENTRY.value)
    return Intent(
        label=entry,
        role=Role.ENTRY,
        instrument=market.instrument.name,
        direction=signal.direction,
        amount=amount,
        order_type="limit",
        price=price,
        reduce_only=False,
        life=draft.state.life,
        connection=draft.state.connection,
        intended_ms=market.at_ms,
        valid_until_ms=market.at_ms + validity_ms(limits, market.rate),
        signal_id=signal.signal_id,
        legs=(
            Leg(label=stem + Role.STOP, order_type="stop_market", trigger_price=signal.stop),
            Leg(label=stem + Role.TAKE, order_type="limit", price=signal.take),
        ),
    )
