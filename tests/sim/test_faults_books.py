"""Whatever happens to the exchange, and whatever it does: its books stay conserved, and its own.

Chance makes orders as a client does, strikes every row of the table, lets time pass, kills the
exchange and starts it again. Then the journal, the memory and the judge's fold must agree, money
must be neither made nor lost, and the same seed must have done the same.
"""

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from exchange_kit import BTC, bracket, buy

from chaos.sim.clock import EPOCH_MS
from chaos.world.books import Books
from chaos.world.exchange import MemoryJournal
from chaos.world.faults import FAULTS, Scene, strike
from chaos.world.faults_mail import Mail
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.ledger import restore
from tradebaas.paper.rpc import Front

D = Decimal
SEEDS = range(12)
DEEDS = 250


class Run:
    """One exchange driven by chance, without a server: each call is a step of its own."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.config = ExchangeConfig(
            directory=Path("/nowhere"), admin=True, start_ms=EPOCH_MS, remembered=500, seed=seed
        )
        self.journal = MemoryJournal(self.config.remembered)
        self.mail = Mail(self.rng)
        self.told: list[str] = []
        self.now_ms = EPOCH_MS
        self.start()

    def start(self) -> None:
        self.exchange: Exchange = restore(self.config, self.journal, lambda: "token", EPOCH_MS)
        self.now_ms = max(self.now_ms, self.exchange.now_ms)
        self.front = Front(self.exchange)
        self.session = self.exchange.connect()
        self.session.logged_in = True
        self.finish()

    def finish(self) -> None:
        step = self.exchange.take_step()
        self.journal.commit(step, self.exchange.saved)
        if self.session.number in step.drops:
            self.exchange.disconnect(self.session.number)
            self.session = self.exchange.connect()
            self.session.logged_in = True
            self.finish()

    def deed(self) -> None:
        match self.rng.randrange(10):
            case 0 | 1 | 2:
                self.call(*self.order())
            case 3:
                self.call("private/cancel", {"order_id": self.chosen(ended=True)})
            case 4:
                amount = self.rng.randint(1, 60) * 10
                self.call("private/edit", {"order_id": self.chosen(), "amount": amount})
            case 5 | 6 | 7:
                name = self.rng.choice(list(FAULTS))
                scene = Scene(self.exchange, self.front, self.mail, self.rng)
                self.told.append(strike(scene, name))
                self.finish()
            case 8 if self.rng.random() < 0.2:
                self.start()
            case _:
                self.pass_time()

    def chosen(self, *, ended: bool = False) -> str:
        """An order, but no waiting leg: a pair that is made unequal may well lose a leg."""
        desk = self.exchange.desk
        orders = desk.orders if ended else desk.live
        ids = [order.order_id for order in orders.values() if not order.is_secondary]
        return self.rng.choice(ids or ["1"])

    def order(self) -> tuple[str, dict[str, Any]]:
        amount = self.rng.randint(1, 100) * 10
        price = self.exchange.tape.bid * (1 + D(self.rng.randint(-100, 100)) / 10_000) // 1
        params = buy(amount, label=self.rng.choice(("", "tb1-aa-1-e", "tb1-aa-1-s")))
        if self.rng.random() < 0.3:
            params = bracket(amount)
            for leg, sign in zip(params["otoco_config"], (1, -1), strict=True):
                name = "price" if sign > 0 else "trigger_price"
                leg[name] = (self.exchange.tape.bid * (1 + D(sign) / 200)) // 1
        elif self.rng.random() < 0.6:
            params |= {"type": "limit", "price": price}
        params["reduce_only"] = self.rng.random() < 0.3
        return f"private/{self.rng.choice(('buy', 'sell'))}", params

    def call(self, method: str, params: dict[str, Any]) -> None:
        text = msgspec.json.Encoder(decimal_format="number").encode(
            {"id": 1, "method": method, "params": params}
        )
        number = self.session.number
        self.front.receive(number, text.decode(), self.now_ms * 1000, 0, {})
        self.finish()

    def pass_time(self) -> None:
        self.now_ms += self.rng.choice((50, 1_000, 20_000, 200_000))
        self.front.run_due(self.now_ms * 1000, 0, {})
        self.exchange.advance(self.now_ms)
        self.finish()


def driven(seed: int) -> Run:
    run = Run(seed)
    for _ in range(DEEDS):
        run.deed()
    return run


@pytest.mark.parametrize("seed", SEEDS)
def test_the_books_are_conserved(seed: int) -> None:
    run = driven(seed)
    size = cash = D(0)
    for line in run.journal.lines:
        if line.kind != "trade":
            continue
        trade = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode(line.body)
        signed = trade["amount"] if trade["direction"] == "buy" else -trade["amount"]
        if trade["reduce_only"]:
            assert abs(size + signed) < abs(size)
            assert (size + signed) * size >= 0
        size += signed
        cash += D(trade["profit_loss"]) - D(trade["fee"])
    desk = run.exchange.desk
    assert (desk.account.positions[BTC].size, desk.account.balances["BTC"]) == (size, 1 + cash)
    books = Books()
    books.take(run.journal.rows(0))
    assert books.size(BTC) == size
    assert books.balances["BTC"] == 1 + cash
    assert books.live.keys() == desk.live.keys()
    for order in desk.orders.values():
        assert 0 <= order.filled <= order.amount
        assert (order.order_id in desk.live) == order.is_live
    pairs = [o.oco_ref for o in desk.live.values() if o.oco_ref and not o.is_secondary]
    assert all(pairs.count(ref) == 2 for ref in pairs)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_remembered_is_what_was(seed: int) -> None:
    run = driven(seed)
    before = run.exchange
    run.start()
    assert run.exchange.desk.live == before.desk.live
    assert run.exchange.desk.account == before.desk.account
    assert run.exchange.desk.trades[-200:] == before.desk.trades[-200:]


def test_the_same_seed_does_the_same() -> None:
    first, second = driven(5), driven(5)
    assert first.told == second.told
    assert first.journal.lines == second.journal.lines


def test_chance_visits_what_the_table_holds() -> None:
    """Not every row finds something to do in one run; over all seeds most of them do."""
    told = {text.split(" ")[0] for seed in SEEDS for text in driven(seed).told if text}
    assert {"owner", "market", "liquidation,", "maintenance", "the"} <= told
