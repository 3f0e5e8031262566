"""The gap of a restore: which events of the log are the exchange's doing, and which are not."""

from decimal import Decimal
from pathlib import Path

import pytest
from store_kit import NOW_MS, open_log

from tradebaas.core.events import (
    Event,
    Filled,
    LifeStarted,
    OrderAdopted,
    OrderIntended,
    OrderUpdated,
    Recovered,
    RecoveryReport,
    TradeClosed,
)
from tradebaas.core.model import ContractKind, Direction, Fill, Intent, Order, Phase, Role, Trade
from tradebaas.store import codec
from tradebaas.store.catalogue import RESTORED, RestoreNote, write_restored
from tradebaas.store.gap import Gap, read_gap
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord

NAME, LOST, OWN = "BTC-PERPETUAL", "tb1-aa-9-e", "tb1-bb-12-c"
SIZE = Decimal(100)


def filled(number: int, label: str) -> Filled:
    fill = Fill(
        trade_id=str(number), order_id=f"o{number}", label=label, instrument=NAME,
        contract=ContractKind.INVERSE, direction=Direction.BUY, amount=SIZE, price=Decimal(9),
        fee=Decimal(0), currency="BTC", at_ms=NOW_MS + number,
    )  # fmt: skip
    return Filled(fill=fill)


def updated(order_id: str, label: str, state: str) -> OrderUpdated:
    order = Order(
        order_id=order_id, label=label, instrument=NAME, direction=Direction.SELL,
        order_type="market", state=state, amount=SIZE,
    )  # fmt: skip
    return OrderUpdated(order=order)


def closed(number: int, at: int) -> TradeClosed:
    trade = Trade(
        number=number, signal_id="", instrument=NAME, direction=Direction.BUY, amount=SIZE,
        entry_price=Decimal(9), exit_price=Decimal(9), opened_ms=NOW_MS, closed_ms=NOW_MS + at,
        gross=Decimal(0), fees=Decimal(0), net=Decimal(0), currency="BTC", exit_reason="close",
        ours=True,
    )  # fmt: skip
    return TradeClosed(trade=trade)


INTENDED = OrderIntended(
    intent=Intent(
        label=OWN, role=Role.CLOSE, instrument=NAME, direction=Direction.SELL, amount=SIZE,
        order_type="market", reduce_only=True, life=2, connection=1, intended_ms=NOW_MS,
        valid_until_ms=NOW_MS + 2000,
    )
)  # fmt: skip
RECOVERED = Recovered(
    report=RecoveryReport(
        life=2, cause="killed", phase=Phase.ANALYZING, events_replayed=0, unresolved=(),
        findings=(), position="flat", naked_ms=0, store_notes=(), steps={}, recovered_seconds=0.1,
        settle_seconds=0.0,
    )
)  # fmt: skip
BEFORE: list[Event] = [LifeStarted(life=1, token="aa", wall_ms=NOW_MS), filled(1, "tb1-aa-2-e")]
AFTER: list[Event] = [
    LifeStarted(life=2, token="bb", wall_ms=NOW_MS),
    filled(2, LOST), filled(3, ""), closed(1, 3), filled(4, LOST),
    updated("S", "tb1-aa-9-s", "untriggered"), updated("S", "tb1-aa-9-s", "cancelled"),
    OrderAdopted(label=LOST, order_id="o2", how="found"),
    INTENDED, filled(5, OWN), closed(2, 5), updated("o5", OWN, "filled"),
    OrderAdopted(label=OWN, order_id="o5", how="found"),
]  # fmt: skip


def append(log: Log, events: list[Event]) -> None:
    for event in events:
        kind, version, body = codec.encode(event)
        log.append([NewRecord(at_ms=NOW_MS, life=1, kind=kind, version=version, body=body)])


def store(data: Path, events: list[Event], *, chain: str = "") -> Gap | None:
    """The gap of a store that was restored with ``BEFORE`` and has gone on with ``events``."""
    log = open_log(data)
    append(log, BEFORE)
    end = log.head
    append(log, events)
    log.close()
    note = RestoreNote(name="b.db", seq=end.seq, chain=chain or end.digest.hex(), at_ms=NOW_MS)
    write_restored(Place(data), note)
    return read_gap(Place(data))


def test_it_has_what_the_exchange_did_and_not_what_the_new_life_did(tmp_path: Path) -> None:
    gap = store(tmp_path, [*AFTER, RECOVERED, filled(6, LOST)])
    assert gap is not None
    assert (gap.backup, gap.seq, gap.from_ms, gap.finished) == ("b.db", 2, NOW_MS, True)
    assert [fill.trade_id for fill in gap.fills] == ["2", "3", "4"]
    assert [(order.order_id, order.state) for order in gap.orders] == [("S", "cancelled")]
    assert [trade.number for trade in gap.trades] == [1]
    assert gap.others == (OrderAdopted(label=LOST, order_id="o2", how="found"),)


def test_it_is_not_finished_before_a_recovery(tmp_path: Path) -> None:
    gap = store(tmp_path, AFTER)
    assert gap is not None
    assert not gap.finished
    assert len(gap.fills) == 3


def test_a_store_that_was_never_restored_has_none(tmp_path: Path) -> None:
    open_log(tmp_path).close()
    assert read_gap(Place(tmp_path)) is None


def test_a_note_about_another_store_is_none_about_this_one(tmp_path: Path) -> None:
    assert store(tmp_path, [*AFTER, RECOVERED], chain="00" * 32) is None


@pytest.mark.parametrize("spoilt", [b"", b"\xff{", b"[]", b'{"name": "b.db", "seq": "2"}'])
def test_a_note_that_cannot_be_read_is_as_none(tmp_path: Path, spoilt: bytes) -> None:
    assert store(tmp_path, [*AFTER, RECOVERED]) is not None
    (tmp_path / "backups" / RESTORED).write_bytes(spoilt)
    assert read_gap(Place(tmp_path)) is None
