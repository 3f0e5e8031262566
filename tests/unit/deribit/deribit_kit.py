"""A link without a socket: answers by method, and remembers what it was asked."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import trio
from msgspec import Raw

from chaos.fuzz import campaign
from tradebaas.core.model import ContractKind, Direction, Instrument, Intent, Leg, Role
from tradebaas.deribit.clock import ExchangeClock
from tradebaas.deribit.convert import Contracts
from tradebaas.deribit.errors import CallFailed
from tradebaas.deribit.rpc import Answer, Params, Priority

SAMPLES = campaign.SAMPLES.read_text(encoding="utf-8").splitlines()
NOW_MS = 1_790_000_000_000
BTC = Instrument(
    name="BTC-PERPETUAL",
    kind=ContractKind.INVERSE,
    currency="BTC",
    tick_size=Decimal("0.5"),
    amount_step=Decimal(10),
    min_amount=Decimal(10),
    max_leverage=Decimal(50),
    taker_commission=Decimal("0.00035"),
)
ENTRY = Intent(
    label="tb1-life-7-e",
    role=Role.ENTRY,
    instrument="BTC-PERPETUAL",
    direction=Direction.BUY,
    amount=Decimal(1000),
    order_type="limit",
    reduce_only=False,
    life=1,
    connection=1,
    intended_ms=NOW_MS,
    valid_until_ms=NOW_MS + 2000,
    price=Decimal("80500.5"),
    legs=(
        Leg(label="tb1-life-7-s", order_type="stop_market", trigger_price=Decimal("79000.0")),
        Leg(label="tb1-life-7-t", order_type="limit", price=Decimal("83000.0")),
    ),
)
STOP = Intent(
    label="tb1-life-8-s",
    role=Role.STOP,
    instrument="BTC-PERPETUAL",
    direction=Direction.SELL,
    amount=Decimal(1000),
    order_type="stop_market",
    reduce_only=True,
    life=1,
    connection=1,
    intended_ms=NOW_MS,
    valid_until_ms=NOW_MS + 2000,
    trigger_price=Decimal(79000),
)


class Timeframe(msgspec.Struct, frozen=True):
    ms: int = 60_000
    resolution: str = "1"


Result = object | Callable[[Params], object]


class Desk:
    """Answers calls from a table; a result may be a function of the parameters or an error."""

    def __init__(self, results: dict[str, Result], now_ms: int = NOW_MS) -> None:
        self.clock = ExchangeClock()
        self.contracts = Contracts()
        self.results: dict[str, Result] = {"public/get_time": now_ms} | results
        self.asked: list[tuple[str, Params]] = []
        self.now_ms = now_ms

    async def call(
        self,
        method: str,
        params: Params,
        *,
        within: float | None = None,
        priority: Priority = Priority.NORMAL,
        guard: Callable[[], bool] | None = None,
    ) -> Answer:
        _ = within, priority, guard  # a table answers at once, whoever asks
        await trio.lowlevel.checkpoint()
        self.asked.append((method, params))
        result = self.results[method]
        if callable(result):
            result = result(params)
        if isinstance(result, Exception):
            raise result
        self.now_ms += 10
        text = result if isinstance(result, bytes) else msgspec.json.encode(result)
        stamp = self.now_ms * 1000
        return Answer(id=len(self.asked), result=Raw(text), us_in=stamp, us_out=stamp)

    def methods(self) -> list[str]:
        return [method for method, _ in self.asked]


def fails(code: int, message: str = "refused", data: str = "") -> CallFailed:
    return CallFailed("the call", code, message, data)


def wire_order(**changes: object) -> dict[str, object]:
    """An order as the exchange sends it, unused fields included."""
    return {
        "order_id": "90000000001",
        "order_state": "open",
        "order_type": "limit",
        "time_in_force": "good_til_cancelled",
        "instrument_name": "BTC-PERPETUAL",
        "direction": "buy",
        "price": 80500.0,
        "amount": 1000.0,
        "contracts": 100.0,
        "filled_amount": 0.0,
        "average_price": 0.0,
        "label": "tb1-life-7-e",
        "post_only": "false",
        "reduce_only": False,
        "creation_timestamp": NOW_MS,
        "last_update_timestamp": NOW_MS,
        "user_id": 4242,
    } | changes


def wire_trade(**changes: object) -> dict[str, object]:
    """A trade of the account as the exchange sends it."""
    return {
        "trade_id": "410000001",
        "trade_seq": 300000001,
        "instrument_name": "BTC-PERPETUAL",
        "timestamp": NOW_MS,
        "order_type": "limit",
        "order_id": "90000000001",
        "matching_id": None,
        "direction": "buy",
        "price": 80500.0,
        "amount": 10.0,
        "fee": 2.16e-6,
        "fee_currency": "BTC",
        "liquidity": "T",
        "label": "tb1-life-7-e",
        "profit_loss": None,
    } | changes
