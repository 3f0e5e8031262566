"""The public trades: what the market traded by itself, and between it what the accounts did.

The market prints at fixed moments of every bar, the turning points among them, at the price of its
path there; all prints of a bar together are its volume. So they are a function of the bar, need no
memory, and are the same after a restart. (Of a price shock the tape knows which of them it moved.)

A trade's sequence number is made of its time, which keeps the market's trades and the accounts' in
one order: ``SEQ_PER_MS`` numbers a millisecond, of which the market takes the first.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from heapq import merge
from operator import attrgetter
from typing import NamedTuple

import msgspec

from tradebaas.paper.desk import SEQ_PER_MS, Desk, Trade
from tradebaas.paper.instruments import INSTRUMENTS, Instrument, plain
from tradebaas.paper.market import on_tick
from tradebaas.paper.tape import PRINTS_MS, Tape, Turns

RISES, STAYS_HIGH, FALLS, STAYS_LOW = range(4)
"""Deribit's ``tick_direction``."""
REMEMBERED_BARS = 100
"""Enough for the running bar of every instrument, which is asked for with each ticker."""


class PublicTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A trade as everybody sees it (protocol section 7.2); ``direction`` is the taker's."""

    trade_id: str
    trade_seq: int
    instrument_name: str
    timestamp: int
    direction: str
    tick_direction: int
    price: Decimal
    amount: Decimal
    contracts: Decimal
    index_price: Decimal
    mark_price: Decimal
    liquidation: str | msgspec.UnsetType = msgspec.UNSET


def public_trades(
    tape: Tape, desks: Iterable[Desk], item: Instrument, span: range, *, newest_first: bool
) -> Iterator[PublicTrade]:
    """Return the trades in an instrument whose sequence numbers are in ``span``."""
    found = {
        trade.trade_seq: account_trade(trade)
        for desk in desks
        for trade in desk.trades_between(span.start // SEQ_PER_MS, span.stop // SEQ_PER_MS)
        if trade.instrument_name == item.name
    }
    both = merge(
        market_trades(tape, item, span, newest_first=newest_first),
        (found[number] for number in sorted(found, reverse=newest_first)),
        key=lambda trade: trade.trade_seq,
        reverse=newest_first,
    )
    return (trade for trade in both if trade.trade_seq in span)


def market_trades(
    tape: Tape, item: Instrument, span: range, *, newest_first: bool = False
) -> Iterator[PublicTrade]:
    """Return what the market itself traded."""
    span = range(span.start, min(span.stop, tape.reached_ms * SEQ_PER_MS + 1))
    first = max(tape.number(span.start // SEQ_PER_MS), tape.market.first)
    bars = range(first, min(tape.number(span.stop // SEQ_PER_MS), tape.state.bar) + 1)
    for number in reversed(bars) if newest_first else bars:
        turns = tape.turns(number)
        if turns is None:
            continue
        trades = _of_bar(item, tape, tape.tick(number), turns)
        reached = [trade for trade in trades if trade.trade_seq in span]
        yield from reversed(reached) if newest_first else reached


class Print(NamedTuple):
    """What the market trades at a moment of a bar; ``exact`` is where its path is then."""

    offset_ms: int
    exact: Decimal
    price: Decimal
    amount: Decimal
    tick_direction: int


@lru_cache(REMEMBERED_BARS)
def prints(name: str, turns: Turns) -> tuple[Print, ...]:
    """Return what the market trades in a bar: all that its candle says, in whole contracts."""
    item = INSTRUMENTS[name]
    before, tick = turns.price(0), RISES
    left, made = turns.cost, []
    for number, offset_ms in enumerate(PRINTS_MS):
        exact = turns.price(offset_ms)
        if exact != before:
            tick = RISES if exact > before else FALLS
        else:
            tick = STAYS_HIGH if tick in {RISES, STAYS_HIGH} else STAYS_LOW
        before = exact
        price = on_tick(exact)
        share = left / (len(PRINTS_MS) - number)
        amount = item.floor_amount(share if item.inverse or not price else share / price)
        if amount > 0 and price > 0:
            left -= amount if item.inverse else amount * price
            made.append(Print(offset_ms, exact, price, amount, tick))
    return tuple(made)


def _of_bar(item: Instrument, tape: Tape, open_ms: int, turns: Turns) -> Iterator[PublicTrade]:
    for row in prints(item.name, turns):
        at_ms = open_ms + row.offset_ms
        yield PublicTrade(
            trade_id=f"{item.id_prefix}{at_ms * SEQ_PER_MS}",
            trade_seq=at_ms * SEQ_PER_MS,
            instrument_name=item.name,
            timestamp=at_ms,
            direction="buy" if row.tick_direction in {RISES, STAYS_HIGH} else "sell",
            tick_direction=row.tick_direction,
            price=row.price,
            amount=row.amount,
            contracts=plain(row.amount / item.contract_size),
            index_price=row.exact,
            mark_price=tape.mark_of(row.exact, at_ms),
        )


def last_price(tape: Tape, desks: Iterable[Desk], name: str) -> Decimal:
    """Return the price of the last trade in an instrument, the market's or an account's."""
    price, at_ms = tape.last_print()
    since = (trade for desk in desks for trade in desk.trades_between(at_ms, desk.now_ms))
    mine = [trade for trade in since if trade.instrument_name == name]
    return max(mine, key=attrgetter("trade_seq")).price if mine else price


def account_trade(trade: Trade) -> PublicTrade:
    """Return a fill of the account as everybody sees it."""
    opposite = {"buy": "sell", "sell": "buy"}
    return PublicTrade(
        trade_id=trade.trade_id,
        trade_seq=trade.trade_seq,
        instrument_name=trade.instrument_name,
        timestamp=trade.timestamp,
        direction=trade.direction if trade.liquidity == "T" else opposite[trade.direction],
        tick_direction=trade.tick_direction,
        price=trade.price,
        amount=trade.amount,
        contracts=trade.contracts,
        index_price=trade.index_price,
        mark_price=trade.mark_price,
        liquidation=trade.liquidation,
    )
