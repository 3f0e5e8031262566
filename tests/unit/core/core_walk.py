"""A walk through everything that can happen to the core, one move at a time.

Answers are lost, notifications come late, twice, out of order or never, lives and connections end
at any moment, and (when ``meddling``) the account's owner trades beside us. Each move takes its
choices from a ``Random``. ``converge`` stops the faults and demands that state and exchange agree.
"""

from collections.abc import Callable
from decimal import Decimal
from random import Random

import msgspec

from tests.unit.core.core_ground import Ground
from tests.unit.core.core_kit import BUY, LIMITS, LINEAR, MINUTE, SELL, T0, D, assignment
from tradebaas.core.duties import unwanted
from tradebaas.core.facts import LostFact
from tradebaas.core.messages import (
    Admit,
    Arm,
    ClosePosition,
    Disarm,
    EndLife,
    Halt,
    Propose,
    Request,
    Tend,
)

WAITS_MS = (1, 1, 150, 2_001, 9_000, 61_000, 7_200_000)
LAGS_MS = (2, 20, 1_000, 30_000)
WAYS = (-2_500, -900, -100, 100, 900, 2_500)
SHARES: tuple[tuple[Decimal, ...], ...] = (
    (D(0),),
    (D(1),),
    (D(1),),
    (D("0.6"), D("0.4")),
    (D("0.4"),),
    (D("0.3"), D("0.3")),
)


