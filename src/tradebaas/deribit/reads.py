"""What the exchange holds, read and converted; nothing here changes anything there.

Every function raises ``LinkLost``, ``Unanswered`` (also for an answer that makes no sense) or
``CallFailed``, as ``Link.call`` does; a list is never returned with an unreadable part left out,
since what is missing from it would count as gone. How far back each store goes is protocol dossier
section 10: recent orders 30 minutes, recent trades 24 hours, the archive only what is older.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import final

from msgspec import Raw, Struct

from tradebaas.core.model import Absence, Account, Candle, Fill, Instrument, Order, Ticker
from tradebaas.deribit import convert, histories, wire
from tradebaas.deribit.calls import Caller, Guard, ask, of, understand
from tradebaas.deribit.clock import ExchangeClock
from tradebaas.deribit.convert import Contracts
from tradebaas.deribit.credits import Allowed, Pool
from tradebaas.deribit.errors import CallFailed, Kind, Unanswered, kind_of
from tradebaas.deribit.histories import MAX_PAGES, MAX_ROWS
from tradebaas.deribit.rpc import Answer, Params, Priority
from tradebaas.deribit.stream import Timeframe

MAX_BARS = 5000
AHEAD_MS = 60_000
STORES = (False, True)
"""Both stores are read, the recent one and the archive, and never one alone: how far the recent one
reaches back is the exchange's to change (protocol dossier section 10: a day of trades, half an hour
of orders), and a gap between what it holds and what we believe it holds would hide a fill."""
BEFORE_MS = 60_000
"""How long before the intent to begin looking: its stamp is an estimate of exchange time."""


@final
class WirePosition(Struct, frozen=True, kw_only=True):
    """An open position: ``size`` signed, in the unit of amounts."""

    instrument: str
    size: Decimal
    average_price: Decimal


# ---------------------------------------------------------------------------------- the market


async def server_time(link: Caller) -> int:
    """Exchange time, ms since the epoch."""
    return await ask(link, "public/get_time", {}, of(int))


async def locked(link: Caller) -> bool:
    """Whether the exchange as a whole takes no orders now; of a part of it nothing is said here."""
    status = await ask(link, "public/status", {}, of(wire.Status))
    return str(status.locked).lower() == "true"


async def instrument(link: Caller, name: str) -> Instrument:
    """A contract; remembered in ``link.contracts``."""
    params: Params = {"instrument_name": name}
    found = await ask(
        link,
        "public/get_instrument",
        params,
        lambda raw: convert.instrument(wire.parse(raw, wire.Instrument)),
    )
    link.contracts.note(found)
    return found


async def ticker(link: Caller, name: str) -> Ticker:
    """The present prices; a book without a bid or an ask is no answer (``Unanswered``)."""
    return await ask(
        link,
        "public/ticker",
        {"instrument_name": name},
        lambda raw: convert.ticker(wire.parse(raw, wire.Ticker)),
    )


async def candles(
    link: Caller, instrument: Instrument, timeframe: Timeframe, start_ms: int, end_ms: int
) -> tuple[Candle, ...]:
    """Bars that open in start..end and were closed when asked, oldest first, in pages."""
    found: dict[int, Candle] = {}
    while start_ms <= end_ms:
        last_ms = min(end_ms, start_ms + (MAX_BARS - 1) * timeframe.ms)
        params: Params = {
            "instrument_name": instrument.name,
            "start_timestamp": start_ms,
            "end_timestamp": last_ms,
            "resolution": timeframe.resolution,
        }
        method = "public/get_tradingview_chart_data"
        answer = await link.call(method, params)
        page = understand(
            method,
            answer,
            lambda raw: convert.candles(wire.parse(raw, wire.Chart), instrument.kind),
        )
        found |= {bar.open_ms: bar for bar in _closed(page, timeframe.ms, answer.in_ms)}
        start_ms = last_ms + 1
    return tuple(found[open_ms] for open_ms in sorted(found))


def _closed(page: tuple[Candle, ...], length_ms: int, now_ms: int) -> list[Candle]:
    """The bars that are over. The exchange shows it by the next one; without that, by its age:
    one that has just ended may still get trades of its last moment."""
    newest_ms = page[-1].open_ms if page else 0
    long_ago_ms = now_ms - 2 * length_ms
    return [bar for bar in page if bar.open_ms < newest_ms or bar.open_ms <= long_ago_ms]


async def history(
    link: Caller, instrument: Instrument, timeframe: Timeframe, count: int
) -> tuple[Candle, ...]:
    """The newest ``count`` closed bars (fewer if there are fewer), oldest first."""
    now_ms = await server_time(link)
    start_ms = now_ms - (count + 1) * timeframe.ms
    found = await candles(link, instrument, timeframe, start_ms, now_ms)
    return found[-count:]


# --------------------------------------------------------------------------------- the account


async def account(link: Caller, currency: str) -> Account:
    """Equity and free funds in one currency."""
    return await ask(
        link,
        "private/get_account_summary",
        {"currency": currency},
        lambda raw: convert.account(wire.parse(raw, wire.Summary)),
    )


@final
class Identity(Struct, frozen=True, kw_only=True):
    """The account that a login leads to, whatever its key ("": not said), and its rate limits."""

    account: str
    allowed: dict[Pool, Allowed]


async def identity(link: Caller, currency: str) -> Identity:
    """Who the exchange says that we are."""
    params: Params = {"currency": currency, "extended": True}
    summary = await ask(link, "private/get_account_summary", params, of(wire.Summary))
    return Identity(account=str(summary.id or ""), allowed=convert.allowed(summary))


@final
class Positions(Struct, frozen=True, kw_only=True):
    """What is open, and when the exchange was asked for it (its own ms; 0 when it does not say)."""

    asked_ms: int
    found: tuple[WirePosition, ...]


async def positions(link: Caller) -> Positions:
    """Every open position, in all currencies: an option draws on the same margin as a future."""

    def read(raw: Raw) -> tuple[WirePosition, ...]:
        found = (_position(link, item) for item in wire.parse(raw, list[wire.Position]))
        return tuple(position for position in found if position.size)

    method = "private/get_positions"
    answer = await link.call(method, {"currency": "any"})
    return Positions(asked_ms=answer.in_ms, found=understand(method, answer, read))


def _position(link: Caller, item: wire.Position) -> WirePosition:
    size, price = convert.position(item, link.contracts.kind(item.instrument_name))
    return WirePosition(instrument=item.instrument_name, size=size, average_price=price)


async def open_orders(link: Caller) -> tuple[Order, ...]:
    """Every open order, untriggered ones and waiting secondaries too, in all currencies."""
    return await ask(link, "private/get_open_orders", {"type": "all"}, histories.read_orders)


async def order(link: Caller, order_id: str) -> Order | None:
    """One order, or None when the exchange does not know it (any more)."""
    try:
        return await ask(
            link,
            "private/get_order_state",
            {"order_id": order_id},
            lambda raw: convert.order(wire.parse(raw, wire.Order)),
        )
    except CallFailed as error:
        if kind_of(error.code) is Kind.RECONCILE or "order_id" in error.data:
            return None
        raise


async def orders_by_label(link: Caller, currency: str, label: str) -> tuple[Order, ...]:
    """Recent orders that bear a label: none, one, or a trigger order and what it became."""
    params: Params = {"currency": currency, "label": label}
    return await ask(link, "private/get_order_state_by_label", params, histories.read_orders)


# ------------------------------------------------------------------------------------- trades


async def trades(link: Caller, instrument: Instrument, start_ms: int) -> tuple[Fill, ...]:
    """All executions on futures in the instrument's currency since ``start_ms``, oldest first."""
    now_ms = await server_time(link)
    found: dict[tuple[str, str], Fill] = {}
    for historical in STORES:
        found |= await _trades(link, instrument.currency, start_ms, now_ms + AHEAD_MS, historical)
    return tuple(sorted(found.values(), key=lambda fill: (fill.at_ms, fill.trade_id)))


