"""Positions, balances and fees of the one account, in Decimal (protocol section 13).

A fill is worth ``amount / price`` coins (inverse, rounded half-even to 12 decimals) or
``amount * price`` (linear). An opening fill adds its value to the position's cost; a reducing fill
takes its share of the cost out again and the last one takes what is left, so the profit of a
position from flat to flat is exactly the signed sum of the values of its fills. Realised profit
and fees reach the balance at once; there is no funding and no margin call here.
"""

from decimal import Decimal, localcontext
from hashlib import blake2b

import msgspec

from tradebaas.paper.credits import Limits
from tradebaas.paper.instruments import (
    COIN_STEP,
    CONTEXT,
    CURRENCIES,
    INSTRUMENTS,
    Instrument,
    Wire,
    plain,
)

ZERO = Decimal(0)


class Position(msgspec.Struct, kw_only=True):
    """One instrument's position; ``size`` is negative when short, ``cost`` is never negative."""

    instrument_name: str
    size: Decimal = ZERO
    cost: Decimal = ZERO
    weight: Decimal = ZERO
    realized: Decimal = ZERO
    traded: bool = False

    @property
    def instrument(self) -> Instrument:
        """Return the instrument held."""
        return INSTRUMENTS[self.instrument_name]

    @property
    def direction(self) -> str:
        """Return buy, sell or zero."""
        return "buy" if self.size > 0 else "sell" if self.size < 0 else "zero"

    @property
    def average_price(self) -> Decimal:
        """Return the average entry price, 0 when flat."""
        return self.instrument.average(abs(self.size), self.weight)

    def reducible(self, direction: str) -> Decimal:
        """Return how much an order in ``direction`` could take away from the position."""
        opposite = "sell" if self.size > 0 else "buy"
        return abs(self.size) if self.size and direction == opposite else ZERO

    def fill(self, direction: str, amount: Decimal, price: Decimal) -> Decimal:
        """Book a fill and return the profit that it realises in the settlement currency."""
        with localcontext(CONTEXT):
            closing = min(amount, self.reducible(direction))
            profit = self._reduce(closing, price) if closing else ZERO
            self.traded = True
            opening = amount - closing
            if opening:
                item = self.instrument
                # What the whole fill is worth, less what its closing part was booked at.
                closed_value = item.value(closing, price) if closing else ZERO
                self.cost += item.value(amount, price) - closed_value
                self.weight += item.weight(opening, price)
                self.size += opening if direction == "buy" else -opening
            return profit

    def _reduce(self, amount: Decimal, price: Decimal) -> Decimal:
        item, held = self.instrument, abs(self.size)
        # Costs are whole steps, so closing everything takes out exactly what is left.
        share = (self.cost * amount / held).quantize(COIN_STEP)
        value = item.value(amount, price)
        # A long coin position pays coins in dearer and gets them out cheaper when the price rises.
        gain = share - value if item.inverse else value - share
        profit = gain if self.size > 0 else -gain
        self.cost -= share
        self.weight = self.weight * (held - amount) / held
        self.size += -amount if self.size > 0 else amount
        self.realized += profit
        return profit

    def floating(self, mark: Decimal) -> Decimal:
        """Return the profit that closing at ``mark`` would realise."""
        if not self.size:
            return ZERO
        with localcontext(CONTEXT):
            value = self.instrument.value(abs(self.size), mark)
            gain = self.cost - value if self.instrument.inverse else value - self.cost
            return gain if self.size > 0 else -gain

    def value(self, mark: Decimal) -> Decimal:
        """Return what it is worth at ``mark`` in the settlement currency, always positive."""
        return self.instrument.value(abs(self.size), mark) if self.size else ZERO


class Account(msgspec.Struct, kw_only=True):
    """Balances by currency and positions by instrument."""

    balances: dict[str, Decimal]
    positions: dict[str, Position]

    @classmethod
    def new(cls, balance_btc: Decimal, balance_usdc: Decimal) -> "Account":
        """Return a flat account."""
        return cls(
            balances=dict(zip(CURRENCIES, (balance_btc, balance_usdc), strict=True)),
            positions={name: Position(instrument_name=name) for name in INSTRUMENTS},
        )

    def in_currency(self, currency: str) -> list[Position]:
        """Return the positions that settle in ``currency``."""
        held = self.positions.values()
        return [item for item in held if item.instrument.settlement_currency == currency]

    def equity(self, currency: str, mark: Decimal) -> Decimal:
        """Return balance plus floating profit."""
        floating = (item.floating(mark) for item in self.in_currency(currency))
        return sum(floating, self.balances[currency])


