"""Reads the two ledgers that count: the exchange's journal and the daemon's store.

The reading code here is the harness's own, so that a mistake in the daemon's is not repeated by
its judge. Both files are opened read-only, for one short read, and closed again: the daemon's next
start must find the store as the killed process left it, not as a reader keeps it. The chain of
digests is walked here too; a record that is missing or changed raises ``LedgerBroken``.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import get_args

import apsw
import msgspec
from msgspec import Struct

from tradebaas.core import events as event_module
from tradebaas.core.events import Event
from tradebaas.core.model import LABEL_PREFIX

GENESIS = bytes(32)
_FIXED = struct.Struct(">QqqqII")
_HEAD_SLOT = struct.Struct(">8sQ32s16s")
_HEAD_MAGIC = b"TBHEAD1\n"
_HEAD_STRIDE = 4096
_KINDS: dict[str, type] = {kind.__name__: kind for kind in get_args(event_module.Event)}
_BUSY_MS = 2_000


class LedgerBroken(Exception):
    """A ledger is not what an honest process leaves behind; the message says where."""


# ------------------------------------------------------------------------ the exchange's journal


class OrderRow(Struct, frozen=True):
    """An order as the exchange's journal describes it."""

    order_id: str
    order_state: str
    order_type: str
    instrument_name: str
    direction: str
    amount: Decimal
    label: str = ""
    reduce_only: bool = False
    filled_amount: Decimal = Decimal(0)
    is_secondary_oto: bool = False
    price: float | str | None = None
    trigger_price: Decimal | None = None
    trigger_order_id: str | None = None

    @property
    def live(self) -> bool:
        return self.order_state in ("open", "untriggered")

    @property
    def remaining(self) -> Decimal:
        return self.amount - self.filled_amount

    @property
    def is_ours(self) -> bool:
        return self.label.startswith(LABEL_PREFIX)

    @property
    def limit(self) -> Decimal | None:
        """Its limit price; None for one that trades at the market."""
        market = self.price is None or self.price == "market_price"
        return None if market else Decimal(str(self.price))


class TradeRow(Struct, frozen=True):
    """A fill, with the profit and the fee that the exchange booked for it."""

    trade_id: str
    instrument_name: str
    timestamp: int
    order_id: str
    direction: str
    price: Decimal
    amount: Decimal
    fee: Decimal
    profit_loss: Decimal
    fee_currency: str
    label: str = ""

    @property
    def is_ours(self) -> bool:
        return self.label.startswith(LABEL_PREFIX)

    @property
    def key(self) -> str:
        """Trade ids are unique per currency only."""
        return f"{self.instrument_name}/{self.trade_id}"


class PositionRow(Struct, frozen=True):
    """The net position after a change; ``live_stop_amount`` is the exchange's own count."""

    instrument_name: str
    size: Decimal
    live_stop_amount: Decimal
    average_price: Decimal = Decimal(0)


class BalanceRow(Struct, frozen=True):
    """The cash balance of a currency after a change."""

    currency: str
    balance: Decimal


class SettlementRow(Struct, frozen=True):
    """A day's session has ended: profit that was booked already, and funding, reach the balance."""

    currency: str
    profit: Decimal
    funding: Decimal


class SessionRow(Struct, frozen=True):
    """A connection came, logged in or went."""

    session: int
    event: str


class RequestRow(Struct, frozen=True):
    """An order-changing call that reached the exchange, with its outcome.

    ``told`` has the steps of the best price on the side that an entry would take, as its connection
    was told it: exchange ms and price, the first from a moment on the worst that was told since.
    """

    session: int
    method: str
    label: str
    leg_labels: list[str]
    params: dict[str, object]
    outcome: dict[str, object]
    told: list[tuple[int, Decimal]] | None = None

    @property
    def labels(self) -> list[str]:
        return [label for label in (self.label, *self.leg_labels) if label]


class AdminRow(Struct, frozen=True):
    """Something that the driver did."""

    method: str
    params: dict[str, object]
    outcome: dict[str, object]


Body = (
    OrderRow
    | TradeRow
    | PositionRow
    | BalanceRow
    | SettlementRow
    | SessionRow
    | RequestRow
    | AdminRow
)
_BODIES: dict[str, type[Body]] = {
    "order": OrderRow,
    "trade": TradeRow,
    "position": PositionRow,
    "balance": BalanceRow,
    "settlement": SettlementRow,
    "session": SessionRow,
    "request": RequestRow,
    "admin": AdminRow,
}


class JournalRow(Struct, frozen=True):
    """One line of the exchange's journal; ``at_ms`` is exchange time.

    ``account`` is "" for the daemon's, which is the exchange's main one, and for nobody's.
    """

    n: int
    at_ms: int
    body: Body
    account: str = ""


class _Named(Struct, frozen=True):
    """What a line says of whose it is."""

    account: str = ""


def read_journal(path: Path, after_n: int) -> list[JournalRow]:
    """The journal's lines after ``after_n``, in order.

    Raises:
        LedgerBroken: a line is missing or of an unknown kind.
    """
    rows: list[JournalRow] = []
    query = "SELECT n, at_ms, kind, body FROM journal WHERE n > ? ORDER BY n"
    with _reading(path) as connection:
        for n, at_ms, kind, body in connection.execute(query, (after_n,)).fetchall():
            if not isinstance(n, int) or not isinstance(at_ms, int) or not isinstance(body, str):
                raise LedgerBroken(f"{path}: journal line {n!r} has columns of other types")
            if n != after_n + 1:
                raise LedgerBroken(f"{path}: journal goes from line {after_n} to {n}")
            rows.append(journal_row(n, at_ms, str(kind), body))
            after_n = n
    return rows


