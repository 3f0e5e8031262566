"""The channels that a client can subscribe to, and the topics that each carries (section 12).

A channel is resolved to topics once, at the subscription: many channels may carry one topic, and
one channel the topics of several instruments. Nobody locks an account, so ``user.lock`` is true to
what it tells: nothing. An unknown channel is silently left out, as Deribit
does.
"""

from tradebaas.paper.books import DEPTHS, GROUPS
from tradebaas.paper.charts import RESOLUTIONS
from tradebaas.paper.instruments import CURRENCIES, INSTRUMENTS

INTERVALS = ("raw", "100ms", "agg2")
SLOW = ("100ms", "agg2")
"""The intervals of a grouped book, which has no raw form."""
KINDS = ("any", "future")
INDICES = {item.price_index for item in INSTRUMENTS.values()}
UNEVENTFUL = {"announcements", "platform_state.public_methods_state"}
"""Known, but nothing happens there: nothing is announced, and the public may always ask."""
PER_INSTRUMENT = {
    "ticker": "ticker",
    "book": "book",
    "perpetual": "perpetual",
    "trades": "prints",
}
"""What public channels with an interval are called, and the topics they carry."""


def topics_of(channel: str) -> tuple[str, ...]:
    """Return the topics that a channel carries; none when it is unknown."""
    if channel in UNEVENTFUL or channel == "platform_state":
        return (channel,)
    parts = channel.split(".")
    return _account_topics(parts[1:]) if parts[0] == "user" else _market_topics(parts)


def _account_topics(parts: list[str]) -> tuple[str, ...]:
    match parts:
        case [("changes" | "orders" | "trades") as what, name, interval] if interval in INTERVALS:
            return _known(what, name)
        case [("changes" | "orders" | "trades") as what, kind, currency, interval] if (
            kind in KINDS and interval in INTERVALS
        ):
            return _of_currency(what, currency)
        case ["portfolio", currency]:
            wanted = currency.upper()
            return tuple(f"portfolio.{name}" for name in CURRENCIES if wanted in {"ANY", name})
        case [("access_log" | "lock") as what]:
            return (what,)
        case _:
            return ()


def _market_topics(parts: list[str]) -> tuple[str, ...]:
    match parts:
        case ["chart", "trades", name, resolution] if resolution in RESOLUTIONS:
            return _known("chart", name, f".{RESOLUTIONS[resolution]}")
        case ["deribit_price_index", index]:
            return (f"index.{index}",) if index in INDICES else ()
        case ["quote", name]:
            return _known("quote", name)
        case ["incremental_ticker", name]:
            return _known("incremental", name)
        case ["book", name, group, depth, interval] if (
            group in GROUPS and depth in DEPTHS and interval in SLOW
        ):
            return _known("grouped", name, f".{group}.{depth}")
        case ["trades", kind, currency, interval] if kind in KINDS and interval in INTERVALS:
            return _of_currency("prints", currency)
        case ["instrument", "state", kind, currency] if kind in KINDS:
            return _of_currency("state", currency)
        case [what, name, interval] if what in PER_INSTRUMENT and interval in INTERVALS:
            return _known(PER_INSTRUMENT[what], name)
        case _:
            return ()


def _known(topic: str, name: str, rest: str = "") -> tuple[str, ...]:
    return (f"{topic}.{name}{rest}",) if name in INSTRUMENTS else ()


def _of_currency(topic: str, currency: str) -> tuple[str, ...]:
    wanted = currency.upper()
    held = INSTRUMENTS.values()
    return tuple(f"{topic}.{i.name}" for i in held if wanted in {"ANY", i.settlement_currency})
