"""The embedded exchange's directory, which lies in the data directory of a daemon without another.

For the daemon the exchange is the world outside: what it says is the truth, and that it was another
truth before is nothing that a store could know. So its books are play money without a chain, a head
or backups, and a spoilt byte may make them tell of another account. What must hold all the same:
the daemon is not harmed by a file in there, and the exchange starts, or refuses in words that name
the file. A crash, or an account that is silently begun anew, is a violation.
"""

import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path

import msgspec

from tradebaas import embedded
from tradebaas.config import Config
from tradebaas.errors import Fatal
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.directory import JOURNAL, locked
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.journal import Journal
from tradebaas.paper.ledger import restore
from tradebaas.paper.rpc import Front

FOLDER = "exchange"
UNAFFECTED, REFUSED, OTHERWISE = "unaffected", "refused", "otherwise"
LOGIN = {"grant_type": "client_credentials", "client_id": "paper", "client_secret": "paper-secret"}
BUY = {"instrument_name": "BTC-PERPETUAL", "amount": 100, "type": "market", "label": "tb1-a-1-e"}


class Unworthy(Exception):
    """What must never follow from a spoilt file of the exchange."""


def make_books(home: Path, now_ms: int) -> None:
    """An exchange on which something was traded, as a crash leaves it: much of it is in the
    database, and the rest in the write-ahead log."""
    made = home.with_name("made")
    made.mkdir(parents=True)
    for calls in (6, 2):
        with locked(made) as lock, closing(Journal(made / JOURNAL, made=lock.made)) as journal:
            exchange = _restored(made, journal, now_ms)
            say = _client(exchange, journal, now_ms)
            lock.mark_made()
            say("public/auth", **LOGIN)
            for _ in range(calls):
                say("private/buy", **BUY)
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(made, home)
    (home / "address").write_bytes(b'{"url": "ws://127.0.0.1:8022/ws/api/v2", "pid": 4194303}')
    (home / embedded.LOG_NAME).write_text("serving\n", encoding="ascii")
    shutil.rmtree(made)


def _client(exchange: Exchange, journal: Journal, now_ms: int) -> Callable[..., None]:
    front, session = Front(exchange), exchange.connect().number

    def say(method: str, **params: object) -> None:
        text = msgspec.json.encode({"id": 7, "method": method, "params": params}).decode()
        front.receive(session, text, exchange.now_ms * 1000, now_ms, {"rate": 1})
        journal.commit(exchange.take_step(), exchange.saved)

    return say


def picture(home: Path, now_ms: int) -> bytes:
    """What an exchange that is started there knows of its accounts.

    Raises:
        Fatal: the start is refused.
    """
    with locked(home) as lock, closing(Journal(home / JOURNAL, made=lock.made)) as journal:
        exchange = _restored(home, journal, now_ms)
        desks = [(name, desk.orders, desk.trades) for name, desk in sorted(exchange.desks.items())]
        return msgspec.json.encode((exchange.saved, desks))


def judge_books(root: Path, before: bytes, now_ms: int) -> str:
    """How an exchange starts in a spoilt directory, and whether the daemon minds.

    Raises:
        Unworthy: it should not be so.
    """
    with suppress(Fatal):
        if embedded.find(Config(data=str(root))) is not None:
            raise Unworthy("a dead exchange passes for a living one")
    home = root / FOLDER
    try:
        now = picture(home, now_ms)
    except Fatal as refusal:
        if str(home) not in str(refusal):
            raise Unworthy(f"a refusal that names no file: {refusal}") from refusal
        return REFUSED
    if now == before:
        return UNAFFECTED
    if not msgspec.json.decode(now)[1][0][1]:
        raise Unworthy("the account was silently begun anew")
    return OTHERWISE


def _restored(home: Path, journal: Journal, now_ms: int) -> Exchange:
    config = ExchangeConfig(directory=home, lockstep=True, start_ms=now_ms, balance_btc=Decimal(2))
    return restore(config, journal, lambda: "token", now_ms)
