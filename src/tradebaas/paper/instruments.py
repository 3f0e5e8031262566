"""The two instruments of the embedded exchange, with Deribit's field names (protocol section 7.1).

Also the rules that belong to an instrument alone: the value of an amount in the settlement coin,
and rounding to tick and contract. Decimal throughout.
"""

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext

import msgspec

CONTEXT = Context(prec=40, rounding=ROUND_HALF_EVEN)
COIN_STEP = Decimal("1E-12")
"""Values in the settlement currency are kept to 12 decimals (protocol section 13)."""
USDC_FEE_STEP = Decimal("1E-8")

Wire = dict[str, object]


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A perpetual future. ``amount`` is USD when ``inverse``, else coins of the base currency."""

    name: str
    instrument_id: int
    inverse: bool
    base_currency: str = "BTC"
    quote_currency: str
    settlement_currency: str
    price_index: str
    contract_size: Decimal
    fee_step: Decimal
    id_prefix: str
    tick_size: Decimal = Decimal("0.5")

    def value(self, amount: Decimal, price: Decimal) -> Decimal:
        """Return what ``amount`` is worth at ``price`` in the settlement currency."""
        with localcontext(CONTEXT):
            if self.inverse:
                return (amount / price).quantize(COIN_STEP)
            return amount * price

    def floor_amount(self, amount: Decimal) -> Decimal:
        """Return ``amount`` rounded down to whole contracts."""
        with localcontext(CONTEXT):
            contracts = (amount / self.contract_size).to_integral_value(ROUND_FLOOR)
            return contracts * self.contract_size

    def fee(self, rate: Decimal, value: Decimal) -> Decimal:
        """Return the fee on a fill worth ``value``."""
        with localcontext(CONTEXT):
            return (rate * value).quantize(self.fee_step)

    def weight(self, amount: Decimal, price: Decimal) -> Decimal:
        """Return the unrounded value, which averages are made of."""
        with localcontext(CONTEXT):
            return amount / price if self.inverse else amount * price

    def average(self, amount: Decimal, weight: Decimal) -> Decimal:
        """Return the average price of fills: harmonic when inverse, else the weighted mean."""
        if not amount or not weight:
            return Decimal(0)
        with localcontext(CONTEXT):
            price = amount / weight if self.inverse else weight / amount
            return plain(price.quantize(Decimal("1E-8")))


BTC_PERPETUAL = Instrument(
    name="BTC-PERPETUAL",
    instrument_id=900_001,
    inverse=True,
    quote_currency="USD",
    settlement_currency="BTC",
    price_index="btc_usd",
    contract_size=Decimal(10),
    fee_step=COIN_STEP,
    id_prefix="",
)
BTC_USDC_PERPETUAL = Instrument(
    name="BTC_USDC-PERPETUAL",
    instrument_id=900_002,
    inverse=False,
    quote_currency="USDC",
    settlement_currency="USDC",
    price_index="btc_usdc",
    contract_size=Decimal("0.0001"),
    fee_step=USDC_FEE_STEP,
    id_prefix="USDC-",
)
INSTRUMENTS = {item.name: item for item in (BTC_PERPETUAL, BTC_USDC_PERPETUAL)}
CURRENCIES = ("BTC", "USDC")


def plain(number: Decimal) -> Decimal:
    """Return ``number`` without trailing zeros and without an exponent for whole numbers."""
    short = number.normalize(CONTEXT)
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


def instrument_wire(item: Instrument, maker: Decimal, taker: Decimal, leverage: int) -> Wire:
    """Return the instrument as ``public/get_instrument`` shows it."""
    return {
        "kind": "future",
        "instrument_name": item.name,
        "instrument_id": item.instrument_id,
        "instrument_type": "reversed" if item.inverse else "linear",
        "future_type": "reversed" if item.inverse else "linear",
        "base_currency": item.base_currency,
        "quote_currency": item.quote_currency,
        "counter_currency": item.quote_currency,
        "settlement_currency": item.settlement_currency,
        "settlement_period": "perpetual",
        "price_index": item.price_index,
        "tick_size": item.tick_size,
        "tick_size_steps": [],
        "contract_size": item.contract_size,
        "min_trade_amount": item.contract_size,
        "max_leverage": leverage,
        "maker_commission": maker,
        "taker_commission": taker,
        "max_liquidation_commission": Decimal("0.01"),
        "block_trade_commission": Decimal("0.0002"),
        "block_trade_min_trade_amount": 200_000,
        "block_trade_tick_size": Decimal("0.01"),
        "is_active": True,
        "state": "open",
        "creation_timestamp": 1_534_167_754_000,
        "expiration_timestamp": 32_503_708_800_000,
    }
