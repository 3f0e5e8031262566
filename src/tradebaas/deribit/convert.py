"""From the wire to the core: every field checked once, here.

A value that cannot be used (missing where it is needed, not a finite number of sane size, a side
that is neither buy nor sell) raises ``Unusable`` naming the field; the caller keeps the raw text.
Nothing is invented: no default price, no guessed amount.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import final

from msgspec import Raw, UnsetType

from tradebaas.core.model import (
    ZERO,
    Account,
    Candle,
    ContractKind,
    Direction,
    Fill,
    Instrument,
    Order,
    Ticker,
    fill_value,
)
from tradebaas.deribit import wire
from tradebaas.deribit.credits import Allowed, Pool
from tradebaas.deribit.rpc import UNREADABLE

MAX_EXPONENT = 24
"""Numbers beyond 10^24 (or finer than 10^-24) do not occur and would break arithmetic."""
MAX_VALUE_EXPONENT = 15
"""What is worth more, in any currency, does not occur; sums of it would lose their last digits."""


class Unusable(ValueError):
    """Something on the wire lacks what it must have, or has what it cannot mean."""


CANNOT_READ = (Unusable, *UNREADABLE)
"""All that decoding and converting one message may raise."""


@final
class Contracts:
    """How instruments are settled, as far as they were read on this connection."""

    def __init__(self) -> None:
        self._known: dict[str, Instrument] = {}

    def note(self, instrument: Instrument) -> None:
        """Remember an instrument."""
        self._known[instrument.name] = instrument

    def kind(self, name: str) -> ContractKind:
        """The kind of an instrument; one that was not read is judged by its name.

        Names of linear instruments start with a pair (BTC_USDC-PERPETUAL), others with a coin.
        """
        known = self._known.get(name)
        return known.kind if known is not None else _kind_by_name(name)

    def currency(self, name: str) -> str:
        """The settlement currency, likewise."""
        known = self._known.get(name)
        if known is not None:
            return known.currency
        coin, _, quote = name.partition("-")[0].partition("_")
        return quote or coin


def _kind_by_name(name: str) -> ContractKind:
    linear = "_" in name.partition("-")[0]
    return ContractKind.LINEAR if linear else ContractKind.INVERSE


def instrument(item: wire.Instrument) -> Instrument:
    """A contract. The step of amounts is ``contract_size`` (dossier section 13, rounding).

    Raises:
        Unusable: a field that sizing needs is missing.
    """
    step = _positive(item.contract_size, "contract_size")
    return Instrument(
        name=item.instrument_name,
        kind=_kind(item),
        currency=_text(item.settlement_currency, "settlement_currency"),
        tick_size=_positive(item.tick_size, "tick_size"),
        amount_step=step,
        min_amount=_positive(item.min_trade_amount, "min_trade_amount"),
        max_leverage=_positive(item.max_leverage, "max_leverage"),
        taker_commission=_number(item.taker_commission, "taker_commission"),
        is_open=item.state in (None, "open"),  # a word that nobody knows opens nothing
    )


def _kind(item: wire.Instrument) -> ContractKind:
    match item.instrument_type:
        case "reversed":
            return ContractKind.INVERSE
        case "linear":
            return ContractKind.LINEAR
        case _:
            return _kind_by_name(item.instrument_name)


def ticker(item: wire.Ticker) -> Ticker:
    """The prices of an instrument.

    Raises:
        Unusable: a side of the book is empty, or a price is missing.
    """
    return Ticker(
        at_ms=_time(item.timestamp, "timestamp"),
        bid=_positive(item.best_bid_price, "best_bid_price"),
        ask=_positive(item.best_ask_price, "best_ask_price"),
        mark=_positive(item.mark_price, "mark_price"),
        index=_positive(item.index_price, "index_price"),
    )


def bar(item: wire.Bar, kind: ContractKind) -> Candle:
    """One frame of a running bar; volume in the unit of amounts (USD when inverse).

    Raises:
        Unusable: a number that cannot be a price or a volume.
    """
    return Candle(
        open_ms=item.tick,
        open=_positive(item.open, "open"),
        high=_positive(item.high, "high"),
        low=_positive(item.low, "low"),
        close=_positive(item.close, "close"),
        volume=_number(item.cost if kind is ContractKind.INVERSE else item.volume, "volume"),
    )


def candles(chart: wire.Chart, kind: ContractKind) -> tuple[Candle, ...]:
    """The bars of a chart, oldest first.

    Raises:
        Unusable: the columns are not equally long, or as ``bar``.
    """
    columns = (chart.open, chart.high, chart.low, chart.close, chart.volume, chart.cost)
    if any(len(column) != len(chart.ticks) for column in columns):
        raise Unusable("the columns of a chart are not equally long")
    rows = zip(chart.ticks, *columns, strict=True)
    return tuple(bar(wire.Bar(*row), kind) for row in rows)


def account(item: wire.Summary) -> Account:
    """Equity and free funds.

    Raises:
        Unusable: one is missing.
    """
    return Account(
        currency=item.currency.upper(),
        equity=_number(item.equity, "equity"),
        available=_number(item.available_funds, "available_funds"),
    )


CREDITS_PER_CALL = 500
"""What a call costs where limits are told in credits (dossier section 6)."""
IN_CREDITS = 5_000
"""A rate from here on is one of credits: no account may call so often in a second."""


def allowed(item: wire.Summary) -> dict[Pool, Allowed]:
    """How often the account may call, as far as the exchange says so in a form that is known."""
    if isinstance(item.limits, UnsetType):
        return {}
    try:
        limits = wire.parse(item.limits, wire.Limits)
    except UNREADABLE:
        return {}
    trading = limits.matching_engine.trading if limits.matching_engine is not None else None
    told = {
        Pool.GENERAL: limits.non_matching_engine,
        Pool.MATCHING: trading.total if trading is not None else None,
    }
    return {pool: _in_calls(limit) for pool, limit in told.items() if limit and limit.rate > 0}


def _in_calls(limit: wire.RateLimit) -> Allowed:
    per_call = CREDITS_PER_CALL if limit.rate >= IN_CREDITS else 1
    return Allowed(limit.rate / per_call, max(limit.burst / per_call, Decimal(1)))


def order(item: wire.Order) -> Order:
    """An order as last described; a state that is not known counts as live (``Order.live``).

    Raises:
        Unusable: it does not say what it is for.
    """
    state = _text(item.order_state, "order_state")
    average = _optional(item.average_price, "average_price")
    return Order(
        order_id=item.order_id,
        label=item.label or "",
        instrument=_text(item.instrument_name, "instrument_name"),
        direction=_direction(item.direction),
        order_type=item.order_type or "",
        state=state,
        amount=_number(item.amount, "amount"),
        filled=_number(item.filled_amount or ZERO, "filled_amount"),
        price=_order_price(item.price),
        trigger_price=_optional(item.trigger_price, "trigger_price"),
        average_price=average or None,
        reduce_only=bool(item.reduce_only),
        waiting=bool(item.is_secondary_oto) and state == "untriggered",
        trigger_order_id=item.trigger_order_id,
        primary_order_id=item.primary_order_id,
        oto_order_ids=tuple(item.oto_order_ids or ()),
        oco_ref=item.oco_ref,
        created_ms=item.creation_timestamp or 0,
        updated_ms=item.last_update_timestamp or 0,
        cancel_reason=item.cancel_reason or "",
    )


def fill(item: wire.Trade, contracts: Contracts, orders: Mapping[str, Order]) -> Fill:
    """An execution. ``orders`` (by id) are those described in the same message, if any.

    ``direction`` of a trade is documented as the taker's and read as the account's own by every
    client that trades on it (dossier section 10); where the order is at hand, its side decides.

    Raises:
        Unusable: a number, the side, or an id is missing.
    """
    name = _text(item.instrument_name, "instrument_name")
    known = orders.get(item.order_id or "")
    kind = contracts.kind(name)
    amount, price = _positive(item.amount, "amount"), _positive(item.price, "price")
    _must_have_a_value(kind, amount, price)
    return Fill(
        trade_id=item.trade_id,
        order_id=_text(item.order_id, "order_id"),
        label=item.label or (known.label if known else ""),
        instrument=name,
        contract=kind,
        direction=known.direction if known else _direction(item.direction),
        amount=amount,
        price=price,
        fee=_number(item.fee, "fee"),
        currency=_text(item.fee_currency, "fee_currency"),
        at_ms=_time(item.timestamp, "timestamp"),
        liquidation=_was_liquidated(item),
    )


def _was_liquidated(item: wire.Trade) -> bool:
    sides = set(item.liquidity or "") & set(item.liquidation or "")
    return bool(sides) or item.order_type == "liquidation"


def bundle(
    orders: Iterable[wire.Order], trades: Iterable[wire.Trade], contracts: Contracts
) -> tuple[tuple[Order, ...], tuple[Fill, ...]]:
    """Orders and trades that came together.

    Raises:
        Unusable: as ``order`` and ``fill``.
    """
    seen = tuple(order(item) for item in orders)
    by_id = {item.order_id: item for item in seen}
    return seen, tuple(fill(item, contracts, by_id) for item in trades)


def trigger_entry(item: wire.TriggerEntry) -> Order:
    """An ended trigger order, from the trigger history. "rejected:<why>" gives state and reason.

    Raises:
        Unusable: as ``order``.
    """
    state, _, why = _text(item.order_state, "order_state").partition(":")
    return Order(
        order_id=_text(item.trigger_order_id or item.order_id, "trigger_order_id"),
        label=item.label or "",
        instrument=_text(item.instrument_name, "instrument_name"),
        direction=_direction(item.direction),
        order_type=item.order_type or "",
        state=state,
        amount=_number(item.amount, "amount"),
        trigger_price=_optional(item.trigger_price, "trigger_price"),
        reduce_only=bool(item.reduce_only),
        created_ms=item.timestamp or 0,
        updated_ms=item.last_update_timestamp or item.timestamp or 0,
        cancel_reason=why,
    )


def position(item: wire.Position, kind: ContractKind) -> tuple[Decimal, Decimal]:
    """The signed size in the unit of amounts, and the average entry price (0 when there is none).

    Documents and clients disagree on the unit of ``size`` of linear contracts, but not on
    ``size_currency``, which is in coin (dossier section 11). The side ("zero" for none) decides the
    sign.

    Raises:
        Unusable: no size, no known side, or a value that cannot be told.
    """
    coins = item.size_currency if kind is ContractKind.LINEAR else None
    size = abs(_number(item.size if coins is None else coins, "size"))
    price = _number(item.average_price or ZERO, "average_price")
    if price > 0:
        _must_have_a_value(kind, size, price)
    return size * _direction(item.direction).sign if size else ZERO, price


def _must_have_a_value(kind: ContractKind, amount: Decimal, price: Decimal) -> None:
    """Refuse what the books could not take: two numbers may each be possible, and together not."""
    try:
        possible = fill_value(kind, amount, price).adjusted() <= MAX_VALUE_EXPONENT
    except ArithmeticError:
        possible = False
    if not possible:
        raise Unusable(f"amount {amount} at price {price} is worth more than can be")


# ------------------------------------------------------------------------------ single fields


def _order_price(raw: Raw | UnsetType) -> Decimal | None:
    """A price, or None for "market_price", null and no price at all."""
    if isinstance(raw, UnsetType) or bytes(raw) in {b"null", b'"market_price"'}:
        return None
    return _number(wire.parse(raw, Decimal), "price")


def _number(value: Decimal | None, name: str) -> Decimal:
    if value is None:
        raise Unusable(f"{name} is missing")
    if not value.is_finite() or (value and abs(value.adjusted()) > MAX_EXPONENT):
        raise Unusable(f"{name} is {value}, which cannot be")
    return value


def _optional(value: Decimal | None, name: str) -> Decimal | None:
    return None if value is None else _number(value, name)


def _positive(value: Decimal | None, name: str) -> Decimal:
    number = _number(value, name)
    if number <= 0:
        raise Unusable(f"{name} is {number}, not above zero")
    return number


def _text(value: str | None, name: str) -> str:
    if not value:
        raise Unusable(f"{name} is missing")
    return value


def _time(value: int | None, name: str) -> int:
    if not value or value < 0:
        raise Unusable(f"{name} is missing")
    return value


def _direction(value: str | None) -> Direction:
    match value:
        case "buy":
            return Direction.BUY
        case "sell":
            return Direction.SELL
        case _:
            raise Unusable(f"direction is {value!r}, neither buy nor sell")
