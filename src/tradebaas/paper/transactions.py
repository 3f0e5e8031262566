"""What moved an account's money, row by row (``private/get_transaction_log``).

A row for each fill, for each position at each settlement, and for what an account began with.
``change`` is what the balance that Deribit shows has gained: a fill costs its fee, a settlement
moves the session's profit and funding; so the changes of a currency sum up to its balance.
``interest_pl`` is the funding since the row before it of the same instrument, so the rows of a
trade sum up to the funding that it was charged or paid.
"""

from decimal import Decimal, localcontext
from typing import Any, NamedTuple

import msgspec

from tradebaas.paper.accounts import ZERO, Account, Position
from tradebaas.paper.instruments import CONTEXT, plain
from tradebaas.paper.orders import Order
from tradebaas.paper.tape import Stand

UNSET = msgspec.UNSET
Maybe = msgspec.UnsetType
ROLES = {"M": "maker", "T": "taker"}
SIDES: dict[str, str | Maybe] = {"buy": "long", "sell": "short", "zero": UNSET}


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One row, field by field as Deribit shows it; what does not apply to its type is absent.

    ``id`` counts the rows of all accounts, ``user_seq`` those of one.
    """

    id: int
    user_id: int
    user_seq: int
    timestamp: int
    type: str
    currency: str
    change: Decimal
    cashflow: Decimal
    balance: Decimal
    equity: Decimal
    info: str
    commission: Decimal = ZERO
    amount: Decimal
    instrument_name: str | Maybe = UNSET
    side: str | Maybe = UNSET
    price: Decimal | Maybe = UNSET
    price_currency: str | Maybe = UNSET
    mark_price: Decimal | Maybe = UNSET
    index_price: Decimal | Maybe = UNSET
    settlement_price: Decimal | Maybe = UNSET
    position: Decimal | Maybe = UNSET
    contracts: Decimal | Maybe = UNSET
    interest_pl: Decimal | Maybe = UNSET
    session_rpl: Decimal | Maybe = UNSET
    session_upl: Decimal | Maybe = UNSET
    total_interest_pl: Decimal | Maybe = UNSET
    profit_as_cashflow: bool | Maybe = UNSET
    trade_id: str | Maybe = UNSET
    order_id: str | Maybe = UNSET
    user_role: str | Maybe = UNSET
    fee_role: str | Maybe = UNSET


class Stamp(msgspec.Struct, frozen=True):
    """Which row it is, whose, and when."""

    id: int
    user_id: int
    user_seq: int
    timestamp: int


class Held(msgspec.Struct, frozen=True):
    """What a fill or a settlement found of a position."""

    size: Decimal
    session: Decimal
    funding_told: Decimal

    @classmethod
    def of(cls, position: Position) -> "Held":
        """Return what there is now."""
        return cls(position.size, position.session, position.funding_told)


class Moved(NamedTuple):
    """What a settlement moved to the balance."""

    profit: Decimal
    funding: Decimal


class Filled(msgspec.Struct, frozen=True):
    """What a fill adds to the account that its row tells of."""

    trade_id: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    liquidity: str


def of_fill(
    stamp: Stamp, account: Account, order: Order, fill: Filled, before: Held, stood: Stand
) -> Transaction:
    """Return the row of a fill that is booked already."""
    position, item = account.positions[order.instrument_name], order.instrument
    role = ROLES[fill.liquidity]
    opens = not before.size or (before.size > 0) == order.is_buy
    return _row(
        stamp,
        account,
        position,
        stood,
        type="liquidation" if order.is_liquidation else "trade",
        change=plain(-fill.fee),
        cashflow=plain(position.session - before.session),
        commission=plain(fill.fee),
        info=_source(order),
        amount=fill.amount,
        contracts=plain(fill.amount / item.contract_size),
        side=f"{'open' if opens else 'close'} {order.direction}",
        price=fill.price,
        interest_pl=plain(position.tell_funding()),
        session_rpl=plain(position.session),
        session_upl=plain(position.floating(stood.mark) - position.settled),
        total_interest_pl=plain(position.funding_due),
        profit_as_cashflow=position.session != before.session,
        trade_id=fill.trade_id,
        order_id=order.order_id,
        user_role=role,
        fee_role=role,
    )


def _source(order: Order) -> str:
    """Who placed it, in the words of a row's ``info``."""
    if order.is_liquidation:
        return "Liquidation"
    return "Source: api" if order.is_api else "Source: manual"


def of_settlement(
    stamp: Stamp, account: Account, position: Position, before: Held, moved: Moved, stood: Stand
) -> Transaction:
    """Return the row of a position that has been settled where the market stood."""
    total = plain(moved.profit + moved.funding)
    return _row(
        stamp,
        account,
        position,
        stood,
        type="settlement",
        change=total,
        cashflow=total,
        info="Daily settlement",
        amount=abs(before.size),
        contracts=plain(abs(before.size) / position.instrument.contract_size),
        side=SIDES[position.direction],
        price=stood.mark,
        settlement_price=stood.mark,
        interest_pl=plain(moved.funding - before.funding_told),
        session_rpl=plain(before.session),
        session_upl=plain(moved.profit - before.session),
        total_interest_pl=plain(moved.funding),
        profit_as_cashflow=False,
    )


def of_start(stamp: Stamp, account: Account, currency: str) -> Transaction:
    """Return the row of what an account began with."""
    amount = plain(account.balances[currency])
    return Transaction(
        **msgspec.structs.asdict(stamp),
        type="deposit",
        currency=currency,
        change=amount,
        cashflow=amount,
        balance=amount,
        equity=amount,
        amount=amount,
        info="What the account began with",
    )


def _row(
    stamp: Stamp, account: Account, position: Position, stood: Stand, **fields: Any
) -> Transaction:
    item = position.instrument
    currency = item.settlement_currency
    with localcontext(CONTEXT):
        balance, equity = account.cash(currency), account.equity(currency, stood.mark)
    return Transaction(
        **msgspec.structs.asdict(stamp),
        currency=currency,
        instrument_name=item.name,
        price_currency=item.quote_currency,
        mark_price=stood.mark,
        index_price=stood.price,
        position=plain(position.size),
        balance=plain(balance),
        equity=plain(equity),
        **fields,
    )


def matches(row: Transaction, query: str) -> bool:
    """Return whether a row is one of those that a search word means; anything else is an address,
    which none has."""
    if query in {"", row.type} or (query == "trade" and row.type == "liquidation"):
        return True
    if query == "future":
        return row.instrument_name is not UNSET
    words = "" if row.side is UNSET else row.side
    return query in words.split() or query == row.user_role
