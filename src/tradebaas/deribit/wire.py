"""Results and notifications field by field as Deribit sends them; only what is used is declared.

Unknown fields are ignored, since the exchange adds some without notice. Everything but ids may be
missing or null (protocol dossier sections 8.3, 10, 11). Numbers become ``Decimal`` from their text
and so never pass through float. A price can be the string "market_price", so it stays ``Raw``.
Decoded leniently: the exchange sends some booleans as strings, and whole numbers as 10.0.
"""

from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

T = TypeVar("T")


class Hello(Struct, frozen=True):
    """``public/hello``; the embedded exchange adds how its clock runs."""

    clock: "Clock | None" = None


class Clock(Struct, frozen=True):
    """Only sent by the embedded exchange: ``rate`` exchange seconds pass in a real one;
    ``wall_now`` is its wall time in ms."""

    rate: Decimal | None = None
    lockstep: bool = False
    wall_now: int | None = None


class Tokens(Struct, frozen=True):
    """``public/auth``; ``expires_in`` in seconds, ``scope`` what was granted, in words."""

    refresh_token: str
    expires_in: int
    scope: str | None = None

    def __repr__(self) -> str:
        return f"Tokens(expires_in={self.expires_in})"


class Status(Struct, frozen=True):
    """``public/status``: ``locked`` is the string "true", "partial" or "false"."""

    locked: str | bool | None = None


class PlatformState(Struct, frozen=True):
    """Channel ``platform_state``: of maintenance, or of a single price index."""

    maintenance: bool | None = None


class CancelOnDisconnect(Struct, frozen=True):
    """``private/get_cancel_on_disconnect``."""

    enabled: bool | None = None


class Instrument(Struct, frozen=True):
    """``public/get_instrument``."""

    instrument_name: str
    settlement_currency: str | None = None
    instrument_type: str | None = None
    tick_size: Decimal | None = None
    contract_size: Decimal | None = None
    min_trade_amount: Decimal | None = None
    max_leverage: Decimal | None = None
    taker_commission: Decimal | None = None
    state: str | None = None


class Ticker(Struct, frozen=True):
    """``public/ticker`` and the ticker channel; a side is null while its book is empty."""

    instrument_name: str
    timestamp: int | None = None
    best_bid_price: Decimal | None = None
    best_ask_price: Decimal | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None


class Chart(Struct, frozen=True):
    """``public/get_tradingview_chart_data``: parallel arrays, ``ticks`` = when bars open, ms."""

    status: str | None = None
    ticks: list[int] = []
    open: list[Decimal] = []
    high: list[Decimal] = []
    low: list[Decimal] = []
    close: list[Decimal] = []
    volume: list[Decimal] = []
    cost: list[Decimal] = []


class Bar(Struct, frozen=True):
    """One frame of ``chart.trades``."""

    tick: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    cost: Decimal


class Order(Struct, frozen=True):
    """An order; ``filled_amount`` and ``average_price`` are absent while it is untriggered."""

    order_id: str
    instrument_name: str | None = None
    direction: str | None = None
    order_state: str | None = None
    order_type: str | None = None
    label: str | None = None
    amount: Decimal | None = None
    filled_amount: Decimal | None = None
    price: Raw | UnsetType = UNSET
    trigger_price: Decimal | None = None
    average_price: Decimal | None = None
    reduce_only: bool | None = None
    is_secondary_oto: bool | None = None
    trigger_order_id: str | None = None
    primary_order_id: str | None = None
    oto_order_ids: list[str] | None = None
    oco_ref: str | None = None
    creation_timestamp: int | None = None
    last_update_timestamp: int | None = None
    cancel_reason: str | None = None


class Trade(Struct, frozen=True):
    """A trade of the account; ``liquidation`` says whose side was liquidated: M, T or MT."""

    trade_id: str
    order_id: str | None = None
    instrument_name: str | None = None
    direction: str | None = None
    label: str | None = None
    order_type: str | None = None
    amount: Decimal | None = None
    price: Decimal | None = None
    fee: Decimal | None = None
    fee_currency: str | None = None
    timestamp: int | None = None
    liquidity: str | None = None
    liquidation: str | None = None


class Placed(Struct, frozen=True):
    """The answer to buy, sell, edit: the order and its immediate trades."""

    order: Order
    trades: list[Trade] | None = None


class Trades(Struct, frozen=True):
    """A page of trades; some methods answer with the bare list."""

    trades: list[Trade] = []
    has_more: bool | None = None


class TriggerEntry(Struct, frozen=True):
    """One line of the trigger order history."""

    trigger_order_id: str | None = None
    order_id: str | None = None
    label: str | None = None
    instrument_name: str | None = None
    direction: str | None = None
    order_state: str | None = None
    order_type: str | None = None
    amount: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool | None = None
    timestamp: int | None = None
    last_update_timestamp: int | None = None


class TriggerHistory(Struct, frozen=True):
    """``private/get_trigger_order_history``."""

    entries: list[TriggerEntry] = []
    continuation: str | None = None


class Transaction(Struct, frozen=True):
    """A row of the transaction log; ``interest_pl`` is the funding since the row before it of the
    same position, positive when it was received."""

    id: int
    timestamp: int
    currency: str
    instrument_name: str | None = None
    interest_pl: Decimal | None = None


class TransactionLog(Struct, frozen=True):
    """``private/get_transaction_log``, newest first."""

    logs: list[Transaction]
    continuation: int | None = None


class Position(Struct, frozen=True):
    """A position; ``direction`` is "zero" for one that was closed in this session."""

    instrument_name: str
    direction: str | None = None
    size: Decimal | None = None
    size_currency: Decimal | None = None
    average_price: Decimal | None = None


class Summary(Struct, frozen=True):
    """``private/get_account_summary`` and the portfolio channel. ``limits`` may have any shape."""

    currency: str
    equity: Decimal | None = None
    available_funds: Decimal | None = None
    id: int | None = None
    limits: Raw | UnsetType = UNSET


class RateLimit(Struct, frozen=True):
    """Of one pool: per second, and at once."""

    rate: Decimal
    burst: Decimal


class TradingLimits(Struct, frozen=True):
    """``total`` is for all instruments together."""

    total: RateLimit | None = None


class MatchingLimits(Struct, frozen=True):
    """Of the calls that the matching engine handles."""

    trading: TradingLimits | None = None


class Limits(Struct, frozen=True):
    """How often an account may call."""

    non_matching_engine: RateLimit | None = None
    matching_engine: MatchingLimits | None = None


class Changes(Struct, frozen=True):
    """``user.changes``; each part may be empty or missing."""

    orders: list[Order] | None = None
    trades: list[Trade] | None = None


def parse(raw: Raw, type_: type[T]) -> T:
    """Decode one raw part of a frame.

    Raises:
        one of ``rpc.UNREADABLE``: it is not of that type.
    """
    return msgspec.json.decode(raw, type=type_, strict=False)