def journal_row(n: int, at_ms: int, kind: str, body: str | bytes) -> JournalRow:
    """One line of the journal, read.

    Raises:
        LedgerBroken: it is of an unknown kind.
    """
    if kind not in _BODIES:
        raise LedgerBroken(f"journal line {n} has the unknown kind {kind!r}")
    text = body if isinstance(body, str) else body.decode()
    account = msgspec.json.decode(text, type=_Named).account if '"account"' in text else ""
    return JournalRow(n, at_ms, msgspec.json.decode(text, type=_BODIES[kind]), account)


# ------------------------------------------------------------------------------ the daemon's store


class LogRow(Struct, frozen=True):
    """One event of the store, its place and its digest."""

    seq: int
    life: int
    event: Event
    digest: bytes


class Tail(Struct, frozen=True):
    """Where a reader is in the log: the last record that it has seen."""

    seq: int = 0
    digest: bytes = GENESIS


class SnapshotRow(Struct, frozen=True):
    """A stored snapshot: the daemon's own state as of ``seq``."""

    seq: int
    fold_version: int
    body: bytes


def read_log(path: Path, after: Tail) -> list[LogRow]:
    """The events after ``after``, each proven to follow the one before.

    Raises:
        LedgerBroken: the log no longer holds what was seen before, or the chain is broken.
    """
    with _reading(path) as connection:
        return log_rows(connection, after, path)


def log_rows(connection: apsw.Connection, after: Tail, path: Path) -> list[LogRow]:
    """As ``read_log``, through an open connection; ``path`` is for the message."""
    query = (
        "SELECT seq, at_ms, life, kind, version, body, digest FROM events"
        " WHERE seq >= ? ORDER BY seq"
    )
    raw = connection.execute(query, (max(after.seq, 1),)).fetchall()
    rows: list[LogRow] = []
    at = after
    for columns in raw:
        seq, at_ms, life, kind, version, body, digest = _typed(columns, at, path)
        if seq == after.seq:
            if digest != after.digest:
                raise LedgerBroken(f"{path}: event {seq} was changed after it had been read")
            continue
        if seq != at.seq + 1 or digest != _chained(at, seq, at_ms, life, kind, version, body):
            raise LedgerBroken(f"{path}: event {at.seq + 1} is missing or was changed")
        rows.append(LogRow(seq, life, decode_event(kind, version, body), digest))
        at = Tail(seq, digest)
    if after.seq and (not raw or raw[0][0] != after.seq):
        raise LedgerBroken(f"{path}: event {after.seq} was there and is gone: seq went back")
    return rows


def _typed(
    columns: tuple[object, ...], at: Tail, path: Path
) -> tuple[int, int, int, str, int, bytes, bytes]:
    """The columns of a row; a bit that flips may change the type of one."""
    try:
        return msgspec.convert(columns, tuple[int, int, int, str, int, bytes, bytes])
    except msgspec.ValidationError as error:
        raise LedgerBroken(f"{path}: event {at.seq + 1} is unreadable: {error}") from None


def decode_event(kind: str, version: int, body: bytes) -> Event:
    """The event of a stored record.

    Raises:
        LedgerBroken: for a kind or a version that this harness does not know.
    """
    if kind not in _KINDS or version != 1:
        raise LedgerBroken(f"the harness knows no version {version} of the event {kind!r}")
    event: Event = msgspec.json.decode(body, type=_KINDS[kind])
    return event


def read_snapshots(path: Path) -> list[SnapshotRow]:
    """All stored snapshots."""
    with _reading(path) as connection:
        return snapshot_rows(connection)


def snapshot_rows(connection: apsw.Connection) -> list[SnapshotRow]:
    """As ``read_snapshots``, through an open connection."""
    raw = connection.execute("SELECT seq, fold_version, body FROM snapshots").fetchall()
    return [SnapshotRow(*msgspec.convert(row, tuple[int, int, bytes])) for row in raw]


def read_head(path: Path) -> Tail:
    """What ``data/head`` says: the newer of its two valid slots; seq 0 when there is none."""
    try:
        return head_of(path.read_bytes())
    except FileNotFoundError:
        return Tail()


def head_of(raw: bytes) -> Tail:
    """As ``read_head``, from the bytes of the file."""
    slots = [raw[at : at + _HEAD_SLOT.size] for at in (0, _HEAD_STRIDE)]
    return max((_head_slot(slot) for slot in slots), key=lambda tail: tail.seq)


def _head_slot(raw: bytes) -> Tail:
    if len(raw) != _HEAD_SLOT.size:
        return Tail()
    magic, seq, digest, checksum = _HEAD_SLOT.unpack(raw)
    wanted = blake2b(_HEAD_MAGIC + seq.to_bytes(8, "big") + digest, digest_size=16).digest()
    return Tail(seq, digest) if magic == _HEAD_MAGIC and checksum == wanted else Tail()


def _chained(
    after: Tail, seq: int, at_ms: int, life: int, kind: str, version: int, body: bytes
) -> bytes:
    """The digest that record ``seq`` must have (the store's format, version 2)."""
    name = kind.encode()
    fixed = _FIXED.pack(seq, at_ms, life, version, len(name), len(body))
    return blake2b(after.digest + fixed + name + body, digest_size=32).digest()


@contextmanager
def _reading(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(_BUSY_MS)
        yield connection
    finally:
        connection.close()
