"""What the exchange did between the last moment of a restored backup and the start that followed.

The lost part of a log is told by the exchange: the first life after a restore reads the account,
and what it learns are events like any others. The gap is those of them that no life after the
restore has caused: from the end of the backup to the first recovery report, without what belongs to
orders that were intended since. Nothing is kept for it but where the backup ended.
"""

from collections.abc import Iterator
from typing import get_args

from msgspec import Struct

from tradebaas.core.events import (
    Event,
    Filled,
    ForeignFound,
    Liquidated,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderUpdated,
    PositionAdopted,
    PositionCorrected,
    PositionElsewhere,
    Recovered,
    TradeClosed,
)
from tradebaas.core.model import Fill, Order, Trade
from tradebaas.errors import StoreFault
from tradebaas.store import catalogue, codec
from tradebaas.store.catalogue import RestoreNote
from tradebaas.store.faults import DiskFull, StoreLocked
from tradebaas.store.place import Place
from tradebaas.store.reader import Reader, open_reader

Told = (
    OrderAdopted
    | OrderAbandoned
    | PositionCorrected
    | PositionElsewhere
    | PositionAdopted
    | Liquidated
    | ForeignFound
)
"""What a gap tells besides fills, orders and trades."""
TOLD: tuple[type[Told], ...] = get_args(Told)


class Gap(Struct, frozen=True, kw_only=True):
    """``seq`` is the last event of the ``backup``, written at ``from_ms`` (wall ms, like
    ``restored_ms``). Until ``finished`` no life has recovered since, and more may be learned.

    An order is as it was found: in its last state, once.
    """

    backup: str
    seq: int
    from_ms: int
    restored_ms: int
    finished: bool
    fills: tuple[Fill, ...]
    orders: tuple[Order, ...]
    trades: tuple[Trade, ...]
    others: tuple[Told, ...]


def read_gap(place: Place) -> Gap | None:
    """The gap of the newest restore; None when this store was never restored.

    Raises:
        Fatal: The store or its directory cannot be read.
    """
    try:
        note = catalogue.read_restored(place)
        return None if note is None else _read(place, note)
    except (DiskFull, StoreLocked, OSError) as error:
        raise StoreFault(f"what the restore did not have cannot be read: {error}") from error


def _read(place: Place, note: RestoreNote) -> Gap | None:
    with open_reader(place) as reader:
        end = reader.head_at(note.seq)
        if end is None or end.digest.hex() != note.chain:
            return None  # of another store, which was here before
        newest = reader.read(note.seq - 1, 1)
        return _gathered(note, newest[0].at_ms if newest else 0, _events(reader, note.seq))


def _events(reader: Reader, after: int) -> Iterator[Event]:
    return (codec.decode(record) for record in reader.each(after))


def _gathered(note: RestoreNote, from_ms: int, events: Iterator[Event]) -> Gap:
    fills, trades, others = list[Fill](), list[Trade](), list[Told]()
    orders = dict[str, Order]()
    since, finished = set[str](), False
    for event in events:
        match event:
            case Recovered():
                finished = True
                break
            case OrderIntended(intent=intent):
                since.update((intent.label, *(leg.label for leg in intent.legs)))
            case Filled(fill=fill) if fill.label not in since:
                fills.append(fill)
            case OrderUpdated(order=order) if order.label not in since:
                orders[order.order_id] = order
            case TradeClosed(trade=trade) if fills and trade.closed_ms <= fills[-1].at_ms:
                trades.append(trade)
            case _ if isinstance(event, TOLD) and getattr(event, "label", "") not in since:
                others.append(event)
    return Gap(
        backup=note.name, seq=note.seq, from_ms=from_ms, restored_ms=note.at_ms,
        finished=finished, fills=tuple(fills), orders=tuple(orders.values()),
        trades=tuple(trades), others=tuple(others),
    )  # fmt: skip