async def _trades(
    link: Caller, currency: str, start_ms: int, end_ms: int, historical: bool
) -> dict[tuple[str, str], Fill]:
    """Executions of one store, by (instrument, trade id), page by page."""

    def read(raw: Raw) -> tuple[tuple[Fill, ...], bool]:
        page = wire.parse(raw, wire.Trades)
        return convert.bundle((), page.trades, link.contracts)[1], bool(page.has_more)

    found: dict[tuple[str, str], Fill] = {}
    for _ in range(MAX_PAGES):
        params: Params = {
            "currency": currency,
            "kind": "future",
            "start_timestamp": start_ms,
            "end_timestamp": end_ms,
            "count": MAX_ROWS,
            "sorting": "asc",
            "historical": historical,
        }
        fills, more = await ask(link, "private/get_user_trades_by_currency_and_time", params, read)
        before = len(found)
        found |= {(fill.instrument, fill.trade_id): fill for fill in fills}
        if not more:
            return found
        if len(found) == before:
            raise Unanswered(f"more than {MAX_ROWS} trades at {start_ms} ms: cannot page further")
        start_ms = max(fill.at_ms for fill in fills)
    raise Unanswered(f"more than {MAX_PAGES * MAX_ROWS} trades since {start_ms} ms")


# ---------------------------------------------------------------------------- proof of absence