class Walk(Ground):
    """The moves."""

    def interrupt(self, rng: Random) -> None:
        """A life or a connection ends."""
        match rng.choice(["crash", "clean end", "told", "untold"]):
            case "crash":
                self.start_life()
            case "clean end":
                self.ask(EndLife(wall_ms=0))
                self.start_life()
            case how:
                self.disconnect(told=how == "told")
        if rng.random() < 0.7:
            self.connect()
            self.full_read()

    def slow_read(self) -> None:
        """A full read that was taken earlier arrives, or one is taken to arrive later."""
        if self.slow is not None:
            read_ms, facts = self.slow
            self.slow = None
            self.report(*facts, complete=True, at=read_ms)
        elif self.state.connection:
            facts = self.sim.read(self.state)
            self.slow = (self.sim.now, facts)

    def lagging_read(self, rng: Random) -> None:
        """The store of trades is behind the positions; what it lacks is told later."""
        if self.state.connection:
            self.sim.now += 1
            self.report(*self.sim.read(self.state, rng.choice(LAGS_MS)), complete=True)

    def notify(self, rng: Random) -> None:
        """A notification, mostly the next one, sometimes another, or one that comes again."""
        stream = self.sim.stream
        if stream and self.state.connection:
            index = rng.randrange(len(stream)) if rng.random() < 0.3 else 0
            news = stream[index] if rng.random() < 0.2 else stream.pop(index)
            self.report(*news)

    def notify_all(self) -> None:
        while self.sim.stream and self.state.connection:
            self.report(*self.sim.stream.pop(0))

    def lose_a_notification(self, rng: Random) -> None:
        if self.sim.stream:
            self.sim.stream.pop(rng.randrange(len(self.sim.stream)))

    def send(self, rng: Random) -> None:
        for intent in self.unsent()[:1]:
            self.taken.add(intent.label)
            parts = rng.choice(SHARES)
            lost = LostFact(label=intent.label, reason="no answer")
            match rng.choice(["answered"] * 5 + ["answer lost", "late", "refused", "lost"]):
                case "answered":
                    self.report(*self.sim.place(intent, parts))
                case "answer lost":
                    self.sim.place(intent, parts)
                    self.report(lost)
                case "late":
                    self.late.append(intent)
                    self.report(lost)
                case "refused":
                    expired = msgspec.structs.replace(intent, valid_until_ms=0)
                    self.report(*self.sim.place(expired, parts))
                case _:
                    self.report(lost)

    def late_arrival(self, rng: Random) -> None:
        """A request that was on the wire all the time; refused when it is too old."""
        if self.late:
            self.sim.place(self.late.pop(), rng.choice(SHARES))

    def prove(self) -> None:
        for label, pending in list(self.state.pending.items()):
            if pending.unknown and self.state.connection:
                self.probe(label)

    def operator(self, rng: Random) -> None:
        requests: list[Request] = [
            Arm(assignment=assignment(LINEAR)),
            Disarm(reason="test"),
            Disarm(reason="test", close=True),
            ClosePosition(reason="test"),
            Halt(by="test", reason="test"),
        ]
        self.ask(rng.choice(requests))

    def propose(self, rng: Random) -> None:
        again = rng.random() < 0.1
        self.candle = max(self.candle + (not again), (self.sim.now - T0) // MINUTE)
        self.look()
        signal = self.story.signal(rng.choice([BUY, SELL]), self.candle)
        self.ask(Propose(signal=signal, market=self.story.market()))

    def admit(self) -> None:
        self.look()
        if self.state.signal is not None:
            market = self.story.market()
            self.ask(Admit(signal_id=self.state.signal.signal_id, market=market))

    def tend(self) -> None:
        self.sim.now += 1
        self.look()
        connection, market = self.state.connection, self.story.market()
        self.ask(Tend(connection=connection, at_ms=self.sim.now, market=market))

    def cancel_unwanted(self) -> None:
        for order_id in unwanted(self.state, self.sim.now, LIMITS, D(1)):
            if order_id in self.sim.orders:
                self.report(*self.sim.cancel(order_id))

    def time_passes(self, rng: Random) -> None:
        self.sim.now += rng.choice(WAITS_MS)

    def price_moves(self, rng: Random) -> None:
        self.sim.move(max(self.sim.price + rng.choice(WAYS), D(20_000)))

    def owner(self, rng: Random) -> None:
        """The account's owner trades, leaves an order, or cleans up and goes."""
        mine = [o for o in self.sim.orders.values() if o.label == "mine" and o.live]
        match rng.choice(["trade", "rest", "leave", "leave"]) if self.meddling else "":
            case "trade":
                self.sim.owner_trades(rng.choice([BUY, SELL]), D(rng.choice([10, 25, 100])) / 1000)
            case "rest" if len(mine) < 3:
                self.sim.owner_rests()
            case "leave":
                for order in mine:
                    self.sim.cancel(order.order_id)
                if self.sim.size and not any(o.ours and o.live for o in self.sim.orders.values()):
                    away = SELL if self.sim.size > 0 else BUY
                    self.sim.owner_trades(away, abs(self.sim.size))

    def someone_cancels(self, rng: Random) -> None:
        live = [o.order_id for o in self.sim.orders.values() if o.live and not o.waiting]
        if live:
            self.sim.cancel(rng.choice(live))

    # ------------------------------------------------------------------------ convergence

    def converge(self) -> None:
        """The faults stop; what the crew does in every life is done a few times."""
        self.late.clear()
        self.start_life()
        self.connect()
        for _ in range(30):
            self.sim.now += 10_000
            self.full_read()
            self.prove()
            self.admit()
            self.tend()
            for intent in self.unsent():
                self.taken.add(intent.label)
                self.report(*self.sim.place(intent, (D(1),)))
            self.cancel_unwanted()
        self.sim.now += 10_000
        self.full_read()
        self.check_converged()


MOVES: dict[str, tuple[int, Callable[[Walk, Random], None]]] = {
    "propose": (12, Walk.propose),
    "send": (12, Walk.send),
    "notify": (10, Walk.notify),
    "notify_all": (5, lambda walk, _: walk.notify_all()),
    "tend": (8, lambda walk, _: walk.tend()),
    "price_moves": (6, Walk.price_moves),
    "time_passes": (6, Walk.time_passes),
    "cancel_unwanted": (6, lambda walk, _: walk.cancel_unwanted()),
    "prove": (4, lambda walk, _: walk.prove()),
    "admit": (3, lambda walk, _: walk.admit()),
    "get_ready": (3, lambda walk, _: walk.get_ready()),
    "slow_read": (3, lambda walk, _: walk.slow_read()),
    "owner": (3, Walk.owner),
    "lagging_read": (2, Walk.lagging_read),
    "late_arrival": (2, Walk.late_arrival),
    "interrupt": (2, Walk.interrupt),
    "operator": (2, Walk.operator),
    "lose_a_notification": (1, Walk.lose_a_notification),
    "someone_cancels": (1, Walk.someone_cancels),
}
WEIGHTED = [name for name, (weight, _) in MOVES.items() for _ in range(weight)]
