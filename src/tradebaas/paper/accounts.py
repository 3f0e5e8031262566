"""Positions, balances and margin of an account, in Decimal (protocol section 13).

A fill is worth ``amount / price`` coins (inverse, rounded half-even to 12 decimals) or
``amount * price`` (linear). An opening fill adds its value to the position's cost; a reducing fill
takes its share of the cost out again and the last one takes what is left, so the profit of a
position from flat to flat is exactly the signed sum of the values of its fills.

Fees reach the balance at once. Profit, funding, and what a position has gained or lost since the
last settlement are the session's until the next one moves them to the balance. ``balances`` has
realised profit at once, and ``summary_wire`` shows it as Deribit does: nothing else depends on when
it is moved. Funding is kept apart until it is moved, with more digits than money has.
"""

from decimal import Decimal, localcontext
from hashlib import blake2b

import msgspec

from tradebaas.paper.basis import MARK_STEP
from tradebaas.paper.candles import HIGHEST_PRICE, LOWEST_PRICE
from tradebaas.paper.instruments import (
    COIN_STEP,
    CONTEXT,
    CURRENCIES,
    INSTRUMENTS,
    Instrument,
    plain,
)

ZERO = Decimal(0)
FUNDING_STEP = Decimal("1E-24")


class Position(msgspec.Struct, kw_only=True):
    """One instrument's position; ``size`` is negative when short, ``cost`` is never negative.

    ``session`` is the profit that was realised since the last settlement, as of the price that it
    was settled at; ``settled`` is the part of the floating profit that settlements have moved.
    ``funding_told`` is the part of the session's funding that the transaction log has.
    """

    instrument_name: str
    size: Decimal = ZERO
    cost: Decimal = ZERO
    weight: Decimal = ZERO
    realized: Decimal = ZERO
    traded: bool = False
    session: Decimal = ZERO
    settled: Decimal = ZERO
    funding: Decimal = ZERO
    funding_told: Decimal = ZERO

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
        moved = (
            (self.settled * amount / held).quantize(COIN_STEP) if amount < held else self.settled
        )
        self.settled -= moved
        self.session += profit - moved
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

    def coins(self, mark: Decimal) -> Decimal:
        """Return how many coins it moves with, negative when short (``delta``)."""
        if not self.instrument.inverse:
            return plain(self.size)
        return plain(self.value(mark) if self.size >= 0 else -self.value(mark))

    def accrue(self, share: Decimal, mark: Decimal) -> None:
        """Pay or receive funding, which is a share of what is held."""
        if self.size:
            with localcontext(CONTEXT):
                paid = share * self.instrument.weight(self.size, mark)
                self.funding -= paid.quantize(FUNDING_STEP)

    def settle(self, mark: Decimal) -> tuple[Decimal, Decimal]:
        """Begin a new session; return the profit and the funding that are moved to the balance."""
        floating, funding = self.floating(mark), self.funding_due
        with localcontext(CONTEXT):
            moved = self.session + floating - self.settled
            self.funding -= funding
        self.session, self.settled, self.funding_told = ZERO, floating, ZERO
        return moved, funding

    def tell_funding(self) -> Decimal:
        """Return the funding since the last row of the transaction log; this one has it now."""
        with localcontext(CONTEXT):
            since = self.funding_due - self.funding_told
        self.funding_told += since
        return since

    @property
    def funding_due(self) -> Decimal:
        """Return the funding of this session as money."""
        with localcontext(CONTEXT):
            return self.funding.quantize(COIN_STEP)


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

    def held_in(self, currency: str) -> Decimal:
        """Return the balance of a currency, nothing in one that nothing here settles in."""
        return self.balances.get(currency, ZERO)

    def equity(self, currency: str, mark: Decimal) -> Decimal:
        """Return what the account would be worth if all its positions were closed at ``mark``."""
        held = self.in_currency(currency)
        return sum((p.floating(mark) + p.funding_due for p in held), self.held_in(currency))

    def cash(self, currency: str) -> Decimal:
        """Return the balance as Deribit shows it: without the profit of the session."""
        held = self.in_currency(currency)
        return sum((p.settled - p.session for p in held), self.held_in(currency))

    def settle(self, position: Position, mark: Decimal) -> tuple[Decimal, Decimal]:
        """Begin a new session; return the profit and the funding that it moved to the balance."""
        profit, funding = position.settle(mark)
        self.balances[position.instrument.settlement_currency] += funding
        return profit, funding


class Margin(msgspec.Struct, frozen=True):
    """What it takes to hold a position: a share of its value, which grows with its size.

    To open it takes one part in ``leverage``, to keep it ``maintenance`` of that; both are
    ``slope`` more for each coin that is held, and ``factor`` times as much.
    """

    leverage: int
    maintenance: Decimal = Decimal("0.5")
    slope: Decimal = Decimal("0.00005")
    factor: Decimal = Decimal(1)

    def of(self, item: Instrument, size: Decimal, mark: Decimal) -> tuple[Decimal, Decimal]:
        """Return the initial and the maintenance margin of a size."""
        if not size:
            return ZERO, ZERO
        size = abs(size)
        value = item.value(size, mark)
        with localcontext(CONTEXT):
            base = self.factor * value / self.leverage
            grown = self.factor * value * self.slope * (value if item.inverse else size)
            initial, maintenance = base + grown, base * self.maintenance + grown
            return plain(initial.quantize(COIN_STEP)), plain(maintenance.quantize(COIN_STEP))


def overdrawn(account: Account, mark: Decimal, margin: Margin) -> list[str]:
    """Return the currencies whose equity is below the maintenance margin of what is held."""
    return [currency for currency in CURRENCIES if _overdrawn(account, currency, mark, margin)]


def _overdrawn(account: Account, currency: str, mark: Decimal, margin: Margin) -> bool:
    held = [p for p in account.in_currency(currency) if p.size]
    needed = sum((margin.of(p.instrument, p.size, mark)[1] for p in held), ZERO)
    return bool(held) and needed > account.equity(currency, mark)


def liquidation_price(
    account: Account, position: Position, mark: Decimal, margin: Margin
) -> Decimal | None:
    """Return the nearest mark price that takes a position away; None if its loss never does.

    It is looked for by halving, with the rule itself, so that it is right to the last digit.
    """
    currency = position.instrument.settlement_currency

    def taken_at(price: Decimal) -> bool:
        return _overdrawn(account, currency, price, margin)

    if not position.size:
        return None
    if taken_at(mark):
        return mark
    carried, taken = mark, LOWEST_PRICE if position.size > 0 else HIGHEST_PRICE
    if not taken_at(taken):
        return None
    with localcontext(CONTEXT):
        while abs(carried - taken) > MARK_STEP:
            middle = ((carried + taken) / 2).quantize(MARK_STEP)
            carried, taken = (carried, middle) if taken_at(middle) else (middle, taken)
    return taken


def account_number(token: str) -> int:
    """Return a number for a new account, from a random token."""
    return int.from_bytes(blake2b(token.encode(), digest_size=4).digest(), "big")
