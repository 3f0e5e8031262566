"""What an exchange is remembered by, and how it is made again from that.

There is no other start than this one: an exchange that was killed, one that was stopped and a new
one all begin here. Connections do not survive the process; those that were open when it ended are
parted from now, with all that follows at the exchange (cancel on disconnect).
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from tradebaas.errors import ConfigError
from tradebaas.paper.candles import read_candles
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.desk import Fill
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.market import GeneratedMarket, Market, ReplayMarket
from tradebaas.paper.orders import Order
from tradebaas.paper.recorder import Step
from tradebaas.paper.saved import SavedState
from tradebaas.paper.transactions import Transaction


class Left(NamedTuple):
    """What a run left: its state, and of each account all live orders, the newest ended ones,
    trades and rows of the transaction log; orders by creation, the others by time."""

    state: SavedState | None
    orders: list[Order]
    fills: list[Fill]
    transactions: list[Transaction]


class Ledger(Protocol):
    """Where each step of an exchange is made durable before anybody hears of it."""

    def load(self, count: int) -> Left:
        """Return what the last run left, of ended orders, trades and rows ``count`` at most."""
        ...

    def commit(self, step: Step, state: SavedState) -> None:
        """Make one step durable; all of it or nothing."""
        ...


def restore(
    config: ExchangeConfig,
    ledger: Ledger,
    new_token: Callable[[], str],
    wall_ms: int,
    market: Market | None = None,
) -> Exchange:
    """Return the exchange as the ledger left it, or a new one.

    ``wall_ms`` is when a generated market starts for the first time, if the settings do not say.
    ``market`` is used instead of the one that the settings name.

    Raises:
        ConfigError: the ledger belongs to another market, or the candle file does not fit.
        StoreFault: the ledger cannot be read.
    """
    left = ledger.load(config.remembered)
    saved = left.state
    if market is None:
        market = _market(config, saved, wall_ms)
    if saved is not None and saved.source != market.name:
        raise ConfigError(
            f"{config.directory} holds an exchange on another market ({saved.source}; asked for: "
            f"{market.name}); give the same settings or another directory"
        )
    exchange = Exchange(config, market, saved, new_token)
    for desk in exchange.desks.values():
        desk.restore(
            [order for order in left.orders if order.user_id == desk.user_id],
            [fill.trade for fill in left.fills if fill.user_id == desk.user_id],
            [row for row in left.transactions if row.user_id == desk.user_id],
        )
    exchange.part_from_all()
    return exchange


def _market(config: ExchangeConfig, saved: SavedState | None, wall_ms: int) -> Market:
    if config.candles is not None:
        first_open_ms, candles = read_candles(config.candles)
        if config.history >= len(candles):
            raise ConfigError(
                f"history {config.history} leaves nothing to play: {config.candles} has "
                f"{len(candles)} rows"
            )
        return ReplayMarket(first_open_ms, candles, config.history)
    start_ms = config.start_ms if config.start_ms is not None else wall_ms
    start_ms = saved.tape.start_ms if saved else start_ms
    return GeneratedMarket(config.seed, start_ms, config.past)
