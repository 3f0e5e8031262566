"""The exchange's journal and memory: one SQLite file, made durable before anybody is answered.

``journal`` is what an outside judge reads: every order-changing request with its outcome (and, of
an entry, the best prices that its connection was told), every state of every order, every trade,
position, balance and connection, numbered and timed. ``orders``, ``trades``, ``transactions`` and
``state`` are what a restart goes on from.
One transaction per step, WAL with ``synchronous=FULL``: after a power cut nothing that was
answered is missing.
"""

from pathlib import Path
from typing import cast

import apsw
import msgspec

from tradebaas.errors import StoreFault
from tradebaas.paper.desk import Fill, Trade
from tradebaas.paper.directory import lost
from tradebaas.paper.ledger import Left
from tradebaas.paper.orders import Order
from tradebaas.paper.recorder import Step
from tradebaas.paper.saved import SavedState
from tradebaas.paper.transactions import Transaction

SCHEMA_VERSION = 3
SYNCHRONOUS_FULL = 2
SCHEMA = """
CREATE TABLE journal (n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
                      body TEXT NOT NULL);
CREATE TABLE orders (order_id TEXT PRIMARY KEY, user_id INTEGER NOT NULL, n INTEGER NOT NULL,
                     body TEXT NOT NULL);
CREATE TABLE trades (user_id INTEGER NOT NULL, trade_seq INTEGER NOT NULL, body TEXT NOT NULL,
                     PRIMARY KEY (user_id, trade_seq)) WITHOUT ROWID;
CREATE TABLE transactions (user_id INTEGER NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL,
                           PRIMARY KEY (user_id, id)) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE INDEX orders_by_n ON orders (user_id, n);
"""


class Journal:
    """Synchronous; used by one thread at a time. ``made`` says that it is none to begin."""

    def __init__(self, path: Path, *, made: bool = False) -> None:
        self._made = made
        try:
            self._db = apsw.Connection(str(path))
            self._prepare(path)
        except apsw.Error as error:
            raise _fault(path, error) from error
        self._path = path

    def load(self, count: int) -> Left:
        """Return what the last run left, oldest first.

        Raises:
            StoreFault: the file cannot be read, or the account in it is gone.
        """
        left = Left(None, [], [], [])
        try:
            state = self._db.execute("SELECT body FROM state WHERE key = 'exchange'").get
            if state is None and self._made:
                raise _lost(self._path)
            if state is None:
                return left
            saved = msgspec.json.decode(cast(str, state), type=SavedState)
            for user_id in (account.user_id for account in saved.accounts):
                left.orders.extend(self._orders_of(user_id, count))
                left.fills.extend(self._fills_of(user_id, count))
                left.transactions.extend(self._transactions_of(user_id, count))
        except (apsw.Error, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _fault(self._path, error) from error
        return left._replace(state=saved)

    def commit(self, step: Step, state: SavedState) -> None:
        """Make one step durable.

        Raises:
            StoreFault: when the disk does not take it; the exchange must stop then.
        """
        try:
            with self._db:
                self._db.executemany(
                    "INSERT INTO journal VALUES (?, ?, ?, ?)",
                    [(line.n, line.at_ms, line.kind, line.body.decode()) for line in step.records],
                )
                self._db.executemany(
                    "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)",
                    [
                        (item.order_id, item.user_id, item.number, _text(item))
                        for item in step.orders
                    ],
                )
                self._db.executemany(
                    "INSERT INTO trades VALUES (?, ?, ?)",
                    [(user_id, trade.trade_seq, _text(trade)) for user_id, trade in step.fills],
                )
                self._db.executemany(
                    "INSERT INTO transactions VALUES (?, ?, ?)",
                    [(row.user_id, row.id, _text(row)) for row in step.transactions],
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

    def _orders_of(self, user_id: int, count: int) -> list[Order]:
        newest = self._last(
            "SELECT body FROM orders WHERE user_id = ? ORDER BY n DESC LIMIT ?", user_id, count
        )
        live = self._last(
            "SELECT body FROM orders WHERE user_id = ? AND json_extract(body, '$.state') IN "
            "('open', 'untriggered') ORDER BY n DESC LIMIT ?",
            user_id,
            count,
        )
        remembered = {
            order.order_id: order
            for order in (msgspec.json.decode(body, type=Order) for body in (*live, *newest))
        }
        # By creation, as they were in memory: queries list them so.
        return sorted(remembered.values(), key=lambda order: order.number)

    def _fills_of(self, user_id: int, count: int) -> list[Fill]:
        newest = self._last(
            "SELECT body FROM trades WHERE user_id = ? ORDER BY trade_seq DESC LIMIT ?",
            user_id,
            count,
        )
        return [Fill(user_id, msgspec.json.decode(body, type=Trade)) for body in newest]

    def _transactions_of(self, user_id: int, count: int) -> list[Transaction]:
        newest = self._last(
            "SELECT body FROM transactions WHERE user_id = ? ORDER BY id DESC LIMIT ?",
            user_id,
            count,
        )
        return [msgspec.json.decode(body, type=Transaction) for body in newest]

    def _last(self, query: str, user_id: int, count: int) -> list[str]:
        rows = self._db.execute(query, (user_id, count)).fetchall()
        return [cast(str, body) for (body,) in reversed(rows)]

    def _prepare(self, path: Path) -> None:
        mode = self._db.pragma("journal_mode", "wal")
        if mode != "wal":
            raise StoreFault(f"{path}: SQLite chose journal mode {mode}, not wal; use another disk")
        self._db.pragma("synchronous", "full")
        if self._db.pragma("synchronous") != SYNCHRONOUS_FULL:
            raise StoreFault(f"{path}: SQLite refuses synchronous=FULL; use another disk")
        version = self._db.pragma("user_version")
        if version == 0 and self._made:
            raise _lost(path)
        if version == 0:
            with self._db:
                self._db.execute(SCHEMA)
                self._db.pragma("user_version", SCHEMA_VERSION)
        elif version != SCHEMA_VERSION:
            raise StoreFault(
                f"{path}: written by another version of the embedded exchange (schema {version}, "
                f"this one has {SCHEMA_VERSION}); move the directory away to start a new one"
            )


def _text(value: Order | Trade | Transaction | SavedState) -> str:
    return msgspec.json.encode(value).decode()


def _lost(path: Path) -> StoreFault:
    """Its write-ahead log is gone, most likely, and with it all that was not copied from there."""
    return StoreFault(f"{path} holds no account, {lost(path.parent)}")


def _fault(path: Path, error: Exception) -> StoreFault:
    return StoreFault(
        f"{path}: the embedded exchange cannot use its journal: {error}. Check the disk; if the "
        "file is damaged, move its directory away to start a new exchange."
    )