@final
class Found(Struct, frozen=True, kw_only=True):
    """What bears one of the labels."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]


SOURCES: dict[tuple[str, object], str] = {
    ("private/get_open_orders", None): "open_orders",
    ("private/get_order_state_by_label", None): "label",
    ("private/get_order_history_by_instrument", False): "recent_orders",
    ("private/get_order_history_by_instrument", True): "archive_orders",
    ("private/get_trigger_order_history", None): "trigger_history",
    ("private/get_user_trades_by_currency_and_time", False): "recent_trades",
    ("private/get_user_trades_by_currency_and_time", True): "archive_trades",
    ("private/get_positions", None): "position",
}
"""Which place a read looks into (``core.proof.PLACES``), by its method and its ``historical``."""


@final
class _Witness:
    """A link that notes which places were read, and when its earliest call was received. It goes
    first: nothing that adds risk is sent before an unknown outcome is known."""

    def __init__(self, link: Caller) -> None:
        self.link = link
        self.read_ms: int | None = None
        self.sources: list[str] = []

    @property
    def clock(self) -> ExchangeClock:
        return self.link.clock

    @property
    def contracts(self) -> Contracts:
        return self.link.contracts

    async def call(
        self,
        method: str,
        params: Params,
        *,
        within: float | None = None,
        priority: Priority = Priority.PROVE,
        guard: Guard | None = None,
    ) -> Answer:
        answer = await self.link.call(method, params, within=within, priority=priority, guard=guard)
        at_ms = answer.in_ms
        self.read_ms = at_ms if self.read_ms is None else min(self.read_ms, at_ms)
        source = SOURCES.get((method, params.get("historical")))
        if source is not None and source not in self.sources:
            self.sources.append(source)
        return answer


async def probe(
    link: Caller, labels: tuple[str, ...], instrument: Instrument, since_ms: int
) -> Found | Absence:
    """Look everywhere for an intent (``labels``: its own, then its legs') made at ``since_ms``.

    Raises:
        CallFailed, Unanswered, LinkLost: a place could not be read, so nothing is known.
    """
    witness = _Witness(link)
    since_ms -= BEFORE_MS
    orders = await _everywhere(witness, labels, instrument, since_ms)
    fills = await trades(witness, instrument, since_ms)
    held = await positions(witness)
    ours = {order.order_id for order in orders}
    hits = tuple(f for f in fills if f.label in labels or f.order_id in ours)
    if orders or hits:
        return Found(orders=orders, fills=hits)
    sizes = {position.instrument: position.size for position in held.found}
    return Absence(
        label=labels[0],
        read_ms=witness.read_ms or 0,
        sources=tuple(witness.sources),
        position=sizes.get(instrument.name, Decimal(0)),
    )


async def _everywhere(
    witness: _Witness, labels: tuple[str, ...], instrument: Instrument, since_ms: int
) -> tuple[Order, ...]:
    """All orders that bear one of the labels, each as it was described last."""
    newest: dict[str, Order] = {}

    def keep(orders: Iterable[Order]) -> None:
        for order in orders:
            known = newest.get(order.order_id)
            if known is None or _newer(order, known):
                newest[order.order_id] = order

    for label in labels:
        keep(await orders_by_label(witness, instrument.currency, label))
    keep(await open_orders(witness))
    for historical in STORES:
        keep(await histories.order_history(witness, instrument, since_ms, historical))
    fired = await histories.trigger_history(witness, instrument, since_ms)
    keep(order for order in fired if order.order_id not in newest)
    return _kin(newest.values(), labels)


def _kin(orders: Iterable[Order], labels: tuple[str, ...]) -> tuple[Order, ...]:
    """Those that bear one of the labels, and those without one that belong to them by an edge."""
    found = {order.order_id: order for order in orders if order.label in labels}
    rest = [order for order in orders if not order.label]
    grown = True
    while grown:
        names = {name for order in found.values() for name in _names(order)}
        more = [o for o in rest if o.order_id not in found and names & _edges(o)]
        found |= {order.order_id: order for order in more}
        grown = bool(more)
    return tuple(found.values())


def _names(order: Order) -> set[str]:
    return {order.order_id, *order.oto_order_ids, f"oco {order.oco_ref}"} - {"oco None"}


def _edges(order: Order) -> set[str]:
    edges = (order.order_id, order.trigger_order_id, order.primary_order_id)
    return {edge for edge in edges if edge} | {f"oco {order.oco_ref}"} - {"oco None"}


def _newer(order: Order, known: Order) -> bool:
    return (order.updated_ms, order.filled) > (known.updated_ms, known.filled)
