"""Subscriptions: which channels a session needs, and what their frames mean.

Private channels have no snapshot and no replay: subscribe first, read the account after that. The
exchange leaves out unknown or forbidden channels without a word, so the list it returns is compared
with what was asked (protocol dossier section 12). A frame that makes no sense becomes
``Unreadable``; the next one is read as if nothing had been.
"""

from typing import Protocol, final

from msgspec import Struct

from tradebaas.core.model import Account, Candle, Fill, Instrument, Order, Ticker
from tradebaas.deribit import convert, wire
from tradebaas.deribit.calls import Caller, ask, of
from tradebaas.deribit.convert import CANNOT_READ, Contracts
from tradebaas.deribit.errors import LinkLost
from tradebaas.deribit.rpc import Notification, Params


class Timeframe(Protocol):
    """The length of a bar: ``ms``, and Deribit's word for it (minutes)."""

    @property
    def ms(self) -> int: ...

    @property
    def resolution(self) -> str: ...


@final
class Changes(Struct, frozen=True, kw_only=True):
    """Orders and executions of the account, ours or the owner's."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]


@final
class TickerTick(Struct, frozen=True, kw_only=True):
    """New prices."""

    instrument: str
    ticker: Ticker


@final
class BarTick(Struct, frozen=True, kw_only=True):
    """The running bar as it stands; ``resolution`` in Deribit's words."""

    instrument: str
    resolution: str
    candle: Candle


@final
class AccountTick(Struct, frozen=True, kw_only=True):
    """Equity changed."""

    account: Account


@final
class Maintenance(Struct, frozen=True, kw_only=True):
    """The exchange says that it will be closed, or that it is not any more."""

    coming: bool


@final
class Unreadable(Struct, frozen=True, kw_only=True):
    """A frame that makes no sense."""

    raw: str
    reason: str


Item = Changes | TickerTick | BarTick | AccountTick | Maintenance | Unreadable
PLATFORM = "platform_state"
"""Nice to hear, and not needed: what it announces is noticed when it comes as well."""


def channels(instrument: Instrument, timeframe: Timeframe) -> tuple[str, ...]:
    """What a session on one instrument must hear: every change of the account in its currency."""
    name, currency = instrument.name, instrument.currency
    return (
        f"user.changes.future.{currency}.raw",
        f"user.portfolio.{currency.lower()}",
        f"ticker.{name}.100ms",
        f"chart.trades.{name}.{timeframe.resolution}",
    )


async def subscribe(link: Caller, instrument: Instrument, timeframe: Timeframe) -> None:
    """Subscribe to all that a session needs, and to what is nice to hear.

    Raises:
        LinkLost: the exchange dropped a channel without a word.
        CallFailed, Unanswered: as ``Link.call``.
    """
    wanted = channels(instrument, timeframe)
    params: Params = {"channels": [*wanted, PLATFORM]}
    got = await ask(link, "private/subscribe", params, of(list[str]))
    known = {channel.casefold() for channel in got}
    dropped = [channel for channel in wanted if channel.casefold() not in known]
    if dropped:
        raise LinkLost(f"the exchange did not subscribe to {', '.join(dropped)}")


def decode(note: Notification, contracts: Contracts) -> Item | None:
    """What a notification says; None for what is of no use. Never raises."""
    try:
        return _decode(note, contracts)
    except CANNOT_READ as error:
        return Unreadable(raw=note.raw, reason=f"{note.channel}: {error}")


def _decode(note: Notification, contracts: Contracts) -> Item | None:
    match note.channel.split("."):
        case ["user", "changes", *_]:
            changes = wire.parse(note.data, wire.Changes)
            orders, fills = convert.bundle(changes.orders or (), changes.trades or (), contracts)
            return Changes(orders=orders, fills=fills)
        case ["user", "portfolio", _]:
            return AccountTick(account=convert.account(wire.parse(note.data, wire.Summary)))
        case ["ticker", name, _]:
            return _ticker(name, wire.parse(note.data, wire.Ticker))
        case ["chart", "trades", name, resolution]:
            candle = convert.bar(wire.parse(note.data, wire.Bar), contracts.kind(name))
            return BarTick(instrument=name, resolution=resolution, candle=candle)
        case ["platform_state"]:
            told = wire.parse(note.data, wire.PlatformState).maintenance
            return None if told is None else Maintenance(coming=told)
        case _:
            return Unreadable(raw=note.raw, reason=f"not subscribed to {note.channel}")


def _ticker(name: str, item: wire.Ticker) -> TickerTick | None:
    """An empty side of the book is no price; the last one grows old, which the core watches."""
    if not item.best_bid_price or not item.best_ask_price:
        return None
    return TickerTick(instrument=name, ticker=convert.ticker(item))


def stamp_ms(item: Item | None) -> int:
    """The latest exchange time that an item bears, 0 for none."""
    match item:
        case TickerTick(ticker=ticker):
            return ticker.at_ms
        case Changes(orders=orders, fills=fills):
            stamps = [order.updated_ms for order in orders] + [fill.at_ms for fill in fills]
            return max(stamps, default=0)
        case BarTick(candle=candle):
            return candle.open_ms
        case _:
            return 0