class Margin(msgspec.Struct, frozen=True):
    """What it takes to hold a position: a share of its value, and of that a share to keep it."""

    leverage: int
    maintenance: Decimal = Decimal("0.5")

    def of(self, value: Decimal) -> tuple[Decimal, Decimal]:
        """Return the initial and the maintenance margin of a value."""
        with localcontext(CONTEXT):
            initial = (value / self.leverage).quantize(COIN_STEP)
            return plain(initial), plain((initial * self.maintenance).quantize(COIN_STEP))


def overdrawn(account: Account, mark: Decimal, margin: Margin) -> list[str]:
    """Return the currencies whose equity is below the maintenance margin of what is held."""
    found = []
    for currency in CURRENCIES:
        value = sum((held.value(mark) for held in account.in_currency(currency)), ZERO)
        if value and margin.of(value)[1] > account.equity(currency, mark):
            found.append(currency)
    return found


def position_wire(position: Position, mark: Decimal, margin: Margin) -> Wire:
    """Return the position as Deribit shows it (protocol section 11)."""
    item = position.instrument
    value, floating = position.value(mark), plain(position.floating(mark))
    signed = value if position.size >= 0 else -value
    coins = plain(signed) if item.inverse else plain(position.size)
    initial, maintenance = margin.of(value)
    wire: Wire = {
        "instrument_name": position.instrument_name,
        "kind": "future",
        "direction": position.direction,
        "size": plain(position.size),
        "size_currency": coins,
        "average_price": position.average_price,
        "mark_price": mark,
        "index_price": mark,
        "settlement_price": mark,
        "initial_margin": initial,
        "maintenance_margin": maintenance,
        "open_orders_margin": ZERO,
        "floating_profit_loss": floating,
        "realized_profit_loss": plain(position.realized),
        "total_profit_loss": floating,
        "realized_funding": ZERO,
        "interest_value": ZERO,
        "delta": coins,
        "leverage": margin.leverage,
        "estimated_liquidation_price": None,
    }
    return wire


def summary_wire(
    account: Account, currency: str, mark: Decimal, margin: Margin, limits: Limits
) -> Wire:
    """Return the account summary of one currency (protocol section 11)."""
    held = account.in_currency(currency)
    balance = account.balances[currency]
    equity = account.equity(currency, mark)
    initial, maintenance = margin.of(sum((p.value(mark) for p in held), ZERO))
    free = equity - initial
    unrealized = plain(equity - balance)
    realized = plain(sum((p.realized for p in held), ZERO))
    wire: Wire = {
        "currency": currency,
        "balance": plain(balance),
        "equity": plain(equity),
        "margin_balance": plain(equity),
        "available_funds": plain(free),
        "available_withdrawal_funds": plain(min(free, balance - initial)),
        "initial_margin": initial,
        "maintenance_margin": maintenance,
        "projected_initial_margin": initial,
        "projected_maintenance_margin": maintenance,
        "session_rpl": realized,
        "session_upl": unrealized,
        "total_pl": plain(realized + unrealized),
        "futures_pl": plain(realized + unrealized),
        "futures_session_rpl": realized,
        "futures_session_upl": unrealized,
        "spot_reserve": ZERO,
        "additional_reserve": ZERO,
        "locked_balance": ZERO,
        "fee_balance": ZERO,
        "margin_model": "segregated_sm",
        "cross_collateral_enabled": False,
        "portfolio_margining_enabled": False,
        "limits": {
            "limits_per_currency": False,
            "non_matching_engine": limits["general"]._asdict(),
            "matching_engine": {
                "trading": {"total": limits["matching"]._asdict()},
                "cancel_all": limits["cancel_all"]._asdict(),
            },
        },
    }
    return wire


def account_number(token: str) -> int:
    """Return a number for a new account, from a random token."""
    return int.from_bytes(blake2b(token.encode(), digest_size=4).digest(), "big")
