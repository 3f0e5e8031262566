"""The exchange's journal and memory: one SQLite file, made durable before anybody is answered.

``journal`` is what an outside judge reads: every order-changing request with its outcome, every
state of every order, every trade, position, balance and connection, numbered and timed. ``orders``,
``trades`` and ``state`` hold the latest of each, so that a restart goes on where this one ended.
One transaction per step, WAL with ``synchronous=FULL``: after a power cut nothing that was
answered is missing.
"""

from pathlib import Path
from typing import cast

import apsw
import msgspec

from tradebaas.errors import StoreFault
from tradebaas.paper.desk import Trade
from tradebaas.paper.exchange import Record, SavedState
from tradebaas.paper.orders import Order

SCHEMA_VERSION = 1
SYNCHRONOUS_FULL = 2
SCHEMA = """
CREATE TABLE journal (n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
                      body TEXT NOT NULL);
CREATE TABLE orders (order_id TEXT PRIMARY KEY, n INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE trades (trade_seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE state (key TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE INDEX orders_by_n ON orders (n);
"""


class Journal:
    """Synchronous; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = apsw.Connection(str(path))
            self._prepare(path)
        except apsw.Error as error:
            raise _fault(path, error) from error
        self._path = path

    def load(self, count: int) -> tuple[SavedState | None, list[Order], list[Trade]]:
        """Return what the last run left: state, newest orders and trades, oldest first.

        Raises:
            StoreFault: the file cannot be read.
        """
        try:
            state = self._db.execute("SELECT body FROM state WHERE key = 'exchange'").get
            orders = self._last("SELECT body FROM orders ORDER BY n DESC LIMIT ?", count)
            live = self._last(
                "SELECT body FROM orders WHERE json_extract(body, '$.state') IN "
                "('open', 'untriggered') ORDER BY n DESC LIMIT ?",
                count,
            )
            trades = self._last("SELECT body FROM trades ORDER BY trade_seq DESC LIMIT ?", count)
        except apsw.Error as error:
            raise _fault(self._path, error) from error
        remembered = {
            order.order_id: order
            for order in (msgspec.json.decode(body, type=Order) for body in (*live, *orders))
        }
        # By creation, as they were in memory: queries list them so.
        ordered = sorted(remembered.values(), key=lambda order: order.number)
        saved = None if state is None else msgspec.json.decode(cast(str, state), type=SavedState)
        return saved, ordered, [msgspec.json.decode(body, type=Trade) for body in trades]

    def commit(
        self, records: list[Record], orders: list[Order], trades: list[Trade], state: SavedState
    ) -> None:
        """Make one step durable.

        Raises:
            StoreFault: when the disk does not take it; the exchange must stop then.
        """
        try:
            with self._db:
                self._db.executemany(
                    "INSERT INTO journal VALUES (?, ?, ?, ?)",
                    [(line.n, line.at_ms, line.kind, line.body.decode()) for line in records],
                )
                self._db.executemany(
                    "INSERT OR REPLACE INTO orders VALUES (?, ?, ?)",
                    [(item.order_id, item.number, _text(item)) for item in orders],
                )
                self._db.executemany(
                    "INSERT INTO trades VALUES (?, ?)",
                    [(item.trade_seq, _text(item)) for item in trades],
                )
                self._db.execute(
                    "INSERT OR REPLACE INTO state VALUES ('exchange', ?)",
                    (_text(state),),
                )
        except apsw.Error as error:
            raise _fault(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _last(self, query: str, count: int) -> list[str]:
        rows = self._db.execute(query, (count,)).fetchall()
        return [cast(str, body) for (body,) in reversed(rows)]

    def _prepare(self, path: Path) -> None:
        mode = self._db.pragma("journal_mode", "wal")
        if mode != "wal":
            raise StoreFault(f"{path}: SQLite chose journal mode {mode}, not wal; use another disk")
        self._db.pragma("synchronous", "full")
        if self._db.pragma("synchronous") != SYNCHRONOUS_FULL:
            raise StoreFault(f"{path}: SQLite refuses synchronous=FULL; use another disk")
        version = self._db.pragma("user_version")
        if version == 0:
            with self._db:
                self._db.execute(SCHEMA)
                self._db.pragma("user_version", SCHEMA_VERSION)
        elif version != SCHEMA_VERSION:
            raise StoreFault(
                f"{path}: written by another version of the embedded exchange (schema {version}, "
                f"this one has {SCHEMA_VERSION}); move the directory away to start a new one"
            )


def _text(value: Order | Trade | SavedState) -> str:
    return msgspec.json.encode(value).decode()


def _fault(path: Path, error: apsw.Error) -> StoreFault:
    return StoreFault(
        f"{path}: the embedded exchange cannot use its journal: {error}. Check the disk; if the "
        "file is damaged, move its directory away to start a new exchange."
    )
