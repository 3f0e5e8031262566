"""The harness reads what the real store and the exchange's journal write, and notices holes."""

from pathlib import Path

import apsw
import pytest
from chaos_kit import T

from chaos.real.lock import held_commit
from chaos.world.ledger import (
    AdminRow,
    LedgerBroken,
    SessionRow,
    Tail,
    TradeRow,
    _typed,
    decode_event,
    read_head,
    read_journal,
    read_log,
    read_snapshots,
)
from tradebaas.core.events import Disarmed, Event, Halted, Resumed
from tradebaas.core.state import FOLD_VERSION, State
from tradebaas.store import codec
from tradebaas.store.faults import StoreLocked
from tradebaas.store.folding import snapshot_of
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord

EVENTS: list[Event] = [Halted(by="a", reason="b"), Resumed(by="a"), Disarmed(reason="c")]


def record(event: Event) -> NewRecord:
    kind, version, body = codec.encode(event)
    return NewRecord(at_ms=T, life=1, kind=kind, version=version, body=body)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    log = Log.open(Place(tmp_path), now_ms=T)
    log.recover(FOLD_VERSION)
    for event in EVENTS:
        log.append([record(event)], snapshot_of(State()))
    log.abandon()
    return tmp_path / "tradebaas.db"


def bend(store: Path, statement: str) -> None:
    connection = apsw.Connection(str(store))
    connection.execute(statement)
    connection.close()


def test_the_real_log_is_read_and_its_chain_holds(store: Path) -> None:
    rows = read_log(store, Tail())
    assert [row.event for row in rows] == EVENTS
    assert [row.seq for row in rows] == [1, 2, 3]
    assert read_head(store.parent / "head") == Tail(3, rows[-1].digest)
    assert read_log(store, Tail(2, rows[1].digest)) == rows[2:]
    assert read_snapshots(store)[0].fold_version == FOLD_VERSION


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = CAST(replace(body, 'a', 'x') AS BLOB) WHERE seq = 2",
        "UPDATE events SET at_ms = at_ms + 1 WHERE seq = 3",
        "DELETE FROM events WHERE seq = 2",
    ],
)
def test_a_changed_or_missing_event_breaks_the_chain(store: Path, statement: str) -> None:
    bend(store, statement)
    with pytest.raises(LedgerBroken, match="missing or was changed"):
        read_log(store, Tail())


def test_a_column_of_another_type_is_noticed() -> None:
    """SQLite refuses to write one, but a flipped bit can make a number a blob."""
    columns = (2, 1, b"x", "Armed", 1, b"{}", bytes(32))
    with pytest.raises(LedgerBroken, match="event 2 is unreadable"):
        _typed(columns, Tail(1, bytes(32)), Path("log"))


def test_a_log_that_goes_back_is_noticed(store: Path) -> None:
    last = read_log(store, Tail())[-1]
    bend(store, "DELETE FROM events WHERE seq = 3")
    with pytest.raises(LedgerBroken, match="seq went back"):
        read_log(store, Tail(last.seq, last.digest))


def test_a_rewritten_end_is_noticed(store: Path) -> None:
    with pytest.raises(LedgerBroken, match="was changed after"):
        read_log(store, Tail(3, bytes(32)))


def test_an_unknown_event_is_no_guess() -> None:
    with pytest.raises(LedgerBroken, match="no version 2"):
        decode_event("Halted", 2, b"{}")
    with pytest.raises(LedgerBroken, match="'Other'"):
        decode_event("Other", 1, b"{}")


def test_no_head_is_seq_zero_and_a_torn_slot_does_not_count(store: Path, tmp_path: Path) -> None:
    assert read_head(tmp_path / "nothing") == Tail()
    head = store.parent / "head"
    whole = read_head(head)
    raw = bytearray(head.read_bytes())
    for at in (20, 4096 + 20):
        raw[at] ^= 1
        head.write_bytes(raw)
    assert read_head(head).seq < whole.seq


def test_a_held_commit_keeps_the_daemons_log_waiting(store: Path) -> None:
    log = Log.open(Place(store.parent), now_ms=T)
    log.recover(FOLD_VERSION)
    try:
        with held_commit(store) as held:
            assert held
            with pytest.raises(StoreLocked):
                log.append([record(EVENTS[0])])
        assert log.append([record(EVENTS[0])]).seq == 4
    finally:
        log.abandon()


# ------------------------------------------------------------------------- the exchange's journal

ROWS = [
    (1, T, "session", '{"session":1,"event":"login"}'),
    (
        2,
        T,
        "trade",
        '{"trade_id":"BTC-1","instrument_name":"BTC-PERPETUAL","timestamp":5,"order_id":"o",'
        '"direction":"buy","price":50000.5,"amount":10,"fee":0.000000000001,"profit_loss":-1e-12,'
        '"fee_currency":"BTC","label":"","more":null}',
    ),
    (3, T, "admin", '{"method":"admin/price","params":{"price":1},"outcome":{"result":"ok"}}'),
]


def journal(path: Path, rows: list[tuple[int, int, str, str]]) -> Path:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE journal (n INTEGER PRIMARY KEY, at_ms, kind, body)")
    connection.executemany("INSERT INTO journal VALUES (?, ?, ?, ?)", rows)
    connection.close()
    return path


def test_the_journal_is_read_with_every_digit(tmp_path: Path) -> None:
    rows = read_journal(journal(tmp_path / "x.db", ROWS), 0)
    assert [type(row.body) for row in rows] == [SessionRow, TradeRow, AdminRow]
    trade = rows[1].body
    assert isinstance(trade, TradeRow)
    assert (str(trade.fee), trade.profit_loss) == ("1E-12", trade.fee * -1)


@pytest.mark.parametrize(
    "rows, words",
    [
        ([ROWS[0], ROWS[2]], "from line 1 to 3"),
        ([(1, T, "other", "{}")], "unknown kind 'other'"),
        ([(1, T, "session", None)], "other types"),
    ],
)
def test_a_journal_with_a_hole_or_nonsense_is_refused(
    tmp_path: Path, rows: list[tuple[int, int, str, str]], words: str
) -> None:
    with pytest.raises(LedgerBroken, match=words):
        read_journal(journal(tmp_path / "x.db", rows), 0)
